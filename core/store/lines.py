"""Lines of a transcript: stored utterances as corrections have left them, and chat, in their order.

Read a window at a time: a day's talk is 20,000 lines, and nobody looks at more than some of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from core.database import Database, Row
from core.lines import CHAT, SPEECH, Key, Kind, Line, LineId, Speaker

# An utterance without corrections, or what is read instead of it; `place` is where a window begins
# and `most` its end, in each of the three: so that none is read further than the window may go.
# NOT IN, which PostgreSQL hashes whatever it thinks of the tables: of a NOT EXISTS it made loops in
# a loop while it had no statistics of them, which took a second for a day's talk.
_WINDOW = """
    SELECT l.*, coalesce(k.name, p.name) AS name, coalesce(p.hue, k.hue, 0) AS hue, p.role
    FROM (
        (
            SELECT {speech} AS rank, u.seq AS number, 0 AS part, u.start_s, u.end_s, u.text,
                u.identity AS speaker, u.identity, u.language, u.lost_s, false AS hidden,
                0 AS revision, u.stream, u.utterance
            FROM utterances u WHERE u.session_id = :session
            AND u.start_s {past_or_at} :start AND (u.start_s, {speech}, u.seq, 0) {past} {place}
            AND (CAST(:speaker AS text) IS NULL OR u.identity = :speaker)
            AND u.seq NOT IN (SELECT seq FROM corrected_lines WHERE session_id = :session)
            ORDER BY u.start_s {order}, u.seq {order} LIMIT :most
        ) UNION ALL (
            SELECT {speech}, c.seq, c.part, c.start_s, c.end_s, c.text, c.speaker, u.identity,
                u.language, u.lost_s, c.hidden, c.revision, u.stream, u.utterance
            FROM corrected_lines c JOIN utterances u USING (session_id, seq)
            WHERE c.session_id = :session AND c.joined_seq IS NULL
            AND c.start_s {past_or_at} :start
            AND (c.start_s, {speech}, c.seq, c.part) {past} {place}
            AND (CAST(:speaker AS text) IS NULL OR c.speaker = :speaker)
            AND (CAST(:hidden AS boolean) OR NOT c.hidden)
            ORDER BY c.start_s {order}, c.seq {order}, c.part {order} LIMIT :most
        ) UNION ALL (
            SELECT {chat}, m.id, 0, m.start_s, NULL, m.text, m.identity, m.identity, NULL, NULL,
                false, 0, NULL, NULL
            FROM (
                SELECT id, identity, text, CAST(greatest(
                    0, extract(epoch FROM sent_at - CAST(:zero AS timestamptz))
                ) AS float8) AS start_s
                FROM chat_messages WHERE session_id = :session AND CAST(:written AS boolean)
            ) m
            WHERE (m.start_s, {chat}, m.id, 0) {past} {place}
            AND (CAST(:speaker AS text) IS NULL OR m.identity = :speaker)
            ORDER BY m.start_s {order}, m.id {order} LIMIT :most
        )
    ) l
    LEFT JOIN participants p ON p.identity = l.speaker AND p.session_id = :session
    LEFT JOIN speakers k ON k.session_id = :session AND k.speaker = l.speaker
    ORDER BY l.start_s {order}, l.rank {order}, l.number {order}, l.part {order} LIMIT :most
"""
_PLACE = "(CAST(:start AS float8), CAST(:rank AS int), CAST(:number AS int), CAST(:part AS int))"
_RANKS = {"speech": SPEECH, "chat": CHAT, "place": _PLACE}
_SQL: dict[Literal["after", "before"], str] = {
    "after": _WINDOW.format(past=">", past_or_at=">=", order="ASC", **_RANKS),
    "before": _WINDOW.format(past="<", past_or_at="<=", order="DESC", **_RANKS),
}

Place = tuple[str, str]  # stream and utterance


@dataclass(frozen=True, slots=True)
class Found:
    """Lines of a window in the order of their times, and which utterances they were made of."""

    lines: list[Line]
    places: set[Place]


async def window(
    db: Database,
    session_id: str,
    zero: datetime,
    side: Literal["after", "before"],
    key: Key,
    *,
    most: int,
    speaker: str | None = None,
    hidden: bool = False,
    written: bool = True,
) -> Found:
    """Return the lines nearest to a place, on this side of it, `most` of them at the most.

    `zero` is when the session's second 0 was. `speaker` leaves out all others' lines; hidden ones
    are among them on request only, what was `written` in the chat unless it is left out.
    """
    rows = await db.fetch_all(
        _SQL[side],
        session=UUID(session_id),
        zero=zero,
        start=key.start,
        rank=key.rank,
        number=key.number,
        part=key.part,
        most=most,
        speaker=speaker,
        hidden=hidden,
        written=written,
    )
    found = rows if side == "after" else rows[::-1]
    places = {(row["stream"], row["utterance"]) for row in found if row["stream"] is not None}
    return Found([_line(row) for row in found], places)


def _line(row: Row) -> Line:
    kind: Kind = "speech"
    if row["rank"] == CHAT:
        kind = "chat"
    elif row["lost_s"] is not None:
        kind = "gap"
    return Line(
        kind=kind,
        key=Key(row["start_s"], row["rank"], row["number"], row["part"]),
        start=row["start_s"],
        end=row["end_s"],
        text=row["text"],
        speaker=Speaker(row["speaker"], row["name"], row["hue"], row["role"]),
        identity=row["identity"],
        language=row["language"],
        lost=row["lost_s"],
        hidden=row["hidden"],
        revision=row["revision"],
    )


async def key_of(db: Database, session_id: str, zero: datetime, line: LineId) -> Key | None:
    """Return the place of a stored line; None where there is no such line.

    Of one that was joined to another, the place of that one.
    """
    row = await db.fetch_one(
        """
        SELECT greatest(0, extract(epoch FROM sent_at - CAST(:zero AS timestamptz))) AS start_s,
            id AS number, 0 AS part
        FROM chat_messages
        WHERE CAST(:rank AS int) = CAST(:chat AS int) AND session_id = :session AND id = :number
        UNION ALL
        SELECT coalesce(j.start_s, c.start_s, u.start_s), coalesce(j.seq, c.seq, u.seq),
            coalesce(j.part, c.part, 0)
        FROM utterances u
        LEFT JOIN corrected_lines c
            ON (c.session_id, c.seq, c.part) = (u.session_id, u.seq, CAST(:part AS int))
        LEFT JOIN corrected_lines j
            ON (j.session_id, j.seq, j.part) = (c.session_id, c.joined_seq, c.joined_part)
        WHERE CAST(:rank AS int) <> CAST(:chat AS int)
        AND u.session_id = :session AND u.seq = :number
        """,
        session=UUID(session_id),
        zero=zero,
        rank=line.rank,
        chat=CHAT,
        number=line.number,
        part=line.part,
    )
    if row is None:
        return None
    return Key(float(row["start_s"]), line.rank, row["number"], row["part"])


async def known(db: Database, session_id: str, places: Collection[Place]) -> set[Place]:
    """Return which of these utterances are stored."""
    rows = await db.fetch_all(
        """
        SELECT u.stream, u.utterance FROM utterances u
        JOIN unnest(CAST(:streams AS text[]), CAST(:utterances AS text[])) AS w (stream, utterance)
            USING (stream, utterance)
        WHERE u.session_id = :session
        """,
        session=UUID(session_id),
        streams=[stream for stream, _ in places],
        utterances=[utterance for _, utterance in places],
    )
    return {(row["stream"], row["utterance"]) for row in rows}


async def speakers(db: Database, session_id: str) -> dict[str, Speaker]:
    """Return who isn't a participant by their own name, by their ids."""
    rows = await db.fetch_all(
        """
        SELECT k.speaker, coalesce(k.name, p.name) AS name, coalesce(p.hue, k.hue) AS hue, p.role
        FROM speakers k
        LEFT JOIN participants p ON p.identity = k.speaker AND p.session_id = k.session_id
        WHERE k.session_id = :session
        """,
        session=UUID(session_id),
    )
    return {
        row["speaker"]: Speaker(row["speaker"], row["name"], row["hue"], row["role"])
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class Talked:
    """How long somebody spoke. `when` has the seconds of each part of the session, first to last.

    Who spoke when another did counts as much as if they had been alone.
    """

    speaker: Speaker
    seconds: float
    lines: int
    when: tuple[float, ...]


async def talked(db: Database, session_id: str, parts: int) -> list[Talked]:
    """Return who spoke, in the order they began, with a session cut into so many equal parts."""
    rows = await db.fetch_all(
        """
        WITH length AS (
            SELECT greatest(1, max(end_s)) + 0.001 AS seconds FROM utterances
            WHERE session_id = :session
        ), said AS (
            SELECT u.identity AS speaker, u.start_s, u.end_s
            FROM utterances u WHERE u.session_id = :session AND u.lost_s IS NULL
            AND u.seq NOT IN (SELECT seq FROM corrected_lines WHERE session_id = :session)
            UNION ALL
            SELECT c.speaker, c.start_s, c.end_s FROM corrected_lines c
            WHERE c.session_id = :session AND c.joined_seq IS NULL AND NOT c.hidden
        )
        SELECT t.*, coalesce(k.name, p.name) AS name, coalesce(p.hue, k.hue, 0) AS hue, p.role
        FROM (
            SELECT speaker, CAST(floor(
                greatest(start_s, 0) / (SELECT seconds FROM length) * :parts
            ) AS int) AS part, sum(greatest(0, end_s - start_s)) AS seconds, count(*) AS lines,
                min(start_s) AS begin
            FROM said GROUP BY 1, 2
        ) t
        LEFT JOIN participants p ON p.identity = t.speaker AND p.session_id = :session
        LEFT JOIN speakers k ON k.session_id = :session AND k.speaker = t.speaker
        ORDER BY t.begin, t.speaker
        """,
        session=UUID(session_id),
        parts=float(parts),
    )
    spoke: dict[str, list[Row]] = {}
    for row in rows:
        spoke.setdefault(row["speaker"], []).append(row)
    return [_talked(own, parts) for own in spoke.values()]


def _talked(rows: list[Row], parts: int) -> Talked:
    when = [0.0] * parts
    for row in rows:
        when[min(row["part"], parts - 1)] += row["seconds"]
    first = rows[0]
    speaker = Speaker(first["speaker"], first["name"], first["hue"], first["role"])
    return Talked(speaker, sum(when), sum(row["lines"] for row in rows), tuple(when))
