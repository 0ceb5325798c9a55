"""One way to serve: whatever command starts uvicorn, its protocol classes and bounds are ours.

uvicorn's own classes have no bound for headers, slow bodies and unread answers, and its own
defaults take messages of 16 MB and wait for ever at a stop. `uvicorn app:app` would get those. But
uvicorn begins the lifespan before it listens, and looks into its `Config` at each connection and
at the stop. So what counts is put there when the lifespan begins: its `receive` is a method of
uvicorn's `LifespanOn`, which has the `Config`. Nothing of uvicorn's is replaced, and a server that
isn't uvicorn, or has changed, is told from one that is as safe as it should be.

Where it listens, TLS, logs and trusted proxies stay the command line's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from websockets.http11 import Request

from core.settings import Settings
from core.starting import StartError
from core.words import N_
from web.http.bounds import KEEP_ALIVE_S, LINGER_S
from web.http.connections import KEY, PROXIED, Connections, most_connections
from web.http.protocol import BoundedHttpProtocol
from web.socket.direct import DirectWebSocketProtocol
from web.stopping import begin_stop

UVICORN = "0.54"  # whose classes ours are made of; requirements.txt has a release of it

MAX_MESSAGE = 64 * 1024  # bytes of a WebSocket message; the longest of ours has 32 KiB
PING_S = 20.0  # between two pings to a WebSocket, and as long for the answer
# That requests in progress have when the process stops: core/stopping.py has the rest.
GRACE_S = 2


class CountedWebSocket(DirectWebSocketProtocol):
    """A WebSocket that was counted in when it was an HTTP connection."""

    __slots__ = ()

    def handle_connect(self, event: Request) -> None:
        """Tell the app, which starts at the loop's next turn, whether a proxy is in between."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["state"][PROXIED] = self.app_state[KEY].is_proxied(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it out."""
        self.app_state[KEY].leave(self.transport)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Say goodbye, and don't wait long for somebody who doesn't read it."""
        begin_stop(self.app_state)
        super().shutdown()
        self.loop.call_later(LINGER_S, self.transport.abort)


BOUNDS: dict[str, object] = {
    "http_protocol_class": BoundedHttpProtocol,
    "timeout_keep_alive": KEEP_ALIVE_S,
    "ws_protocol_class": CountedWebSocket,
    "ws_max_size": MAX_MESSAGE,
    "ws_per_message_deflate": False,  # audio doesn't shrink, and 15 kB can become 16 MB
    "ws_ping_interval": PING_S,
    "ws_ping_timeout": PING_S,
    "timeout_graceful_shutdown": GRACE_S,
}


class WrongServerError(StartError):
    """The server isn't the uvicorn that our protocol classes are made for."""

    def __init__(self) -> None:
        super().__init__(
            N_(
                "only uvicorn %(version)s can serve it, and not at its log level trace: start it"
                " with python app.py serve"
            ),
            version=UVICORN,
        )


class Serving:
    """Middleware, outermost: sets the server's bounds when the lifespan begins.

    Raises WrongServerError there when it can't.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._factor = settings.rate_limit_factor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            config = _config_behind(receive)
            set_bounds(config)
            scope["state"][KEY] = Connections(
                most_connections(), self._factor, _knows_proxies(config)
            )
        await self._app(scope, receive, send)


def set_bounds(config: uvicorn.Config) -> None:
    """Have a loaded configuration serve with our protocol classes and within BOUNDS."""
    for name, value in BOUNDS.items():
        if not hasattr(config, name):
            raise WrongServerError
        setattr(config, name, value)


def _knows_proxies(config: uvicorn.Config) -> Callable[[str], bool]:
    """Return what tells whether the server takes an address's word for who is asking."""
    outermost = config.loaded_app
    if isinstance(outermost, ProxyHeadersMiddleware):
        return outermost.trusted_hosts.__contains__
    return lambda _: False


def _config_behind(receive: Receive) -> uvicorn.Config:
    """Return the configuration of the server that calls. Raises WrongServerError."""
    config: Any = getattr(getattr(receive, "__self__", None), "config", None)
    release = uvicorn.__version__.split(".")
    if not isinstance(config, uvicorn.Config) or ".".join(release[:2]) != UVICORN:
        raise WrongServerError
    return config
