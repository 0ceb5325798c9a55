"""Recordings: which files have the sound of what was said, and until when.

A file is at its place, a DATA_DIR or a bucket, and its name is made of its session and id. When a
row goes, however it does, the database notes that its file has to go: see schema.sql.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from core.database import Database, Row

AT_ONCE = 500  # rows of one statement, where all are wanted
SAMPLE_RATE = 16_000  # of what is recorded, whatever a file's own is


@dataclass(frozen=True, slots=True)
class Recording:
    """A file with the sound of one page, from its sample `first` on.

    It begins at the second `start` of the session. Without bytes there is no file: so much sound
    couldn't be kept.
    """

    id: str
    session_id: str
    identity: str
    client: str
    first: int
    samples: int
    start: float
    bytes: int
    place: str
    created_at: datetime

    @property
    def until(self) -> int:
        """The sample behind its last one."""
        return self.first + self.samples

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.samples / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Heard:
    """A recording in which an utterance can be heard: `zero` is the second of the session at which
    it begins, by the times of this utterance, and it has `seconds`.
    """

    recording: str
    zero: float
    seconds: float

    def span(self, start: float, end: float) -> tuple[float, float] | None:
        """Return from where to where in it these seconds of the session are; None: not in it."""
        first, last = max(0.0, start - self.zero), min(self.seconds, end - self.zero)
        return (first, last) if last > first else None


@dataclass(frozen=True, slots=True)
class Discarded:
    """A file whose recording is no more."""

    id: str
    session_id: str
    place: str
    tried_at: datetime


async def add(db: Database, one: Recording, days: int) -> bool:
    """Note that there is a recording, for so many days, or fewer if an owner has it so by now.

    Once: a second time changes nothing. False where its session or its participant is no more.
    """
    try:
        row = await db.fetch_one(
            """
            INSERT INTO recordings (id, session_id, identity, client, first_sample, samples,
                start_s, bytes, place, created_at, expires_at)
            SELECT :id, s.id, :identity, :client, :first, :samples, :start, :bytes, :place,
                CAST(:created AS timestamptz),
                :created + make_interval(
                    days => least(CAST(:days AS int), s.audio_days, sp.audio_days)
                )
            FROM sessions s JOIN spaces sp ON sp.id = s.space_id WHERE s.id = :session
            ON CONFLICT (id) DO UPDATE SET id = recordings.id RETURNING id
            """,
            id=UUID(one.id),
            session=UUID(one.session_id),
            identity=one.identity,
            client=one.client,
            first=one.first,
            samples=one.samples,
            start=one.start,
            bytes=one.bytes,
            place=one.place,
            created=one.created_at,
            days=days,
        )
    except asyncpg.ForeignKeyViolationError:
        return False
    return row is not None


async def find(db: Database, session_id: str, recording: UUID) -> Recording | None:
    """Return a recording of a session that has a file and whose time hasn't run out."""
    row = await db.fetch_one(
        """
        SELECT * FROM recordings
        WHERE id = :id AND session_id = :session AND bytes > 0 AND expires_at > now()
        """,
        id=recording,
        session=UUID(session_id),
    )
    return _recording(row) if row else None


async def of_session(db: Database, session_id: str) -> AsyncIterator[tuple[Recording, str]]:
    """Yield the recordings of a session that have a file, by when they begin, and whose each is."""
    last: Row | None = None
    while True:
        rows = await db.fetch_all(
            """
            SELECT r.*, p.name FROM recordings r JOIN participants p USING (identity)
            WHERE r.session_id = :session AND r.bytes > 0 AND r.expires_at > now() AND (
                CAST(:start AS float8) IS NULL OR (r.start_s, r.id) > (:start, CAST(:id AS uuid))
            ) ORDER BY r.start_s, r.id LIMIT :most
            """,
            session=UUID(session_id),
            start=last["start_s"] if last else None,
            id=last["id"] if last else None,
            most=AT_ONCE,
        )
        for row in rows:
            yield _recording(row), row["name"]
        if len(rows) < AT_ONCE:
            return
        last = rows[-1]


async def heard(db: Database, session_id: str, numbers: Collection[int]) -> dict[int, Heard]:
    """Return where these utterances of a session can be heard, by `seq`: those that can.

    Of one that is in several files, the one with most of it.
    """
    rows = await db.fetch_all(
        """
        SELECT DISTINCT ON (u.seq) u.seq, r.id, r.samples,
            u.end_s - CAST(u.until - r.first_sample AS float8) / :rate AS zero
        FROM utterances u
        JOIN recordings r ON r.session_id = u.session_id AND r.identity = u.identity
            AND r.client = u.client AND r.first_sample < u.until
            AND r.first_sample + r.samples > u.until - (u.end_s - u.start_s) * :rate
        WHERE u.session_id = :session AND u.seq = ANY(CAST(:numbers AS int[]))
        AND u.lost_s IS NULL AND r.bytes > 0 AND r.expires_at > now()
        ORDER BY u.seq, least(u.until, r.first_sample + r.samples)
            - greatest(u.until - (u.end_s - u.start_s) * :rate, r.first_sample) DESC, r.id
        """,
        session=UUID(session_id),
        numbers=list(numbers),
        rate=float(SAMPLE_RATE),
    )
    return {
        row["seq"]: Heard(str(row["id"]), row["zero"], row["samples"] / SAMPLE_RATE) for row in rows
    }


async def expire(db: Database, most: int) -> int:
    """Let recordings go whose time has run out, and return how many; other processes skip them."""
    rows = await db.fetch_all(
        """
        DELETE FROM recordings WHERE id IN (
            SELECT id FROM recordings WHERE expires_at <= now() LIMIT :most FOR UPDATE SKIP LOCKED
        ) RETURNING id
        """,
        most=most,
    )
    return len(rows)


async def claim_discarded(
    db: Database, places: list[str], again_after: timedelta, most: int
) -> list[Discarded]:
    """Take on files to delete at these places; other processes skip them.

    One in a bucket goes once its recording has gone: until then it may be on its way there.
    """
    rows = await db.fetch_all(
        """
        UPDATE discarded_recordings SET tried_at = now() WHERE (id, place) IN (
            SELECT id, place FROM discarded_recordings
            WHERE place = ANY(CAST(:places AS text[]))
            AND (place LIKE 'disk:%' OR NOT EXISTS (
                SELECT FROM recordings r WHERE r.id = discarded_recordings.id
            ))
            AND (tried_at IS NULL OR tried_at <= now() - CAST(:again AS interval))
            ORDER BY tried_at NULLS FIRST LIMIT :most FOR UPDATE SKIP LOCKED
        ) RETURNING id, session_id, place, tried_at
        """,
        places=places,
        again=again_after,
        most=most,
    )
    return [
        Discarded(str(row["id"]), str(row["session_id"]), row["place"], row["tried_at"])
        for row in rows
    ]


async def gone(db: Database, files: list[Discarded]) -> None:
    """Note that these files are no more, but for one that came again after it was claimed."""
    await db.execute(
        """
        DELETE FROM discarded_recordings d USING unnest(
            CAST(:ids AS uuid[]), CAST(:places AS text[]), CAST(:tried AS timestamptz[])
        ) AS f (id, place, tried_at)
        WHERE d.id = f.id AND d.place = f.place AND d.tried_at = f.tried_at
        """,
        ids=[UUID(one.id) for one in files],
        places=[one.place for one in files],
        tried=[one.tried_at for one in files],
    )


async def claim_moves(
    db: Database, place: str, again_after: timedelta, most: int
) -> list[Recording]:
    """Take on recordings that are to leave this place; other processes skip them."""
    rows = await db.fetch_all(
        """
        UPDATE recordings SET tried_at = now() WHERE id IN (
            SELECT id FROM recordings
            WHERE place = :place AND bytes > 0
            AND (tried_at IS NULL OR tried_at <= now() - CAST(:again AS interval))
            ORDER BY created_at, id LIMIT :most FOR UPDATE SKIP LOCKED
        ) RETURNING *
        """,
        place=place,
        again=again_after,
        most=most,
    )
    return [_recording(row) for row in rows]


async def will_move(db: Database, one: Recording, place: str) -> None:
    """Note that a recording's file is about to come to a place, where nobody may lose it.

    If its recording goes meanwhile, or whoever moves it dies, the file there is known to be deleted
    all the same; not before it has had the time to come.
    """
    await db.execute(
        """
        INSERT INTO discarded_recordings (id, session_id, place, tried_at)
        VALUES (:id, :session, :place, now())
        ON CONFLICT (id, place) DO UPDATE SET tried_at = now()
        """,
        id=UUID(one.id),
        session=UUID(one.session_id),
        place=place,
    )


async def moved(db: Database, one: Recording, place: str) -> bool:
    """Note that a recording is at another place now; False where it is no more.

    The file at the place where it was is discarded, after a while, as somebody may be about to read
    it; or the one at the new place if it is no more.
    """
    row = await db.returning(
        """
        WITH moved AS (
            UPDATE recordings SET place = :place WHERE id = :id AND place = :was RETURNING id
        ), arrived AS (
            DELETE FROM discarded_recordings
            WHERE id = :id AND place = :place AND EXISTS (SELECT FROM moved)
        ), left_over AS (
            INSERT INTO discarded_recordings (id, session_id, place, tried_at)
            SELECT :id, :session, CASE WHEN found.moved THEN :was ELSE :place END,
                CASE WHEN found.moved THEN now() END
            FROM (SELECT EXISTS (SELECT FROM moved) AS moved) AS found
            ON CONFLICT (id, place) DO UPDATE SET tried_at = excluded.tried_at
        )
        SELECT EXISTS (SELECT FROM moved) AS moved
        """,
        id=UUID(one.id),
        session=UUID(one.session_id),
        place=place,
        was=one.place,
    )
    return bool(row["moved"])


async def forget_person(db: Database, user_id: str) -> None:
    """Let go of all recordings of a user, in whatever session."""
    await db.execute(
        """
        DELETE FROM recordings WHERE identity IN (
            SELECT identity FROM participants WHERE user_id = :user
        )
        """,
        user=UUID(user_id),
    )


def _recording(row: Row) -> Recording:
    values: dict[str, Any] = {
        name: row[name] for name in ("identity", "client", "samples", "bytes", "place")
    }
    return Recording(
        id=str(row["id"]),
        session_id=str(row["session_id"]),
        first=row["first_sample"],
        start=row["start_s"],
        created_at=row["created_at"],
        **values,
    )
