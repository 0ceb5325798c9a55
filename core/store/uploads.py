"""Uploads: recordings that people give to be transcribed, as rows, until each is a session."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from core.database import Database, Row
from core.model import Consent, Membership, Person
from core.problems import ProblemError
from core.spoken import Spoken
from core.store import space_events
from core.store.participants import new_identity
from core.store.sessions import new_slug, spoken_columns, spoken_of
from core.text import HUES, hue_of

State = Literal["COLLECTING", "WAITING", "WORKING", "DONE", "FAILED"]

OPEN_OF_PERSON = 5  # uploads that aren't sessions yet, in one space
OPEN_OF_SPACE = 20


class UploadsFullError(ProblemError):
    """The person or the space has as many unfinished uploads as may be."""

    status, code = 409, "uploads_full"


class BegunError(ProblemError):
    """The upload isn't collected any more: it was started meanwhile."""

    status, code = 409, "upload_begun"


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload, its space's name and what that asks and keeps, and who made it.

    `recorded_at` None: as its files say. `reason` is a code, and what it was about behind a space:
    why it waits although it was started, or has failed. `slug`: of its session, once it was
    started. `done` of `total` seconds are transcribed. `place` has its files.
    """

    id: str
    space_id: str
    space: str
    consent: Consent
    audio_days: int | None
    text_days: int | None
    space_spoken: Spoken
    created_by: str
    maker: str
    title: str
    recorded_at: datetime | None
    spoken: Spoken
    state: State
    reason: str
    place: str
    session_id: str | None
    slug: str | None
    done: float
    total: float
    created_at: datetime

    @property
    def underway(self) -> bool:
        """Whether it was started and goes on by itself."""
        return self.state in ("WAITING", "WORKING")


@dataclass(frozen=True, slots=True)
class NewTrack:
    """One speaker's sound that is to be transcribed: of a file all channels (None), or one."""

    file: int
    channel: int | None
    name: str
    seconds: float


_FOUND = """
    SELECT u.*, m.role AS membership, p.name AS maker, x.name AS space, x.consent, x.audio_days,
        x.text_days, s.slug, t.done, t.total, (
            SELECT to_json(o) FROM (
                SELECT x.languages, x.code_switching, x.vocabulary, x.spelling, x.targets
            ) o
        ) AS space_spoken
    FROM uploads u JOIN spaces x ON x.id = u.space_id JOIN users p ON p.id = u.created_by
    JOIN members m ON m.space_id = u.space_id AND m.user_id = :user
    LEFT JOIN sessions s ON s.id = u.session_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(until), 0) AS done, coalesce(sum(seconds), 0) AS total
        FROM upload_tracks WHERE upload_id = u.id
    ) t
"""


async def find(db: Database, upload: UUID, user_id: str) -> tuple[Upload, Membership] | None:
    """Return an upload, and what a user is in its space; None for who is no member of it."""
    row = await db.fetch_one(f"{_FOUND} WHERE u.id = :id", id=upload, user=UUID(user_id))
    return (_upload(row), row["membership"]) if row else None


async def of_space(db: Database, space_id: str, user_id: str, *, others: bool) -> list[Upload]:
    """Return a space's uploads that aren't sessions yet, the newest first; those of a user alone,
    unless those of `others` are wanted, too.
    """
    rows = await db.fetch_all(
        f"""
        {_FOUND} WHERE u.space_id = :space AND u.state <> 'DONE'
        AND (CAST(:others AS boolean) OR u.created_by = :user) ORDER BY u.created_at DESC
        """,
        space=UUID(space_id),
        user=UUID(user_id),
        others=others,
    )
    return [_upload(row) for row in rows]


def _upload(row: Row) -> Upload:
    return Upload(
        id=str(row["id"]),
        space_id=str(row["space_id"]),
        space=row["space"],
        consent=row["consent"],
        audio_days=row["audio_days"],
        text_days=row["text_days"],
        space_spoken=spoken_of(json.loads(row["space_spoken"])),
        created_by=str(row["created_by"]),
        maker=row["maker"],
        title=row["title"],
        recorded_at=row["recorded_at"],
        spoken=spoken_of(row),
        state=row["state"],
        reason=row["reason"] or "",
        place=row["place"],
        session_id=str(row["session_id"]) if row["session_id"] else None,
        slug=row["slug"],
        done=row["done"],
        total=row["total"],
        created_at=row["created_at"],
    )


async def create(
    db: Database,
    space_id: str,
    person: Person,
    place: str,
    *,
    title: str,
    recorded_at: datetime | None,
    spoken: Spoken,
) -> str:
    """Make an upload and return its id. Raises UploadsFullError."""
    async with db.transaction():
        row = await db.fetch_one(
            """
            SELECT (SELECT count(*) FROM uploads WHERE space_id = s.id AND state <> 'DONE') AS all,
                (SELECT count(*) FROM uploads WHERE space_id = s.id AND state <> 'DONE'
                    AND created_by = :user) AS own
            FROM spaces s WHERE s.id = :space FOR NO KEY UPDATE
            """,
            space=UUID(space_id),
            user=UUID(person.id),
        )
        if row is None or row["all"] >= OPEN_OF_SPACE or row["own"] >= OPEN_OF_PERSON:
            raise UploadsFullError
        made = await db.returning(
            """
            INSERT INTO uploads (space_id, created_by, place, title, recorded_at, languages,
                code_switching, vocabulary, spelling, targets)
            VALUES (:space, :user, :place, :title, CAST(:recorded AS timestamptz),
                CAST(:languages AS text[]), :switching, CAST(:vocabulary AS text[]),
                CAST(:spelling AS jsonb), CAST(:targets AS text[]))
            RETURNING id
            """,
            space=UUID(space_id),
            user=UUID(person.id),
            place=place,
            title=title,
            recorded=recorded_at,
            **spoken_columns(spoken),
        )
    return str(made["id"])


async def change(
    db: Database, upload_id: str, title: str, recorded_at: datetime | None, spoken: Spoken
) -> bool:
    """Change what is said of an upload; False where it was started or is gone."""
    row = await db.fetch_one(
        """
        UPDATE uploads SET title = :title, recorded_at = CAST(:recorded AS timestamptz),
            languages = CAST(:languages AS text[]), code_switching = :switching,
            vocabulary = CAST(:vocabulary AS text[]), spelling = CAST(:spelling AS jsonb),
            targets = CAST(:targets AS text[]), changed_at = now()
        WHERE id = :id AND state = 'COLLECTING' RETURNING id
        """,
        id=UUID(upload_id),
        title=title,
        recorded=recorded_at,
        **spoken_columns(spoken),
    )
    return row is not None


async def collecting(db: Database, upload_id: str) -> None:
    """Keep an upload that is collected as it is until the transaction ends. Raises BegunError."""
    row = await db.fetch_one(
        """
        UPDATE uploads SET changed_at = now() WHERE id = :id AND state = 'COLLECTING' RETURNING id
        """,
        id=UUID(upload_id),
    )
    if row is None:
        raise BegunError


async def start(
    db: Database,
    upload: Upload,
    person: Person,
    tracks: Sequence[NewTrack],
    recorded_at: datetime | None,
) -> str:
    """Make the session that an upload is to become, and have it transcribed; return its slug.

    It is over already. It began when it was recorded, which is at the latest so long ago as it
    takes; who speaks in it was there, each once, under no account. Raises BegunError.
    """
    length = max(one.seconds for one in tracks)
    async with db.transaction():
        await collecting(db, upload.id)
        session = await db.returning(
            """
            WITH began AS (
                SELECT least(coalesce(CAST(:recorded AS timestamptz), now()),
                    now() - make_interval(secs => :length)) AS at
            )
            INSERT INTO sessions (slug, title, space_id, created_by, status, started_at, ended_at,
                languages, code_switching, vocabulary, spelling, targets, audio_days,
                uploaded_at)
            SELECT :slug, u.title, u.space_id, u.created_by, 'ENDED', began.at,
                began.at + make_interval(secs => :length),
                u.languages, u.code_switching, u.vocabulary, u.spelling, u.targets, x.audio_days,
                now()
            FROM uploads u JOIN spaces x ON x.id = u.space_id, began WHERE u.id = :id
            RETURNING id, slug, started_at, ended_at
            """,
            slug=new_slug(),
            recorded=recorded_at,
            length=float(length),
            id=UUID(upload.id),
        )
        identities = await _people(db, session, [one.name for one in tracks])
        await db.execute(
            """
            INSERT INTO upload_tracks (upload_id, number, file, channel, identity, seconds)
            SELECT :id, * FROM unnest(
                CAST(:numbers AS smallint[]), CAST(:files AS smallint[]),
                CAST(:channels AS smallint[]), CAST(:identities AS text[]),
                CAST(:seconds AS float8[])
            )
            """,
            id=UUID(upload.id),
            numbers=list(range(1, len(tracks) + 1)),
            files=[one.file for one in tracks],
            channels=[one.channel for one in tracks],
            identities=[identities[one.name] for one in tracks],
            seconds=[float(one.seconds) for one in tracks],
        )
        await db.execute(
            "UPDATE uploads SET state = 'WAITING', session_id = :session WHERE id = :id",
            session=session["id"],
            id=UUID(upload.id),
        )
        await space_events.note(db, upload.space_id, person, "recording_uploaded", upload.title)
    return str(session["slug"])


async def _people(db: Database, session: Row, named: Sequence[str]) -> dict[str, str]:
    """Make a participant for each name, and return their identities by it."""
    people = {one: new_identity() for one in named}
    first = hue_of(str(session["id"]))
    await db.execute(
        """
        INSERT INTO participants
            (identity, session_id, name, hue, role, state, joined_at, left_at, created_at)
        SELECT identity, :session, name, hue, 'MEMBER', 'ADMITTED',
            CAST(:began AS timestamptz) + number * interval '1 microsecond',
            CAST(:ended AS timestamptz), :began
        FROM unnest(
            CAST(:identities AS text[]), CAST(:names AS text[]), CAST(:hues AS int[])
        ) WITH ORDINALITY AS p (identity, name, hue, number)
        """,
        session=session["id"],
        began=session["started_at"],
        ended=session["ended_at"],
        identities=list(people.values()),
        names=list(people),
        hues=[(first + number) % HUES for number in range(len(people))],
    )
    return people


async def again(db: Database, upload_id: str) -> bool:
    """Have an upload that has failed tried again; False where it hasn't, or not any more."""
    row = await db.fetch_one(
        """
        UPDATE uploads SET state = 'WAITING', reason = NULL, tries = 0, retry_at = NULL,
            taken_by = NULL, taken_until = NULL, changed_at = now()
        WHERE id = :id AND state = 'FAILED' RETURNING id
        """,
        id=UUID(upload_id),
    )
    return row is not None


async def give_up(db: Database, upload_id: str) -> None:
    """Let an upload go, with what it has; of its session stays what is transcribed already.

    What isn't is said there to be missing. A session in which nothing was heard goes as well.
    """
    async with db.transaction():
        row = await db.fetch_one(
            "SELECT session_id FROM uploads WHERE id = :id FOR UPDATE", id=UUID(upload_id)
        )
        if row is None:
            return
        if row["session_id"] is not None:
            await db.execute(
                """
                INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s,
                    end_s, client, until, lost_s)
                SELECT u.session_id, 't' || t.number, 'rest', row_number() OVER () + (
                        SELECT coalesce(max(seq), 0) FROM utterances
                        WHERE session_id = u.session_id
                    ), t.identity, '', t.until, t.seconds, 't' || t.number,
                    CAST(t.seconds * 16000 AS bigint), t.seconds - t.until
                FROM upload_tracks t JOIN uploads u ON u.id = t.upload_id
                WHERE t.upload_id = :id AND NOT t.done AND t.seconds > t.until
                AND EXISTS (
                    SELECT FROM utterances WHERE session_id = u.session_id AND lost_s IS NULL
                ) ON CONFLICT DO NOTHING
                """,
                id=UUID(upload_id),
            )
            await db.execute(
                """
                DELETE FROM sessions s WHERE id = :session
                AND NOT EXISTS (SELECT FROM utterances WHERE session_id = s.id)
                AND EXISTS (SELECT FROM upload_tracks WHERE upload_id = :id AND NOT done)
                """,
                session=row["session_id"],
                id=UUID(upload_id),
            )
        await db.execute("DELETE FROM uploads WHERE id = :id", id=UUID(upload_id))


async def is_underway(db: Database, session_id: str) -> bool:
    """Whether there are still words to come of an upload that became this session."""
    row = await db.fetch_one(
        "SELECT FROM uploads WHERE session_id = :session AND state IN ('WAITING', 'WORKING')",
        session=UUID(session_id),
    )
    return row is not None


async def of_session(db: Database, session_id: str) -> Upload | None:
    """Return the upload that a session is still made of; None: all of it is transcribed."""
    row = await db.fetch_one(
        f"""
        {_FOUND.replace("JOIN members m", "LEFT JOIN members m")}
        WHERE u.session_id = :session AND u.state <> 'DONE'
        """,
        session=UUID(session_id),
        user=None,
    )
    return _upload(row) if row else None
