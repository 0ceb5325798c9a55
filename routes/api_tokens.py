"""My API tokens: what programs of somebody's may do for them, made, shown once, and revoked."""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core import audit
from core.access import NotFoundError
from core.api_token import new_token
from core.model import Person, TokenScope, is_token_scope
from core.store import api_tokens
from core.store.api_tokens import MAX_TOKENS, SameNameError, TokensFullError
from core.text import display_name
from core.words import N_
from web.errors import WORDS
from web.forms import form_of
from web.guard import limit
from web.origin import own_origin
from web.render import as_json, page, redirect, wants_html
from web.request import person_of, services, signed_in
from web.words import gettext

HERE = "/profile/tokens"
NAME_LENGTH = 60

NAMELESS = N_("Give it a name of 1 to %(most)s characters.")


async def own(request: Request) -> Response:
    """GET /profile/tokens: people who are signed in see their tokens by name, and none itself."""
    person = await person_of(request)
    if person is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    return await _show(request, person, revoked="revoked" in request.query_params)


async def create(request: Request) -> Response:
    """POST /profile/tokens: make one of a `name` and `scope`, and show it, this once.

    So there is no address to which it could be led: the answer is the page that has it.
    """
    person = await signed_in(request)
    limit(services(request).limits.create, request, person.id)
    form = await form_of(request)
    typed = form.get("name", "")
    name, scope = display_name(typed, 1, NAME_LENGTH), form.get("scope")
    if not is_token_scope(scope):
        raise HTTPException(422)
    if name is None:
        if not wants_html(request):
            raise HTTPException(422)
        told = gettext(NAMELESS, most=NAME_LENGTH)
        return await _show(request, person, 422, typed=typed[:200], scope=scope, problem=told)
    token = new_token()
    try:
        await api_tokens.create(services(request).db, person.id, name, scope, token)
    except (SameNameError, TokensFullError) as problem:
        if not wants_html(request):
            raise
        told = " ".join(gettext(words) for words in WORDS[problem.code])
        return await _show(request, person, problem.status, typed=name, scope=scope, problem=told)
    audit.note("api_token", act="create", user=person.id, scope=scope.lower())
    if not wants_html(request):
        return as_json({"name": name, "scope": scope, "token": token}, 201)
    return await _show(request, person, 201, made={"name": name, "token": token})


async def revoke(request: Request) -> Response:
    """POST /profile/tokens/{api_token}/revoke: end one of one's own, at once and for good."""
    person = await signed_in(request)
    limit(services(request).limits.update, request, person.id)
    try:
        token = UUID(request.path_params["api_token"])
    except ValueError:
        raise NotFoundError from None
    if not await api_tokens.revoke(services(request).db, person.id, token):
        raise NotFoundError
    audit.note("api_token", act="revoke", user=person.id)
    if not wants_html(request):
        return Response(status_code=204)
    return RedirectResponse(f"{HERE}?revoked", 303)


async def _show(
    request: Request,
    person: Person,
    status: int = 200,
    *,
    made: dict[str, str] | None = None,
    revoked: bool = False,
    typed: str = "",
    scope: TokenScope = "READ",
    problem: str = "",
) -> Response:
    """Show the page. `made`: the token that was just made, by `name` and `token` itself.

    `typed`, `scope` and `problem`: what wasn't taken, and why.
    """
    return page(
        "people/tokens.html",
        person,
        status=status,
        tokens=await api_tokens.of_person(services(request).db, person.id),
        most=MAX_TOKENS,
        name_length=NAME_LENGTH,
        origin=own_origin(request, services(request).settings),
        made=made,
        revoked=revoked,
        typed=typed,
        scope=scope,
        problem=problem,
    )
