"""Participants: one person in one session, under an identity that the server made."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from uuid import UUID

from core.database import Database, Row
from core.model import Answer, Participant, Person, Role, State
from core.store.keys import answer_of, digest_of
from core.text import HUES, hue_of

# What can be an identity: ours are `p_` and 24 hexadecimal digits. PostgreSQL takes no NUL, and
# nothing else that comes as one from outside needs to be looked up.
IDENTITY = re.compile("[!-~]{1,64}")
# Per session, of those who gave a name, were answered by no host and never came. Each look at a
# session counts its rows, so that they are bounded; a hall that waits for the start has room.
MAX_STRANGERS = 1_000


def new_identity() -> str:
    """Return an identity: random, so that it tells nothing and can't be chosen."""
    return f"p_{secrets.token_hex(12)}"


def participant_of(row: Row) -> Participant:
    """Return the participant of a row of their table."""
    return Participant(
        identity=row["identity"],
        session_id=str(row["session_id"]),
        name=row["name"],
        hue=row["hue"],
        role=row["role"],
        state=row["state"],
        user_id=str(row["user_id"]) if row["user_id"] else None,
        answer=answer_of(_time(row["consented_at"]), _time(row["refused_at"])),
        noticed_at=_time(row["noticed_at"]),
        avatar=str(row["avatar"]) if row.get("avatar") else None,
        language=row["language"],
    )


def _time(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value  # a row as JSON


async def for_user(
    db: Database, session_id: str, person: Person, role: Role, state: State = "WAITING"
) -> Participant:
    """Return the user's participant in this session, made at the first call, by today's name.

    Who was made a host stays one; who waits is in `state` from now on, who was answered stays
    what a host made them.
    """
    row = await db.returning(
        """
        INSERT INTO participants (identity, session_id, user_id, name, hue, role, state, language)
        VALUES (:identity, :session, :user, :name, :hue, :role, :state,
            (SELECT u.spoken FROM users u WHERE u.id = :user))
        ON CONFLICT (session_id, user_id) DO UPDATE SET name = excluded.name,
            role = CASE WHEN participants.role = 'HOST' THEN 'HOST' ELSE excluded.role END,
            state = CASE WHEN participants.state = 'WAITING' THEN excluded.state
                ELSE participants.state END
        RETURNING *
        """,
        identity=new_identity(),
        session=UUID(session_id),
        user=UUID(person.id),
        name=person.name,
        hue=person.hue,
        role=role,
        state=state,
    )
    return participant_of(row)


async def add_guest(
    db: Database, session_id: str, name: str, state: State = "WAITING", *, key: str | None = None
) -> Participant:
    """Make a participant for somebody who typed a name, to whom this key belongs from now on.

    Their colour is the next one of the session that the fewest have: what says who speaks.
    Beyond MAX_STRANGERS those are forgotten of whom nothing was heard for the longest.
    """
    row = await db.returning(
        """
        WITH forgotten AS (
            DELETE FROM participants WHERE identity IN (
                SELECT identity FROM participants WHERE session_id = :session
                AND joined_at IS NULL AND decided_at IS NULL AND role = 'GUEST'
                ORDER BY coalesce(page_seen_at, created_at) DESC OFFSET :kept
            ) AND joined_at IS NULL AND decided_at IS NULL
        ), free AS (
            SELECT wheel.hue FROM generate_series(0, CAST(:hues AS integer) - 1) AS wheel (hue)
            LEFT JOIN participants AS taken ON session_id = :session AND taken.hue = wheel.hue
            GROUP BY wheel.hue
            ORDER BY count(identity), (wheel.hue + :hues - CAST(:first AS integer)) % :hues LIMIT 1
        ), guest AS (
            INSERT INTO participants (identity, session_id, name, hue, role, state)
            VALUES (:identity, :session, :name, (SELECT hue FROM free), 'GUEST', :state)
            RETURNING *
        ), known AS (
            INSERT INTO guest_keys (key_digest, identity)
            SELECT :digest, identity FROM guest WHERE CAST(:digest AS bytea) IS NOT NULL
        )
        SELECT * FROM guest
        """,
        identity=new_identity(),
        session=UUID(session_id),
        name=name,
        hues=HUES,
        first=hue_of(session_id),
        state=state,
        digest=digest_of(key) if key is not None else None,
        kept=MAX_STRANGERS - 1,
    )
    return participant_of(row)


async def still_knocking(db: Database, identities: list[str], now: datetime) -> None:
    """Note that these still wait for a host's answer, so that they aren't forgotten."""
    await db.execute(
        """
        UPDATE participants SET page_seen_at = :now
        WHERE identity = ANY(:identities) AND joined_at IS NULL AND state = 'WAITING'
        """,
        identities=identities,
        now=now,
    )


async def forget_strangers(db: Database, before: datetime, limit: int) -> int:
    """Forget some who gave a name before then, never came, and don't knock. Returns how many.

    Whom a host has answered is kept. Nothing that was said is theirs, as they were never there.
    """
    rows = await db.fetch_all(
        """
        DELETE FROM participants WHERE identity IN (
            SELECT identity FROM participants
            WHERE joined_at IS NULL AND decided_at IS NULL AND role = 'GUEST'
            AND created_at < :before AND coalesce(page_seen_at, created_at) < :before
            ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED
        ) RETURNING identity
        """,
        before=before,
        limit=limit,
    )
    return len(rows)


async def find(db: Database, session_id: str, identity: str) -> Participant | None:
    """Return the session's participant with this identity."""
    if not IDENTITY.fullmatch(identity):
        return None
    row = await db.fetch_one(
        "SELECT * FROM participants WHERE identity = :identity AND session_id = :session",
        identity=identity,
        session=UUID(session_id),
    )
    return participant_of(row) if row else None


async def answer(db: Database, identity: str, now: datetime, *, consent: bool) -> Answer | None:
    """Note whether a participant wants to be transcribed, and since when they say so.

    Returns it with the time that counts: who says the same again has said it before. None without
    such a participant.
    """
    row = await db.fetch_one(
        """
        UPDATE participants SET
            consented_at = CASE WHEN :consent THEN coalesce(consented_at, :now) END,
            refused_at = CASE WHEN NOT :consent THEN coalesce(refused_at, :now) END
        WHERE identity = :identity RETURNING consented_at, refused_at
        """,
        identity=identity,
        consent=consent,
        now=now,
    )
    return answer_of(row["consented_at"], row["refused_at"]) if row else None


async def speaks(db: Database, identity: str, language: str | None) -> None:
    """Note which language a participant says they speak; None: as the session has it."""
    await db.execute(
        "UPDATE participants SET language = CAST(:language AS text) WHERE identity = :identity",
        identity=identity,
        language=language,
    )


async def noticed(db: Database, identity: str, now: datetime) -> None:
    """Note that a participant's page has shown them what becomes of what is said."""
    await db.execute(
        """
        UPDATE participants SET noticed_at = :now
        WHERE identity = :identity AND noticed_at IS NULL
        """,
        identity=identity,
        now=now,
    )


async def who_joined(db: Database, session_id: str) -> list[Participant]:
    """Return everybody who was in the session, in the order they came."""
    rows = await db.fetch_all(
        """
        SELECT * FROM participants WHERE session_id = :session AND joined_at IS NOT NULL
        ORDER BY joined_at
        """,
        session=UUID(session_id),
    )
    return [participant_of(row) for row in rows]


async def change_state(
    db: Database, session_id: str, identity: str, to: State, *, only_from: tuple[State, ...]
) -> Participant | None:
    """Change whether somebody is let in, in one step; None when they are in none of the states."""
    if not IDENTITY.fullmatch(identity):
        return None
    row = await db.fetch_one(
        """
        UPDATE participants SET state = :state, decided_at = now() WHERE identity = :identity
        AND session_id = :session AND state = ANY(:states) RETURNING *
        """,
        state=to,
        identity=identity,
        session=UUID(session_id),
        states=list(only_from),
    )
    return participant_of(row) if row else None


async def let_in(db: Database, session_id: str, identity: str) -> Participant | None:
    """Admit who waits; who was answered stays what a host made them. None when unknown."""
    row = await db.fetch_one(
        """
        UPDATE participants SET state = CASE WHEN state = 'WAITING' THEN 'ADMITTED' ELSE state END
        WHERE identity = :identity AND session_id = :session RETURNING *
        """,
        identity=identity,
        session=UUID(session_id),
    )
    return participant_of(row) if row else None


async def admit_all(db: Database, session_id: str, identities: list[str]) -> list[str]:
    """Admit those of them who still wait, in one step; return whom."""
    rows = await db.fetch_all(
        """
        UPDATE participants SET state = 'ADMITTED', decided_at = now()
        WHERE session_id = :session AND identity = ANY(:identities) AND state = 'WAITING'
        RETURNING identity
        """,
        session=UUID(session_id),
        identities=identities,
    )
    return [row["identity"] for row in rows]


async def denied(db: Database, session_id: str, limit: int) -> list[Participant]:
    """Return who was denied, those who were denied or asked again last first."""
    rows = await db.fetch_all(
        """
        SELECT * FROM participants WHERE session_id = :session AND state = 'DENIED'
        ORDER BY decided_at DESC NULLS LAST, created_at DESC LIMIT :limit
        """,
        session=UUID(session_id),
        limit=limit,
    )
    return [participant_of(row) for row in rows]


async def hosts(db: Database, session_id: str) -> set[str]:
    """Return the identities of the session's hosts."""
    rows = await db.fetch_all(
        """
        SELECT identity FROM participants WHERE session_id = :session AND role = 'HOST'
        AND state = 'ADMITTED'
        """,
        session=UUID(session_id),
    )
    return {row["identity"] for row in rows}


async def remove(db: Database, session_id: str, identity: str, now: datetime) -> None:
    """Remove a participant for good; they have left."""
    await db.execute(
        """
        UPDATE participants SET state = 'REMOVED', page_seen_at = NULL, call_seen_at = NULL,
        left_at = CASE WHEN joined_at IS NULL THEN NULL
          ELSE coalesce(left_at, CAST(:now AS timestamptz)) END
        WHERE identity = :identity AND session_id = :session
        """,
        identity=identity,
        session=UUID(session_id),
        now=now,
    )


async def make_host(db: Database, session_id: str, identity: str) -> Participant | None:
    """Give an admitted participant the host role; None without one."""
    if not IDENTITY.fullmatch(identity):
        return None
    row = await db.fetch_one(
        """
        UPDATE participants SET role = 'HOST' WHERE identity = :identity
        AND session_id = :session AND state = 'ADMITTED' RETURNING *
        """,
        identity=identity,
        session=UUID(session_id),
    )
    return participant_of(row) if row else None


async def went(db: Database, identity: str, now: datetime, *, hung_up: bool) -> None:
    """Note that a participant's last page has gone; they have left unless the call has them.

    A page that was closed or left has `hung_up`, too: LiveKit's news of that may come late.
    """
    await db.execute(
        """
        UPDATE participants SET page_seen_at = NULL,
        call_seen_at = CASE WHEN :hung_up THEN NULL ELSE call_seen_at END,
        left_at = CASE WHEN call_seen_at IS NULL OR :hung_up THEN CAST(:now AS timestamptz) END
        WHERE identity = :identity AND joined_at IS NOT NULL AND left_at IS NULL
        """,
        identity=identity,
        now=now,
        hung_up=hung_up,
    )


async def still_connected(db: Database, identities: list[str], now: datetime) -> None:
    """Note that pages of these participants are still connected."""
    await db.execute(
        """
        UPDATE participants SET page_seen_at = :now, left_at = NULL
        WHERE identity = ANY(:identities) AND joined_at IS NOT NULL AND state = 'ADMITTED'
        """,
        identities=identities,
        now=now,
    )


async def in_call(
    db: Database, session_id: str, identities: list[str], now: datetime
) -> tuple[list[str], list[str]]:
    """Note who LiveKit says is in the call. Returns whom it may have, and whom it may not.

    A pass outlives what it was given for: who has no key any more, as a guest who has left for good
    or a user without a login, may not be there. Identities that aren't of this session, such as
    recorders, are in neither.
    """
    ours = {"session": UUID(session_id), "identities": list(filter(IDENTITY.fullmatch, identities))}
    rows = await db.fetch_all(
        """
        UPDATE participants SET call_seen_at = :now, left_at = NULL,
        joined_at = coalesce(joined_at, :now) WHERE session_id = :session
        AND identity = ANY(:identities) AND state = 'ADMITTED' AND (
            EXISTS (SELECT FROM guest_keys g WHERE g.identity = participants.identity)
            OR EXISTS (SELECT FROM open_logins l WHERE l.user_id = participants.user_id)
        ) RETURNING identity
        """,
        now=now,
        **ours,
    )
    known = [row["identity"] for row in rows]
    strangers = await db.fetch_all(
        """
        SELECT identity FROM participants WHERE session_id = :session
        AND identity = ANY(:identities) AND identity <> ALL(:known)
        """,
        known=known,
        **ours,
    )
    return known, [row["identity"] for row in strangers]


async def left_call(
    db: Database,
    session_id: str,
    at: datetime,
    *,
    only: str | None = None,
    but: list[str] | None = None,
) -> None:
    """Note that everybody (`only` one, all `but` some) is out of the call since then.

    Who was seen in it later than that has come back meanwhile.
    """
    if only is not None and not IDENTITY.fullmatch(only):
        return  # LiveKit lets others than us choose theirs
    await db.execute(
        """
        UPDATE participants SET call_seen_at = NULL,
        left_at = CASE WHEN page_seen_at IS NULL THEN CAST(:at AS timestamptz) END
        WHERE session_id = :session AND joined_at IS NOT NULL AND left_at IS NULL
        AND call_seen_at <= :at AND NOT (identity = ANY(:but))
        AND (CAST(:only AS text) IS NULL OR identity = :only)
        """,
        session=UUID(session_id),
        at=at,
        only=only,
        but=list(filter(IDENTITY.fullmatch, but or [])),
    )


async def close_stale(db: Database, *, page: datetime, call: datetime) -> None:
    """Let everybody have left who was last seen before these times: a process or LiveKit died.

    They left when they were last seen.
    """
    await db.execute(
        """
        UPDATE participants SET
        page_seen_at = CASE WHEN page_seen_at >= :page THEN page_seen_at END,
        call_seen_at = CASE WHEN call_seen_at >= :call THEN call_seen_at END,
        left_at = CASE WHEN page_seen_at >= :page OR call_seen_at >= :call THEN NULL
          ELSE coalesce(greatest(page_seen_at, call_seen_at), joined_at) END
        WHERE joined_at IS NOT NULL AND left_at IS NULL AND (page_seen_at < :page
          OR call_seen_at < :call OR (page_seen_at IS NULL AND call_seen_at IS NULL))
        """,
        page=page,
        call=call,
    )


async def all_left(db: Database, session_id: str, now: datetime) -> None:
    """Note that nobody is in the session any more."""
    await db.execute(
        """
        UPDATE participants SET left_at = :now, page_seen_at = NULL, call_seen_at = NULL
        WHERE session_id = :session AND joined_at IS NOT NULL AND left_at IS NULL
        """,
        session=UUID(session_id),
        now=now,
    )
