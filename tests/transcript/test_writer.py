"""The recorder beside a real PostgreSQL: many finals in a moment cost few writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from core.database import Database
from core.room.rooms import SaidUtterance
from core.store import participants, sessions, spaces
from core.store import people as users
from core.transcript.writer import TranscriptWriter
from tests.support.waiting import PATIENCE_S


@pytest.fixture
async def db(make_database: Callable[[], str]) -> AsyncIterator[Database]:
    url = await asyncio.to_thread(make_database)
    one = Database(url)
    await one.connect()
    yield one
    await one.disconnect()


async def _speaker(db: Database) -> tuple[str, str]:
    """Return a session, and the identity of a guest in it."""
    host = await users.create(db, "test", "host", "Host", "host@example.com")
    space = await spaces.first_space(db, host.id, "Space")
    session = await sessions.create(db, space, host.id, "Session")
    guest = await participants.add_guest(db, session.id, "Ada", "ADMITTED")
    return session.id, guest.identity


def _final(session_id: str, identity: str, seq: int) -> SaidUtterance:
    return SaidUtterance(
        session_id=session_id,
        stream="stream",
        utterance=str(seq),
        seq=seq,
        identity=identity,
        name="Ada",
        hue=0,
        text=f"word {seq}",
        start=float(seq),
        end=seq + 0.5,
        language="en",
        client="client-1",
        until=seq,
    )


async def test_finals_of_a_moment_are_written_together_and_the_first_at_once(
    db: Database, tmp_path: Path
) -> None:
    session_id, identity = await _speaker(db)
    writer = TranscriptWriter(db, tmp_path / "unsaved.jsonl")
    writer.start()
    try:
        await asyncio.sleep(0.2)  # what was spooled is taken up
        stored: list[asyncio.Event] = []
        for seq in range(1, 21):
            stored.append(asyncio.Event())
            writer.keep(_final(session_id, identity, seq), stored[-1].set)
            if seq == 1:
                await asyncio.wait_for(stored[0].wait(), PATIENCE_S)
            await asyncio.sleep(0.001)
        for one in stored:
            await asyncio.wait_for(one.wait(), PATIENCE_S)
    finally:
        await writer.close()
    # Rows of one statement carry the same transaction.
    row = await db.returning(
        "SELECT count(*) AS rows, count(DISTINCT xmin::text) AS writes FROM utterances"
    )
    assert row["rows"] == 20
    assert row["writes"] <= 4
