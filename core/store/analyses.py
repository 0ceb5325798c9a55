"""What an AI has made of a session: a title, its topics, and a summary, tasks and risks."""

from __future__ import annotations

import json
from uuid import UUID

from core.database import Database
from core.model import Analysis, Topic

# Bounds of what is kept of one session, in characters and in numbers.
MAX_TITLE, MAX_LABEL, MAX_ITEM, MAX_SUMMARY = 120, 200, 500, 20_000
MAX_TOPICS, MAX_ITEMS = 500, 200


async def of_session(db: Database, session_id: str) -> Analysis | None:
    """Return what is kept of a session, None when there is nothing."""
    row = await db.fetch_one(
        "SELECT * FROM analyses WHERE session_id = :session", session=UUID(session_id)
    )
    if row is None:
        return None
    return Analysis(
        title=row["title"],
        current_topic=row["current_topic"],
        topics=[Topic(one["label"], one.get("start")) for one in json.loads(row["topics"])],
        summary=row["summary"],
        tasks=json.loads(row["tasks"]),
        risks=json.loads(row["risks"]),
    )
