"""A line to PostgreSQL that can be cut, mended and held, for outages on the wire."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.support.waiting import WAIT_TIMEOUT_S

SOCKET = ".s.PGSQL.5432"  # the name that PostgreSQL's clients look for in a folder
CHUNK = 64 * 1024


class DatabaseLine:
    """Forwards a folder's PostgreSQL socket from another folder, in a thread of its own."""

    def __init__(self, url: str) -> None:
        self._target = Path(parse_qs(urlsplit(url).query)["host"][0]) / SOCKET
        self._folder = tempfile.TemporaryDirectory(prefix="line")
        self._socket = Path(self._folder.name) / SOCKET
        self.url = f"postgresql://postgres:@{urlsplit(url).path}?host={self._folder.name}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self.mend()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()
        self._run(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()

    def mend(self) -> None:
        """Forward everything from now on."""
        self._run(self._mend())

    def cut(self) -> None:
        """Break all connections and refuse new ones."""
        self._run(self._cut())

    def hold(self) -> None:
        """Accept everything and forward nothing, as a network that swallows packets."""
        self._run(self._hold())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_TIMEOUT_S)

    async def _mend(self) -> None:
        self._open.set()
        if self._server is None:
            self._server = await asyncio.start_unix_server(self._forward, self._socket)

    async def _hold(self) -> None:
        self._open.clear()

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            self._socket.unlink(missing_ok=True)
        for writer in self._writers:
            writer.transport.abort()

    async def _finish(self) -> None:
        self._open.set()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(str(self._target))
        both = {writer, far_writer}
        self._writers |= both
        await asyncio.wait(
            [
                asyncio.create_task(self._copy(reader, far_writer)),
                asyncio.create_task(self._copy(far_reader, writer)),
            ]
        )
        self._writers -= both

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(CHUNK):
                await self._open.wait()
                target.write(data)
                await target.drain()
        except OSError:
            pass  # the line was cut
        finally:
            target.close()
