"""Signing in by a one-time link that an operator has made: `python app.py link`.

Opening it shows what it is for; only the button on that page uses it, so that whatever looks at
links before people do, such as a chat's preview, spends none.
"""

from __future__ import annotations

import time
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core import audit
from core.access import may_sign_in
from core.model import Person
from core.one_time_link import PATH, LinkError, OneTimeLink, Refusal
from core.signed_links import read
from core.store import one_time_links as links
from core.text import one_line
from core.words import N_
from routes.arriving import EMAIL_LENGTH, NAME_LENGTH
from routes.login import NOT_ALLOWED, Explanation, failed
from routes.welcome import led
from web.addresses import address_of
from web.forms import form_of
from web.guard import limit
from web.render import page
from web.request import services, sign_in
from web.words import gettext

_FIRST = N_("Whoever runs this server gets another one with “python app.py link”.")
_ACCOUNT = N_("Whoever runs this server gets another one with “python app.py link EMAIL”.")

NOT_VALID: Explanation = (
    403,
    N_("This link isn’t valid here."),
    N_("It is cut off, another server’s, or made with an earlier secret."),
)
RUN_OUT: Explanation = (410, N_("This link has run out."), N_("It was good for an hour."))
USED: Explanation = (
    410,
    N_("This link has been used."),
    N_("It was good once. If it wasn’t you who used it, tell whoever runs this server."),
)
TAKEN: Explanation = (
    403,
    N_("There is an account here already."),
    N_("The link for the first one is of no use any more."),
)
PROVIDED: Explanation = (
    403,
    N_("People sign in with %(provider)s here."),
    N_("So no link makes the first account: sign in to have it."),
)
EXPLAINED: dict[Refusal, Explanation] = {
    "not_valid": NOT_VALID,
    "run_out": RUN_OUT,
    "used": USED,
    "taken": TAKEN,
}


async def show(request: Request) -> Response:
    """GET /sign-in/link: who has one. Spends nothing."""
    limit(services(request).limits.sign_in, request)
    try:
        link = _link(request)
        if (answer := _provided(request, link)) is not None:
            return answer
        return _page(request, await links.look(services(request).db, link))
    except LinkError as problem:
        return _refused(request, problem)


async def use(request: Request) -> Response:
    """POST /sign-in/link: who has one, once."""
    parts = services(request)
    limit(parts.limits.sign_in, request)
    try:
        link = _link(request)
        if link.user_id is None:
            answer = _provided(request, link) or await _first(request, link)
            if answer is not None:
                return answer
            target = "/welcome/space"  # their name was typed just now
        else:
            person = await links.look(parts.db, link)
            if person is not None and not may_sign_in(parts.settings, person):
                return failed(request, NOT_ALLOWED)
            account = await links.account(parts.db, link)
            await sign_in(request, account)
            target = led(account, "/")
    except LinkError as problem:
        return _refused(request, problem)
    return RedirectResponse(target, 303)


async def _first(request: Request, link: OneTimeLink) -> Response | None:
    """Make the first account and sign it in; return what to answer instead. Raises LinkError."""
    parts, form = services(request), await form_of(request)
    email = one_line(form.get("email", ""), EMAIL_LENGTH).lower()
    name = one_line(form.get("name", ""), NAME_LENGTH)
    if not name or "@" not in email:
        await links.look(parts.db, link)
        return _page(request, None, name, email, status=422)
    if not parts.settings.accounts.allow(email):
        return failed(request, NOT_ALLOWED)
    space = gettext("%(name)s’s space", name=name)
    await sign_in(request, await links.first_account(parts.db, link, name, email, space))
    return None


def _link(request: Request) -> OneTimeLink:
    """Return the link that is open here. Raises LinkError."""
    secret = services(request).settings.login_secret
    return read(secret, request.query_params.get("token", ""), time.time())


def _page(
    request: Request,
    person: Person | None,
    name: str = "",
    email: str = "",
    status: int = 200,
) -> Response:
    here = f"{PATH}?{urlencode({'token': request.query_params.get('token', '')})}"
    return page(
        "login/link.html",
        None,
        status=status,
        whose=person,
        name=name,
        email=email,
        refused=status != 200,
        own_path=lambda: here,  # who chooses a language there has the link still
    )


def _provided(request: Request, link: OneTimeLink) -> Response | None:
    """Refuse to make the first account where a provider does."""
    providers = services(request).settings.providers
    if link.user_id is not None or not providers:
        return None
    names = ", ".join(one.name for one in providers)
    return _failed(request, PROVIDED, "link_needless", provider=names)


def _refused(request: Request, problem: LinkError) -> Response:
    of_account = problem.of_account or problem.why in ("used", "taken")
    another = gettext(_ACCOUNT) if of_account else gettext(_FIRST)
    return _failed(request, EXPLAINED[problem.why], f"link_{problem.why}", another)


def _failed(
    request: Request, explanation: Explanation, why: str, more: str = "", **values: str
) -> Response:
    """Answer why a link can't be used, and have the audit log tell."""
    audit.note("sign_in_failed", why=why, address=address_of(request))
    status, title, message = explanation
    return page(
        "error.html",
        None,
        status=status,
        title=gettext(title, **values),
        message=f"{gettext(message, **values)} {more}".rstrip(),
        action=None,
    )
