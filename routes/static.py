"""GET /static: anybody. Addresses with a version are kept for ever, others are asked for again."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from routes.render import STATIC


class VersionedStatic(StaticFiles):
    """Static files; JS modules import each other without a version, so those are revalidated."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        versioned = "v" in parse_qs(scope.get("query_string", b"").decode("latin-1"))
        keep = "public, max-age=31536000, immutable" if versioned else "no-cache"

        async def send_kept(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                message["headers"].append((b"cache-control", keep.encode()))
            await send(message)

        await super().__call__(scope, receive, send_kept)
