"""Search: lines, as said or translated, chat and titles of some spaces, by their words.

There are two ways to find them. The index answers for all lines there are; each line that it finds
is then read, wherever in the table it lies, also where a phrase is none in the end. To read session
by session takes a µs for each line, found or not, most of which lie side by side, and it can begin
with the newest and end anywhere. So rare words are looked up, and common ones are read, a window of
sessions at a time. Which they are PostgreSQL knows (`estimate`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from core.database import Database, Row
from core.search.marking import Known
from core.search.query import ENDINGS, Term, Words

Kind = Literal["TITLE", "LINE", "CHAT"]
Order = Literal["best", "newest"]

WINDOW_SESSIONS = 400  # of one window, however short they are
COUNTED = 1_000  # hits: of more it is only said that there are


class Place(NamedTuple):
    """A hit's place in its order: the best or the newest first, then what tells equals apart."""

    rank: float
    at: datetime
    session: str
    kind: str
    seq: int
    part: int


class Estimate(NamedTuple):
    """About how many lines have the words, of how many of those in somebody's spaces."""

    all: int
    own: int
    lines: int


class Turn(NamedTuple):
    """A session's place among the others, the newest first: when it began, and its id."""

    at: datetime
    session: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for, in which spaces, and what is left out of it.

    `query` finds lines by the index, `stems` and `plain` rank them. `speaker` is in the name of who
    says it; `since` and `before` are its times. `user` is who asks: sessions that they were removed
    from aren't theirs to read.
    """

    user: str
    spaces: tuple[str, ...]
    query: str
    stems: str | None
    plain: str | None
    order: Order = "best"
    speaker: str = ""
    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One line that was found, as it is read now, in the language of a translation or as said."""

    place: Place
    slug: str
    title: str
    space: str
    status: str
    began: datetime
    text: str
    start: float | None  # seconds of the session
    speaker: str | None
    name: str | None
    hue: int
    stemmed: bool
    language: str | None  # of the translation that was found

    @property
    def kind(self) -> str:
        """TITLE, LINE or CHAT."""
        return self.place.kind


@dataclass(frozen=True, slots=True)
class Hits:
    """A page of hits, whether there are more, and how many there are in all, COUNTED + 1 at most.

    `end` is the last session of a window that was read; None: there is nothing behind it.
    """

    hits: list[Hit]
    more: bool
    many: int
    end: Turn | None = None


async def words_of(db: Database, terms: Sequence[Term]) -> list[Words]:
    """Return what PostgreSQL makes of these terms, in their order."""
    rows = await db.fetch_all(
        """
        SELECT w.words,
            (SELECT json_agg(json_build_array(lexeme, at) ORDER BY at)
                FROM unnest(to_tsvector('pg_catalog.russian', said)), unnest(positions) at
            ) AS stems,
            (SELECT json_agg(json_build_array(lexeme, at) ORDER BY at)
                FROM unnest(to_tsvector('pg_catalog.simple', said)), unnest(positions) at
            ) AS plain,
            (SELECT array_agg(DISTINCT lexeme) FROM unnest(CAST(:endings AS text[])) e,
                generate_series(0, greatest(0, length(e) - 1)) k,
                unnest(to_tsvector('pg_catalog.russian', last || substr(e, k + 1)))
                WHERE t.prefix AND right(last, k) = left(e, k)) AS endings
        FROM unnest(CAST(:texts AS text[]), CAST(:prefixes AS boolean[]))
            WITH ORDINALITY AS t (text, prefix, n),
        LATERAL (SELECT search_words(t.text) AS said OFFSET 0) cleaned,
        LATERAL (SELECT regexp_split_to_array(nullif(btrim(said), ''), ' +') AS words) w,
        LATERAL (SELECT words[cardinality(words)] AS last) l
        ORDER BY n
        """,
        texts=[one.text for one in terms],
        prefixes=[one.prefix for one in terms],
        endings=["", *ENDINGS],
    )
    return [
        Words(
            tuple(row["words"] or ()),
            tuple((one, at) for one, at in json.loads(row["stems"] or "[]")),
            tuple((one, at) for one, at in json.loads(row["plain"] or "[]")),
            tuple(row["endings"] or ()),
        )
        for row in rows
    ]


async def estimate(db: Database, loose: str, spaces: Sequence[str]) -> Estimate:
    """Return how many lines the index may find, from what PostgreSQL knows of its words.

    It counts words of some of the lines from time to time by itself, and is asked for its plan.
    """
    rows = await db.fetch_within(
        1.0,
        """
        EXPLAIN (FORMAT JSON)
        SELECT FROM search_lines WHERE words @@ CAST(:loose AS tsquery)
        UNION ALL SELECT FROM search_lines
            WHERE words @@ :loose AND space_id = ANY(CAST(:spaces AS uuid[]))
        UNION ALL SELECT FROM search_lines WHERE space_id = ANY(:spaces)
        """,
        loose=loose,
        spaces=[UUID(one) for one in spaces],
    )
    plans = json.loads(rows[0]["QUERY PLAN"])[0]["Plan"]["Plans"]
    return Estimate(*(one["Plan Rows"] for one in plans))


# Whoever has this in their name, in the sessions of these spaces.
_WHO = """
    SELECT p.session_id, p.identity AS speaker FROM participants p
    JOIN sessions s ON s.id = p.session_id
    LEFT JOIN speakers k ON k.session_id = p.session_id AND k.speaker = p.identity
    WHERE CAST(:speaker AS text) <> '' AND s.space_id = ANY(CAST(:spaces AS uuid[]))
    AND position(search_folded(:speaker) IN search_folded(coalesce(k.name, p.name))) > 0
    UNION SELECT k.session_id, k.speaker FROM speakers k JOIN sessions s ON s.id = k.session_id
    WHERE :speaker <> '' AND s.space_id = ANY(:spaces)
    AND position(search_folded(:speaker) IN search_folded(k.name)) > 0
"""
# As core/access/door.py has it: what a host took somebody out of isn't theirs to read.
REFUSED = """
    SELECT session_id FROM participants WHERE user_id = CAST(:user AS uuid)
    AND (state = 'REMOVED' OR state = 'DENIED' AND joined_at IS NOT NULL)
"""
# A line that is found as it was said and by a translation as well is one hit: as it was said.
_FOUND = """
    SELECT DISTINCT ON (l.session_id, l.kind, l.seq, l.part)
        l.session_id, l.kind, l.seq, l.part, l.at, l.speaker, l.stemmed, l.language,
        CASE WHEN CAST(:newest AS boolean) THEN 0 ELSE coalesce(ts_rank_cd(l.words, CASE
            WHEN l.stemmed THEN CAST(:stems AS tsquery) ELSE CAST(:plain AS tsquery) END), 0)
        END AS rank
    FROM {lines} l
    WHERE l.words @@ CAST(:query AS tsquery) AND l.space_id = ANY(:spaces)
    AND (CAST(:since AS timestamptz) IS NULL OR l.at >= :since)
    AND (CAST(:before AS timestamptz) IS NULL OR l.at < :before)
    AND (:speaker = '' OR (l.session_id, l.speaker) IN (SELECT session_id, speaker FROM who))
    AND l.session_id NOT IN (SELECT session_id FROM refused)
    ORDER BY l.session_id, l.kind, l.seq, l.part, l.language <> '', rank DESC, l.language
"""
_PAGE = """
    WITH who AS MATERIALIZED ({who}), refused AS MATERIALIZED ({refused}),
    found AS MATERIALIZED ({found}), page AS (
        SELECT * FROM found
        WHERE CAST(:rank AS real) IS NULL OR rank < :rank OR rank = :rank AND (
            at < CAST(:at AS timestamptz) OR at = :at AND (session_id, kind, seq, part)
                > (CAST(:session AS uuid), CAST(:kind AS text), CAST(:seq AS int),
                    CAST(:part AS int)))
        ORDER BY rank DESC, at DESC, session_id, kind, seq, part LIMIT CAST(:most AS int) + 1
    )
    SELECT p.*, s.slug, s.title, s.space_id, s.status,
        coalesce(s.started_at, s.created_at) AS began,
        CASE p.kind WHEN 'TITLE' THEN s.title WHEN 'CHAT' THEN m.text
            ELSE coalesce(t.text, c.text, u.text) END AS text,
        CASE p.kind WHEN 'LINE' THEN coalesce(c.start_s, u.start_s) WHEN 'CHAT' THEN
            greatest(0, extract(epoch FROM p.at - coalesce(s.started_at, s.created_at))) END
            AS start_s,
        coalesce(k.name, n.name) AS name, coalesce(n.hue, k.hue, 0) AS hue,
        (SELECT least(count(*), CAST(:counted AS int) + 1) FROM found) AS many
    FROM page p JOIN sessions s ON s.id = p.session_id
    LEFT JOIN utterances u ON p.kind = 'LINE' AND (u.session_id, u.seq) = (p.session_id, p.seq)
    LEFT JOIN corrected_lines c ON p.kind = 'LINE'
        AND (c.session_id, c.seq, c.part) = (p.session_id, p.seq, p.part)
    LEFT JOIN translations t ON p.language <> ''
        AND (t.session_id, t.stream, t.utterance, t.language)
            = (u.session_id, u.stream, u.utterance, p.language)
    LEFT JOIN chat_messages m ON p.kind = 'CHAT' AND (m.session_id, m.id) = (p.session_id, p.seq)
    LEFT JOIN participants n ON n.identity = p.speaker
    LEFT JOIN speakers k ON (k.session_id, k.speaker) = (p.session_id, p.speaker)
    ORDER BY p.rank DESC, p.at DESC, p.session_id, p.kind, p.seq, p.part
"""
_BY_INDEX = _PAGE.format(who=_WHO, refused=REFUSED, found=_FOUND.format(lines="search_lines"))
# OFFSET: read session by session, whatever the planner makes of the words.
_LINE_BY_LINE = _PAGE.format(
    who=_WHO,
    refused=REFUSED,
    found=_FOUND.format(
        lines="""
        unnest(CAST(:sessions AS uuid[])) w,
        LATERAL (SELECT * FROM search_lines WHERE session_id = w OFFSET 0)
        """
    ),
)


async def page(
    db: Database,
    within_s: float,
    wanted: Wanted,
    most: int,
    *,
    behind: Place | None = None,
    window: Sequence[str] | None = None,
) -> tuple[list[Hit], int]:
    """Return hits behind a place, up to `most` + 1 of them, and how many there are in all.

    In the sessions of a window, which are read line by line; else in all, by the index. Of more
    than COUNTED hits it is COUNTED + 1. Raises SlowStatementError after `within_s`.
    """
    rows = await db.fetch_within(
        within_s,
        _BY_INDEX if window is None else _LINE_BY_LINE,
        **_values(wanted),
        **({} if window is None else {"sessions": [UUID(one) for one in window]}),
        newest=wanted.order == "newest",
        stems=wanted.stems,
        plain=wanted.plain,
        query=wanted.query,
        rank=behind.rank if behind else None,
        at=behind.at if behind else None,
        session=UUID(behind.session) if behind else None,
        kind=behind.kind if behind else None,
        seq=behind.seq if behind else None,
        part=behind.part if behind else None,
        most=most,
        counted=COUNTED,
    )
    return [_hit(row) for row in rows], rows[0]["many"] if rows else 0


async def window(
    db: Database,
    wanted: Wanted,
    lines: int,
    behind: Turn | None = None,
    until: Turn | None = None,
) -> tuple[list[str], Turn | None]:
    """Return the sessions behind a turn that have about so many lines, and the last of them.

    None where nothing is behind it. `until`: those to that one, which were a window before.
    """
    rows = await db.fetch_all(
        _WINDOW,
        **_values(wanted),
        most=WINDOW_SESSIONS,
        at=behind.at if behind else None,
        session=UUID(behind.session) if behind else None,
        to_at=until.at if until else None,
        to_session=UUID(until.session) if until else None,
    )
    found = [row for row in rows if row["before"] < lines or until is not None]
    found = found[: None if until else WINDOW_SESSIONS]
    whole = len(found) == len(rows)
    last = None if whole or not found else Turn(found[-1]["turn"], str(found[-1]["id"]))
    return [str(row["id"]) for row in found], last


_WINDOW = f"""
    WITH who AS MATERIALIZED ({_WHO}), refused AS MATERIALIZED ({REFUSED}), mine AS (
        SELECT s.id, coalesce(s.started_at, s.created_at) AS turn,
            1 + coalesce(cardinality(coalesce(s.targets, o.targets)), 0) AS languages
        FROM sessions s JOIN spaces o ON o.id = s.space_id
        WHERE s.space_id = ANY(:spaces) AND s.status <> 'EXPIRED'
        AND (CAST(:at AS timestamptz) IS NULL OR coalesce(s.started_at, s.created_at) < :at
            OR coalesce(s.started_at, s.created_at) = :at AND s.id > CAST(:session AS uuid))
        AND (CAST(:to_at AS timestamptz) IS NULL OR coalesce(s.started_at, s.created_at) > :to_at
            OR coalesce(s.started_at, s.created_at) = :to_at
                AND s.id <= CAST(:to_session AS uuid))
        AND (CAST(:before AS timestamptz) IS NULL OR coalesce(s.started_at, s.created_at) < :before)
        AND (CAST(:since AS timestamptz) IS NULL OR coalesce(s.ended_at, now()) >= :since)
        AND (:speaker = '' OR s.id IN (SELECT session_id FROM who))
        AND s.id NOT IN (SELECT session_id FROM refused)
        ORDER BY turn DESC, s.id LIMIT CAST(:most AS int) + 1
    )
    SELECT id, turn, sum(size) OVER (ORDER BY turn DESC, id) - size AS before FROM mine,
    LATERAL (
        SELECT languages * (coalesce(max(seq), 0) + 1) AS size
        FROM utterances WHERE session_id = mine.id
    ) sized
    ORDER BY turn DESC, id
"""  # noqa: S608 - constants


def _values(wanted: Wanted) -> dict[str, Any]:
    return {
        "user": UUID(wanted.user),
        "spaces": [UUID(one) for one in wanted.spaces],
        "speaker": wanted.speaker,
        "since": wanted.since,
        "before": wanted.before,
    }


def _hit(row: Row) -> Hit:
    return Hit(
        Place(row["rank"], row["at"], str(row["session_id"]), row["kind"], row["seq"], row["part"]),
        row["slug"],
        row["title"],
        str(row["space_id"]),
        row["status"],
        row["began"],
        row["text"],
        None if row["start_s"] is None else float(row["start_s"]),
        row["speaker"],
        row["name"],
        row["hue"],
        row["stemmed"],
        row["language"] or None,
    )


async def known(db: Database, words: Sequence[str]) -> dict[str, Known]:
    """Return what PostgreSQL makes of each of these words of texts."""
    if not words:
        return {}
    rows = await db.fetch_all(
        """
        SELECT word, btrim(said) AS said,
            tsvector_to_array(to_tsvector('pg_catalog.russian', said)) AS stems,
            tsvector_to_array(to_tsvector('pg_catalog.simple', said)) AS plain
        FROM unnest(CAST(:words AS text[])) word,
        LATERAL (SELECT search_words(word) AS said OFFSET 0) cleaned
        """,
        words=list(words),
    )
    return {
        row["word"]: Known(row["said"], frozenset(row["stems"]), frozenset(row["plain"]))
        for row in rows
    }
