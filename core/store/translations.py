"""Translations: finals of a session in other languages, each stored once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from core.database import Database
from core.model import MAX_UTTERANCES, Translated
from core.spoken import MAX_TARGETS

MOST = MAX_UTTERANCES * MAX_TARGETS  # of one session


async def add(db: Database, rows: Sequence[Translated]) -> None:
    """Store translations, all or none; those already stored stay as they are."""
    await db.execute(
        """
        INSERT INTO translations (session_id, stream, utterance, language, identity, text)
        SELECT * FROM unnest(
            CAST(:session AS uuid[]), CAST(:stream AS text[]), CAST(:utterance AS text[]),
            CAST(:language AS text[]), CAST(:identity AS text[]), CAST(:text AS text[])
        ) ON CONFLICT DO NOTHING
        """,
        session=[UUID(one.session_id) for one in rows],
        stream=[one.stream for one in rows],
        utterance=[one.utterance for one in rows],
        language=[one.language for one in rows],
        identity=[one.identity for one in rows],
        text=[one.text for one in rows],
    )


async def of(db: Database, session_id: str, language: str | None = None) -> list[Translated]:
    """Return what is stored of a session's, in the order in which it came; of one language."""
    rows = await db.fetch_all(
        """
        SELECT * FROM translations WHERE session_id = :session
        AND (CAST(:language AS text) IS NULL OR language = :language) ORDER BY id LIMIT :most
        """,
        session=UUID(session_id),
        language=language,
        most=MOST,
    )
    return [
        Translated(
            session_id,
            row["stream"],
            row["utterance"],
            row["identity"],
            row["language"],
            row["text"],
        )
        for row in rows
    ]


async def languages(db: Database, session_id: str) -> list[str]:
    """Return the languages that there are translations into, in the order in which they began."""
    rows = await db.fetch_all(
        """
        SELECT language FROM translations WHERE session_id = :session
        GROUP BY language ORDER BY min(id)
        """,
        session=UUID(session_id),
    )
    return [row["language"] for row in rows]


async def of_lines(
    db: Database, session_id: str, language: str, numbers: Collection[int]
) -> dict[int, tuple[str, str]]:
    """Return of stored utterances, by seq, what was heard and the same in this language.

    A line of which that is no longer the text has been corrected since: it has no translation.
    """
    rows = await db.fetch_all(
        """
        SELECT u.seq, u.text, t.text AS translated FROM utterances u
        JOIN translations t USING (session_id, stream, utterance)
        WHERE u.session_id = :session AND u.seq = ANY(:numbers) AND t.language = :language
        """,
        session=UUID(session_id),
        numbers=list(numbers),
        language=language,
    )
    return {row["seq"]: (row["text"], row["translated"]) for row in rows}
