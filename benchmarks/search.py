"""How quickly a million lines are searched: `python -m benchmarks.search [LINES]`.

50 spaces with 800 lines a session over two years, in Russian, English and German, each fifth
session in another language as well, of words as common as words are (the n-th most common is in
each n-th line or so), in the embedded PostgreSQL as it is shipped. Asked for by somebody who is in
one of the spaces and by somebody who is in all, each question with other words, at the real route
over HTTP, signed in, one after the other; beside it a plain ILIKE. At last what it costs to store a
line, with search and without.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import asyncpg
import psutil

from core.database import Database, EmbeddedPostgres
from core.store import transcripts
from tests.support.app_server import AppServer
from tests.support.visitors import Visitor

LINES = 1_000_000
SPACES, A_SESSION, PEOPLE, DAYS = 50, 800, 5, 730
VOCABULARY = 20_000  # words of each language
ASKED = 30  # questions of each kind
# What words begin with, go on with and end in.
SYLLABLES = {
    "ru": ("бвгдзклмнпрст", "аеиоуя", ("", "м", "й", "ть", "ка")),
    "en": ("bcdfglmnprst", "aeiou", ("", "t", "ing", "ed", "s")),
    "de": ("bdfghklmnrsw", "aeiouü", ("", "n", "ung", "en", "t")),
}
MAKE = """
    WITH numbered AS (
        SELECT n, now() - (CAST($1 AS int) - n) * $2 * interval '1 day' / $1 AS at
        FROM generate_series(1, $1) n
    )
    INSERT INTO sessions (slug, title, space_id, status, created_at, started_at, ended_at)
    SELECT 'b-' || n, 'Weekly meeting ' || n, (CAST($3 AS uuid[]))[1 + n % cardinality($3)],
        'ENDED', at, at, at + interval '1 hour'
    FROM numbered
"""
COME = """
    INSERT INTO participants (identity, session_id, name, hue, role, joined_at, left_at)
    SELECT 'p_' || left(md5(s.id || '-' || n), 24), s.id,
        (ARRAY['Ada', 'Bob', 'Cem', 'Dora', 'Ева', 'Фёдор'])[1 + (n + length(s.slug)) % 6], 1,
        'MEMBER', started_at, ended_at
    FROM sessions s, generate_series(0, $1 - 1) n WHERE s.status = 'ENDED'
"""
SORT_IN = """
    INSERT INTO search_lines (session_id, kind, seq, part, space_id, speaker, at, stemmed, words)
    SELECT session_id, 'LINE', seq, part, space_id, speaker, at, stemmed, words FROM lines_to_search
"""
TRANSLATED = """
    INSERT INTO search_lines
        (session_id, kind, seq, part, space_id, speaker, at, stemmed, words, language)
    SELECT session_id, 'LINE', seq, part, space_id, speaker, at, stemmed, words, language
    FROM translations_to_search
"""
TRANSLATION = ("session_id", "stream", "utterance", "language", "identity", "text")
PLAIN = """
    SELECT u.session_id, u.seq, u.text FROM utterances u JOIN sessions s ON s.id = u.session_id
    WHERE s.space_id = ANY($1) AND u.text ILIKE '%' || $2 || '%'
    ORDER BY s.started_at DESC, u.start_s DESC LIMIT 20
"""


def vocabulary(language: str) -> list[str]:
    """Return words, the most common first, which are the shortest."""
    begin, middle, end = SYLLABLES[language]
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        size = 1 + (len(words) > 60) + (len(words) > 2_000)
        syllables = (random.choice(begin) + random.choice(middle) for _ in range(size))
        words["".join(syllables) + random.choice(begin) + random.choice(end)] = None
    return list(words)


class Archive:
    """A database with so many lines, and the words they are made of."""

    def __init__(self, url: str, lines: int) -> None:
        random.seed(1)
        self.url, self.lines = url, lines
        self.words = {language: vocabulary(language) for language in SYLLABLES}
        self._weights = list(itertools.accumulate(1 / (n + 1) for n in range(VOCABULARY)))

    def run(self, work: Callable[[Any], Any]) -> Any:
        """Have something done on a connection."""

        async def done() -> Any:
            connection = await asyncpg.connect(
                self.url, server_settings={"search_path": "sessions"}, timeout=60
            )
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(done())

    async def fill(self, connection: Any) -> None:
        """Make spaces, sessions and lines, and what search finds of them."""
        await connection.execute(
            "INSERT INTO spaces (name) SELECT 'Space ' || n FROM generate_series(1, $1) n",
            SPACES - 1,
        )
        spaces = [row[0] for row in await connection.fetch("SELECT id FROM spaces ORDER BY name")]
        await connection.execute(MAKE, self.lines // A_SESSION, DAYS, spaces)
        await connection.execute(COME, PEOPLE)
        # As a backup is read in: rows first, the index after them.
        await connection.execute("DROP INDEX search_lines_words; SET work_mem = '64MB'")
        await connection.execute("SET maintenance_work_mem = '256MB'")
        await connection.execute("SET session_replication_role = replica")  # no triggers
        sessions = await connection.fetch(
            "SELECT session_id, array_agg(identity) FROM participants p"
            " JOIN sessions s ON s.id = p.session_id WHERE s.status = 'ENDED'"
            " GROUP BY session_id, s.started_at ORDER BY s.started_at"
        )
        columns = (
            *("session_id", "stream", "utterance", "seq", "identity", "text"),
            *("start_s", "end_s", "language"),
        )
        for session, people in sessions:
            await connection.copy_records_to_table(
                "utterances", records=self._said(session, people), columns=columns
            )
            if self._is_translated(session):
                await connection.copy_records_to_table(
                    "translations", records=self._translated(session, people), columns=TRANSLATION
                )
        await connection.execute(
            "UPDATE sessions SET targets = '{en}' WHERE id IN (SELECT session_id FROM translations)"
        )
        await connection.execute("SET session_replication_role = origin")
        began = time.perf_counter()
        await connection.execute(SORT_IN, timeout=3_600)
        await connection.execute(TRANSLATED, timeout=3_600)
        await connection.execute(
            "CREATE INDEX search_lines_words ON search_lines USING gin (words)"
            " WITH (gin_pending_list_limit = 512)",
            timeout=3_600,
        )
        took = time.perf_counter() - began
        await connection.execute("VACUUM ANALYZE", timeout=3_600)
        sizes = await connection.fetchrow(
            "SELECT pg_table_size('search_lines') / 1e6, pg_indexes_size('search_lines') / 1e6,"
            " pg_table_size('utterances') / 1e6, pg_indexes_size('utterances') / 1e6"
        )
        print(f"{self.lines:,} lines sorted in within {took:.0f} s")
        form = "MB: search_lines {:.0f} and its indexes {:.0f}, utterances {:.0f} and {:.0f}"
        print(form.format(*sizes))

    def _said(self, session: UUID, people: list[str]) -> Iterator[tuple[Any, ...]]:
        for n in range(1, A_SESSION + 1):
            language = ("ru", "en", "ru", "en", "ru", "en", "ru", "en", "de", None)[n % 10]
            text = " ".join(self.some(language or "en", random.randint(4, 24)))
            at = n * 4.5
            who = people[n % PEOPLE]
            yield session, "s", f"u{n}", n, who, text, at, at + 4, language

    def _is_translated(self, session: UUID) -> bool:
        return session.int % 5 == 0

    def _translated(self, session: UUID, people: list[str]) -> Iterator[tuple[Any, ...]]:
        for n in range(1, A_SESSION + 1):
            text = " ".join(self.some(("ru", "en")[n % 2], random.randint(4, 24)))
            yield session, "s", f"u{n}", ("ru", "en")[n % 2], people[n % PEOPLE], text

    def some(self, language: str, count: int) -> list[str]:
        """Return words as they come in a sentence."""
        return random.choices(self.words[language], cum_weights=self._weights, k=count)

    def word(self, first: int, last: int) -> str:
        """Return a word that is about as common as those."""
        return self.words[random.choice(("ru", "en"))][random.randrange(first, last)]


def kinds(archive: Archive) -> dict[str, Callable[[], str]]:
    """Return questions by what they ask."""
    word = archive.word

    def pair(first: int, last: int) -> str:
        words = archive.words[random.choice(("ru", "en"))]
        return " ".join(random.sample(words[first:last], 2))

    return {
        "the most common words": lambda: word(0, 5) + " ",
        "common words": lambda: word(10, 60) + " ",
        "words of each thousandth line": lambda: word(300, 3_000) + " ",
        "rare words": lambda: word(8_000, VOCABULARY) + " ",
        "two common words": lambda: pair(0, 30) + " ",
        "a phrase of common words": lambda: f'"{pair(0, 30)}"',
        "a phrase of rarer words": lambda: f'"{pair(60, 600)}"',
        "a word without another": lambda: f"{word(30, 300)} -{word(0, 10)}",
        "three letters of a word": lambda: word(60, 3_000)[:3],
        "five letters of a word": lambda: word(2_500, VOCABULARY)[:5],
        "a word of one speaker": lambda: word(60, 600) + " &speaker=Ada",
        "a word in a month": lambda: word(10, 300) + " &from=2026-03-01&to=2026-03-31",
        "what is nowhere": lambda: "quixotic" + word(9_000, 9_900) + " ",
    }


def told(what: str, taken: list[float], cpu: float | None = None) -> None:
    """Print how long something took, and how much CPU, which other programs change less."""
    taken.sort()
    p95 = taken[min(len(taken) - 1, int(len(taken) * 0.95))]
    own = "" if cpu is None else f"   CPU {cpu:6.1f} ms"
    print(f"  {what:34} p50 {statistics.median(taken):7.1f} ms   p95 {p95:7.1f} ms{own}")


def spent(processes: list[psutil.Process]) -> float:
    """Return how many ms of CPU a server, its PostgreSQL and what serves them have had."""
    total = 0.0
    for one in processes:
        for each in (one, *one.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                total += 1000 * (times.user + times.system)
    return total


def ask(archive: Archive, visitor: Visitor, processes: list[psutil.Process]) -> None:
    """Ask all kinds of questions, once before it is measured."""
    everything: list[float] = []
    for what, question in kinds(archive).items():
        taken = []
        before = spent(processes)
        for _ in range(ASKED + 1):
            words, *filters = question().split("&", 1)
            query = urlencode({"q": words}) + ("&" + filters[0] if filters else "")
            began = time.perf_counter()
            answer = visitor.http.get(f"/search?{query}", headers={"HX-Request": "true"})
            taken.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, answer.text
        told(what, taken[1:], (spent(processes) - before) / (ASKED + 1))
        everything += taken[1:]
    told("all of them", everything)
    for what, path in (("the page with names", "/search"), ("names", "/search/speakers?speaker=a")):
        taken = []
        for _ in range(ASKED):
            began = time.perf_counter()
            assert visitor.http.get(path).status_code == 200
            taken.append((time.perf_counter() - began) * 1000)
        told(what, taken[1:])


async def _plain(connection: Any, spaces: list[UUID], word: str) -> None:
    await connection.fetch(PLAIN, spaces, word, timeout=600)


def compare(archive: Archive, spaces: list[UUID]) -> None:
    """Ask some of it by ILIKE."""
    for what in ("common words", "rare words", "what is nowhere"):
        taken = []
        for _ in range(5):
            word = kinds(archive)[what]().strip()
            began = time.perf_counter()
            archive.run(partial(_plain, spaces=spaces, word=word))
            taken.append((time.perf_counter() - began) * 1000)
        told(f"ILIKE: {what}", taken)


async def store(archive: Archive) -> None:
    """Store lines as the audio path does, ten at once, with the trigger and without."""
    db = Database(archive.url)
    await db.connect()
    row = await db.returning(
        "SELECT session_id, identity FROM participants WHERE joined_at IS NOT NULL LIMIT 1"
    )
    taken: dict[str, list[float]] = {"ENABLE": [], "DISABLE": []}
    number = itertools.count(A_SESSION + 1)
    for turn in range(60):
        for how, times in taken.items():
            await db.execute(f"ALTER TABLE utterances {how} TRIGGER search_said")
            for _ in range(5):
                rows = [one_of(archive, row, next(number)) for _ in range(10)]
                began = time.perf_counter()
                await transcripts.add(db, rows)
                if turn:
                    times.append((time.perf_counter() - began) * 1000)
    await db.execute("ALTER TABLE utterances ENABLE TRIGGER search_said")
    await db.disconnect()
    told("10 lines are stored", taken["ENABLE"])
    told("… without search", taken["DISABLE"])


def one_of(archive: Archive, row: Any, seq: int) -> dict[str, Any]:
    """Return a line to be stored."""
    return dict.fromkeys(transcripts.COLUMNS) | {
        "session_id": str(row["session_id"]),
        "stream": uuid4().hex,
        "utterance": "1",
        "seq": seq,
        "identity": row["identity"],
        "text": " ".join(archive.some("en", 15)),
        "start": seq * 4.5,
        "end": seq * 4.5 + 4,
        "language": "en",
        "client": "",
        "until": 0,
        "epoch": 0,
    }


def main() -> None:
    """Fill a database, and ask."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        # One PostgreSQL for both: whoever uses a folder joins the one that runs there.
        postgres = EmbeddedPostgres(Path(folder))
        url = postgres.start()
        limits = {"SPEECH_ENGINE": "off", "RATE_LIMIT_FACTOR": "1000"}
        server = AppServer(Path(folder), limits).start()
        try:
            archive = Archive(url, lines)
            one, all_ = (Visitor(server.url).sign_in(name) for name in ("One", "All"))
            one.start_session()
            archive.run(archive.fill)
            pid = int((Path(folder) / "postgres/postmaster.pid").read_text().split()[0])
            processes = [psutil.Process(one) for one in (server.pid, pid)]
            spaces = archive.run(lambda c: c.fetch("SELECT id FROM spaces ORDER BY name"))
            join = (
                "INSERT INTO members (space_id, user_id, role) SELECT id, (SELECT id FROM users"
                " WHERE name = 'All'), 'MEMBER' FROM spaces ON CONFLICT DO NOTHING"
            )
            archive.run(lambda connection: connection.execute(join))
            own = archive.run(
                lambda c: c.fetch(
                    "SELECT m.space_id FROM members m JOIN users u ON u.id = m.user_id"
                    " WHERE u.name = 'One'"
                )
            )
            for visitor, who, ids in ((one, "one", own), (all_, "all", spaces)):
                load = os.getloadavg()[0]
                print(f"somebody who is in {who} of {len(spaces)} spaces (load {load:.1f})")
                ask(archive, visitor, processes)
                compare(archive, [row[0] for row in ids])
            asyncio.run(store(archive))
        finally:
            server.stop()
            postgres.stop()


if __name__ == "__main__":
    main()
