"""How quickly a long transcript is read: `python -m benchmarks.transcript_page`.

Five hours of eight people with 10,000 utterances, a twentieth of them corrected, and 500 lines of
chat. The real app on PostgreSQL of its own; pages are asked for one after the other, over HTTP.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.usage import taken
from tests.support.app_server import AppServer
from tests.support.own_postgres import OwnPostgres
from tests.support.tables import Tables
from tests.support.visitors import Visitor

UTTERANCES = 10_000
PAGES = 200

COME = """
    INSERT INTO participants (identity, session_id, name, hue, role, joined_at, left_at)
    SELECT 'p_' || n, $1, 'Guest ' || n, n, 'GUEST', now(), now() FROM generate_series(1, 8) n"""
SPEAK = """
    INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s,
        language)
    SELECT $1, 's', n::text, n, 'p_' || (1 + (n / 3 * 7 + n / 11) % 8),
        'Line ' || n || ' of a meeting about ferries, harbours and ' || md5(n::text) || '.',
        n * 1.8, n * 1.8 + 3, 'en'
    FROM generate_series(1, $2) n"""
CORRECT = """
    INSERT INTO corrected_lines (session_id, seq, part, revision, text, start_s, end_s, speaker)
    SELECT session_id, seq, 0, 1, 'What they said ' || seq, start_s, end_s, identity
    FROM utterances WHERE seq % 20 = 0"""
CHAT = """
    INSERT INTO chat_messages (session_id, id, identity, text, sent_at)
    SELECT $1, n, 'p_1', 'note ' || n, now() + n * interval '36 s' FROM generate_series(1, 500) n"""


def main() -> None:
    """Fill a database, and ask."""
    with tempfile.TemporaryDirectory() as folder, OwnPostgres() as postgres:
        limits = {"SPEECH_ENGINE": "off", "RATE_LIMIT_FACTOR": "1000"}
        server = AppServer(Path(folder), {"DATABASE_URL": postgres.url, **limits})
        server.start()
        tables = Tables(postgres.url)
        ada = Visitor(server.url).sign_in("Ada")
        slug = ada.start_session()
        ada.join(slug)
        session = tables.one("SELECT id FROM sessions WHERE slug = $1", slug)
        tables(COME, session)
        tables(SPEAK, session, UTTERANCES)
        tables(CORRECT)
        tables(CHAT, session)
        tables("ANALYZE")
        ada.end(slug)

        def page(path: str) -> None:
            assert ada.http.get(f"/s/{slug}{path}").status_code == 200

        try:
            taken("the first screen", PAGES, lambda: page(""))
            taken("a link to a line in the middle", PAGES, lambda: page("?line=5000"))
            taken(
                "the lines that are scrolled to",
                PAGES,
                lambda: page("/transcript/lines?after=7000"),
            )
            taken("what one of them said", PAGES, lambda: page("?speaker=p_3"))
            taken("a word that one line has", 30, lambda: page("/transcript/find?q=line+7001"))
            taken("a word that all lines have", 30, lambda: page("/transcript/find?q=ferries"))
            taken("all of it, for print", 10, lambda: page("?all"))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
