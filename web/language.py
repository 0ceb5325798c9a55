"""Which language somebody is answered in: the one they chose, else the one their browser asks for.

Who is signed in chose it for all their browsers: web/request.py says so once it knows who they are.
Guests have a cookie, which is neither signed nor secret.
"""

from __future__ import annotations

from contextvars import ContextVar
from urllib.parse import urlencode

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.settings import Settings
from web.words import Language, accepted, is_language, speak

COOKIE = "sessions_language"
KEPT_S = 365 * 24 * 3600

_own_path: ContextVar[str] = ContextVar("own_path", default="/")


def own_path() -> str:
    """Return the path of the page that is being shown: where who chooses a language comes back."""
    return _own_path.get()


class SpeakTheirLanguage:
    """ASGI middleware: settles the language of a request before anything is said to it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            asked = HTTPConnection(scope)
            chosen = asked.cookies.get(COOKIE)
            wanted = asked.headers.get("accept-language", "")
            speak(chosen if is_language(chosen) else accepted(wanted))
            _own_path.set(_address(asked) if scope["method"] == "GET" else "/")
        await self._app(scope, receive, send)


def _address(asked: HTTPConnection) -> str:
    """Return the address of a page without what it may carry that is nobody's business.

    Where somebody is to go after signing in stays, as else they would not get there.
    """
    target = asked.query_params.get("next")
    path = str(asked.scope["path"])
    return f"{path}?{urlencode({'next': target})}" if target else path


def forget(response: Response) -> None:
    """Have this browser's own wish count again."""
    response.delete_cookie(COOKIE)


def remember(response: Response, chosen: Language, settings: Settings) -> None:
    """Have this browser ask for that language from now on, whoever uses it."""
    response.set_cookie(
        COOKIE, chosen, max_age=KEPT_S, httponly=True, samesite="lax", secure=settings.https
    )
