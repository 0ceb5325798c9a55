"""What core.access asks of the database: each question one statement, each answer all of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from core.database import Database
from core.model import Known, Participant, Session, Sight
from core.store.participants import participant_of
from core.store.people import login_digest, person_of
from core.store.sessions import SLUG, find_by_id, presence_of, session_of


async def look(
    db: Database,
    slug: str,
    *,
    login: str | None,
    guest: str | None,
    now: datetime,
    strangers: bool,
    denied: int,
) -> Sight:
    """Look at the session with this link with the eyes of who has this login and this identity.

    `strangers`: whether somebody who is neither finds a session at all. `denied`: how many of
    those whom hosts sent away are wanted.
    """
    row = await db.returning(
        """
        WITH person AS (
            SELECT u.* FROM logins l JOIN users u ON u.id = l.user_id
            WHERE l.key_digest = :digest AND l.expires_at > :now
        ), session AS (
            SELECT * FROM sessions WHERE slug = :slug
            AND (:strangers OR CAST(:guest AS text) IS NOT NULL OR EXISTS (SELECT 1 FROM person))
        )
        SELECT s.*, everybody.*,
            (SELECT to_json(person) FROM person) AS person,
            (
                SELECT m.role FROM members m, person
                WHERE m.space_id = s.space_id AND m.user_id = person.id
            ) AS membership,
            (
                SELECT to_json(p) FROM participants p, person
                WHERE p.session_id = s.id AND p.user_id = person.id
            ) AS own,
            (
                SELECT to_json(p) FROM participants p
                WHERE p.session_id = s.id AND p.identity = :guest
            ) AS guest,
            (
                SELECT json_agg(d) FROM (
                    SELECT * FROM participants p WHERE p.session_id = s.id AND p.state = 'DENIED'
                    ORDER BY p.decided_at DESC NULLS LAST, p.created_at DESC LIMIT :denied
                ) d
            ) AS denied
        FROM (SELECT) always LEFT JOIN session s ON true, LATERAL (
            SELECT count(*) AS participants,
                count(*) FILTER (WHERE p.joined_at IS NOT NULL AND p.left_at IS NULL) AS here,
                count(*) FILTER (WHERE p.joined_at IS NOT NULL) AS came,
                max(p.left_at) FILTER (WHERE p.joined_at IS NOT NULL) AS last_left
            FROM participants p WHERE p.session_id = s.id
        ) everybody
        """,
        slug=slug if SLUG.fullmatch(slug) else "",  # PostgreSQL refuses some characters
        digest=login_digest(login) if login is not None else b"",
        guest=guest,
        now=now,
        strangers=strangers,
        denied=denied,
    )
    return Sight(
        person=person_of(json.loads(row["person"])) if row["person"] else None,
        session=session_of(row) if row["id"] else None,
        membership=row["membership"],
        own=_known(row["own"]),
        guest=_known(row["guest"]),
        participants=row["participants"],
        presence=presence_of(row),
        denied=[participant_of(one) for one in json.loads(row["denied"] or "[]")],
    )


def _known(column: str | None) -> Known | None:
    if column is None:
        return None
    row: Mapping[str, Any] = json.loads(column)
    came = row["joined_at"] is not None
    return Known(participant_of(row), came, here=came and row["left_at"] is None)


async def with_pass(
    db: Database, session_id: str, identity: str
) -> tuple[Session, Participant] | None:
    """Return a session and its participant with this identity."""
    row = await db.fetch_one(
        """
        SELECT s.*, to_json(p) AS participant FROM sessions s
        JOIN participants p ON p.session_id = s.id AND p.identity = :identity
        WHERE s.id = :session
        """,
        session=UUID(session_id),
        identity=identity,
    )
    return (session_of(row), participant_of(json.loads(row["participant"]))) if row else None


async def come_in(
    db: Database, session_id: str, identity: str, now: datetime
) -> tuple[Session, Participant | None] | None:
    """Note that a page of a participant is connected, the first of all makes the session LIVE.

    Returns the session as it is now and the participant; no participant, and nothing is noted,
    for who isn't admitted or when the session is over. None without a session.
    """
    row = await db.fetch_one(
        """
        WITH arrived AS (
            UPDATE participants SET page_seen_at = :now, left_at = NULL,
                joined_at = coalesce(joined_at, :now)
            WHERE identity = :identity AND session_id = :session AND state = 'ADMITTED'
            AND EXISTS (
                SELECT 1 FROM sessions WHERE id = :session AND status IN ('CREATED', 'LIVE')
            )
            RETURNING *
        ), begun AS (
            UPDATE sessions SET status = 'LIVE', started_at = :now
            WHERE id = :session AND status = 'CREATED' AND EXISTS (SELECT 1 FROM arrived)
            RETURNING *
        ), session AS (
            SELECT * FROM begun UNION ALL
            SELECT * FROM sessions WHERE id = :session AND NOT EXISTS (SELECT 1 FROM begun)
        )
        SELECT s.*, (SELECT to_json(arrived) FROM arrived) AS participant FROM session s
        """,
        session=UUID(session_id),
        identity=identity,
        now=now,
    )
    if row is None:
        return None
    session = session_of(row)
    arrived = participant_of(json.loads(row["participant"])) if row["participant"] else None
    if arrived is not None and session.status == "CREATED":
        # Somebody else began it meanwhile: a statement sees the rows of when it was asked.
        session = await find_by_id(db, session_id) or session
    return session, arrived
