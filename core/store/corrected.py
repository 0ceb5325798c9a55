"""Corrected lines, read: as they stand, as a room shows them, and how they came to be so.

What changes them is in core/store/corrections.py; how a transcript is read, in core/store/lines.py.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from uuid import UUID

from core.corrections import (
    MAX_RESTORED,
    CorrectedUtterance,
    Corrections,
    Heard,
    History,
    Shown,
    Step,
    UnknownLineError,
    Version,
)
from core.database import Database, Row
from core.lines import SPEECH as RANK
from core.lines import LineId, Speaker

MAX_STEPS = 200  # of one history, the newest


async def versions(db: Database, session_id: str, seqs: Collection[int]) -> list[Version]:
    """Return the lines that these utterances are now, those that were joined or hidden, too."""
    rows = await db.fetch_all(
        """
        SELECT u.seq, coalesce(c.part, 0) AS part, coalesce(c.text, u.text) AS text,
            coalesce(c.start_s, u.start_s) AS start_s, coalesce(c.end_s, u.end_s) AS end_s,
            coalesce(c.speaker, u.identity) AS speaker, coalesce(c.hidden, false) AS hidden,
            coalesce(c.revision, 0) AS revision, c.joined_seq, c.joined_part, u.lost_s,
            coalesce(k.name, p.name) AS name, coalesce(p.hue, k.hue, 0) AS hue, p.role
        FROM utterances u LEFT JOIN corrected_lines c USING (session_id, seq)
        LEFT JOIN participants p
            ON p.identity = coalesce(c.speaker, u.identity) AND p.session_id = u.session_id
        LEFT JOIN speakers k
            ON k.session_id = u.session_id AND k.speaker = coalesce(c.speaker, u.identity)
        WHERE u.session_id = :session AND u.seq = ANY(CAST(:seqs AS int[]))
        ORDER BY u.seq, part
        """,
        session=UUID(session_id),
        seqs=list(seqs),
    )
    return [
        Version(
            line=LineId(RANK, row["seq"], row["part"]),
            text=row["text"],
            start=row["start_s"],
            end=row["end_s"],
            speaker=speaker_of(row),
            hidden=row["hidden"],
            revision=row["revision"],
            joined=(
                None
                if row["joined_seq"] is None
                else LineId(RANK, row["joined_seq"], row["joined_part"])
            ),
            lost=row["lost_s"],
        )
        for row in rows
    ]


def speaker_of(row: Row) -> Speaker:
    """Return who says a line, of a row that has speaker, name, hue and role."""
    return Speaker(row["speaker"], row["name"], row["hue"], row["role"])


async def made_with(db: Database, session_id: str, line: LineId) -> set[int]:
    """Return the numbers of all utterances whose parts are joined to this one's, or it to theirs.

    It is one itself. At most MAX_RESTORED and one more.
    """
    rows = await db.fetch_all(
        """
        WITH RECURSIVE joined AS (
            SELECT seq, joined_seq FROM corrected_lines
            WHERE session_id = :session AND joined_seq IS NOT NULL AND joined_seq <> seq
        ), whole (seq) AS (
            SELECT CAST(:seq AS int)
            UNION SELECT CASE WHEN j.seq = w.seq THEN j.joined_seq ELSE j.seq END
            FROM whole w JOIN joined j ON w.seq IN (j.seq, j.joined_seq)
        )
        SELECT seq FROM whole LIMIT :most
        """,
        session=UUID(session_id),
        seq=line.number,
        most=MAX_RESTORED + 1,
    )
    return {row["seq"] for row in rows}


async def heard(db: Database, session_id: str, seqs: Collection[int]) -> list[Heard]:
    """Return these utterances as they were heard, in the order of their times."""
    rows = await db.fetch_all(
        """
        SELECT u.seq, u.text, u.start_s, u.end_s, u.language, u.identity AS speaker,
            p.name, p.hue, p.role
        FROM utterances u JOIN participants p USING (identity)
        WHERE u.session_id = :session AND u.seq = ANY(CAST(:seqs AS int[]))
        ORDER BY u.start_s, u.seq
        """,
        session=UUID(session_id),
        seqs=list(seqs),
    )
    return [
        Heard(
            row["seq"], row["text"], row["start_s"], row["end_s"], speaker_of(row), row["language"]
        )
        for row in rows
    ]


async def history(db: Database, session_id: str, line: LineId) -> History:
    """Return how a line came to be as it is. Raises UnknownLineError."""
    seqs = await made_with(db, session_id, line)
    now = await versions(db, session_id, seqs)
    found = next((one for one in now if one.line == line), None)
    if found is None:
        raise UnknownLineError
    rows = await db.fetch_all(
        """
        SELECT id, at, name, kind, seq, part, before, after FROM corrections
        WHERE session_id = :session AND seq = ANY(CAST(:seqs AS int[]))
        ORDER BY id DESC LIMIT :most
        """,
        session=UUID(session_id),
        seqs=list(seqs),
        most=MAX_STEPS,
    )
    steps = [
        Step(
            id=row["id"],
            at=row["at"],
            by=row["name"],
            kind=row["kind"],
            line=LineId(RANK, row["seq"], row["part"]),
            before=json.loads(row["before"]),
            after=json.loads(row["after"]),
        )
        for row in reversed(rows)
    ]
    seen = max(one.revision for one in now)
    return History(found, await heard(db, session_id, seqs), steps, seen)


# What rooms show. An utterance without corrected lines was restored: it is shown as it was heard.
_NEWS = """
    WITH known AS (
        SELECT * FROM unnest(CAST(:sessions AS uuid[]), CAST(:numbers AS bigint[]))
            AS known (session_id, number)
    ), latest AS (
        SELECT k.session_id, c.seq, max(c.id) AS number
        FROM known k JOIN corrections c ON c.session_id = k.session_id AND c.id > k.number
        GROUP BY k.session_id, c.seq
    )
    SELECT l.session_id, l.number, l.seq, u.stream, u.utterance, coalesce(c.part, 0) AS part,
        c.hidden OR c.joined_seq IS NOT NULL AS gone, coalesce(c.text, u.text) AS text,
        u.text AS heard,
        coalesce(c.start_s, u.start_s) AS start_s, coalesce(c.end_s, u.end_s) AS end_s,
        coalesce(c.speaker, u.identity) AS speaker, coalesce(p.name, k.name) AS name,
        coalesce(p.hue, k.hue, 0) AS hue
    FROM latest l
    LEFT JOIN utterances u ON u.session_id = l.session_id AND u.seq = l.seq
    LEFT JOIN corrected_lines c ON c.session_id = l.session_id AND c.seq = l.seq
    LEFT JOIN participants p
        ON p.identity = coalesce(c.speaker, u.identity) AND p.session_id = l.session_id
    LEFT JOIN speakers k
        ON k.session_id = l.session_id AND k.speaker = coalesce(c.speaker, u.identity)
    ORDER BY l.number, part
"""


async def news(db: Database, known: Mapping[str, int]) -> dict[str, Corrections]:
    """Return what was corrected in these sessions since the correction of this number in each.

    Sessions without any are left out.
    """
    rows = await db.fetch_all(
        _NEWS, sessions=[UUID(one) for one in known], numbers=list(known.values())
    )
    of: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of[str(row["session_id"])].append(row)
    renamed = {str(row["session_id"]) for row in rows if row["seq"] is None}
    names = await _names(db, renamed) if renamed else {}
    return {
        session_id: Corrections(
            number=max(row["number"] for row in some),
            utterances=_utterances([row for row in some if row["utterance"] is not None]),
            names=names.get(session_id, {}) if session_id in renamed else None,
        )
        for session_id, some in of.items()
    }


def _utterances(rows: list[Row]) -> tuple[CorrectedUtterance, ...]:
    of: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        of[row["seq"]].append(row)
    return tuple(
        CorrectedUtterance(
            seq=seq,
            key=f"{parts[0]['stream']}-{parts[0]['utterance']}",
            number=parts[0]["number"],
            parts=tuple(
                Shown(
                    row["part"],
                    row["text"],
                    row["start_s"],
                    row["end_s"],
                    row["speaker"],
                    row["name"],
                    row["hue"],
                )
                for row in parts
                if not row["gone"]
            ),
            as_heard=[(row["gone"] or False, row["text"]) for row in parts]
            == [(False, parts[0]["heard"])],
        )
        for seq, parts in of.items()
    )


async def _names(db: Database, sessions: Collection[str]) -> dict[str, dict[str, str | None]]:
    rows = await db.fetch_all(
        """
        SELECT session_id, speaker, name FROM speakers
        WHERE session_id = ANY(CAST(:sessions AS uuid[]))
        """,
        sessions=[UUID(one) for one in sessions],
    )
    names: defaultdict[str, dict[str, str | None]] = defaultdict(dict)
    for row in rows:
        names[str(row["session_id"])][row["speaker"]] = row["name"]
    return names
