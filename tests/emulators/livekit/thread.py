"""The server on its own thread, for tests and programs that have no event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from .server import LiveKitServer

T = TypeVar("T")
_CALL_TIMEOUT_S = 120


class LiveKitThread:
    """`with LiveKitThread() as livekit:` runs `livekit.server` on a thread of its own.

    Attributes:
        server: change it only through `call` and `do`; reading plain attributes is fine.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="livekit", daemon=True)
        self.server: LiveKitServer

    def __enter__(self) -> LiveKitThread:
        self._thread.start()
        self.call(self._start())
        return self

    def __exit__(self, *exc: object) -> None:
        self.call(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_TIMEOUT_S)
        self._loop.close()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_CALL_TIMEOUT_S)

    def do(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a plain function on the server's loop, e.g. `do(livekit.server.hang, "twirp")`."""

        async def run() -> T:
            return function(*arguments)

        return self.call(run())

    async def _start(self) -> None:
        self.server = LiveKitServer(**self._options)
        await self.server.start()
