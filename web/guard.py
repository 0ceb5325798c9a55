"""What every request passes: same-origin for changes, security headers, rate limits."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import audit
from core.rate_limit import RateLimiter
from core.settings import Settings, is_loopback
from web.addresses import address_of
from web.bearer import bearer_of
from web.errors import BROKEN, FOR_STATUS, FOREIGN, NOT_FOR_TOKENS, RESTARTING, show
from web.forms import may_be_form
from web.headers import security_headers
from web.http.bounds import Body, body_of
from web.stopping import answering, until_cut_short
from web.upload import may_be_bytes, may_be_upload

SIGNED = {"/hooks/livekit"}  # no browser asks for these: who does proves itself otherwise
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


# What a Host header may be: a name or an address, and a port. It goes into links and headers.
HOST = re.compile(r"(?:[\w.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?", re.ASCII)


def origin_allowed(settings: Settings, headers: Headers, origin: str) -> bool:
    """Whether a page of `origin` is ours: NEXTAUTH_URL's, or in development the one asked for."""
    if origin == settings.public_url:
        return True
    return not settings.production and origin == f"http://{headers.get('host', '')}"


def same_origin(settings: Settings, headers: Headers) -> bool:
    """Whether a browser says that one of our own pages sent this. Deny when it says nothing."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return origin_allowed(settings, headers, headers.get("origin", ""))


def on_this_computer(connection: HTTPConnection) -> bool:
    """Whether the browser runs on this computer, as far as anybody can tell.

    The connection must come from loopback, ask for a loopback name (so that no foreign name
    that resolves to loopback works), and not have passed a proxy, which may speak for others.
    """
    headers = connection.headers
    forwarded = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
    if connection.client is None or any(name in headers for name in forwarded):
        return False
    try:
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return False
    return is_loopback(connection.client.host) and is_loopback(host)


def limit(limiter: RateLimiter, connection: HTTPConnection, who: str | None = None) -> None:
    """Count an action of a person, or else of an address. Raises TooManyRequestsError."""
    limiter.check(who or address_of(connection))


def websocket_origin(settings: Settings, headers: Headers, scheme: str) -> str:
    """Return the origin of /ws as seen by the page: its own, or NEXT_PUBLIC_WS_HOST and PORT."""
    public = urlsplit(settings.public_url).netloc
    # In development, this computer may come without the proxy that gives others https.
    here = not settings.production and headers.get("host") != public
    secure = scheme in {"https", "wss"} or (settings.https and not here)
    # A proxy may have changed the Host header; in production, NEXTAUTH_URL says what it was.
    host = headers.get("host", "")
    if settings.production or not HOST.fullmatch(host):
        host = public
    if settings.websocket_host:
        port = settings.websocket_port or (443 if settings.production else settings.port)
        default = 443 if secure else 80
        host = settings.websocket_host + ("" if port == default else f":{port}")
    return f"{'wss' if secure else 'ws'}://{host}"


def content_security_policy(settings: Settings, socket_origin: str) -> str:
    """Return the policy: our own files, our socket and the LiveKit server, nothing inline."""
    # Without its path: a source with one is only this very address, and LiveKit's client adds /rtc.
    livekit = urlsplit(settings.livekit_url)
    socket = f"{livekit.scheme}://{livekit.netloc}"
    video = f" {socket} {socket.replace('ws', 'http', 1)}" if settings.calls else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"media-src 'self' blob:; connect-src 'self' {socket_origin}{video}; "
        "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "worker-src 'none'"
    )


class Guard:
    """ASGI middleware: refuses foreign changes and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await until_cut_short(self._app(scope, receive, send), scope)
            return
        headers = Headers(scope=scope)
        answer = _Answer(
            self._settings,
            scope["path"],
            websocket_origin(self._settings, headers, scope["scheme"]),
            send,
        )
        bearer = bearer_of(Request(scope))
        if bearer is not None and bearer.misplaced:
            audit.note("refused", why=NOT_FOR_TOKENS.code, address=address_of(Request(scope)))
            await show(Request(scope), NOT_FOR_TOKENS)(scope, receive, answer)
            return
        # No page of another site can show a token: browsers would ask us first whether it may.
        unforgeable = scope["path"] in SIGNED or bearer is not None
        foreign_ok = scope["method"] in SAFE_METHODS or unforgeable
        if not foreign_ok and not same_origin(self._settings, headers):
            audit.note("refused", why=FOREIGN.code, address=address_of(Request(scope)))
            await show(Request(scope), FOREIGN)(scope, receive, answer)
            return
        if (status := _unread(scope, headers) or _misdirected(headers)) is not None:
            await show(Request(scope), FOR_STATUS[status])(scope, receive, answer)
            return
        with answering(scope):
            await self._answer(scope, receive, answer)

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        limited = _limited(receive, _body_of(scope).most)
        try:
            done = await until_cut_short(self._app(scope, limited, answer), scope)
            if not (done or answer.begun):
                await show(Request(scope), RESTARTING)(scope, receive, answer)
        except ClientDisconnect:
            pass  # there is nobody left to answer
        except Exception:
            # Starlette would answer from outside of this middleware, without the headers.
            if not answer.begun:
                await show(Request(scope), BROKEN)(scope, receive, answer)
            raise


def _misdirected(headers: Headers) -> int | None:
    """Return the status that refuses a Host header that can't be one; HTTP/1.0 has none."""
    host = headers.get("host", "")
    return 400 if host and not HOST.fullmatch(host) else None


def _unread(scope: Scope, headers: Headers) -> int | None:
    """Return the status that refuses a body before it is read: it is too large, or no form."""
    body = _body_of(scope)
    if body.kind != "form":  # whose route says beside its form that a file is too large
        known = may_be_upload if body.kind == "file" else may_be_bytes
        return None if known(headers) else 415
    size = headers.get("content-length", "")
    if size.isdecimal() and int(size) > body.most:
        return 413
    changes = scope["method"] not in SAFE_METHODS and scope["path"] not in SIGNED
    return 415 if changes and not may_be_form(headers) else None


def _body_of(scope: Scope) -> Body:
    """Return what its body may be: a form, but for the routes that take files."""
    return body_of(scope["method"], scope["path"])


def _limited(receive: Receive, most: int) -> Receive:
    """Refuse to read a body beyond so many bytes."""
    size = 0

    async def receive_limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise HTTPException(413)
        return message

    return receive_limited


class _Answer:
    """Sends one answer with the security headers, and knows whether it has begun."""

    def __init__(self, settings: Settings, path: str, socket_origin: str, send: Send) -> None:
        self.begun = False
        self._path = path
        self._policy = content_security_policy(settings, socket_origin)
        self._https = settings.https
        self._send = send

    async def __call__(self, message: Message) -> None:
        """ASGI's send."""
        if message["type"] == "http.response.start":
            self.begun = True
            out = MutableHeaders(scope=message)
            for name, value in security_headers(self._policy, self._path, https=self._https):
                out[name] = value
        await self._send(message)
