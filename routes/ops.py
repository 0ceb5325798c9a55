"""GET /health: anybody, in particular load balancers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.database import DatabaseAwayError
from core.services import Services
from core.speech.engine import Health
from web.request import services

DATABASE_TIMEOUT_S = 2.0  # seconds that the database may take to say anything


async def health(request: Request) -> Response:
    """Say how the database and the speech engine are; 503 when the database is away."""
    parts = services(request)
    database = await _database_answers(parts)
    speech = parts.rooms.engine.health()
    healthy = database and speech.health is not Health.DEGRADED
    status = "ok" if healthy else "degraded" if database else "error"
    body = {
        "status": status,
        "timestamp": datetime.now(UTC).isoformat(),
        "database": "ok" if database else "away",
        "speech": {
            "engine": parts.rooms.engine.name,
            "health": speech.health.value,
            "reason": speech.reason,
            "since": speech.since.isoformat() if speech.since else None,
        },
        "queue": parts.writer.waiting,
    }
    return JSONResponse(body, 200 if database else 503, headers={"Cache-Control": "no-store"})


async def _database_answers(parts: Services) -> bool:
    """Whether the database says anything in time; how long it takes to give up isn't ours."""
    question = asyncio.create_task(parts.db.fetch_one("SELECT 1"))
    done, _ = await asyncio.wait({question}, timeout=DATABASE_TIMEOUT_S)
    if not done:
        question.cancel()
        return False
    try:
        question.result()
    except DatabaseAwayError:
        return False
    return True
