"""The login cookie: signed, for 30 days, and under https with a name that only this host can set.

What it says is in `request.session`, which only web/request.py touches. It is written as
Starlette's SessionMiddleware does; three things are ours. Under https its name has the prefix
`__Host-`: browsers take it only from this host itself, by https and for all paths, so that no
neighbour under the same domain can plant one. It is signed with a key of its own, derived from the
secret. And a cookie of releases before that, under the old name and signed with the secret as it
is, is taken and rewritten at first sight, so that the upgrade signs nobody out. None is made like
that any more, and those that there are run out with their 30 days.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from itsdangerous import BadSignature, TimestampSigner
from starlette.datastructures import MutableHeaders
from starlette.middleware.sessions import Session
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.settings import Settings
from core.store.people import LOGIN_DAYS
from web.bearer import bearer_of

NAME = "sessions_login"
MAX_AGE_S = LOGIN_DAYS * 24 * 3600
MAX_COOKIE = 4096  # bytes of name and value that browsers must keep: RFC 6265, section 6.1
SIGNATURE = 40  # bytes at most: two dots, the time and 27 letters of HMAC-SHA1


def fits(kept: dict[str, Any]) -> bool:
    """Whether a cookie that keeps this is one that browsers keep."""
    return len(f"__Host-{NAME}=") + len(_packed(kept)) + SIGNATURE <= MAX_COOKIE


def _packed(kept: dict[str, Any]) -> bytes:
    return base64.b64encode(json.dumps(kept, separators=(",", ":")).encode())


class LoginCookie:
    """ASGI middleware: reads the cookie into `request.session`, and writes what has changed."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._signer = TimestampSigner(settings.cookie_key)
        self._former = TimestampSigner(settings.login_secret)  # how older releases signed
        self._name = f"__Host-{NAME}" if settings.https else NAME
        self._flags = "Path=/; HttpOnly; SameSite=lax" + ("; Secure" if settings.https else "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if bearer_of(HTTPConnection(scope)) is not None:  # a program's: it has no cookie
            scope["session"] = Session({})
            await self._app(scope, receive, send)
            return
        cookies = HTTPConnection(scope).cookies
        kept = _read(self._signer, cookies.get(self._name))
        former = _read(self._former, cookies.get(NAME)) if kept is None else None
        session = scope["session"] = Session(kept or former or {})

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if session.accessed:
                    headers.add_vary_header("Cookie")
                # What doesn't ask who it is for, such as a file, may be kept by others: no cookie.
                if session.modified or (former is not None and session.accessed):
                    self._write(headers, session, cookies)
            await send(message)

        await self._app(scope, receive, answer)

    def _write(self, headers: MutableHeaders, session: Session, sent: dict[str, str]) -> None:
        """Write what is kept now, and take away what the browser shouldn't send any more."""
        if session:
            value = self._signer.sign(_packed(session)).decode()
            headers.append(
                "Set-Cookie", f"{self._name}={value}; Max-Age={MAX_AGE_S}; {self._flags}"
            )
        for name in {self._name, NAME} & sent.keys():
            if name != self._name or not session:
                headers.append("Set-Cookie", f"{name}=null; Max-Age=0; {self._flags}")


def _read(signer: TimestampSigner, value: str | None) -> dict[str, Any] | None:
    """Return what a cookie keeps, None when it isn't ours or too old."""
    if value is None:
        return None
    try:
        kept = json.loads(base64.b64decode(signer.unsign(value.encode(), max_age=MAX_AGE_S)))
    except (BadSignature, ValueError, binascii.Error):
        return None
    return kept if isinstance(kept, dict) else None
