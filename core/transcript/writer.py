"""Keeps what was said: finals go to PostgreSQL as they come, and wait while it is away.

What could not be stored when the process ends is spooled to a file and stored at the next
start. Storing twice does no harm: rows are keyed by session, stream and utterance.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import msgspec

from core.database import Database, DatabaseAwayError
from core.model import ChatLine
from core.room.rooms import MAX_UTTERANCES, SaidUtterance
from core.speech.resilient import StreamRecord
from core.store import chat, transcripts, usage

log = logging.getLogger(__name__)

MAX_WAITING = 10_000  # finals that wait for the database; about an hour of 30 people talking
BATCH = 200
GATHER = 0.1  # seconds in which finals come together after a write: many at once cost little more
RETRY_FIRST = 0.5
RETRY_MAX = 10.0
# About the row itself: trying again can't help. Anything else (a full disk, a server that turned
# read-only) passes, and words wait for it.
REFUSALS = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)


_Kept = TypeVar("_Kept", SaidUtterance, ChatLine)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A final that is not stored yet, and whom to tell when it is."""

    said: SaidUtterance
    stored: Callable[[], None]


class TranscriptWriter:
    """Implements core.room.rooms.Keeper on PostgreSQL."""

    def __init__(self, db: Database, spool: Path) -> None:
        self._db = db
        self._spool = spool
        self._waiting: deque[_Waiting] = deque()
        self._lines: deque[ChatLine] = deque()
        self._accounts: deque[usage.StreamAccount] = deque(maxlen=MAX_WAITING)
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many finals are not stored yet."""
        return len(self._waiting)

    def stores(self, session_id: str) -> bool:
        """Whether words of this session wait to be stored."""
        return any(one.said.session_id == session_id for one in self._waiting)

    def start(self) -> None:
        """Take up what the last process could not store, and begin to write."""
        spooled = _read_spool(self._spool, SaidUtterance)
        self._waiting.extend(_Waiting(one, lambda: None) for one in spooled)
        self._lines.extend(_read_spool(_chat_spool(self._spool), ChatLine))
        self._news.set()
        self._task = asyncio.create_task(self._run())

    async def close(self, seconds: float = 3.0) -> None:
        """Store what waits, at most so long, and spool the rest."""
        try:
            async with asyncio.timeout(seconds):
                while self._waiting or self._lines or self._accounts:
                    self._idle.clear()
                    self._news.set()
                    await self._idle.wait()
        except TimeoutError:
            log.warning("%d utterances are spooled: the database is away", len(self._waiting))
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        _write_spool(self._spool, [one.said for one in self._waiting])
        _write_spool(_chat_spool(self._spool), list(self._lines))

    async def said(self, session_id: str) -> list[SaidUtterance]:
        """Keeper: stored finals and those that still wait, by seq."""
        stored = await transcripts.of_session(self._db, session_id, limit=MAX_UTTERANCES)
        known = {(one.stream, one.utterance): _said(session_id, one) for one in stored}
        for said in (one.said for one in self._waiting):
            if said.session_id == session_id:
                known.setdefault((said.stream, said.utterance), said)
        return sorted(known.values(), key=lambda one: one.seq)

    def keep(self, utterance: SaidUtterance, stored: Callable[[], None]) -> None:
        """Keeper: take a final. The oldest is given up when 10,000 already wait."""
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            log.error("the database is away for too long: an utterance was given up")
        self._waiting.append(_Waiting(utterance, stored))
        self._news.set()

    async def chat(self, session_id: str) -> list[ChatLine]:
        """Keeper: stored lines and those that still wait, by id."""
        known = {line.id: line for line in await chat.of_session(self._db, session_id)}
        for line in self._lines:
            if line.session_id == session_id:
                known.setdefault(line.id, line)
        return sorted(known.values(), key=lambda line: line.id)

    def keep_line(self, line: ChatLine) -> None:
        """Keeper: take a chat line. The oldest is given up when 10,000 already wait."""
        if len(self._lines) >= MAX_WAITING:
            self._lines.popleft()
            log.error("the database is away for too long: a chat line was given up")
        self._lines.append(line)
        self._news.set()

    def hold(self, utterances: list[SaidUtterance]) -> None:
        """Keeper: they are in a file at once, as a crash may come any time."""
        _write_spool(_held_spool(self._spool), utterances)

    def held(self) -> list[SaidUtterance]:
        """Keeper."""
        return _read_spool(_held_spool(self._spool), SaidUtterance)

    def account(self, session_id: str, identity: str, record: StreamRecord) -> None:
        """Keeper: take a stream's account."""
        self._accounts.append(_account(session_id, identity, record))
        self._news.set()

    async def _run(self) -> None:
        pause = RETRY_FIRST
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._write()
                pause = RETRY_FIRST
            except Exception as problem:
                if not isinstance(problem, DatabaseAwayError):
                    log.error("the database takes nothing: %s", type(problem).__name__)
                self._news.set()
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_MAX)
            self._idle.set()
            await asyncio.sleep(GATHER)

    async def _write(self) -> None:
        while self._waiting:
            batch = list(self._waiting)[:BATCH]
            await self._store([_row(one.said) for one in batch])
            for one in batch:
                # Unless it was given up meanwhile, because too many came behind it.
                if self._waiting and self._waiting[0] is one:
                    self._waiting.popleft()
                one.stored()
        while self._lines:
            line = self._lines[0]
            await self._store_line(line)
            if self._lines and self._lines[0] is line:
                self._lines.popleft()
        while self._accounts:
            await self._store_account(self._accounts[0])
            self._accounts.popleft()

    async def _store(self, rows: list[dict[str, Any]]) -> None:
        """Store rows together; if one is refused, store the others without it."""
        try:
            await transcripts.add(self._db, rows)
        except REFUSALS as problem:
            if len(rows) == 1:
                # Its session or participant was deleted meanwhile; the words go with them.
                log.error("an utterance was refused by the database: %s", type(problem).__name__)
                return
            for row in rows:
                await self._store([row])

    async def _store_line(self, line: ChatLine) -> None:
        try:
            await chat.add(self._db, line)
        except REFUSALS as problem:
            log.error("a chat line was refused by the database: %s", type(problem).__name__)

    async def _store_account(self, account: usage.StreamAccount) -> None:
        try:
            await usage.add(self._db, account)
        except REFUSALS as problem:
            log.error("a stream's account was refused: %s", type(problem).__name__)


def _account(session_id: str, identity: str, record: StreamRecord) -> usage.StreamAccount:
    return usage.StreamAccount(
        session_id=session_id,
        identity=identity,
        stream=record.stream,
        engine=record.engine,
        opened_at=record.opened_at,
        closed_at=record.closed_at,
        **asdict(record.usage),
    )


def _row(one: SaidUtterance) -> dict[str, Any]:
    return {column: getattr(one, column) for column in transcripts.COLUMNS}


def _said(session_id: str, one: transcripts.Utterance) -> SaidUtterance:
    return SaidUtterance(
        session_id=session_id,
        stream=one.stream,
        utterance=one.utterance,
        seq=one.seq,
        identity=one.identity,
        name=one.name,
        hue=one.hue,
        text=one.text,
        start=one.start,
        end=one.end,
        language=one.language,
        client=one.client,
        until=one.until,
        lost=one.lost,
    )


def _held_spool(spool: Path) -> Path:
    return spool.with_name(f"held-{spool.name}")


def _chat_spool(spool: Path) -> Path:
    return spool.with_name(f"chat-{spool.name}")


def _read_spool(path: Path, kind: type[_Kept]) -> list[_Kept]:
    """Return what was spooled; a line cut off by a crash is left out with a warning."""
    if not path.exists():
        return []
    kept = []
    for line in path.read_bytes().splitlines():
        try:
            kept.append(msgspec.json.decode(line, type=kind))
        except msgspec.DecodeError:
            log.warning("a damaged line of the spool was left out")
    return kept


def _write_spool(path: Path, waiting: Sequence[SaidUtterance | ChatLine]) -> None:
    if not waiting:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_bytes(b"\n".join(msgspec.json.encode(one) for one in waiting))
    partial.replace(path)
