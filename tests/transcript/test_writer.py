"""The recorder beside a real PostgreSQL: many finals in a moment cost few writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from core.database import Database, Row
from core.leases import Leases
from core.model import ChatLine, Utterance
from core.room.handover import Handover
from core.store import participants, sessions, spaces, transcripts
from core.store import people as users
from core.transcript.outbox import Entry
from core.transcript.writer import TranscriptWriter
from tests.support.waiting import WAIT_TIMEOUT_S


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


def _final(session_id: str, identity: str, seq: int) -> Utterance:
    return Utterance(
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


class SlowReading(Database):
    """A database whose answers to questions take as long as `answer` is clear."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    async def fetch_all(self, sql: str, **values: object) -> list[Row]:
        rows = await super().fetch_all(sql, **values)
        if "INSERT" in sql:  # what is written isn't held up
            return rows
        self.asked.set()
        await self.answer.wait()
        return rows


async def test_who_reads_while_a_final_is_being_stored_has_it(
    make_database: Callable[[], str], tmp_path: Path
) -> None:
    db = SlowReading(await asyncio.to_thread(make_database))
    await db.connect()
    db.answer.set()
    session_id, identity = await _speaker(db)
    db.answer.clear()
    writer = TranscriptWriter(db, tmp_path / "unsaved.jsonl")
    stored = asyncio.Event()
    writer.keep(Entry(_final(session_id, identity, 1), stored.set))
    reading = asyncio.create_task(writer.said(session_id))
    await db.asked.wait()  # which the database has answered without it
    writer.start()
    await asyncio.wait_for(stored.wait(), WAIT_TIMEOUT_S)
    db.answer.set()
    assert [one.text for one in await reading] == ["word 1"]
    await writer.close(WAIT_TIMEOUT_S)
    await db.disconnect()


async def test_spooled_finals_whose_numbers_are_taken_get_others(
    db: Database, tmp_path: Path
) -> None:
    """As when another process went on with the session; that each is stored once stays true."""
    session_id, identity = await _speaker(db)
    spool = tmp_path / "unsaved.jsonl"
    old = [_final(session_id, identity, seq) for seq in (1, 2, 3)]
    spool.write_bytes(b"\n".join(map(msgspec.json.encode, old)))
    writer = TranscriptWriter(db, tmp_path / "elsewhere.jsonl")
    writer.start()
    newer = [msgspec.structs.replace(one, stream="newer") for one in old[1:]]
    for one in newer:
        writer.keep(Entry(one))
    writer.keep(Entry(old[0]))
    await writer.close(WAIT_TIMEOUT_S)
    for _ in range(2):
        late = TranscriptWriter(db, spool)
        late.start()
        await late.close(WAIT_TIMEOUT_S)
        spool.write_bytes(b"\n".join(map(msgspec.json.encode, old)))
    said = await writer.said(session_id)
    assert [(one.stream, one.utterance, one.seq) for one in said] == [
        ("stream", "1", 1),
        ("newer", "2", 2),
        ("newer", "3", 3),
        ("stream", "2", 4),
        ("stream", "3", 5),
    ]


async def test_what_is_held_for_a_deleted_session_is_let_go_and_the_rest_stands(
    db: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As when another process deleted it, or while none was there."""
    session_id, identity = await _speaker(db)
    writer, leases = TranscriptWriter(db, tmp_path / "unsaved.jsonl"), Leases(db, "node")
    handover = Handover(writer, leases, {}, lambda _: None)
    gone = str(uuid4())
    handover.set_aside([_final(one, identity, 1) for one in (gone, session_id)])
    await handover.adopt_all()
    assert handover.sessions() == set()
    writer.start()
    await writer.close(WAIT_TIMEOUT_S)
    assert TranscriptWriter(db, tmp_path / "unsaved.jsonl").held() == []
    assert [one.text for one in await transcripts.of_session(db, session_id, limit=9)] == ["word 1"]
    assert await transcripts.of_session(db, gone, limit=9) == []
    assert caplog.text == "", "nothing to be tried again"


async def test_chat_lines_that_clash_get_another_number_and_repetitions_none(
    db: Database, tmp_path: Path
) -> None:
    session_id, identity = await _speaker(db)
    writer, now = TranscriptWriter(db, tmp_path / "unsaved.jsonl"), datetime.now(UTC)
    writer.start()
    first, other = (
        ChatLine(session_id, 1, identity, "Ada", 0, "GUEST", text, now) for text in ("a", "b")
    )
    for line in (first, other, first):
        writer.keep_line(Entry(line))
    await writer.close(WAIT_TIMEOUT_S)
    assert [(one.id, one.text) for one in await writer.chat(session_id)] == [(1, "a"), (2, "b")]


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
            writer.keep(Entry(_final(session_id, identity, seq), stored[-1].set))
            if seq == 1:
                await asyncio.wait_for(stored[0].wait(), WAIT_TIMEOUT_S)
            await asyncio.sleep(0.001)
        for one in stored:
            await asyncio.wait_for(one.wait(), WAIT_TIMEOUT_S)
    finally:
        await writer.close(WAIT_TIMEOUT_S)
    # Rows of one statement carry the same transaction.
    row = await db.returning(
        "SELECT count(*) AS rows, count(DISTINCT xmin::text) AS writes FROM utterances"
    )
    assert row["rows"] == 20
    assert row["writes"] <= 4


def _at(path: Path, finals: list[Utterance]) -> Path:
    path.write_bytes(b"\n".join(map(msgspec.json.encode, finals)))
    return path


async def test_what_waits_of_several_owners_under_one_number_is_stored_under_several(
    db: Database, tmp_path: Path
) -> None:
    """None of it is stored yet, so that the database can't say whose the number is."""
    session_id, identity = await _speaker(db)
    mine = [_final(session_id, identity, seq) for seq in (1, 2)]
    other = [msgspec.structs.replace(one, stream="other") for one in mine]
    writer = TranscriptWriter(db, _at(tmp_path / "unsaved.jsonl", [*other, *mine]))
    writer.start()
    await writer.close(5)
    said = await writer.said(session_id)
    assert [one.seq for one in said] == [1, 2, 3, 4]
    assert len({one.place for one in said}) == 4


async def test_a_room_that_is_loaded_while_what_waits_gets_another_number_has_it_once_in_order(
    make_database: Callable[[], str], tmp_path: Path
) -> None:
    """The database has answered before the number was taken, and the answer comes later."""
    db = SlowReading(await asyncio.to_thread(make_database))
    await db.connect()
    db.answer.set()
    session_id, identity = await _speaker(db)
    foreign = msgspec.structs.replace(_final(session_id, identity, 1), stream="foreign")
    other = TranscriptWriter(db, tmp_path / "other.jsonl")
    other.start()
    other.keep(Entry(foreign))
    await other.close(5)
    db.answer.clear()
    db.asked.clear()
    writer = TranscriptWriter(db, tmp_path / "unsaved.jsonl")
    writer.keep(Entry(_final(session_id, identity, 1)))
    loading = asyncio.create_task(writer.load(session_id, 0))
    await db.asked.wait()
    writer.start()
    db.answer.set()
    said = await loading
    assert [(one.stream, one.seq) for one in said] == [("foreign", 1), ("stream", 2)]
    await writer.close(5)
    assert [one.place for one in await writer.said(session_id)] == [one.place for one in said]
    await db.disconnect()


async def test_what_waited_while_another_owned_the_room_is_kept_unless_its_page_said_it_anew(
    db: Database, tmp_path: Path
) -> None:
    session_id, identity = await _speaker(db)
    second = 16_000
    back, gone = (
        [
            msgspec.structs.replace(
                _final(session_id, identity, seq),
                client=client,
                stream=client,
                until=round((seq + 0.5) * second),
                epoch=1,
            )
            for seq in (1, 2)
        ]
        for client in ("came-back", "is-gone")
    )
    await db.execute(
        "INSERT INTO rooms VALUES (CAST(:session AS uuid), 'another', 2, now())", session=session_id
    )
    between = TranscriptWriter(db, tmp_path / "between.jsonl")
    between.start()
    # Heard a little differently, and as one.
    anew = msgspec.structs.replace(back[1], stream="anew", seq=1, epoch=2, start=1.0, until=39_990)
    between.keep(Entry(anew))
    await between.close(5)
    aside: list[Utterance] = []
    writer = TranscriptWriter(db, _at(tmp_path / "unsaved.jsonl", [*back, *gone]))
    writer.serve(lambda _: None, aside.extend)
    assert [one.stream for one in await writer.load(session_id, 3)] == ["anew"]
    writer.start()
    await writer.flush(5)
    assert aside == [*back, *gone], "it is another's room: nobody knows yet who comes back there"
    again = TranscriptWriter(db, tmp_path / "again.jsonl")
    for one in [*back, *gone]:
        again.keep(Entry(one))
    await db.execute("UPDATE rooms SET epoch = 3")
    said = await again.load(session_id, 3)
    places = [("anew", "2"), ("is-gone", "1"), ("is-gone", "2")]
    assert [one.place for one in said] == places
    again.start()
    await again.close(5)
    assert [one.place for one in await again.said(session_id)] == places
    await writer.close(5)
