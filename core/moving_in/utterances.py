"""Words: the final segments of the old transcripts.

Its times are when a final arrived, so they are when the words ended, and where they began is a
guess by their number. Gladia's id of an utterance is unique in one stream only there, so the row's
own id is what an utterance is known by here, in a stream that no microphone has.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from core.model import MAX_UTTERANCES
from core.moving_in.cleaning import NAMESPACE
from core.moving_in.load import Load
from core.moving_in.source import field
from core.store.usage import PREVIOUS
from core.text import HUES, one_line, without_controls

MAX_TEXT = 20_000  # characters; core.speech.gladia.results
MAX_LANGUAGE = 16
LETTERS_A_SECOND = 15.0  # of speech, and
MAX_GUESS_S = 20.0  # that an utterance is taken to last at most
FIELDS = (
    field("id", "text"),
    field("session", "text", "videoSessionId", "sessionId"),
    field("participant", "text", "participantId"),
    field("identity", "text", "participantIdentity", "speakerIdentity", "identity", "speakerId"),
    field("name", "text", "participantName", "speakerName", "speaker", "name"),
    field("text", "text"),
    field("language", "text"),
    field("final", "switch", "isFinal"),
    field("start", "time", "startedAt", "timestamp", "createdAt"),
    field("end", "time", "endedAt"),
)


async def read(load: Load) -> None:
    """Take the old rows in; those that were never final are drafts of others."""
    await load.stream(
        "old_utterances",
        "id text, session_id text, participant_id text, identity text, name text, text text,"
        " language text, at timestamptz, until timestamptz, mended text[],"
        " ours text DEFAULT NULL, here bool DEFAULT false",
        _utterances(load),
    )


async def _utterances(load: Load) -> AsyncIterator[tuple[Any, ...]]:
    async for row in load.source.rows("TranscriptSegment", FIELDS):
        old, text = row["id"], without_controls(row["text"] or "", MAX_TEXT).strip()
        if row["final"] is False:
            load.report.leave("utterances_draft", [old])
            continue
        if not text:
            load.report.leave("utterances_empty", [old])
            continue
        mended = ["utterances_long"] if len(row["text"]) >= MAX_TEXT else []
        load.clock.start()
        at, until = load.clock.read(row["start"]), load.clock.read(row["end"])
        if load.clock.odd or at is None:
            mended.append("utterances_time")
        language = one_line(row["language"] or "", MAX_LANGUAGE) or None
        name = one_line(row["name"] or "", 40) or None
        yield (
            *(old, row["session"], row["participant"], row["identity"], name, text, language),
            *(at, until, mended),
        )


async def write(load: Load) -> None:
    """Add those that aren't here, behind those that are, under who said them."""
    await load.leave(
        "utterances",
        """
        SELECT t.id FROM old_utterances t LEFT JOIN old_sessions s ON s.id = t.session_id
        WHERE s.id IS NULL OR s.left_why = 'sessions_space' ORDER BY t.id
        """,
    )
    await _find_speakers(load)
    await load.change(
        """
        UPDATE old_utterances o SET here = true FROM old_sessions s, utterances u
        WHERE s.id = o.session_id AND u.session_id = s.ours AND u.stream = $1
            AND u.utterance = o.id
        """,
        PREVIOUS,
    )
    await load.counted("utterances", "old_utterances")
    for why in ("utterances_draft", "utterances_empty"):
        if why in load.report.left:
            load.report.count("utterances").found += load.report.left[why].count
    await load.note_mended("old_utterances")
    load.report.count("utterances").added = await load.change(
        """
        INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s,
            language, created_at)
        SELECT session_id, $1, id, last + row_number() OVER (
                PARTITION BY session_id ORDER BY at, id
            ), ours, text,
            greatest(0, least(end_s, greatest(start_s, coalesce(lag(end_s) OVER said, 0)))),
            end_s, language, at
        FROM (
            SELECT o.id, w.id AS session_id, o.ours, o.text, o.language, times.at,
                coalesce((SELECT max(seq) FROM utterances u WHERE u.session_id = w.id), 0) AS last,
                -- Where there are two times that a person can have spoken between, they are meant.
                CASE WHEN o.until - times.at BETWEEN interval '0.2 s' AND interval '10 min'
                    THEN since ELSE since - least(length(o.text) / $2::float8, $3::float8)
                    END AS start_s,
                greatest(0, CASE WHEN o.until - times.at BETWEEN interval '0.2 s'
                    AND interval '10 min' THEN since + extract(epoch FROM o.until - times.at)
                    ELSE since END) AS end_s
            FROM old_utterances o JOIN old_sessions s ON s.id = o.session_id
            JOIN sessions w ON w.id = s.ours,
            LATERAL (SELECT coalesce(o.at, w.started_at, w.created_at) AS at) times,
            LATERAL (SELECT CAST(extract(epoch FROM
                times.at - coalesce(w.started_at, w.created_at)) AS float8) AS since) zero
            WHERE o.ours IS NOT NULL AND NOT o.here
        ) timed
        WINDOW said AS (PARTITION BY session_id, ours ORDER BY at, id)
        """,
        PREVIOUS,
        LETTERS_A_SECOND,
        MAX_GUESS_S,
    )
    # A session that nobody had ended and that was used again since the last run.
    await load.change(
        """
        UPDATE sessions w SET ended_at = t.last_at FROM (
            SELECT s.ours, max(o.at) AS last_at FROM old_utterances o
            JOIN old_sessions s ON s.id = o.session_id
            WHERE o.ours IS NOT NULL AND NOT o.here GROUP BY s.ours
        ) t WHERE w.id = t.ours AND w.ended_at < t.last_at
            AND w.end_reason = 'AUTO_EMPTY_ROOM'
        """
    )
    await load.mend(
        "sessions_long",
        f"""
        SELECT s.id FROM old_utterances o JOIN old_sessions s ON s.id = o.session_id
        WHERE o.ours IS NOT NULL GROUP BY s.id HAVING count(*) > {MAX_UTTERANCES}
        """,  # noqa: S608 - a number
    )


async def _find_speakers(load: Load) -> None:
    """Find whose words each are; where the old tables don't say, somebody of the session's."""
    await load.change(
        """
        UPDATE old_utterances o SET ours = p.ours FROM old_participants p
        WHERE p.id = o.participant_id AND p.session_id = o.session_id
        """
    )
    await load.change(
        """
        UPDATE old_utterances o SET ours = p.ours FROM old_participants p
        WHERE o.ours IS NULL AND p.identity = o.identity AND p.session_id = o.session_id
        """
    )
    # Their identities and colours are made as core.moving_in.cleaning makes them.
    await load.ours.execute(
        """
        CREATE TEMPORARY TABLE old_speakers ON COMMIT DROP AS
        SELECT o.session_id, s.ours, coalesce(o.identity, o.name, '') AS who, min(o.name) AS name,
            min(o.at) AS at FROM old_utterances o JOIN old_sessions s ON s.id = o.session_id
        WHERE o.ours IS NULL AND s.ours IS NOT NULL AND NOT s.gone
        GROUP BY o.session_id, s.ours, coalesce(o.identity, o.name, '')
        """
    )
    made = f"""
        'p_' || left(encode(sha256(convert_to(
            '{NAMESPACE}:' || p.session_id || ' ' || p.who, 'UTF8')), 'hex'), 24)
    """
    load.report.guests = await load.change(
        f"""
        INSERT INTO participants (identity, session_id, name, hue, role, created_at, joined_at,
            left_at)
        SELECT {made}, w.id, coalesce(p.name, $1),
            get_byte(sha256(convert_to(lower(p.who), 'UTF8')), 0) % {HUES}, 'GUEST',
            coalesce(p.at, w.started_at, w.created_at),
            coalesce(p.at, w.started_at, w.created_at),
            greatest(w.ended_at, coalesce(p.at, w.started_at, w.created_at))
        FROM old_speakers p JOIN sessions w ON w.id = p.ours ON CONFLICT DO NOTHING
        """,  # noqa: S608 - constants
        load.names.person,
    )
    await load.change(
        f"""
        UPDATE old_utterances o SET ours = {made} FROM old_speakers p
        WHERE o.ours IS NULL AND o.session_id = p.session_id
            AND coalesce(o.identity, o.name, '') = p.who
        """  # noqa: S608 - constants
    )
