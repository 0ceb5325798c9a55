"""Whose a session's room is: a lease of one node, renewed while it lives.

All times are the database's, so that no two clocks have to agree. An epoch is the number of an
owner: another node that claims a room gets the next one, and what is written under an old one is
refused: see core.store.transcripts.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from core.database import Database
from core.model import Lease

LEASE_S = 15  # seconds without a renewal, after which another node may claim a room


async def claim(db: Database, session_id: str, node: str) -> tuple[int, bool] | None:
    """Claim a room; return its epoch and whether it had no owner before; None: it has another.

    A node that comes back, also after a crash, goes on under the epoch it had: what it could not
    store then is still its own, as long as nobody else had the room meanwhile.
    """
    row = await db.fetch_one(
        """
        WITH before AS (SELECT FROM rooms WHERE session_id = :session)
        INSERT INTO rooms AS r (session_id, node, epoch, renewed_at)
        VALUES (:session, :node, 1, clock_timestamp())
        ON CONFLICT (session_id) DO UPDATE SET
            node = excluded.node,
            epoch = r.epoch + CASE WHEN r.node = excluded.node THEN 0 ELSE 1 END,
            renewed_at = excluded.renewed_at
        WHERE r.node = excluded.node
            OR r.renewed_at < clock_timestamp() - make_interval(secs => :lease)
        RETURNING epoch, NOT EXISTS (SELECT FROM before) AS first
        """,
        session=UUID(session_id),
        node=node,
        lease=float(LEASE_S),
    )
    return None if row is None else (row["epoch"], row["first"])


async def find(db: Database, session_id: str) -> Lease | None:
    """Return the lease of a room, also one that has run out."""
    row = await db.fetch_one(
        """
        SELECT node, epoch,
            CAST(extract(epoch FROM clock_timestamp() - renewed_at) AS float8) AS age
        FROM rooms WHERE session_id = :session
        """,
        session=UUID(session_id),
    )
    return None if row is None else Lease(row["node"], row["epoch"], row["age"])


async def renew(db: Database, node: str, epochs: Mapping[str, int]) -> set[str]:
    """Renew the leases of these rooms; return those that aren't this node's any more.

    A session that was deleted has taken its lease along: nobody else has it either.
    """
    rows = await db.fetch_all(
        """
        WITH own AS (
            SELECT * FROM unnest(CAST(:sessions AS uuid[]), CAST(:epochs AS bigint[]))
                AS own (session_id, epoch)
        ), mine AS ( -- in the order in which finals lock them: two that wait would be a deadlock
            SELECT r.session_id FROM rooms r JOIN own USING (session_id, epoch)
            WHERE r.node = :node ORDER BY r.session_id FOR NO KEY UPDATE OF r
        ), renewed AS (
            UPDATE rooms SET renewed_at = clock_timestamp()
            WHERE session_id IN (SELECT session_id FROM mine)
        )
        SELECT session_id FROM own WHERE session_id NOT IN (SELECT session_id FROM mine)
        """,
        node=node,
        sessions=[UUID(one) for one in epochs],
        epochs=list(epochs.values()),
    )
    return {str(row["session_id"]) for row in rows}


async def release(db: Database, node: str, epochs: Mapping[str, int]) -> None:
    """Let anybody claim these rooms at once. The rows stay, so that no epoch comes twice."""
    await db.execute(
        """
        UPDATE rooms r SET renewed_at = '-infinity'
        FROM unnest(CAST(:sessions AS uuid[]), CAST(:epochs AS bigint[]))
            AS own (session_id, epoch)
        WHERE r.session_id = own.session_id AND r.epoch = own.epoch AND r.node = :node
        """,
        node=node,
        sessions=[UUID(one) for one in epochs],
        epochs=list(epochs.values()),
    )
