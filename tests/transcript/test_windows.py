"""A transcript in windows: the same lines in the same order, however small the windows are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from core.database import Database, Row
from core.lines import BEGIN, Key, Line, line_id
from core.model import ChatLine, Session, Utterance
from core.store import chat, participants, sessions, spaces, transcripts
from core.store import people as users
from core.transcript.outbox import Entry
from core.transcript.reading import TranscriptReader, zero_of
from core.transcript.writer import TranscriptWriter

END = Key(1e9, 0, 0)


class Room:
    """What a room has shown and not handed over."""

    def __init__(self) -> None:
        self.shown: list[Utterance] = []

    def still_writing(self, session_id: str) -> bool:
        """Unfinished."""
        return bool(self.shown)

    def unstored(self, session_id: str) -> list[Utterance]:
        """Unfinished."""
        return self.shown


@dataclass
class Meeting:
    """A session in which Ada and Bo speak by turns, one in the middle of the other."""

    db: Database
    session: Session
    ada: str
    bo: str
    room: Room
    writer: TranscriptWriter
    url: str

    @property
    def reader(self) -> TranscriptReader:
        return TranscriptReader(self.db, self.room, self.writer)

    async def all(self, **wanted: bool) -> list[Line]:
        return [one async for some in self.reader.all(self.session, **wanted) for one in some]

    def said(self, seq: int, start: float, who: str | None = None) -> Utterance:
        return Utterance(
            session_id=self.session.id,
            stream="s",
            utterance=str(seq),
            seq=seq,
            identity=who or (self.ada if seq % 2 else self.bo),
            name="Ada" if seq % 2 else "Bo",
            hue=0,
            text=f"word {seq}",
            start=start,
            end=start + 1.5,
            language="en",
        )

    async def pause(self, start: float, end: float) -> None:
        zero = zero_of(self.session)
        await self.db.execute(
            """
            INSERT INTO pauses (session_id, paused_at, resumed_at) VALUES (:session, :at, :until)
            """,
            session=UUID(self.session.id),
            at=zero + timedelta(seconds=start),
            until=zero + timedelta(seconds=end),
        )

    async def correct(self, seq: int, part: int = 0, **changed: object) -> None:
        row = {"text": f"word {seq}", "start": float(seq), "speaker": self.ada, "hidden": False}
        row |= {"joined": None} | changed
        await self.db.execute(
            """
            INSERT INTO corrected_lines (session_id, seq, part, revision, text, start_s, end_s,
                speaker, hidden, joined_seq, joined_part)
            VALUES (:session, :seq, :part, 3, :text, CAST(:start AS float8),
                CAST(:start AS float8) + 1, :speaker, :hidden, CAST(:joined AS int),
                CASE WHEN CAST(:joined AS int) IS NULL THEN NULL ELSE 0 END)
            """,
            session=UUID(self.session.id),
            seq=seq,
            part=part,
            **row,
        )


@pytest.fixture
async def meeting(make_database: Callable[[], str], tmp_path: Path) -> AsyncIterator[Meeting]:
    url = await asyncio.to_thread(make_database)
    db = Database(url)
    await db.connect()
    host = await users.create(db, "test", "host", "Host", "host@example.com")
    space = await spaces.first_space(db, host.id, "Space")
    session = await sessions.create(db, space, host.id, "Session")
    ada = await participants.add_guest(db, session.id, "Ada", "ADMITTED")
    bo = await participants.add_guest(db, session.id, "Bo", "ADMITTED")
    writer = TranscriptWriter(db, tmp_path / "unsaved.jsonl")
    made = Meeting(db, session, ada.identity, bo.identity, Room(), writer, url)
    said = [made.said(seq, float(seq - seq % 3)) for seq in range(1, 31)]  # three at one moment
    rows = [{one: getattr(row, one) for one in transcripts.COLUMNS} for row in said]
    await transcripts.add(db, rows)
    for id_, second in ((1, 6), (2, 6), (3, 40)):
        await chat.add(db, made_chat(made, id_, second))
    yield made
    await db.disconnect()


def made_chat(meeting: Meeting, id_: int, second: float) -> ChatLine:
    sent_at = zero_of(meeting.session) + timedelta(seconds=second)
    return ChatLine(meeting.session.id, id_, meeting.bo, "Bo", 0, "GUEST", f"note {id_}", sent_at)


async def in_windows(meeting: Meeting, most: int) -> tuple[list[Line], list[Line]]:
    """Return all lines as windows of this size have them: forwards, and backwards."""
    forwards, backwards = list[Line](), list[Line]()
    key = BEGIN
    while True:
        window = await meeting.reader.window(meeting.session, "after", key, most)
        forwards += window.lines
        if window.whole:
            break
        key = window.lines[-1].key
    key = END
    while True:
        window = await meeting.reader.window(meeting.session, "before", key, most)
        backwards[:0] = window.lines
        if window.whole:
            break
        key = window.lines[0].key
    return forwards, backwards


async def test_windows_of_any_size_have_all_lines_once(meeting: Meeting) -> None:
    # Split, joined, hidden, moved to another speaker; some waiting in the room and at the writer.
    await meeting.correct(4, 0, text="wo", start=3.0)
    await meeting.correct(4, 1, text="rd 4", start=3.7)
    await meeting.correct(7, text="word 7 word 9", start=6.0)
    await meeting.correct(9, joined=7)
    await meeting.correct(12, hidden=True)
    await meeting.pause(7, 8)
    stored_twice = meeting.said(30, 30.0)
    meeting.writer.keep(Entry(stored_twice))
    meeting.writer.keep(Entry(meeting.said(31, 2.0)))
    meeting.writer.keep_line(Entry(made_chat(meeting, 4, 10)))
    meeting.room.shown = [meeting.said(31, 2.0), meeting.said(32, 50.0)]

    every = await meeting.all()
    assert [one.key for one in every] == sorted(one.key for one in every)
    ids = [one.id for one in every]
    expected = {str(n) for n in range(1, 33)} - {"9", "12"}
    expected |= {"4.1", "chat-1", "chat-2", "chat-3", "chat-4", "pause-0"}
    assert len(ids) == len(set(ids))
    assert set(ids) == expected
    assert ids[ids.index("4") :][:3] == ["4", "5", "4.1"]  # Bo went on while Ada spoke
    for most in (1, 2, 3, 7, 100):
        forwards, backwards = await in_windows(meeting, most)
        assert [one.id for one in forwards] == ids
        assert [one.id for one in backwards] == ids
    shown = {one.id: one for one in await meeting.all(hidden=True)}
    assert shown["12"].hidden
    assert set(shown) - set(ids) == {"12"}
    assert (shown["7"].text, shown["7"].revision, shown["8"].revision) == ("word 7 word 9", 3, 0)


async def test_speakers_are_who_corrections_say(meeting: Meeting) -> None:
    await meeting.correct(2, speaker="x-room")
    await meeting.correct(5, speaker=meeting.bo)
    for speaker, name in ((meeting.ada, "Ada Lovelace"), ("x-room", None)):
        await meeting.db.execute(
            "INSERT INTO speakers (session_id, speaker, name, hue)"
            " VALUES (:session, :id, :name, 4)",
            session=UUID(meeting.session.id),
            id=speaker,
            name=name,
        )
    meeting.writer.keep(Entry(msgspec.structs.replace(meeting.said(31, 31.0), name="Ada")))
    by = {one.id: one.speaker for one in await meeting.all()}
    names = {one: by[one].name for one in ("1", "2", "5", "31") if by[one]}  # type: ignore[union-attr]
    assert names == {"1": "Ada Lovelace", "2": None, "5": "Bo", "31": "Ada Lovelace"}
    await meeting.pause(7, 8)
    alone = await meeting.reader.window(meeting.session, "after", BEGIN, 100, speaker=meeting.bo)
    assert [one.id for one in alone.lines if one.kind == "speech"][:3] == ["4", "5", "6"]
    assert [one.id for one in alone.lines if one.kind == "chat"] == ["chat-1", "chat-2", "chat-3"]


async def test_what_is_stored_while_it_is_read_is_there_once(meeting: Meeting) -> None:
    late = meeting.said(31, 2.0)
    meeting.writer.keep(Entry(late))
    row = {one: getattr(late, one) for one in transcripts.COLUMNS}

    class Storing(Database):
        """A database in which it is stored right after it was said not to be."""

        async def fetch_all(self, sql: str, **values: object) -> list[Row]:
            rows = await super().fetch_all(sql, **values)
            if "unnest" in sql and "INSERT" not in sql:
                await transcripts.add(meeting.db, [row])
            return rows

    db = Storing(meeting.url)
    await db.connect()
    reader = TranscriptReader(db, meeting.room, meeting.writer)
    window = await reader.window(meeting.session, "after", BEGIN, 100)
    await db.disconnect()
    assert [one.id for one in window.lines].count("31") == 1


async def test_a_line_is_found_by_its_name(meeting: Meeting) -> None:
    await meeting.correct(7, text="word 7 word 9", start=6.0)
    await meeting.correct(9, joined=7)
    meeting.room.shown = [meeting.said(31, 2.0)]
    for text, expected in (
        ("5", Key(3.0, 0, 5)),
        ("9", Key(6.0, 0, 7)),
        ("31", Key(2.0, 0, 31)),
        ("chat-2", Key(6.0, 2, 2)),
        ("99", None),
        ("chat-9", None),
    ):
        named = line_id(text)
        assert named is not None
        assert await meeting.reader.key_of(meeting.session, named) == expected, text
    for text in ("", "0", "-1", "1.0", "chat-1.1", "1.100", "1e3", "１", "pause-0", "1\n"):
        assert line_id(text) is None
