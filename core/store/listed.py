"""The list of sessions: those of a space, or those elsewhere that somebody took part in.

Live ones come first, then those that are still to come, the soonest first, then the newest. A page
begins behind a key, not after a number of rows: what comes and goes meanwhile moves nothing else.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

from core.database import Database, Row
from core.model import ListedSession, ListKey, Shown
from core.store.participants import participant_of
from core.store.sessions import presence_of, session_of

PAGE = 50  # sessions
MOST_AT_ONCE = 500  # sessions of a list that was read on and on, when it is asked for anew
# The turns of the years 9000 and 1900: what a key may say is to be a time.
LATEST_TURN, EARLIEST_TURN = -221_845_392_000_000_000, 2_208_988_800_000_000
NAMED = 6  # people of a session, those who came first


def is_key(key: ListKey) -> bool:
    """Whether this may be a key of a list: what comes from outside can be anything."""
    if key.rank == 2:
        return LATEST_TURN <= key.turn <= EARLIEST_TURN
    return key.rank in (0, 1) and abs(key.turn) <= -LATEST_TURN


async def page(
    db: Database,
    user_id: str,
    space: str | None,
    shown: Shown = "all",
    search: str = "",
    *,
    behind: ListKey | None = None,
    until: ListKey | None = None,
) -> tuple[list[ListedSession], bool]:
    """Return a page of sessions, and whether there are more behind it.

    Of `space`, of which the caller has checked that the user is a member; for "elsewhere" of none.
    `search` is in their titles, whatever the case. It begins `behind` a key, and has at least all
    `until` another one, so that who has read on sees as much again; at most MOST_AT_ONCE.
    """
    rows = await db.fetch_all(
        """
        WITH found AS (
            SELECT id, title, status, created_by, planned_at, started_at, created_at
            FROM sessions s
            WHERE CAST(:shown AS text) <> 'elsewhere' AND space_id = CAST(:space AS uuid)
            AND status IN ('CREATED', 'LIVE') -- as sessions_space_open has them
            -- The next meeting of a standing room is the room itself, which stands above.
            AND (status = 'LIVE' OR planned_at IS NOT NULL AND standing_room IS NULL)
            UNION ALL (
                -- In the order of sessions_list, so that it ends where the page does.
                SELECT id, title, status, created_by, NULL, started_at, created_at
                FROM sessions s
                WHERE :shown NOT IN ('elsewhere', 'live', 'planned')
                AND space_id = CAST(:space AS uuid)
                AND (status = 'ENDED' OR status = 'CREATED'
                    AND planned_at IS NULL AND standing_room IS NULL)
                AND coalesce(started_at, created_at)
                    <= coalesce(CAST(:at AS timestamptz), 'infinity')
                AND (coalesce(started_at, created_at) < coalesce(:at, 'infinity')
                    OR id > CAST(:id AS uuid))
                AND (:shown <> 'ended' OR status = 'ENDED')
                AND (:shown <> 'mine' OR created_by = :user)
                AND (CAST(:search AS text) = ''
                    OR position(search_folded(:search) IN search_folded(title)) > 0)
                ORDER BY coalesce(started_at, created_at) DESC, id LIMIT :most + 1
            ) UNION ALL
            SELECT id, title, status, created_by, planned_at, started_at, created_at
            FROM sessions s
            WHERE :shown = 'elsewhere' AND id IN (
                SELECT session_id FROM participants
                WHERE user_id = :user AND joined_at IS NOT NULL AND state = 'ADMITTED'
            ) AND space_id NOT IN (SELECT space_id FROM members WHERE user_id = :user)
            AND status <> 'EXPIRED'
        ), placed AS (
            SELECT *, CASE WHEN status = 'LIVE' THEN 0
                WHEN status = 'CREATED' AND planned_at IS NOT NULL THEN 1 ELSE 2 END AS rank
            FROM found
            WHERE CAST(:search AS text) = ''
                OR position(search_folded(:search) IN search_folded(title)) > 0
        ), keyed AS (
            SELECT id, rank, CASE WHEN rank <> 1
                THEN CAST(-1e6 * extract(epoch FROM coalesce(started_at, created_at)) AS bigint)
                ELSE CAST(1e6 * extract(epoch FROM planned_at) AS bigint) END AS turn
            FROM placed
            WHERE CASE :shown WHEN 'live' THEN rank = 0 WHEN 'planned' THEN rank = 1
                WHEN 'ended' THEN status = 'ENDED' WHEN 'mine' THEN created_by = :user
                ELSE true END
        ), page AS (
            SELECT least(:most, greatest(:page, count(*))) AS size FROM keyed
            WHERE (rank, turn, id) <=
                (CAST(:to_rank AS int), CAST(:to_turn AS bigint), CAST(:to_id AS uuid))
        ), shown AS (
            SELECT * FROM keyed
            WHERE CAST(:rank AS int) IS NULL
                OR (rank, turn, id) > (:rank, CAST(:turn AS bigint), CAST(:id AS uuid))
            ORDER BY rank, turn, id LIMIT 1 + (SELECT size FROM page)
        )
        SELECT s.*, k.rank, k.turn, page.size, here.*, m.role AS membership, own.own
        FROM shown k CROSS JOIN page
        -- OFFSET: else a plan is made for a thousand rows, which reads all sessions of all spaces.
        CROSS JOIN LATERAL (SELECT * FROM sessions WHERE id = k.id OFFSET 0) s
        LEFT JOIN members m ON m.space_id = s.space_id AND m.user_id = :user
        LEFT JOIN LATERAL (
            SELECT to_json(p) AS own FROM participants p
            WHERE p.session_id = s.id AND p.user_id = :user
        ) own ON true,
        LATERAL (
            SELECT count(*) FILTER (WHERE p.left_at IS NULL) AS here, count(*) AS came,
                max(p.left_at) AS last_left,
                (
                    SELECT coalesce(json_agg(first), '[]') FROM (
                        SELECT p.name, p.hue, u.avatar
                        FROM participants p LEFT JOIN users u ON u.id = p.user_id
                        WHERE p.session_id = s.id AND p.joined_at IS NOT NULL
                        ORDER BY p.joined_at LIMIT :named
                    ) first
                ) AS people
            FROM participants p WHERE p.session_id = s.id AND p.joined_at IS NOT NULL
        ) here
        ORDER BY k.rank, k.turn, k.id
        """,
        user=UUID(user_id),
        space=UUID(space) if space else None,
        shown=shown,
        search=search,
        most=MOST_AT_ONCE,
        page=PAGE,
        named=NAMED,
        at=_at(behind),
        rank=behind.rank if behind else None,
        turn=behind.turn if behind else None,
        id=UUID(behind.id) if behind else None,
        to_rank=until.rank if until else None,
        to_turn=until.turn if until else None,
        to_id=UUID(until.id) if until else None,
    )
    size = rows[0]["size"] if rows else 0
    return [_listed(row) for row in rows[:size]], len(rows) > size


def _at(behind: ListKey | None) -> datetime | None:
    """Return the time that a key of the last rank is made of."""
    if behind is None or behind.rank < 2:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) - timedelta(microseconds=behind.turn)


def _listed(row: Row) -> ListedSession:
    session = session_of(row)
    return ListedSession(
        session,
        ListKey(row["rank"], row["turn"], session.id),
        json.loads(row["people"]),
        presence_of(row),
        row["membership"],
        participant_of(json.loads(row["own"])) if row["own"] else None,
    )
