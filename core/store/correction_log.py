"""The log of corrections, and what lines are since: written in one step, one after the other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

from core.corrections import (
    MAX_CORRECTIONS,
    By,
    Change,
    Kind,
    TooManyCorrectionsError,
    UnknownLineError,
)
from core.database import Database
from core.lines import SPEECH, LineId


@asynccontextmanager
async def alone(db: Database, session_id: str) -> AsyncIterator[None]:
    """Do what is in the block in one step, while nobody else corrects the session.

    What else is written of it isn't held up: neither what is said, nor who comes. Raises
    UnknownLineError or TooManyCorrectionsError.
    """
    async with db.transaction():
        row = await db.fetch_one(
            """
            SELECT (
                SELECT count(*) FROM corrections WHERE session_id = :session
            ) AS corrections
            FROM sessions WHERE id = :session FOR NO KEY UPDATE
            """,
            session=UUID(session_id),
        )
        if row is None:  # it was deleted in this moment
            raise UnknownLineError
        if row["corrections"] >= MAX_CORRECTIONS:
            raise TooManyCorrectionsError
        yield


async def write(db: Database, by: By, kind: Kind, changes: Sequence[Change]) -> list[Change]:
    """Note these corrections, and have the lines as they are after; return those with revisions."""
    if not changes:
        return []
    revisions = await note(db, by, kind, changes)
    done = [
        Change(one.before, replace(one.after, revision=revisions[one.after.line]))
        for one in changes
    ]
    await db.execute(
        """
        INSERT INTO corrected_lines (session_id, seq, part, revision, text, start_s, end_s,
            speaker, hidden, joined_seq, joined_part)
        SELECT :session, * FROM unnest(
            CAST(:seqs AS int[]), CAST(:parts AS int[]), CAST(:revisions AS bigint[]),
            CAST(:texts AS text[]), CAST(:starts AS float8[]), CAST(:ends AS float8[]),
            CAST(:speakers AS text[]), CAST(:hidden AS boolean[]), CAST(:joined_seqs AS int[]),
            CAST(:joined_parts AS int[])
        )
        ON CONFLICT (session_id, seq, part) DO UPDATE SET revision = excluded.revision,
            text = excluded.text, start_s = excluded.start_s, end_s = excluded.end_s,
            speaker = excluded.speaker, hidden = excluded.hidden,
            joined_seq = excluded.joined_seq, joined_part = excluded.joined_part
        """,
        session=UUID(by.session),
        seqs=[one.after.line.number for one in done],
        parts=[one.after.line.part for one in done],
        revisions=[one.after.revision for one in done],
        texts=[one.after.text for one in done],
        starts=[one.after.start for one in done],
        ends=[one.after.end for one in done],
        speakers=[one.after.speaker.id for one in done],
        hidden=[one.after.hidden for one in done],
        joined_seqs=[one.after.joined.number if one.after.joined else None for one in done],
        joined_parts=[one.after.joined.part if one.after.joined else None for one in done],
    )
    return done


async def note(db: Database, by: By, kind: Kind, changes: Sequence[Change]) -> dict[LineId, int]:
    """Write down who corrected what; return the number of each correction."""
    rows = await db.fetch_all(
        """
        INSERT INTO corrections (session_id, user_id, name, kind, seq, part, before, after)
        SELECT :session, :user, :name, :kind, seq, part, CAST(before AS jsonb),
            CAST(after AS jsonb)
        FROM unnest(
            CAST(:seqs AS int[]), CAST(:parts AS int[]), CAST(:before AS text[]),
            CAST(:after AS text[])
        ) AS c (seq, part, before, after)
        RETURNING id, seq, part
        """,
        session=UUID(by.session),
        user=UUID(by.user) if by.user else None,
        name=by.name,
        kind=kind,
        seqs=[one.after.line.number for one in changes],
        parts=[one.after.line.part for one in changes],
        before=[json.dumps(one.before.told() if one.before else {}) for one in changes],
        after=[json.dumps(one.after.told()) for one in changes],
    )
    return {LineId(SPEECH, row["seq"], row["part"]): row["id"] for row in rows}
