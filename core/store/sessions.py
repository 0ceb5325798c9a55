"""Sessions: their life from CREATED to ENDED, and who may find them."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from core.database import Database, Row
from core.model import Admission, Consent, EndReason, Pause, Planning, Presence, Session
from core.spoken import UNSAID, Spoken
from core.store.pauses import COLUMN, pauses_of

# 16 of 31 characters are 79 bits: nobody guesses a link. No l, o, i, 0, 1: people read it aloud.
SLUG_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
SLUG_LENGTH = 16
SLUG = re.compile("[a-z0-9-]{1,64}")
UNPLANNED = Planning()
ENDED_AT_ONCE = 100  # sessions that one statement ends
# A part of the statements that end sessions: makes the next meeting of each standing room by what
# `room` and `over` have, with one of :slugs for each. Its creator hosts it, unless they have left
# the space. The time that it is planned for is kept where that is still to come: people came early.
# Languages and words are as the last one had them in the end.
NEXT_MEETING = """
    INSERT INTO sessions (slug, title, space_id, created_by, admission, agenda, recurs,
        standing_room, languages, code_switching, vocabulary, spelling, targets, planned_at)
    SELECT (CAST(:slugs AS text[]))[row_number() OVER ()], room.title, room.space_id,
        (
            SELECT m.user_id FROM members m
            WHERE m.space_id = room.space_id AND m.user_id = room.created_by
        ), room.admission, room.agenda, room.recurs, room.id,
        over.languages, over.code_switching, over.vocabulary, over.spelling, over.targets,
        CASE WHEN over.planned_at > now() THEN over.planned_at END
    FROM over JOIN room ON room.id = over.standing_room
"""


# For how many days the sound of a session is kept: as its space has it until it begins; then as it
# was told to who came, or fewer. NULL: it isn't.
AUDIO = """(
    SELECT CASE WHEN s.status = 'CREATED' OR a.audio_days < s.audio_days THEN a.audio_days
        WHEN a.audio_days >= s.audio_days THEN s.audio_days END
    FROM spaces a WHERE a.id = s.space_id
)"""
# What becomes of `audio_days` when a session begins.
AUDIO_FIXED = "(SELECT a.audio_days FROM spaces a WHERE a.id = sessions.space_id)"
# What a session's space says for it, for those who look it up with the session: what its door asks,
# its languages and words, for how many days sound is kept, and a mark that another one of these
# languages and words or of its own changes.
ASKED = f"""
    (SELECT consent FROM spaces WHERE id = s.space_id) AS consent, (
        SELECT to_json(o) FROM (
            SELECT languages, code_switching, vocabulary, spelling, targets FROM spaces
            WHERE id = s.space_id
        ) o
    ) AS space_spoken, {AUDIO} AS audio_now
"""  # noqa: S608 - no input in it
MARK = """
    (
        SELECT md5(CAST(
            ROW(s.languages, s.code_switching, s.vocabulary, s.spelling, s.targets,
                o.languages, o.code_switching, o.vocabulary, o.spelling, o.targets) AS text
        )) FROM spaces o WHERE o.id = s.space_id
    )
"""


def new_slug() -> str:
    """Return an unguessable slug such as abcd-efgh-jkmn-pqrs."""
    letters = "".join(secrets.choice(SLUG_ALPHABET) for _ in range(SLUG_LENGTH))
    return "-".join(letters[i : i + 4] for i in range(0, SLUG_LENGTH, 4))


def session_of(row: Row) -> Session:
    """Return the session of a row of its table."""
    return Session(
        id=str(row["id"]),
        slug=row["slug"],
        title=row["title"],
        space_id=str(row["space_id"]),
        created_by=str(row["created_by"]) if row["created_by"] else None,
        status=row["status"],
        spoken=spoken_of(row),
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        admission=row["admission"],
        locked=row["locked"],
        planned_at=row["planned_at"],
        agenda=row["agenda"],
        recurs=row["recurs"],
        standing_room=str(row["standing_room"]) if row["standing_room"] else None,
        paused_at=row["paused_at"],
        replanned_at=row["replanned_at"],
        uploaded_at=row["uploaded_at"],
        consent=row.get("consent") or "REQUIRED",
        space_spoken=spoken_of(json.loads(row.get("space_spoken") or "null")),
        mark=row.get("mark") or "",
        audio_days=row.get("audio_now") or 0,
    )


def spoken_of(row: Mapping[str, Any] | None) -> Spoken:
    """Return what the row of a session or space says of languages and words."""
    if row is None:
        return Spoken()
    languages, targets = row["languages"], row["targets"]
    return Spoken(
        None if languages is None else tuple(languages),
        row["code_switching"],
        tuple(row["vocabulary"]),
        _spelling(row["spelling"]),
        None if targets is None else tuple(targets),
    )


def spoken_columns(spoken: Spoken) -> dict[str, Any]:
    """Return the values of the same columns, by the names that statements have for them."""
    return {
        "languages": None if spoken.languages is None else list(spoken.languages),
        "switching": spoken.code_switching,
        "vocabulary": list(spoken.vocabulary),
        "spelling": json.dumps(spoken.spelling),
        "targets": None if spoken.targets is None else list(spoken.targets),
    }


def _spelling(column: str | Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Read the JSON object of a right spelling and the wrong ones it replaces.

    Anything else in it is passed over: a session must open whatever wrote its row.
    """
    return {
        written: tuple(one for one in heard if isinstance(one, str))
        for written, heard in (json.loads(column) if isinstance(column, str) else column).items()
        if isinstance(heard, list)
    }


async def create(
    db: Database,
    space_id: str,
    user_id: str,
    title: str,
    admission: Admission = "KNOCK",
    *,
    planning: Planning = UNPLANNED,
    spoken: Spoken = UNSAID,
) -> Session:
    """Create a session in a space. The caller has checked that the user is a member."""
    row = await db.returning(
        """
        INSERT INTO sessions
            (slug, title, space_id, created_by, admission, planned_at, agenda, recurs,
                languages, code_switching, vocabulary, spelling, targets)
        VALUES (:slug, :title, :space, :user, :admission, :at, :agenda, :recurs,
            CAST(:languages AS text[]), :switching, CAST(:vocabulary AS text[]),
            CAST(:spelling AS jsonb), CAST(:targets AS text[])) RETURNING *
        """,
        slug=new_slug(),
        title=title,
        space=UUID(space_id),
        user=UUID(user_id),
        admission=admission,
        at=planning.at,
        agenda=planning.agenda,
        recurs=planning.recurs,
        **spoken_columns(spoken),
    )
    return session_of(row)


async def find(db: Database, slug: str) -> Session | None:
    """Return the session with this link, whoever asks: see core.access for who may do what."""
    if not SLUG.fullmatch(slug):  # PostgreSQL refuses some characters that addresses can have
        return None
    row = await db.fetch_one("SELECT * FROM sessions WHERE slug = :slug", slug=slug)
    return session_of(row) if row else None


async def find_by_id(db: Database, session_id: str) -> Session | None:
    """Return the session with this id."""
    row = await db.fetch_one(
        f"SELECT s.*, {ASKED}, {MARK} AS mark FROM sessions s WHERE id = :id",  # noqa: S608 - no input in it
        id=UUID(session_id),
    )
    return session_of(row) if row else None


async def change(
    db: Database,
    session_id: str,
    *,
    title: str | None = None,
    was_title: str | None = None,
    admission: Admission | None = None,
    locked: bool | None = None,
) -> Session | None:
    """Change what is given of a session that goes on; None when it is over.

    None, too, where it has neither the title that is given nor the one that it is said to have had.
    """
    row = await db.fetch_one(
        """
        UPDATE sessions SET title = coalesce(CAST(:title AS text), title),
        admission = coalesce(CAST(:admission AS text), admission),
        locked = coalesce(CAST(:locked AS boolean), locked)
        WHERE id = :id AND status IN ('CREATED', 'LIVE')
        AND (CAST(:was_title AS text) IS NULL OR title IN (:was_title, :title)) RETURNING *
        """,
        id=UUID(session_id),
        title=title,
        was_title=was_title,
        admission=admission,
        locked=locked,
    )
    return session_of(row) if row else None


async def news(
    db: Database, known: Mapping[str, tuple[str, str, bool, int, bool, Consent, str, int]]
) -> list[tuple[Session, tuple[Pause, ...]]]:
    """Return of these sessions those about which something has changed, with their pauses.

    Known of each, by id: title, admission, whether it is locked, how many pauses there were,
    whether it is paused, what the door of its space asks, the mark of what is said of its
    languages and words, and for how many days its sound is kept.
    """
    title, admission, locked, count, paused, asked, mark, audio = zip(*known.values(), strict=True)
    rows = await db.fetch_all(
        f"""
        SELECT s.*, {COLUMN}, {ASKED}, {MARK} AS mark FROM unnest(
            CAST(:ids AS uuid[]), CAST(:titles AS text[]), CAST(:admissions AS text[]),
            CAST(:locked AS boolean[]), CAST(:counts AS int[]), CAST(:paused AS boolean[]),
            CAST(:asked AS text[]), CAST(:marks AS text[]), CAST(:audio AS int[])
        ) AS k (id, title, admission, locked, pauses, paused, asked, mark, audio)
        JOIN sessions s USING (id)
        WHERE (s.title, s.admission, s.locked, s.paused_at IS NOT NULL)
            <> (k.title, k.admission, k.locked, k.paused)
        OR k.asked <> (SELECT consent FROM spaces WHERE id = s.space_id)
        OR k.mark <> {MARK}
        OR k.audio <> coalesce({AUDIO}, 0)
        OR k.pauses <> (SELECT count(*) FROM pauses WHERE session_id = s.id)
        """,  # noqa: S608 - no input in it
        ids=[UUID(one) for one in known],
        titles=list(title),
        admissions=list(admission),
        locked=list(locked),
        counts=list(count),
        paused=list(paused),
        asked=list(asked),
        marks=list(mark),
        audio=list(audio),
    )
    return [(session_of(row), pauses_of(row["pauses"])) for row in rows]


async def start(db: Database, session_id: str, now: datetime) -> None:
    """Make a session LIVE at the first join; later joins change nothing."""
    await db.execute(
        f"""
        UPDATE sessions SET status = 'LIVE', started_at = :now, audio_days = {AUDIO_FIXED}
        WHERE id = :id AND status = 'CREATED'
        """,  # noqa: S608 - a constant
        id=UUID(session_id),
        now=now,
    )


async def end(
    db: Database, session_id: str, *, by: str | None, reason: EndReason, now: datetime
) -> bool:
    """End a session. Returns whether this call ended it: a second one changes nothing.

    Of a standing room, the next meeting is made in the same step.
    """
    row = await db.fetch_one(
        f"""
        WITH room AS (
            SELECT r.* FROM standing_rooms r JOIN sessions s ON s.standing_room = r.id
            WHERE s.id = :id FOR SHARE OF r
        ), over AS (
            UPDATE sessions SET status = 'ENDED', ended_at = :now, ended_by = :by,
            end_reason = :reason
            WHERE id = :id AND status IN ('CREATED', 'LIVE') AND (SELECT count(*) FROM room) >= 0
            RETURNING *
        ), next AS ({NEXT_MEETING})
        SELECT id FROM over
        """,  # noqa: S608 - a constant
        id=UUID(session_id),
        by=UUID(by) if by else None,
        reason=reason,
        now=now,
        slugs=[new_slug()],
    )
    return row is not None


# Those that nobody is in, and since when.
EMPTY = """
    SELECT s.id, s.standing_room, last.left_at FROM sessions s, LATERAL (
        SELECT coalesce(max(p.left_at), s.started_at) AS left_at FROM participants p
        WHERE p.session_id = s.id
    ) last
    WHERE s.status = 'LIVE' AND last.left_at <= :since
    AND (s.planned_at IS NULL OR s.planned_at <= greatest(last.left_at, :planned))
    AND NOT EXISTS (
        SELECT 1 FROM participants p
        WHERE p.session_id = s.id AND p.joined_at IS NOT NULL AND p.left_at IS NULL
    )
    LIMIT :most"""


async def end_empty(db: Database, empty_since: datetime, planned_before: datetime) -> list[Session]:
    """End the live sessions that nobody has been in since then, and return them.

    One in which nobody was at the time it is planned for, or later, ends once that is before
    `planned_before`: somebody only had a look. They ended when the last one left. Of several
    processes, one gets each session. Standing rooms get their next meetings in the same step.
    """
    since = {"since": empty_since, "planned": planned_before}
    # Asked every other second, when there is hardly ever one: unguessable slugs are made for few.
    found = await db.fetch_all(EMPTY, **since, most=ENDED_AT_ONCE)
    if not found:
        return []
    rows = await db.fetch_all(
        f"""
        WITH empty AS MATERIALIZED ({EMPTY}
        ), room AS (
            SELECT r.* FROM standing_rooms r
            WHERE r.id IN (SELECT standing_room FROM empty) FOR SHARE
        ), over AS (
            UPDATE sessions s SET status = 'ENDED', end_reason = 'AUTO_EMPTY_ROOM',
            ended_at = empty.left_at
            FROM empty WHERE s.id = empty.id AND s.status = 'LIVE'
            AND (SELECT count(*) FROM room) >= 0
            AND NOT EXISTS (
                SELECT 1 FROM participants p
                WHERE p.session_id = s.id AND p.joined_at IS NOT NULL AND p.left_at IS NULL
            )
            RETURNING s.*
        ), next AS ({NEXT_MEETING})
        SELECT * FROM over
        """,  # noqa: S608 - a constant
        **since,
        most=len(found),
        slugs=[new_slug() for _ in found],
    )
    return [session_of(row) for row in rows]


async def expire(db: Database, before: datetime, now: datetime) -> None:
    """Let sessions expire that nobody has joined, and that were to begin before then.

    It counts from when they were made, from when they are planned for, and from when that was
    changed, whichever is the latest. The next meeting of a standing room waits however long.
    """
    await db.execute(
        """
        UPDATE sessions SET status = 'EXPIRED', end_reason = 'EXPIRED_NO_JOIN', ended_at = :now
        WHERE status = 'CREATED' AND standing_room IS NULL AND created_at <= :before
        AND greatest(planned_at, replanned_at, created_at) <= :before
        """,
        before=before,
        now=now,
    )


async def call_opened(db: Database, session_id: str) -> bool:
    """Note that LiveKit may have a room of this session. False when the session is over."""
    row = await db.fetch_one(
        """
        UPDATE sessions SET call_open = true
        WHERE id = :id AND status IN ('CREATED', 'LIVE') RETURNING id
        """,
        id=UUID(session_id),
    )
    return row is not None


async def call_closed(db: Database, session_id: str) -> None:
    """Note that LiveKit has no room of this session."""
    await db.execute(
        "UPDATE sessions SET call_open = false WHERE id = :id AND call_open", id=UUID(session_id)
    )


async def claim_calls(
    db: Database, polled_before: datetime, now: datetime, limit: int
) -> list[Session]:
    """Take on sessions whose call should be looked at again; other processes skip them."""
    rows = await db.fetch_all(
        """
        UPDATE sessions SET polled_at = :now WHERE id IN (SELECT id FROM sessions
          WHERE (call_open OR status = 'LIVE')
          AND (polled_at IS NULL OR polled_at <= :before)
          ORDER BY polled_at NULLS FIRST LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING *
        """,
        before=polled_before,
        now=now,
        limit=limit,
    )
    return [session_of(row) for row in rows]


def presence_of(row: Row) -> Presence:
    """Return the presence of a row that counts `here` and `came` and has `last_left`."""
    return Presence(row["here"], row["came"], row["last_left"])
