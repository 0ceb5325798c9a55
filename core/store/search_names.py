"""Names of those who say something in the sessions of some spaces, to choose from in a search."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from core.database import Database
from core.store.search import REFUSED

SESSIONS = 1_000  # the newest: of others a name can be typed
WITHIN_S = 1.0


async def names(
    db: Database, user: str, spaces: Sequence[str], most: int, begun: str = ""
) -> tuple[list[str], bool]:
    """Return who speaks or writes in the most sessions that a user may read, and if there are more.

    With `begun` in their name; as corrections have them, only who is still to be found. Raises
    SlowStatementError after WITHIN_S.
    """
    rows = await db.fetch_within(
        WITHIN_S,
        f"""
        WITH newest AS (
            SELECT id FROM sessions WHERE space_id = ANY(CAST(:spaces AS uuid[]))
            AND status IN ('LIVE', 'ENDED') AND id NOT IN ({REFUSED})
            ORDER BY coalesce(started_at, created_at) DESC LIMIT CAST(:sessions AS int)
        ), named AS (
            SELECT p.session_id, coalesce(k.name, p.name) AS name FROM newest n
            JOIN participants p ON p.session_id = n.id
            LEFT JOIN speakers k ON (k.session_id, k.speaker) = (p.session_id, p.identity)
            WHERE p.joined_at IS NOT NULL AND (
                EXISTS (SELECT FROM utterances u WHERE u.identity = p.identity)
                OR EXISTS (SELECT FROM chat_messages m WHERE m.identity = p.identity)
            )
            UNION SELECT k.session_id, k.name FROM newest n
            JOIN speakers k ON k.session_id = n.id AND k.name IS NOT NULL
            WHERE EXISTS (
                SELECT FROM corrected_lines c
                WHERE c.session_id = k.session_id AND c.speaker = k.speaker AND NOT c.hidden
            )
        )
        SELECT name FROM named
        WHERE CAST(:begun AS text) = ''
            OR position(search_folded(:begun) IN search_folded(name)) > 0
        GROUP BY name ORDER BY count(*) DESC, name LIMIT CAST(:most AS int) + 1
        """,  # noqa: S608 - constants
        user=UUID(user),
        spaces=[UUID(one) for one in spaces],
        sessions=SESSIONS,
        begun=begun,
        most=most,
    )
    return [row["name"] for row in rows[:most]], len(rows) > most
