"""How quickly the list of a space's sessions is shown: `python -m benchmarks.sessions_list`.

A space with 10,000 sessions, of which ten are live and ten planned, and 20 people in each of the
newest 200; a second space that is as full beside it. The real app on PostgreSQL of its own; pages
are asked for one after the other, over HTTP, signed in.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from benchmarks.usage import taken
from tests.support.app_server import AppServer
from tests.support.own_postgres import OwnPostgres
from tests.support.tables import Tables
from tests.support.visitors import Visitor

SESSIONS = 10_000
PAGES = 200

MAKE = """
    INSERT INTO sessions (slug, title, space_id, created_by, created_at, started_at, ended_at,
        status, planned_at)
    SELECT 'l-' || left(CAST(CAST($1 AS uuid) AS text), 8) || '-' || n, 'Weekly meeting ' || n, $1,
        CASE WHEN n % 3 = 0 THEN (SELECT user_id FROM members WHERE space_id = $1) END, at,
        CASE WHEN n % 1000 <> 1 THEN at END,
        CASE WHEN n % 1000 NOT IN (0, 1) THEN at + interval '1 hour' END,
        CASE n % 1000 WHEN 0 THEN 'LIVE' WHEN 1 THEN 'CREATED' ELSE 'ENDED' END,
        CASE n % 1000 WHEN 1 THEN now() + n * interval '1 hour' END
    FROM generate_series(1, {sessions}) n, CAST(now() - n * interval '20 min' AS timestamptz) at
"""
COME = """
    INSERT INTO participants (identity, session_id, name, hue, role, joined_at, left_at)
    SELECT 'p_' || s.id || '_' || n, s.id, 'Guest ' || n, 1, 'GUEST', started_at,
        CASE WHEN s.status <> 'LIVE' THEN ended_at END
    FROM (
        (SELECT * FROM sessions WHERE started_at IS NOT NULL ORDER BY created_at DESC LIMIT 200)
        UNION SELECT * FROM sessions WHERE status = 'LIVE'
    ) s, generate_series(1, 20) n
"""


def main() -> None:
    """Fill a database, and ask."""
    with tempfile.TemporaryDirectory() as folder, OwnPostgres() as postgres:
        limits = {"SPEECH_ENGINE": "off", "RATE_LIMIT_FACTOR": "1000"}
        server = AppServer(Path(folder), {"DATABASE_URL": postgres.url, **limits})
        server.start()
        tables = Tables(postgres.url)
        ada, eve = (Visitor(server.url).sign_in(name) for name in ("Ada", "Eve"))
        for slug in (ada.start_session(), eve.start_session()):
            space = tables.one("SELECT space_id FROM sessions WHERE slug = $1", slug)
            tables(MAKE.format(sessions=SESSIONS), space)
        tables(COME)
        tables("ANALYZE")
        middle = f"2~-{1_700_000_000 * 10**6}~{space}"

        def page(path: str) -> None:
            assert ada.http.get(path).status_code == 200

        try:
            taken("the page at /", PAGES, lambda: page("/"))
            taken("the list alone, as it updates itself", PAGES, lambda: page("/sessions"))
            seen = re.search(r'name="seen" value="(\w+)"', ada.http.get("/sessions").text)
            assert seen
            unchanged = f"/sessions?seen={seen[1]}"

            def ask() -> None:
                assert ada.http.get(unchanged).status_code == 204

            taken("the list, while nothing changes", PAGES, ask)
            taken("a page further on", PAGES, lambda: page(f"/sessions?behind={middle}"))
            taken("a search that finds 1,111", PAGES, lambda: page("/sessions?q=MEETING+1"))
            taken("a search that finds nothing", PAGES, lambda: page("/sessions?q=nothing"))
            taken("those that I started", PAGES, lambda: page("/sessions?show=mine"))
            taken("those elsewhere", PAGES, lambda: page("/sessions?show=elsewhere"))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
