"""How quickly a month's usage is shown: `python -m benchmarks.usage`.

A space with 10,000 sessions of a month, each with 20 streams of 5 people, and a year before it as
full. The real app on PostgreSQL of its own; pages are asked for one after the other. The file has
all 10,000. Beside them, what a sum over the streams themselves would take, which is why there is a
ledger.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from core.minutes import month_before, today
from tests.support.app_server import AppServer
from tests.support.own_postgres import OwnPostgres
from tests.support.tables import Tables
from tests.support.visitors import Visitor

SESSIONS = 10_000  # a month
STREAMS = 20  # of each session
MONTHS = 12
PAGES = 100

MAKE = """
    INSERT INTO sessions (slug, title, space_id, created_at, started_at, status)
    SELECT 'b-' || CAST($2 AS text) || '-' || n, 'Session ' || n, $1, at, at, 'ENDED'
    FROM generate_series(1, {sessions}) n, CAST(CAST($2 AS text) AS timestamptz) first,
        CAST(first + n * interval '4 min' AS timestamptz) at
"""
SPEND = """
    INSERT INTO space_usage SELECT space_id, CAST(started_at AS date), id, 'gladia', 600, 0.1
    FROM sessions WHERE slug LIKE 'b-%'
"""
COME = """
    INSERT INTO participants (identity, session_id, name, hue, role, joined_at)
    SELECT 'p_' || id || '_' || n, id, 'Guest ' || n, 1, 'GUEST', started_at
    FROM sessions, generate_series(1, 5) n WHERE slug LIKE 'b-' || CAST($1 AS text) || '-%'
"""
SPEAK = """
    INSERT INTO streams (session_id, stream, identity, engine, opened_at, closed_at, sent_s,
        frames, partials, finals, errors, price)
    SELECT session_id, identity || '.' || n, identity, 'gladia', joined_at,
        joined_at + interval '30 s', 30, 1, 1, 1, 0, 0.01
    FROM participants, generate_series(1, {streams} / 5) n WHERE identity LIKE 'p_%_%'
"""
SUM = """
    SELECT t.session_id, sum(t.sent_s) FROM streams t JOIN sessions s ON s.id = t.session_id
    WHERE s.space_id = $1 AND t.closed_at >= $2 GROUP BY 1
"""


def taken(what: str, times: int, work: Callable[[], object]) -> None:
    """Print how long something takes, of so many times one after the other."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    ordered = sorted(taken)
    p50, p95 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    print(f"{what:42} p50 {p50:7.1f} ms   p95 {p95:7.1f} ms   most {ordered[-1]:7.1f} ms")


def main() -> None:
    """Fill a database, and ask."""
    with tempfile.TemporaryDirectory() as folder, OwnPostgres() as postgres:
        server = AppServer(Path(folder), {"DATABASE_URL": postgres.url, "SPEECH_ENGINE": "off"})
        server.start()
        tables, ada = Tables(postgres.url), Visitor(server.url).sign_in("Ada")
        slug = ada.start_session()
        space = tables.one("SELECT space_id FROM sessions WHERE slug = $1", slug)
        this = first = today().replace(day=1)
        for _ in range(MONTHS):
            tables(MAKE.format(sessions=SESSIONS), space, str(first))
            first = month_before(first)
        tables(SPEND)
        tables(COME, str(this))
        tables(SPEAK.format(streams=STREAMS))
        tables("ANALYZE")
        here = f"/spaces/{space}/usage"
        middle = f"{int(time.time() * 1e6) - 10 * 24 * 3600 * 10**6}~{space}"

        def page(path: str) -> None:
            assert ada.http.get(path).status_code == 200

        try:
            taken("the month's first page", PAGES, lambda: page(here))
            taken("a page further on", PAGES, lambda: page(f"{here}?behind={middle}"))
            taken("a past month", PAGES, lambda: page(f"{here}?month={month_before(this):%Y-%m}"))
            taken("the file of 10,000 sessions", 5, lambda: page(f"{here}.csv"))
            taken("a sum over the streams instead", 5, lambda: tables(SUM, space, this))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
