"""Turns plain data into pages."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from core.look import CAPTIONS
from core.model import Person
from core.text import initials
from web import joining, tongues
from web.bearer import bearer_of
from web.compression import SEAM
from web.language import own_path
from web.links import linked
from web.menu import administering, own_spaces, theme
from web.words import LANGUAGES, NAMES, gettext, language, said, unfilled, unfilled_plural

SESSIONS_CHANGED = "sessions-changed"  # as which event htmx tells the list of it
ROOT = Path(__file__).parent.parent
STATIC = ROOT / "static"


def clock(seconds: float) -> str:
    """Return seconds as 3:07 or 1:02:45."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float) -> str:
    """Return seconds as people say them: 40 s, 42 min, 1 h, 1 h 5 min."""
    if seconds < 60:
        return gettext("%(seconds)s s", seconds=int(seconds))
    hours, minutes = divmod(round(seconds / 60), 60)
    if not hours:
        return gettext("%(minutes)s min", minutes=minutes)
    if not minutes:
        return gettext("%(hours)s h", hours=hours)
    return gettext("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes)


def decimal(number: float, digits: int) -> str:
    """Return a number with so many decimals, as the reader's language writes it: 0.5 or 0,5."""
    written = f"{number:.{digits}f}"
    return written.replace(".", ",") if language() == "ru" else written


def amount(number: float) -> str:
    """Return a number with three decimals: 0.010 or 0,010."""
    return decimal(number, 3)


def utc(moment: datetime) -> str:
    """Return a time as it is in UTC, where a heading says that it is."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def not_transcribed(seconds: float) -> str:
    """Return what a gap of so many seconds is called."""
    minutes, rest = divmod(max(1, round(seconds)), 60)
    if not minutes:
        return gettext("%(seconds)s s could not be transcribed", seconds=rest)
    if not rest:
        return gettext("%(minutes)s min could not be transcribed", minutes=minutes)
    return gettext(
        "%(minutes)s min %(seconds)s s could not be transcribed", minutes=minutes, seconds=rest
    )


def paused(by: str | None, start: float, end: float | None) -> str:
    """Return what a pause of the transcription is called, from one second to another."""
    values = {"name": by or gettext("a host"), "start": clock(start)}
    if end is None:
        return gettext("Paused by %(name)s from %(start)s on: nothing was transcribed.", **values)
    return gettext(
        "Paused by %(name)s from %(start)s to %(end)s: nothing was transcribed.",
        end=clock(end),
        **values,
    )


def pause_note(end: float | None) -> str:
    """Return the same as a note beside its start and the name of who paused."""
    if end is None:
        return gettext("paused the transcription: from here on nothing was transcribed")
    return gettext(
        "paused the transcription until %(end)s: nothing was transcribed", end=clock(end)
    )


def when(moment: datetime) -> Markup:
    """Return a <time> in UTC, which a script shows in the reader's own time."""
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        utc.isoformat(timespec="seconds"), utc.strftime("%Y-%m-%d, %H:%M UTC")
    )


def time_of_day(moment: datetime) -> Markup:
    """Return a <time> in UTC for the middle of a sentence; a script shows the reader's own."""
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}" data-short>{}</time>').format(
        utc.isoformat(timespec="seconds"), utc.strftime("%H:%M UTC")
    )


@cache
def _digest(path: str) -> str:
    return hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:12]


def digest_of(folder: str) -> str:
    """Return the digest of all in `js` or `css`, anew once a file there has changed."""
    return _digest_of(STATIC, tuple(_changed(str(STATIC / folder))))


def _changed(folder: str) -> Iterator[tuple[str, int]]:
    """Yield the files in a folder, and when each was changed. Each page looks: no Path is made."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _changed(entry.path)
            else:
                yield entry.path, entry.stat().st_mtime_ns


@lru_cache(maxsize=4)
def _digest_of(root: Path, files: tuple[tuple[str, int], ...]) -> str:
    # What joins them belongs to it: a page gets anew what another release joins in another way.
    whole = hashlib.sha256(Path(joining.__file__).read_bytes())
    for path in sorted(Path(name) for name, _ in files):
        whole.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return whole.hexdigest()[:12]


def static(path: str) -> str:
    """Return the address of a static file, which changes with its content.

    Scripts have one digest for all of them, as a folder, and so have style sheets: each is served
    with all it imports, scripts in the language of the page.
    """
    folder, _, rest = path.partition("/")
    if folder not in ("js", "css"):
        return f"/static/{path}?v={_digest(path)}"
    if path in joining.SCRIPTS and language() != "en":
        rest = f"{rest.removesuffix('.js')}.{language()}.js"
    return f"/static/{folder}@{digest_of(folder)}/{rest}"


environment = Environment(
    loader=FileSystemLoader(ROOT / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    extensions=["jinja2.ext.i18n"],
)
environment.policies["ext.i18n.trimmed"] = True  # lines of a template are no lines of its words
environment.install_gettext_callables(  # type: ignore[attr-defined]
    unfilled, unfilled_plural, newstyle=True
)
environment.filters.update(
    amount=amount,
    decimal=decimal,
    utc=utc,
    clock=clock,
    duration=duration,
    when=when,
    time_of_day=time_of_day,
    initials=initials,
    linked=linked,
    said=said,
    called=tongues.called,
    tag=tongues.tag,
    languages_listed=tongues.listed,
    languages_by_name=tongues.by_name,
)
environment.globals.update(static=static)
environment.globals.update(
    administering=administering,
    own_spaces=own_spaces,
    theme=theme,
    captions=CAPTIONS,
    own_path=own_path,
    language=language,
    languages=LANGUAGES,
    language_names=NAMES,
)
environment.globals["seam"] = Markup(SEAM)  # noqa: S704 - a comment of our own


def page(template: str, person: Person | None, *, status: int = 200, **context: Any) -> Response:
    """Render a template. Pages are about one visitor, so nothing keeps a copy."""
    html = environment.get_template(template).render(person=person, status=status, **context)
    headers = {
        "Cache-Control": "no-store",
        "Content-Language": language(),
        "Vary": "Cookie, Accept-Language",
    }
    return HTMLResponse(html, status, headers=headers)


def wants_json(connection: HTTPConnection) -> bool:
    """Whether the client asks for JSON rather than a page, as programs do that show a token."""
    if bearer_of(connection) is not None:
        return True
    accept = connection.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def is_fragment(connection: HTTPConnection) -> bool:
    """Whether htmx asks, which puts a part of a page where it belongs."""
    return "HX-Request" in connection.headers and bearer_of(connection) is None


def redirect(connection: HTTPConnection, address: str, status: int = 200) -> Response:
    """Send a browser on; `status` is for htmx, which gets the address in a header.

    It would follow a redirect unseen, and put that page where a part of this one was.
    """
    if is_fragment(connection):
        headers = {"HX-Redirect": address, "Cache-Control": "no-store"}
        return Response(status_code=status, headers=headers)
    return RedirectResponse(address, 303)


def done(connection: HTTPConnection, address: str) -> Response:
    """Answer that something was done: browsers are led on, htmx too, and programs get 204."""
    if wants_html(connection):
        return redirect(connection, address)
    return Response(status_code=204)


def wants_html(connection: HTTPConnection) -> bool:
    """Whether a person sees the answer: htmx asks, or a browser on its way to a page."""
    if bearer_of(connection) is not None:
        return False
    return is_fragment(connection) or "text/html" in connection.headers.get("accept", "")


def as_json(content: object, status: int = 200, **headers: str) -> Response:
    """Answer a program. What it gets is about one person, so nothing keeps a copy."""
    return JSONResponse(content, status, headers={"Cache-Control": "no-store"} | headers)


def json_error(status: int, code: str, message: str, headers: dict[str, str]) -> Response:
    """Return the one shape of errors in JSON."""
    kept = {"Cache-Control": "no-store"} | headers
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers=kept)
