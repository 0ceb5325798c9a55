"""Usage: what each stream sent and got back, measured where the audio is sent."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from core.database import Database
from core.model import StreamAccount, Usage


async def add(db: Database, account: StreamAccount) -> None:
    """Store an account; the same stream twice counts once."""
    await db.execute(
        """
        INSERT INTO streams (session_id, stream, identity, engine, opened_at, closed_at,
        sent_s, frames, partials, finals, errors, reconnects)
        VALUES (:session, :stream, :identity, :engine, :opened_at, :closed_at,
        :sent, :frames, :partials, :finals, :errors, :reconnects)
        ON CONFLICT (session_id, stream) DO NOTHING
        """,
        session=UUID(account.session_id),
        stream=account.stream,
        identity=account.identity,
        engine=account.engine,
        opened_at=account.opened_at,
        closed_at=account.closed_at,
        sent=account.seconds_sent,
        frames=account.frames,
        partials=account.partials,
        finals=account.finals,
        errors=account.errors,
        reconnects=account.reconnects,
    )


async def of_session(db: Database, session_id: str) -> list[Usage]:
    """Return the usage of a session's participants, the most first."""
    rows = await db.fetch_all(
        """
        SELECT s.identity, p.name, count(*) AS streams, sum(s.sent_s) AS sent,
        sum(s.frames) AS frames, sum(s.partials) AS partials, sum(s.finals) AS finals,
        sum(s.errors) AS errors
        FROM streams s JOIN participants p USING (identity) WHERE s.session_id = :session
        GROUP BY s.identity, p.name ORDER BY sent DESC
        """,
        session=UUID(session_id),
    )
    return [
        Usage(
            identity=row["identity"],
            name=row["name"],
            streams=row["streams"],
            seconds_sent=row["sent"],
            frames=row["frames"],
            partials=row["partials"],
            finals=row["finals"],
            errors=row["errors"],
        )
        for row in rows
    ]


async def of_day(db: Database, spaces: Collection[str], midnight: datetime) -> dict[str, float]:
    """Return the seconds of audio that each of these spaces has sent since midnight.

    Of a stream that went over midnight its part of the day counts.
    """
    rows = await db.fetch_all(
        """
        SELECT s.space_id, sum(t.sent_s * CASE WHEN t.opened_at >= :midnight THEN 1 ELSE
            extract(epoch FROM t.closed_at - :midnight)
            / extract(epoch FROM t.closed_at - t.opened_at) END) AS sent
        FROM streams t JOIN sessions s ON s.id = t.session_id
        WHERE t.closed_at > :midnight AND s.space_id = ANY(:spaces) GROUP BY s.space_id
        """,
        midnight=midnight,
        spaces=[UUID(space) for space in spaces],
    )
    return {str(row["space_id"]): float(row["sent"]) for row in rows}
