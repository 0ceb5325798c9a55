"""Middleware: counts each request and each socket by its route, and writes one line for it.

`GET /s/{slug} 200 12 ms` and, when it is over, `WS /ws 1001 312 s`. Files under /static and a
/health that is well aren't told: they say nothing, many times a minute.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import metrics

log = logging.getLogger("access")

NOWHERE = "(no such address)"
FILES = "/static"
# Of closes: those that browsers and uvicorn send, and ours (docs/protocol.md).
CODES = {*range(1000, 1004), *range(1005, 1016), *range(4400, 4405), 4410, 4429, 4490}
HEALTH = {"/health", "/health/ready", "/up"}
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class AccessLog:
    """ASGI middleware: see the module. `routes` are those whose paths are told."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._routes = [route for route in routes if isinstance(route, Route | WebSocketRoute)]
        self._paths = {route.endpoint: route.path for route in self._routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def told(message: Message) -> None:
            nonlocal status
            kind = message["type"]
            if kind in {"http.response.start", "websocket.http.response.start"}:
                status = message["status"]
            elif kind == "websocket.close":
                status = message.get("code", 1000)
            await send(message)

        async def heard() -> Message:
            nonlocal status
            message = await receive()
            if message["type"] == "websocket.disconnect":
                status = status or message.get("code") or 1006
            return message

        try:
            # A request's body says nothing here: only a socket is listened to.
            await self._app(scope, heard if scope["type"] == "websocket" else receive, told)
        finally:
            self._note(scope, status or 500, time.monotonic() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        path = self._path(scope)
        if scope["type"] == "websocket":
            metrics.SOCKETS_OVER.labels(code_of_close(status)).inc()
            self._tell("WS", path, status, f"{seconds:.0f} s", {"seconds": round(seconds)})
            return
        method = scope["method"] if scope["method"] in METHODS else "?"
        metrics.HTTP_REQUESTS.labels(method, path, f"{status // 100}xx").inc()
        metrics.HTTP_SECONDS.labels(path).observe(seconds)
        if path != FILES and not (path in HEALTH and status == 200):
            milliseconds = round(seconds * 1000)
            self._tell(method, path, status, f"{milliseconds} ms", {"ms": milliseconds})

    def _tell(self, method: str, path: str, status: int, took: str, fields: dict[str, int]) -> None:
        if not log.isEnabledFor(logging.INFO):
            return
        log.log(
            logging.WARNING if 500 <= status < 600 else logging.INFO,
            "%s %s %d %s",
            method,
            path,
            status,
            took,
            extra={
                "kind": f"{status // 100}",  # so that refusals can't crowd out the others
                "event": "socket" if method == "WS" else "request",
                "fields": {"method": method, "route": path, "status": status} | fields,
            },
        )

    def _path(self, scope: Scope) -> str:
        """Return the path of the route, also of what was refused before it came so far."""
        if scope["path"].startswith("/static/"):
            return FILES
        if "endpoint" in scope:
            return self._paths.get(scope["endpoint"], NOWHERE)
        matching = (route for route in self._routes if route.matches(scope)[0] is not Match.NONE)
        return next((route.path for route in matching), NOWHERE)


def code_of_close(status: int) -> str:
    """Return a close code, or the status of a refusal, as a label: peers may send any number."""
    return str(status) if status in CODES or 400 <= status < 600 else "other"
