"""What core.access asks of the database: each question one statement, each answer all of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from core.database import Database
from core.model import Known, Login, Participant, Pause, Session, Sight
from core.store import pauses
from core.store.keys import digest_of
from core.store.participants import IDENTITY, participant_of
from core.store.people import login_of
from core.store.sessions import (
    ASKED,
    AUDIO_FIXED,
    MARK,
    SLUG,
    find_by_id,
    presence_of,
    session_of,
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A session as somebody with a pass finds it: as whom, and whether by a key that counts.

    No participant: who isn't admitted.
    """

    session: Session
    participant: Participant | None
    key_open: bool
    pauses: tuple[Pause, ...]


async def look(
    db: Database,
    slug: str,
    *,
    login: str | None,
    guest: str | None,
    user: str | None,
    strangers: bool,
    denied: int,
) -> Sight:
    """Look at the session with this link with the eyes of who has these keys.

    `login` and `guest` are a login's key and a guest's, `user` the id of whom a program acts for,
    which was found by its token. `strangers`: whether somebody who is
    neither finds a session at all. `denied`: how many of those whom hosts sent away are wanted.
    """
    row = await db.returning(
        f"""
        WITH person AS (
            SELECT u.*, l.idle_at, (SELECT o.spaces FROM own_spaces o WHERE o.user_id = u.id)
            FROM open_logins l JOIN users u ON u.id = l.user_id WHERE l.key_digest = :login
            UNION ALL
            SELECT u.*, CAST('9999-12-31Z' AS timestamptz),
                (SELECT o.spaces FROM own_spaces o WHERE o.user_id = u.id)
            FROM users u WHERE u.id = CAST(:user AS uuid) AND u.disabled_at IS NULL
        ), guest AS (
            SELECT p.* FROM guest_keys g JOIN participants p ON p.identity = g.identity
            WHERE g.key_digest = :guest
        ), session AS (
            SELECT * FROM sessions s WHERE slug = :slug AND (
                :strangers OR EXISTS (SELECT FROM person)
                OR EXISTS (SELECT FROM guest WHERE guest.session_id = s.id)
            )
        )
        SELECT s.*, {ASKED}, everybody.*,
            (SELECT r.slug FROM standing_rooms r WHERE r.id = s.standing_room) AS room,
            (SELECT to_json(person) FROM person) AS person,
            (
                SELECT m.role FROM members m, person
                WHERE m.space_id = s.space_id AND m.user_id = person.id
            ) AS membership,
            (
                SELECT to_json(p) FROM participants p, person
                WHERE p.session_id = s.id AND p.user_id = person.id
            ) AS own,
            (SELECT to_json(guest) FROM guest WHERE guest.session_id = s.id) AS guest,
            (
                SELECT json_agg(d) FROM (
                    SELECT * FROM participants p WHERE p.session_id = s.id AND p.state = 'DENIED'
                    ORDER BY p.decided_at DESC NULLS LAST, p.created_at DESC LIMIT :denied
                ) d
            ) AS denied
        FROM (SELECT) always LEFT JOIN session s ON true, LATERAL (
            SELECT count(*) FILTER (WHERE p.joined_at IS NOT NULL AND p.state <> 'REMOVED')
                    AS participants,
                count(*) FILTER (WHERE p.joined_at IS NOT NULL AND p.left_at IS NULL) AS here,
                count(*) FILTER (WHERE p.joined_at IS NOT NULL) AS came,
                max(p.left_at) FILTER (WHERE p.joined_at IS NOT NULL) AS last_left
            FROM participants p WHERE p.session_id = s.id
        ) everybody
        """,  # noqa: S608 - no input in it
        slug=slug if SLUG.fullmatch(slug) else "",  # PostgreSQL refuses some characters
        login=digest_of(login) if login is not None else b"",
        guest=digest_of(guest) if guest is not None else b"",
        user=UUID(user) if user is not None else None,
        strangers=strangers,
        denied=denied,
    )
    return Sight(
        login=_login(row["person"], by_token=user is not None),
        session=session_of(row) if row["id"] else None,
        membership=row["membership"],
        own=_known(row["own"]),
        guest=_known(row["guest"]),
        participants=row["participants"],
        presence=presence_of(row),
        denied=[participant_of(one) for one in json.loads(row["denied"] or "[]")],
        room=row["room"],
    )


def _login(column: str | None, *, by_token: bool) -> Login | None:
    if column is None:
        return None
    row: Mapping[str, Any] = json.loads(column)
    login = login_of(row, datetime.fromisoformat(row["idle_at"]))
    return replace(login, person=replace(login.person, by_token=True)) if by_token else login


def _known(column: str | None) -> Known | None:
    if column is None:
        return None
    row: Mapping[str, Any] = json.loads(column)
    came = row["joined_at"] is not None
    return Known(participant_of(row), came, here=came and row["left_at"] is None)


async def with_pass(db: Database, session_id: str, identity: str, key: bytes) -> Arrival | None:
    """Return a session, its participant with this identity, and whether this key is theirs."""
    if not IDENTITY.fullmatch(identity):
        return None
    row = await db.fetch_one(
        f"""
        SELECT s.*, {ASKED}, {MARK} AS mark, {pauses.COLUMN}, to_json(me) AS participant, EXISTS (
            SELECT FROM open_keys k WHERE k.key_digest = :key
            AND (k.user_id = me.user_id OR k.identity = me.identity)
        ) AS key_open
        FROM sessions s
        JOIN participants me ON me.session_id = s.id AND me.identity = :identity
        WHERE s.id = :session
        """,  # noqa: S608 - no input in it
        session=UUID(session_id),
        identity=identity,
        key=key,
    )
    if row is None:
        return None
    return Arrival(
        session_of(row),
        participant_of(json.loads(row["participant"])),
        row["key_open"],
        pauses.pauses_of(row["pauses"]),
    )


async def come_in(
    db: Database, session_id: str, identity: str, key: bytes, now: datetime
) -> Arrival | None:
    """Note that a page of a participant is connected, the first of all makes the session LIVE.

    Returns the session as it is now; no participant, and nothing is noted, for who isn't admitted
    or has no such key, or when the session is over. None without a session.
    """
    row = await db.fetch_one(
        f"""
        WITH key AS (
            SELECT p.identity FROM open_keys k
            JOIN participants p ON k.user_id = p.user_id OR k.identity = p.identity
            WHERE k.key_digest = :key AND p.identity = :identity
        ), arrived AS (
            UPDATE participants SET page_seen_at = :now, left_at = NULL,
                joined_at = coalesce(joined_at, :now)
            WHERE identity IN (SELECT identity FROM key) AND session_id = :session
            AND state = 'ADMITTED' AND EXISTS (
                SELECT 1 FROM sessions WHERE id = :session AND status IN ('CREATED', 'LIVE')
            )
            RETURNING *, (SELECT u.avatar FROM users u WHERE u.id = participants.user_id) AS avatar
        ), begun AS (
            UPDATE sessions SET status = 'LIVE', started_at = :now, audio_days = {AUDIO_FIXED}
            WHERE id = :session AND status = 'CREATED' AND EXISTS (SELECT 1 FROM arrived)
            RETURNING *
        ), session AS (
            SELECT * FROM begun UNION ALL
            SELECT * FROM sessions WHERE id = :session AND NOT EXISTS (SELECT 1 FROM begun)
        )
        SELECT s.*, {ASKED}, {MARK} AS mark, {pauses.COLUMN},
            (SELECT to_json(arrived) FROM arrived) AS participant,
            EXISTS (SELECT FROM key) AS key_open
        FROM session s
        """,  # noqa: S608 - no input in it
        session=UUID(session_id),
        identity=identity,
        key=key,
        now=now,
    )
    if row is None:
        return None
    session = session_of(row)
    arrived = participant_of(json.loads(row["participant"])) if row["participant"] else None
    if arrived is not None and session.status == "CREATED":
        # Somebody else began it meanwhile: a statement sees the rows of when it was asked.
        session = await find_by_id(db, session_id) or session
    return Arrival(session, arrived, row["key_open"], pauses.pauses_of(row["pauses"]))
