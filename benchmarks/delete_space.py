"""How long a space takes to go: `python -m benchmarks.delete_space`.

It has 1,000 sessions with 10 people and 100 utterances each, 100,000 in all, beside a space that is
as full and stays. The real app on PostgreSQL of its own; the form is sent over HTTP, signed in.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from uuid import UUID

from tests.support.app_server import AppServer
from tests.support.own_postgres import OwnPostgres
from tests.support.tables import Tables
from tests.support.visitors import Visitor

SESSIONS = """
    INSERT INTO sessions (slug, title, space_id, started_at, ended_at, status)
    SELECT 'd-' || left(CAST(CAST($1 AS uuid) AS text), 8) || '-' || n, 'Weekly meeting ' || n, $1,
        now() - interval '1 hour', now(), 'ENDED'
    FROM generate_series(1, 1000) n
"""
PEOPLE = """
    INSERT INTO participants (identity, session_id, name, hue, role, joined_at, left_at)
    SELECT 'p_' || s.id || '_' || n, s.id, 'Guest ' || n, 1, 'GUEST', started_at, ended_at
    FROM sessions s, generate_series(1, 10) n WHERE s.status = 'ENDED'
"""
SAID = """
    INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s)
    SELECT s.id, 's', 'u' || n, n, 'p_' || s.id || '_' || (n % 10 + 1),
        'What somebody said, about as long as a sentence usually is.', n, n + 1
    FROM sessions s, generate_series(1, 100) n WHERE s.status = 'ENDED'
"""
STREAMS = """
    INSERT INTO streams (session_id, stream, identity, engine, opened_at, closed_at, sent_s,
        frames, partials, finals, errors, price)
    SELECT session_id, identity, identity, 'gladia', joined_at, left_at, 60, 1, 1, 1, 0, 0
    FROM participants WHERE left_at IS NOT NULL
"""


def main() -> None:
    """Fill a database, and delete one of its two spaces."""
    with tempfile.TemporaryDirectory() as folder, OwnPostgres() as postgres:
        server = AppServer(
            Path(folder),
            {"DATABASE_URL": postgres.url, "SPEECH_ENGINE": "off", "RATE_LIMIT_FACTOR": "100"},
        )
        server.start()
        tables = Tables(postgres.url)
        try:
            ada = Visitor(server.url).sign_in("Ada")
            ada.start_session()
            kept = tables.one("SELECT space_id FROM sessions")
            html = {"Accept": "text/html"}
            made = ada.http.post("/spaces", data={"name": "Large"}, headers=html)
            place = made.headers["location"]
            for space in (kept, UUID(place.removeprefix("/spaces/"))):
                tables(SESSIONS, space)
            for fill in (PEOPLE, SAID, STREAMS, "ANALYZE"):
                tables(fill)
            began = time.perf_counter()
            asked = ada.http.get(f"{place}/delete")
            said = time.perf_counter()
            answer = ada.http.post(f"{place}/delete", data={"name": "Large"}, headers=html)
            took = time.perf_counter() - said
            assert (asked.status_code, answer.status_code) == (200, 303), answer.text
            left = tables.one("SELECT count(*) FROM utterances")
            assert left == 100_000, left
            print(f"the page that says what goes  {said - began:.2f} s")
            print(f"1,000 sessions, 10,000 people, 100,000 utterances  {took:.2f} s")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
