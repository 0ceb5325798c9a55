"""Who speaks in a session by another name than their own, or without a microphone of their own."""

from __future__ import annotations

import json
import secrets
from uuid import UUID

from core.corrections import (
    MAX_SPEAKERS,
    By,
    RenamedError,
    Target,
    TooManySpeakersError,
    UnknownLineError,
)
from core.database import Database, Row
from core.lines import Speaker
from core.store import corrected
from core.store.correction_log import alone
from core.text import hue_of


async def revision(db: Database, session_id: str, speaker: str) -> int:
    """Return the revision of what a speaker is called; 0 for a participant's own name."""
    row = await db.fetch_one(
        "SELECT revision FROM speakers WHERE session_id = :session AND speaker = :speaker",
        session=UUID(session_id),
        speaker=speaker,
    )
    return 0 if row is None else int(row["revision"])


async def rename(db: Database, by: By, speaker: str, seen: int, name: str) -> bool:
    """Have a speaker called so in this session; by their own name, they are what they were.

    Returns whether that is another name. Raises UnknownLineError or RenamedError.
    """
    async with alone(db, by.session):
        row = await db.fetch_one(
            """
            SELECT coalesce(k.name, p.name) AS name, p.name AS own, coalesce(p.hue, k.hue) AS hue,
                coalesce(k.revision, 0) AS revision
            FROM (
                SELECT identity, name, hue FROM participants
                WHERE session_id = :session AND identity = :speaker AND joined_at IS NOT NULL
            ) p
            FULL JOIN (
                SELECT * FROM speakers WHERE session_id = :session AND speaker = :speaker
            ) k ON k.speaker = p.identity
            """,
            session=UUID(by.session),
            speaker=speaker,
        )
        if row is None:
            raise UnknownLineError
        if row["revision"] != seen:
            raise RenamedError(row["name"], row["revision"])
        if row["name"] == name:
            return False
        await _name(db, by, speaker, row, name)
        return True


async def _name(db: Database, by: By, speaker: str, was: Row, name: str) -> None:
    await db.execute(
        """
        WITH noted AS (
            INSERT INTO corrections (session_id, user_id, name, kind, before, after)
            VALUES (:session, :user, :by, 'RENAME', CAST(:before AS jsonb), CAST(:after AS jsonb))
            RETURNING id
        ), own AS (
            DELETE FROM speakers
            WHERE session_id = :session AND speaker = :speaker AND CAST(:own AS boolean)
        )
        INSERT INTO speakers (session_id, speaker, name, hue, revision)
        SELECT :session, :speaker, :name, :hue, id FROM noted WHERE NOT CAST(:own AS boolean)
        ON CONFLICT (session_id, speaker)
        DO UPDATE SET name = excluded.name, revision = excluded.revision
        """,
        session=UUID(by.session),
        user=UUID(by.user) if by.user else None,
        by=by.name,
        before=json.dumps({"speaker": speaker, "name": was["name"]}),
        after=json.dumps({"speaker": speaker, "name": name}),
        speaker=speaker,
        own=was["own"] == name,
        name=name,
        hue=was["hue"],
    )


async def speaker_for(db: Database, session_id: str, to: Target) -> Speaker:
    """Return who is to speak, made if they are new. Raises UnknownLineError, TooManySpeakersError.

    Who is called the same as one who was named here before is that one.
    """
    rows = await db.fetch_all(
        """
        SELECT p.identity AS speaker, coalesce(k.name, p.name) AS name, p.hue, p.role
        FROM participants p LEFT JOIN speakers k
            ON k.session_id = p.session_id AND k.speaker = p.identity
        WHERE p.session_id = :session AND p.identity = :speaker AND p.joined_at IS NOT NULL
        UNION ALL
        SELECT k.speaker, k.name, k.hue, NULL FROM speakers k
        WHERE k.session_id = :session AND NOT EXISTS (
            SELECT FROM participants p WHERE p.session_id = k.session_id AND p.identity = k.speaker
        )
        """,
        session=UUID(session_id),
        speaker=to.speaker or "",
    )
    known = [corrected.speaker_of(row) for row in rows]
    for one in known:
        found = one.id == to.speaker if to.speaker is not None else _is_called(one, to.name)
        if found:
            return one
    if to.speaker is not None:
        raise UnknownLineError
    if len(known) >= MAX_SPEAKERS:
        raise TooManySpeakersError
    new = f"x_{secrets.token_hex(6)}"
    made = Speaker(new, to.name, hue_of(to.name or new), None)
    await db.execute(
        "INSERT INTO speakers (session_id, speaker, name, hue) VALUES (:session, :id, :name, :hue)",
        session=UUID(session_id),
        id=new,
        name=made.name,
        hue=made.hue,
    )
    return made


def _is_called(one: Speaker, name: str | None) -> bool:
    if one.role is not None:  # a participant is meant by their id alone
        return False
    if one.name is None or name is None:
        return one.name is name
    return one.name.casefold() == name.casefold()
