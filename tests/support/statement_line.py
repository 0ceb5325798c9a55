"""A line to PostgreSQL that notes the statements that go over it, and can keep an answer back."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

from tests.support.database_line import DatabaseLine
from tests.support.waiting import WAIT_TIMEOUT_S, wait_until

# Statements of each of core/lifecycle.py's loops when nobody is there, the last ones among them.
ROUTINE = (
    "DELETE FROM livekit_events",
    "'EXPIRED_NO_JOIN'",
    "AS left_at FROM participants",
    "SKIP LOCKED",
)


# What asyncpg asks on a connection that meets a type for the first time, and the release of a room
# that somebody left before: both come when a busy machine gets to them.
ELSEWHERE = ("typeinfo_tree", "'jit'", "SET renewed_at = '-infinity'")


class StatementLine(DatabaseLine):
    """`statements` are the texts in the order in which they were executed."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.statements: list[str] = []
        self._routine: set[str] = set()  # what a server asks by itself, however often
        self._kept_back = ""  # of which statement the answer is kept back
        self._gates: list[_Gate] = []  # the connections whose answers are
        self._stuck = threading.Event()

    def know_routine(self) -> None:
        """Learn what a server that has just started asks by itself: `noted` leaves it out.

        Else a block that takes long, as on a busy machine, would count what it didn't ask.
        """
        wait_until(lambda: all(any(one in sql for sql in self.statements) for one in ROUTINE))
        self._routine = set(self.statements)

    @contextmanager
    def noted(self) -> Iterator[list[str]]:
        """Yield a list that has the statements of the block once it has ended."""
        before, noted = len(self.statements), list[str]()
        yield noted
        noted += [sql for sql in self.statements[before:] if self._is_asked_for(sql)]

    def _is_asked_for(self, sql: str) -> bool:
        return sql not in self._routine and not any(part in sql for part in (*ROUTINE, *ELSEWHERE))

    @asynccontextmanager
    async def kept_back(self, part: str) -> AsyncIterator[Callable[[], Any]]:
        """Keep back what PostgreSQL answers to the next statement with this part in its text.

        It is executed all the same. Yields what waits until the answer is here.
        """
        self._stuck.clear()
        self._kept_back = part
        try:
            yield lambda: asyncio.to_thread(self._stuck.wait, WAIT_TIMEOUT_S)
        finally:
            self._kept_back = ""
            self._loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        for gate in self._gates:
            gate.open()
        self._gates.clear()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gate = _Gate(writer, self._stuck)
        tap = _Tap(reader, lambda sql: self._executed(sql, gate))
        await super()._forward(
            cast("asyncio.StreamReader", tap), cast("asyncio.StreamWriter", gate)
        )

    def _executed(self, sql: str, gate: _Gate) -> None:
        self.statements.append(sql)
        if self._kept_back and self._kept_back in sql:
            self._kept_back = ""
            gate.shut()
            self._gates.append(gate)


class _Gate:
    """A writer that can keep what is written."""

    def __init__(self, writer: asyncio.StreamWriter, stuck: threading.Event) -> None:
        self._writer = writer
        self._stuck = stuck  # set once something is kept
        self._kept: list[bytes] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def shut(self) -> None:
        self._kept = []

    def open(self) -> None:
        kept, self._kept = self._kept or [], None
        self._writer.write(b"".join(kept))

    def write(self, data: bytes) -> None:
        if self._kept is None:
            self._writer.write(data)
        else:
            self._kept.append(data)
            self._stuck.set()


class _Tap:
    """A reader that understands what a client sends to PostgreSQL (protocol 3.0)."""

    def __init__(self, reader: asyncio.StreamReader, executed: Callable[[str], None]) -> None:
        self._reader = reader
        self._executed = executed
        self._buffer = b""
        self._started = False  # the first message has no type
        self._prepared: dict[bytes, str] = defaultdict(str)  # statements by name
        self._bound: dict[bytes, str] = defaultdict(str)  # portals by name

    async def read(self, size: int) -> bytes:
        data = await self._reader.read(size)
        self._buffer += data
        while self._next():
            pass
        return data

    def _next(self) -> bool:
        head = 5 if self._started else 4
        if len(self._buffer) < head:
            return False
        length = int.from_bytes(self._buffer[head - 4 : head]) + head - 4
        if len(self._buffer) < length:
            return False
        message, self._buffer = self._buffer[:length], self._buffer[length:]
        if self._started:
            self._understand(message[:1], message[5:])
        self._started = True
        return True

    def _understand(self, kind: bytes, body: bytes) -> None:
        first, _, rest = body.partition(b"\0")
        second = rest.partition(b"\0")[0]
        if kind == b"P":
            self._prepared[first] = second.decode()
        elif kind == b"B":
            self._bound[first] = self._prepared[second]
        elif kind == b"E":
            self._executed(self._bound[first])
        elif kind == b"Q":
            self._executed(first.decode())
