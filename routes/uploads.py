"""Uploads: a recording from its form over its files to the session that is made of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core import access, audit
from core.access import NotFoundError, SpaceAction, SpaceLook, UploadLook
from core.planning import moment_of
from core.problems import ProblemError
from core.rate_limit import RateLimiter
from core.spoken import Spoken, together
from core.store import retention, upload_files
from core.store import spoken as spokens
from core.store import uploads as store
from core.store.upload_files import MAX_FILES, TooLargeError, UploadFile
from core.store.uploads import BegunError, Upload, UploadsFullError
from core.uploads.collecting import names_of
from core.uploads.service import Uploads
from core.uploads.shelf import OffsetError
from core.uploads.starting import EARLIEST, lacks, recorded_at, title_of, tracks_of
from core.words import N_
from routes import spoken, upload_words
from routes.planned import Typed as TypedTime
from routes.spaces import look as look_at_space
from web.errors import WORDS
from web.forms import form_of
from web.guard import limit
from web.render import as_json, done, is_fragment, page, redirect, wants_html, wants_json
from web.request import person_of, services
from web.upload import files_of
from web.words import gettext

MAX_NAMES = 64  # fields of who speaks: a name for each speaker, and a choice for each file
NO_TIME = N_(
    "That is no time, or one that hasn’t come yet. Leave it empty to have it taken from the files."
)
UNTITLED = N_("Recording")


class OffError(ProblemError):
    """Nobody can upload anything here."""

    status, code = 404, "not_found"


def _uploads(request: Request) -> Uploads:
    """Return what takes uploads. Raises OffError where nothing does."""
    found = services(request).uploads
    if found is None:
        raise OffError
    return found


async def see(request: Request) -> Response:
    """GET /spaces/{space}/uploads: members upload a recording, and see theirs that aren't done."""
    if await person_of(request) is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    at = await look_at_space(request, SpaceAction.UPLOAD)
    return await _show_own(request, at, {}, _time(None), spoken.shown(Spoken()))


async def create(request: Request) -> Response:
    """POST /spaces/{space}/uploads: members begin one, and go on to its page."""
    at = await look_at_space(request, SpaceAction.UPLOAD, services(request).limits.create)
    parts, own = services(request), _uploads(request)
    form = await form_of(request)
    recorded, typed = _recorded(form, None), spoken.read(form, Spoken(), parts.rooms.engine)
    if recorded.problems or typed.problems:
        return await _show_own(request, at, form, recorded, typed, status=422)
    title = title_of(form.get("title", "")) or gettext(UNTITLED)
    try:
        made = await store.create(
            parts.db,
            at.space.id,
            at.person,
            own.place,
            title=title,
            recorded_at=recorded.planning.at,
            spoken=typed.spoken,
        )
    except UploadsFullError as problem:
        if not wants_html(request):
            raise
        return await _show_own(request, at, form, recorded, typed, status=409, problem=problem)
    audit.note("space_act", act="upload", space=at.space.id, by=at.person.id)
    if wants_json(request):
        return as_json({"upload": made}, 201, Location=f"/uploads/{made}")
    return redirect(request, f"/uploads/{made}")


async def _show_own(
    request: Request,
    at: SpaceLook,
    form: Mapping[str, str],
    recorded: TypedTime,
    typed: spoken.Typed,
    *,
    status: int = 200,
    problem: ProblemError | None = None,
) -> Response:
    if status != 200 and not wants_html(request):
        raise HTTPException(status)
    parts, own = services(request), _uploads(request)
    of_space = await spokens.of_space(parts.db, at.space.id)
    found = await store.of_space(
        parts.db, at.space.id, at.person.id, others=at.may(SpaceAction.UPLOAD_ANY)
    )
    return page(
        "uploads/own.html",
        at.person,
        status=status,
        space=at.space,
        keeps=await retention.days_of(parts.db, at.space.id),
        uploads=found,
        title=form.get("title", "")[:200],
        recorded=recorded,
        problem=gettext(WORDS[problem.code][1]) if problem else "",
        most_mb=own.most // 1_000_000,
        states=upload_words.state,
        **spoken.fields(request, typed, _above(request, of_space), of_space=False),
    )


def _above(request: Request, of_space: Spoken) -> Spoken:
    return together(of_space, services(request).rooms.installation)


def _time(moment: datetime | None) -> TypedTime:
    """Return the field of when it was recorded as it is before anybody has typed."""
    at = f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}" if moment else ""
    return TypedTime(at, "", "", stored=True)


def _recorded(form: Mapping[str, str], before: datetime | None) -> TypedTime:
    """Return what somebody typed of when it was recorded; an empty field says nothing of it."""
    typed, offset = form.get("planned", "").strip(), form.get("offset", "")
    shown = TypedTime(form.get("planned", "")[:40], "", "", offset[:5])
    if "planned" not in form:
        moment = before
    elif not typed:
        moment = None
    else:
        moment = moment_of(typed, offset)
        late = datetime.now(UTC) + timedelta(minutes=5)
        if moment is None or not moment.year >= EARLIEST or moment > late:
            return replace(shown, problems={"planned": gettext(NO_TIME)})
    return replace(shown, planning=replace(shown.planning, at=moment))


async def page_of(request: Request) -> Response:
    """GET /uploads/{upload}: who made it, and owners of its space, see how far it is.

    Once it is a session, that is where it leads.
    """
    if await person_of(request) is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    at = await _look(request, services(request).limits.listing)
    if at.upload.state == "DONE" and not is_fragment(request):
        return redirect(request, f"/s/{at.upload.slug}")
    return await _show(request, at)


async def _look(request: Request, limiter: RateLimiter | None = None) -> UploadLook:
    parts, person = services(request), await person_of(request)
    if person is None:
        raise access.SignedOutError
    limit(limiter or parts.limits.update, request, person.id)
    return await access.look_at_upload(parts.db, person, request.path_params["upload"])


async def _show(
    request: Request,
    at: UploadLook,
    *,
    status: int = 200,
    problems: list[str] | None = None,
    recorded: TypedTime | None = None,
    typed: spoken.Typed | None = None,
    title: str | None = None,
) -> Response:
    """Show an upload, and why something about it wasn't done."""
    if status != 200 and not wants_html(request):
        raise HTTPException(status)
    own, upload = _uploads(request), at.upload
    files = await own.collecting.files(upload)
    return page(
        "uploads/_state.html" if is_fragment(request) else "uploads/upload.html",
        at.person,
        status=status,
        upload=upload,
        files=files,
        mine=upload.created_by == at.person.id,
        here=upload.place == own.place,
        changing=typed is not None,
        problems=problems or [],
        title=upload.title if title is None else title[:200],
        recorded=recorded or _time(upload.recorded_at),
        recorded_at=recorded_at(upload, files),
        most_mb=own.most // 1_000_000,
        most_files=MAX_FILES,
        reason=upload_words.reason(upload.reason, waits=upload.state != "FAILED"),
        flaws=upload_words.flaw,
        **spoken.fields(
            request,
            typed or spoken.shown(upload.spoken),
            _above(request, upload.space_spoken),
            of_space=False,
        ),
    )


async def change(request: Request) -> Response:
    """POST /uploads/{upload}: who made it says something else of it, until it is started."""
    at = await _look(request)
    upload, form = at.own, await form_of(request)
    recorded = _recorded(form, upload.recorded_at)
    typed = spoken.read(form, upload.spoken, services(request).rooms.engine)
    title = title_of(form.get("title", upload.title)) or gettext(UNTITLED)
    if recorded.problems or typed.problems:
        return await _show(
            request, at, status=422, recorded=recorded, typed=typed, title=form.get("title", "")
        )
    said = (title, recorded.planning.at, typed.spoken)
    if not await store.change(services(request).db, upload.id, *said):
        raise BegunError
    return done(request, f"/uploads/{upload.id}")


async def begin(request: Request) -> Response:
    """POST /uploads/{upload}/begin: a file is to come in pieces, or goes on; for scripts.

    A form with its `name`, `size` in bytes, and `modified`, milliseconds since 1970. Answers its
    number, and how many bytes of it are `received` already.
    """
    at = await _look(request, services(request).limits.piece)
    upload, own, form = at.own, _uploads(request), await form_of(request)
    size, modified = form.get("size", ""), form.get("modified", "")
    if not (size.isascii() and size.isdecimal() and 0 < len(size) <= 15 and int(size)):
        raise HTTPException(422)
    if int(size) > own.most:
        raise TooLargeError
    file, received = await own.collecting.begin(
        upload, form.get("name", ""), int(size), _moment(modified)
    )
    return as_json({"number": file.number, "received": received})


def _moment(milliseconds: str) -> datetime | None:
    """Return when a file was changed, as its browser says; None for what can't be."""
    if not (milliseconds.isascii() and milliseconds.isdecimal() and len(milliseconds) <= 14):
        return None
    moment = datetime.fromtimestamp(int(milliseconds) // 1000, UTC)
    return moment if moment.year >= EARLIEST and moment <= datetime.now(UTC) else None


async def take_piece(request: Request) -> Response:
    """POST /uploads/{upload}/files/{number}?offset=…: the next bytes of a file; for scripts.

    Answers how many are `received`; with 409, where the piece begins elsewhere, as well.
    """
    at = await _look(request, services(request).limits.piece)
    upload, own, file = at.own, _uploads(request), await _file(request, at.own)
    offset = request.query_params.get("offset", "")
    if not (offset.isascii() and offset.isdecimal() and len(offset) <= 15):
        raise HTTPException(400)
    if upload.state != "COLLECTING":
        raise BegunError
    leave = own.places.enter(at.person.id)
    try:
        got = await own.collecting.piece(upload, file, int(offset), request.stream())
    except OffsetError as problem:
        return as_json({"received": problem.received}, problem.status)
    finally:
        leave()
    return as_json({"received": got.received, "flaw": got.flaw})


async def take_whole(request: Request) -> Response:
    """POST /uploads/{upload}/files: files as a browser without scripts sends them, each whole."""
    at = await _look(request)
    upload, own = at.own, _uploads(request)
    if upload.state != "COLLECTING":
        raise BegunError
    leave = own.places.enter(at.person.id)
    coming = files_of(request, "file", own.most + 1_000_000, MAX_FILES)
    try:
        await _take_all(own, upload, coming)
    except ProblemError as problem:
        if not wants_html(request) or problem.status == 404:
            raise
        return await _show(
            request, at, status=problem.status, problems=[gettext(WORDS[problem.code][1])]
        )
    finally:
        leave()
        await coming.aclose()
    return done(request, f"/uploads/{upload.id}")


async def _take_all(own: Uploads, upload: Upload, coming: AsyncGenerator[str | bytes]) -> None:
    """Take each file of a form behind the name that begins it."""
    one = await anext(coming, None)
    following: list[str] = []

    async def content() -> AsyncGenerator[bytes]:
        async for piece in coming:
            if isinstance(piece, str):
                following.append(piece)
                return
            yield piece

    while isinstance(one, str):
        following.clear()
        await own.collecting.whole(upload, one, content())
        one = following[0] if following else None


async def _file(request: Request, upload: Upload) -> UploadFile:
    number = request.path_params["number"]
    if not (number.isascii() and number.isdecimal() and len(number) <= 3):
        raise NotFoundError
    found = await upload_files.file(services(request).db, upload.id, int(number))
    if found is None:
        raise NotFoundError
    return found


async def remove(request: Request) -> Response:
    """POST /uploads/{upload}/files/{number}/remove: who made it does without a file."""
    at = await _look(request)
    file = await _file(request, at.own)
    await _uploads(request).collecting.remove(at.own, file.number)
    return done(request, f"/uploads/{at.upload.id}#files")


async def name(request: Request) -> Response:
    """POST /uploads/{upload}/speakers: who made it says who speaks in its files."""
    at = await _look(request)
    await _name(request, at.own, await form_of(request, MAX_NAMES))
    return done(request, f"/uploads/{at.upload.id}#files")


async def _name(request: Request, upload: Upload, form: Mapping[str, str]) -> list[UploadFile]:
    """Note what a form says of who speaks: `name-3` in all of file 3, `name-3-2` in a channel."""
    own = _uploads(request)
    own.collecting.check_place(upload)
    for file in await own.collecting.files(upload):
        if f"file-{file.number}" not in form or file.seconds is None:
            continue
        separate = form.get(f"separate-{file.number}") == "on" and (file.channels or 1) > 1
        fields = [f"name-{file.number}"]
        if separate:
            fields = [f"name-{file.number}-{one + 1}" for one in range(file.channels or 1)]
        names = names_of([form.get(field, "") for field in fields])
        if (names, separate) != (list(file.names), file.separate):
            await upload_files.name(
                services(request).db, upload.id, file.number, names, separate=separate
            )
    return await own.collecting.files(upload)


async def start(request: Request) -> Response:
    """POST /uploads/{upload}/start: who made it has it transcribed, as a session from now on.

    The form says who speaks, as for `name`, and in a space whose doors ask everybody `agreed`.
    """
    at = await _look(request)
    upload, own, parts = at.own, _uploads(request), services(request)
    form = await form_of(request, MAX_NAMES)
    if upload.state != "COLLECTING":
        raise BegunError
    files = await _name(request, upload, form)
    problems = [upload_words.lack(*one) for one in lacks(files)]
    if upload.consent == "REQUIRED" and form.get("agreed") != "on":
        problems.append(gettext(upload_words.DISAGREED))
    if problems:
        return await _show(request, at, status=422, problems=problems)
    if (why := await own.refuses(upload.space_id)) is not None:
        return await _show(request, at, status=409, problems=[upload_words.reason(str(why))])
    slug = await store.start(
        parts.db, upload, at.person, tracks_of(files), recorded_at(upload, files)
    )
    audit.note("space_act", act="upload_started", space=upload.space_id, by=at.person.id)
    if wants_json(request):
        return as_json({"slug": slug})
    return redirect(request, f"/uploads/{upload.id}")


async def again(request: Request) -> Response:
    """POST /uploads/{upload}/again: who made it has one tried again that has failed."""
    at = await _look(request)
    upload = at.own
    _uploads(request).collecting.check_place(upload)
    if not await store.again(services(request).db, upload.id):
        raise HTTPException(409)
    return done(request, f"/uploads/{upload.id}")


async def stop(request: Request) -> Response:
    """POST /uploads/{upload}/stop: who made it, or an owner, gives it up with all its files.

    What is transcribed already stays, as a session.
    """
    at = await _look(request, services(request).limits.delete)
    await _uploads(request).working.stop(at.upload.id)
    audit.note("space_act", act="upload_stopped", space=at.upload.space_id, by=at.person.id)
    return done(request, f"/spaces/{at.upload.space_id}/uploads")
