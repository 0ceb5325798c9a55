"""What the old product's AI made of sessions: titles, topics, and a summary, tasks and risks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from core.moving_in.cleaning import parsed
from core.moving_in.load import Load
from core.moving_in.source import field
from core.store.analyses import MAX_ITEM, MAX_ITEMS, MAX_LABEL, MAX_SUMMARY, MAX_TITLE, MAX_TOPICS
from core.text import one_line, several_lines

LIVE = (
    field("id", "text"),
    field("title", "text", "aiTitle"),
    field("confidence", "number", "aiTitleConfidence"),
    field("current", "text", "aiCurrentTopic", "currentTopic"),
    field("topics", "json", "aiTopicsJson", "aiTopics", "topics"),
)
AFTER = (
    field("session", "text", "videoSessionId", "sessionId"),
    field("status", "text"),
    field("summary", "text"),
    field("tasks", "json", "tasksJson", "tasks"),
    field("risks", "json", "risksJson", "risks"),
)
STATES = ("PENDING", "RUNNING", "DONE", "FAILED")
# Under which a task or risk has its words, in the order of what is said first.
WORDS = ("title", "task", "risk", "text", "label", "name", "description", "summary")
# Numbers that are times: milliseconds since 1970, seconds since then, else seconds of the session.
MILLISECONDS, SECONDS = 1e11, 1e8


async def read(load: Load) -> None:
    """Take the old rows in."""
    await load.stream("old_live", "id text, title text, current text, topics text", _live(load))
    await load.stream(
        "old_after", "id text, status text, summary text, tasks text, risks text", _after(load)
    )


async def _live(load: Load) -> AsyncIterator[tuple[Any, ...]]:
    async for row in load.source.rows(load.source.sessions, LIVE):
        title = one_line(row["title"] or "", MAX_TITLE) or None
        current = one_line(row["current"] or "", MAX_LABEL) or None
        topics = [topic for one in _list(row["topics"]) if (topic := _topic(one))][-MAX_TOPICS:]
        if title or current or topics:
            yield row["id"], title, current, json.dumps(topics)


async def _after(load: Load) -> AsyncIterator[tuple[Any, ...]]:
    async for row in load.source.rows("SessionAnalysis", AFTER):
        summary = several_lines(row["summary"] or "", MAX_SUMMARY) or None
        tasks, risks = (
            json.dumps([item for one in _list(row[name]) if (item := _item(one))][:MAX_ITEMS])
            for name in ("tasks", "risks")
        )
        status = row["status"] if row["status"] in STATES else None
        if summary or tasks != "[]" or risks != "[]":
            yield row["session"], status, summary, tasks, risks


def _list(text: str | None) -> list[Any]:
    found = parsed(text)
    if isinstance(found, Mapping):  # such as {"items": […]}
        found = next((one for one in found.values() if isinstance(one, list)), [])
    return found if isinstance(found, list) else []


def _topic(found: Any) -> dict[str, Any] | None:
    """Return a topic as we keep it; `at` is what its time was, to be told once ours is known."""
    if isinstance(found, str):
        found = {"label": found}
    if not isinstance(found, Mapping):
        return None
    label = _words(found, ("label", "title", "name", "topic"), MAX_LABEL)
    time = next((found[k] for k in ("startedAt", "startedAtMs", "start", "at") if k in found), None)
    return {"label": label, **_time(time)} if label else None


def _time(found: Any) -> dict[str, float]:
    """Return `at`, in seconds since 1970, or `start`, in those of the session."""
    if isinstance(found, str):
        try:
            moment = datetime.fromisoformat(found)
        except ValueError:
            return {}
        return {"at": moment.timestamp()} if moment.tzinfo else {}
    if isinstance(found, bool) or not isinstance(found, int | float):
        return {}
    if found > MILLISECONDS:
        return {"at": found / 1000}
    if found > SECONDS:
        return {"at": float(found)}
    return {"start": float(found)} if found >= 0 else {}


def _item(found: Any) -> str:
    """Return a task or a risk as one line: its words, and who and until when, if it says so."""
    if isinstance(found, Mapping):
        words = _words(found, WORDS, MAX_ITEM)
        more = [
            _words(found, (k,), 80) for k in ("assignee", "owner", "dueDate", "due", "severity")
        ]
        return one_line(" · ".join(filter(None, [words, *more])) if words else "", MAX_ITEM)
    return one_line(found, MAX_ITEM) if isinstance(found, str) else ""


def _words(found: Mapping[Any, Any], keys: tuple[str, ...], limit: int) -> str:
    texts = (found.get(key) for key in keys)
    return next(
        (line for one in texts if isinstance(one, str) and (line := one_line(one, limit))), ""
    )


async def write(load: Load) -> None:
    """Add what isn't here, and fill in what a session of an earlier run lacked then."""
    await load.ours.execute(
        """
        CREATE TEMPORARY TABLE old_analyses ON COMMIT DROP AS
        SELECT s.id, w.id AS ours, l.title, l.current, a.status, a.summary,
            coalesce(CAST(a.tasks AS jsonb), '[]') AS tasks,
            coalesce(CAST(a.risks AS jsonb), '[]') AS risks,
            coalesce((
                SELECT jsonb_agg(jsonb_build_object('label', t -> 'label', 'start',
                    CASE WHEN t ->> 'start' IS NOT NULL OR t ->> 'at' IS NOT NULL THEN
                    least(greatest(0, coalesce(CAST(t ->> 'start' AS float8),
                        CAST(t ->> 'at' AS float8) - CAST(extract(epoch FROM
                            coalesce(w.started_at, w.created_at)) AS float8))),
                        CAST(extract(epoch FROM w.ended_at
                            - coalesce(w.started_at, w.created_at)) AS float8)) END) ORDER BY n)
                FROM jsonb_array_elements(CAST(l.topics AS jsonb)) WITH ORDINALITY x (t, n)
            ), '[]') AS topics,
            EXISTS (SELECT FROM analyses h WHERE h.session_id = w.id) AS here
        FROM old_sessions s JOIN sessions w ON w.id = s.ours
        LEFT JOIN old_live l ON l.id = s.id
        LEFT JOIN (SELECT DISTINCT ON (id) * FROM old_after ORDER BY id) a ON a.id = s.id
        WHERE l.id IS NOT NULL OR a.id IS NOT NULL
        """
    )
    await load.leave(
        "analyses",
        """
        SELECT a.id FROM old_after a LEFT JOIN old_sessions s ON s.id = a.id
        WHERE s.id IS NULL OR s.left_why = 'sessions_space' ORDER BY a.id
        """,
    )
    await load.counted("analyses", "old_analyses")
    await load.change(
        """
        INSERT INTO analyses AS h (session_id, title, current_topic, topics, status, summary,
            tasks, risks)
        SELECT ours, title, current, topics, status, summary, tasks, risks FROM old_analyses
        ON CONFLICT (session_id) DO UPDATE SET
            title = coalesce(h.title, excluded.title),
            current_topic = coalesce(h.current_topic, excluded.current_topic),
            topics = CASE WHEN h.topics = '[]' THEN excluded.topics ELSE h.topics END,
            status = coalesce(h.status, excluded.status),
            summary = coalesce(h.summary, excluded.summary),
            tasks = CASE WHEN h.tasks = '[]' THEN excluded.tasks ELSE h.tasks END,
            risks = CASE WHEN h.risks = '[]' THEN excluded.risks ELSE h.risks END
        """
    )
    count = load.report.count("analyses")
    count.added = count.found - count.before
