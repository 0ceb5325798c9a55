"""Transcripts: the final utterances of a session, in order."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from core.database import Database
from core.model import Utterance

PAGE = 2_000  # utterances read at once: they take some milliseconds of the loop
SEQ_TAKEN = "utterances_session_id_seq_key"  # PostgreSQL's name for UNIQUE (session_id, seq)
COLUMNS = (
    "session_id",
    "stream",
    "utterance",
    "seq",
    "identity",
    "text",
    "start",
    "end",
    "language",
    "client",
    "until",
    "lost",
    "epoch",
)


class SeqTakenError(Exception):
    """Another utterance of the session has this place already."""


async def add(db: Database, rows: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """Store final utterances, all or none; those already stored stay as they are.

    Rows are dictionaries with the keys of COLUMNS. Returns session, stream and utterance of those
    that were not stored because another node has claimed their room since: its epoch is higher.
    Raises SeqTakenError: that isn't a repetition, which has the same stream and utterance.
    """
    columns = {column: [row[column] for row in rows] for column in COLUMNS}
    columns["session_id"] = [UUID(one) for one in columns["session_id"]]
    try:
        fenced = await db.fetch_all(
            # The share lock makes a claim wait for what its forerunner writes in this moment, and
            # what is written wait for a claim: the next owner reads all that was stored before.
            """
            WITH batch AS (
                SELECT * FROM unnest(
                    CAST(:session_id AS uuid[]), CAST(:stream AS text[]),
                    CAST(:utterance AS text[]), CAST(:seq AS int[]), CAST(:identity AS text[]),
                    CAST(:text AS text[]), CAST(:start AS float8[]), CAST(:end AS float8[]),
                    CAST(:language AS text[]), CAST(:client AS text[]), CAST(:until AS bigint[]),
                    CAST(:lost AS float8[]), CAST(:epoch AS bigint[])
                ) AS batch (session_id, stream, utterance, seq, identity, text, start_s, end_s,
                    language, client, until, lost_s, epoch)
            ), owners AS (
                SELECT session_id, epoch FROM rooms
                WHERE session_id IN (SELECT session_id FROM batch)
                ORDER BY session_id FOR SHARE
            ), fenced AS (
                SELECT b.session_id, b.stream, b.utterance FROM batch b
                JOIN owners o USING (session_id) WHERE o.epoch > b.epoch
            ), added AS (
                INSERT INTO utterances (session_id, stream, utterance, seq, identity, text,
                    start_s, end_s, language, client, until, lost_s)
                SELECT session_id, stream, utterance, seq, identity, text,
                    start_s, end_s, language, client, until, lost_s FROM batch
                WHERE (session_id, stream, utterance) NOT IN (SELECT * FROM fenced)
                ON CONFLICT (session_id, stream, utterance) DO NOTHING
            )
            SELECT * FROM fenced
            """,
            **columns,
        )
    except asyncpg.UniqueViolationError as problem:
        if problem.constraint_name == SEQ_TAKEN:
            raise SeqTakenError from problem
        raise
    return {(str(row["session_id"]), row["stream"], row["utterance"]) for row in fenced}


async def of_session(db: Database, session_id: str, *, limit: int) -> list[Utterance]:
    """Return a session's utterances by seq.

    A day's are read a page at a time, so that others' messages come in between. Rows that are
    stored meanwhile under lower numbers may be missing: whoever needs them asks what waits before.
    """
    said: list[Utterance] = []
    while len(said) < limit:
        most = min(PAGE, limit - len(said))
        page = await _page(db, session_id, said[-1].seq if said else 0, most)
        said += page
        if len(page) < most:
            break
    return said


async def _page(db: Database, session_id: str, after: int, most: int) -> list[Utterance]:
    rows = await db.fetch_all(
        """
        SELECT u.*, p.name, p.hue, p.role FROM utterances u JOIN participants p USING (identity)
        WHERE u.session_id = :session AND u.seq > :after ORDER BY u.seq LIMIT :most
        """,
        session=UUID(session_id),
        after=after,
        most=most,
    )
    return [
        Utterance(
            session_id=session_id,
            stream=row["stream"],
            utterance=row["utterance"],
            seq=row["seq"],
            identity=row["identity"],
            name=row["name"],
            hue=row["hue"],
            role=row["role"],
            text=row["text"],
            start=row["start_s"],
            end=row["end_s"],
            language=row["language"],
            client=row["client"],
            until=row["until"],
            lost=row["lost_s"],
        )
        for row in rows
    ]
