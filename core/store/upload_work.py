"""What becomes of uploads by themselves: which process works on which, and what it has made.

A process takes an upload with a lease. Whatever it stores of it, it stores together with where it
came to, and only while it still has it: so another one goes on behind the last word, after a crash
as well, and what was cancelled or deleted meanwhile gets no word more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from core.database import Database, Row
from core.model import Translated
from core.spoken import Spoken
from core.store import transcripts, translations
from core.store.recordings import SAMPLE_RATE
from core.store.sessions import spoken_of
from core.store.usage import price_of

KEPT = timedelta(days=1)  # files of which nothing more comes, or that can't be transcribed
ABANDONED = timedelta(days=7)  # those that were started, on a disk that doesn't come back


class GoneError(Exception):
    """The upload was cancelled or deleted, or another process has it by now."""


@dataclass(frozen=True, slots=True)
class WorkTrack:
    """One speaker's sound: in which file, which channel of it (None: all), and whose.

    `until` seconds of it are done; `state` is what the engine wants to know then. `kept`: whether
    its sound is, where that is to be.
    """

    number: int
    file: int
    channel: int | None
    identity: str
    name: str
    seconds: float
    until: float
    state: str
    done: bool
    kept: bool

    @property
    def stream(self) -> str:
        """What its utterances are told from those of other tracks by, and its sound is found by."""
        return f"t{self.number}"


@dataclass(frozen=True, slots=True)
class Work:
    """An upload that was taken, by whom, and the session that is made of it.

    `audio_days`: for how many days its sound is to be kept, 0 for not at all.
    """

    id: str
    taken_by: str
    space_id: str
    session_id: str
    spoken: Spoken
    space_spoken: Spoken
    audio_days: int
    tracks: tuple[WorkTrack, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """What was heard in a part of a track; `lost` makes it a gap of so many seconds.

    Times are seconds of the track, which are those of the session.
    """

    utterance: str
    text: str
    start: float
    end: float
    language: str | None = None
    lost: float | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What an engine was given for it, in seconds, and what a minute of that costs."""

    engine: str
    seconds: float
    price: float


async def claim(db: Database, place: str, who: str, lease: float) -> Work | None:
    """Take on the upload that waits longest at a place, for so many seconds; None without one.

    Other processes skip it. One that `who` had already is theirs at once: they died meanwhile.
    """
    row = await db.fetch_one(
        """
        UPDATE uploads SET state = 'WORKING', taken_by = :who,
            taken_until = now() + make_interval(secs => :lease)
        WHERE id = (
            SELECT id FROM uploads WHERE place = :place AND state IN ('WAITING', 'WORKING')
            AND session_id IS NOT NULL
            AND (taken_until IS NULL OR taken_until <= now() OR taken_by = :who)
            AND (retry_at IS NULL OR retry_at <= now())
            ORDER BY coalesce(retry_at, created_at) LIMIT 1 FOR UPDATE SKIP LOCKED
        ) RETURNING id, space_id, session_id
        """,
        who=who,
        lease=float(lease),
        place=place,
    )
    return None if row is None else await _work(db, row, who)


async def _work(db: Database, row: Row, who: str) -> Work | None:
    session = await db.fetch_one(
        """
        SELECT s.*, least(s.audio_days, x.audio_days) AS kept_days, x.languages AS x_languages,
            x.code_switching AS x_code_switching, x.vocabulary AS x_vocabulary,
            x.spelling AS x_spelling, x.targets AS x_targets
        FROM sessions s JOIN spaces x ON x.id = s.space_id WHERE s.id = :session
        """,
        session=row["session_id"],
    )
    if session is None:
        return None
    of_space = {
        name: session[f"x_{name}"]
        for name in ("languages", "code_switching", "vocabulary", "spelling", "targets")
    }
    days = session["kept_days"] if session["audio_days"] is not None else None
    return Work(
        str(row["id"]),
        who,
        str(row["space_id"]),
        str(row["session_id"]),
        spoken_of(session),
        spoken_of(of_space),
        days or 0,
        await tracks(db, str(row["id"])),
    )


async def tracks(db: Database, upload_id: str) -> tuple[WorkTrack, ...]:
    """Return the tracks of an upload, and how far each is done."""
    rows = await db.fetch_all(
        """
        SELECT t.*, p.name FROM upload_tracks t JOIN participants p USING (identity)
        WHERE t.upload_id = :id ORDER BY t.number
        """,
        id=UUID(upload_id),
    )
    names = ("number", "file", "channel", "identity", "name", "seconds", "until", "state")
    return tuple(
        WorkTrack(**{name: row[name] for name in (*names, "done", "kept")}) for row in rows
    )


async def renew(db: Database, work: Work, lease: float) -> None:
    """Keep an upload for so many seconds more. Raises GoneError."""
    row = await db.fetch_one(
        """
        UPDATE uploads SET taken_until = now() + make_interval(secs => :lease)
        WHERE id = :id AND taken_by = :who AND state = 'WORKING' RETURNING id
        """,
        id=UUID(work.id),
        who=work.taken_by,
        lease=float(lease),
    )
    if row is None:
        raise GoneError


async def _held(db: Database, work: Work) -> None:
    """Keep an upload as it is until the transaction ends. Raises GoneError."""
    row = await db.fetch_one(
        """
        UPDATE uploads SET changed_at = now(), tries = 0, reason = NULL, retry_at = NULL
        WHERE id = :id AND taken_by = :who AND state = 'WORKING' RETURNING id
        """,
        id=UUID(work.id),
        who=work.taken_by,
    )
    if row is None:
        raise GoneError


async def store(
    db: Database,
    work: Work,
    track: WorkTrack,
    said: Sequence[Said],
    *,
    translated: Sequence[Translated],
    sent: Sent,
    until: float,
    state: str,
) -> int:
    """Store a part of a track and that it is done, all or nothing; return the session's last seq.

    Raises GoneError.
    """
    async with db.transaction():
        await _held(db, work)
        row = await db.returning(
            "SELECT coalesce(max(seq), 0) AS last FROM utterances WHERE session_id = :session",
            session=UUID(work.session_id),
        )
        last: int = row["last"]
        if said:
            rows = [_row(work, track, one, last + at) for at, one in enumerate(said, start=1)]
            await transcripts.add(db, rows)
        if translated:
            await translations.add(db, translated)
        if sent.seconds > 0 or said:
            await _count(db, work, track, said, sent)
        await db.execute(
            """
            UPDATE upload_tracks SET until = least(CAST(:until AS float8), seconds), state = :state
            WHERE upload_id = :id AND number = :number
            """,
            id=UUID(work.id),
            number=track.number,
            until=float(until),
            state=state,
        )
    return last + len(said)


def _row(work: Work, track: WorkTrack, one: Said, seq: int) -> dict[str, Any]:
    return {
        "session_id": work.session_id,
        "stream": track.stream,
        "utterance": one.utterance,
        "seq": seq,
        "identity": track.identity,
        "text": one.text,
        "start": one.start,
        "end": one.end,
        "language": one.language,
        "client": track.stream,
        "until": round(one.end * SAMPLE_RATE),
        "lost": one.lost,
        "epoch": 0,  # no room ever has it
    }


async def _count(
    db: Database, work: Work, track: WorkTrack, said: Sequence[Said], sent: Sent
) -> None:
    """Count what was sent, as of one stream a track; a day's share is what was sent on it."""
    await db.execute(
        """
        WITH counted AS (
            INSERT INTO streams AS t (session_id, stream, identity, engine, opened_at, closed_at,
                sent_s, frames, partials, finals, errors, price)
            VALUES (:session, :stream, :identity, :engine, now(), now(), CAST(:sent AS float8),
                0, 0, :finals, :errors, CAST(:price AS float8))
            ON CONFLICT (session_id, stream) DO UPDATE SET closed_at = excluded.closed_at,
                sent_s = t.sent_s + excluded.sent_s, finals = t.finals + excluded.finals,
                errors = t.errors + excluded.errors
        )
        INSERT INTO space_usage AS u (space_id, day, session_id, engine, sent_s, cost)
        SELECT :space, CAST(now() AT TIME ZONE 'UTC' AS date), :session, :engine,
            CAST(:sent AS float8), CAST(:sent AS float8) / 60 * CAST(:price AS float8)
        WHERE CAST(:sent AS float8) > 0
        ON CONFLICT (space_id, day, session_id, engine) DO UPDATE
            SET sent_s = u.sent_s + excluded.sent_s, cost = u.cost + excluded.cost
        """,
        session=UUID(work.session_id),
        space=UUID(work.space_id),
        stream=track.stream,
        identity=track.identity,
        engine=sent.engine,
        sent=float(sent.seconds),
        finals=sum(one.lost is None for one in said),
        errors=sum(one.lost is not None for one in said),
        price=price_of(sent.engine, sent.price),
    )


async def finish(db: Database, work: Work, track: WorkTrack) -> None:
    """Note that all of a track is transcribed. Raises GoneError."""
    async with db.transaction():
        await _held(db, work)
        await db.execute(
            """
            UPDATE upload_tracks SET done = true, until = seconds
            WHERE upload_id = :id AND number = :number
            """,
            id=UUID(work.id),
            number=track.number,
        )


async def tries(db: Database, work: Work) -> int:
    """Return how often an upload was tried in vain since anything of it was done."""
    row = await db.fetch_one("SELECT tries FROM uploads WHERE id = :id", id=UUID(work.id))
    return row["tries"] if row else 0


async def keep(db: Database, work: Work, track: WorkTrack) -> None:
    """Note that the sound of a track is kept. Raises GoneError."""
    async with db.transaction():
        await _held(db, work)
        await db.execute(
            "UPDATE upload_tracks SET kept = true WHERE upload_id = :id AND number = :number",
            id=UUID(work.id),
            number=track.number,
        )


async def recorded(db: Database, work: Work, track: WorkTrack) -> int:
    """Return behind which of its samples the sound of a track isn't kept yet."""
    row = await db.returning(
        """
        SELECT coalesce(max(first_sample + samples), 0) AS samples FROM recordings
        WHERE session_id = :session AND identity = :identity AND client = :client
        """,
        session=UUID(work.session_id),
        identity=track.identity,
        client=track.stream,
    )
    return int(row["samples"])


async def done(db: Database, work: Work) -> None:
    """Note that all of an upload is a session now; its files are wanted no more."""
    await _leave(db, work, "DONE")


async def failed(db: Database, work: Work, reason: str) -> None:
    """Note that an upload can't be transcribed for this reason, unless somebody has it tried."""
    await _leave(db, work, "FAILED", reason)


async def later(db: Database, work: Work, reason: str, seconds: float, tries: int) -> None:
    """Let an upload wait for so long before it is tried again, for this reason."""
    await _leave(db, work, "WAITING", reason, seconds=seconds, tries=tries)


async def leave(db: Database, work: Work) -> None:
    """Let any process go on with an upload at once."""
    await db.execute(
        "UPDATE uploads SET taken_until = now() WHERE id = :id AND taken_by = :who",
        id=UUID(work.id),
        who=work.taken_by,
    )


async def _leave(
    db: Database,
    work: Work,
    state: str,
    reason: str | None = None,
    *,
    seconds: float | None = None,
    tries: int = 0,
) -> None:
    await db.execute(
        """
        UPDATE uploads SET state = :state, reason = left(CAST(:reason AS text), 300),
            tries = :tries, taken_by = NULL, taken_until = NULL,
            changed_at = CASE WHEN :state = 'WAITING' THEN changed_at ELSE now() END,
            retry_at = now() + make_interval(secs => CAST(:seconds AS float8))
        WHERE id = :id AND taken_by = :who AND state = 'WORKING'
        """,
        id=UUID(work.id),
        who=work.taken_by,
        state=state,
        reason=reason,
        seconds=seconds,
        tries=tries,
    )


async def due(db: Database, most: int) -> list[str]:
    """Return uploads of which nothing has come for too long; other processes skip them."""
    rows = await db.fetch_all(
        """
        SELECT id FROM uploads
        WHERE changed_at < now() - CASE WHEN state IN ('WAITING', 'WORKING')
            THEN CAST(:abandoned AS interval) ELSE CAST(:kept AS interval) END
        ORDER BY changed_at LIMIT :most FOR UPDATE SKIP LOCKED
        """,
        abandoned=ABANDONED,
        kept=KEPT,
        most=most,
    )
    return [str(row["id"]) for row in rows]


async def wanted(db: Database, uploads: Collection[str]) -> set[str]:
    """Return those of these uploads whose files are still needed."""
    rows = await db.fetch_all(
        "SELECT id FROM uploads WHERE id = ANY(CAST(:ids AS uuid[])) AND state <> 'DONE'",
        ids=[UUID(one) for one in uploads],
    )
    return {str(row["id"]) for row in rows}
