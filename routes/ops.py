"""How the server is: /health and its like for anybody, /metrics for who runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from hmac import compare_digest

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.access import NotFoundError
from core.database import DatabaseAwayError
from core.scrape import written
from core.services import Services
from core.speech.engine import Health
from core.stopping import Stop
from web.guard import limit, on_this_computer
from web.http.connections import KEY, Connections
from web.request import services

FRESH = {"Cache-Control": "no-store"}

DATABASE_TIMEOUT_S = 2.0  # seconds that the database may take to say anything
# Words that have waited so long are not just behind: somebody should look at the database. A
# statement has 10 s, and what a busy server stores late was stored by then.
QUEUE_LATE_S = 15.0


async def health(request: Request) -> Response:
    """GET /health, /up: whether the process lives. 200 unless it stops.

    Not a word about the database in the status: who restarts what answers 503 would end captions
    that go on without it, and bring no database back. The body tells what is wrong.
    """
    body = await _findings(services(request))
    stopping = request.state.stop.begun.is_set()
    if stopping:
        body["status"] = "stopping"
    return _answer(body, 503 if stopping else 200)


async def ready(request: Request) -> Response:
    """GET /health/ready: the same body, and 503 while people who come can't be served.

    `checks` is what `check` would say of each thing, as of late; it has no say in the status, as
    people can speak and read without a call.
    """
    body = await _findings(services(request))
    body["checks"] = services(request).checks.known()
    usable = body["status"] != "error" and not request.state.stop.begun.is_set()
    return _answer(body, 200 if usable else 503)


async def metrics(request: Request) -> Response:
    """GET /metrics: Prometheus, by METRICS_TOKEN; without one, who is on this computer.

    Raises NotFoundError to anybody else: it tells how much goes on here.
    """
    limit(services(request).limits.metrics, request)
    token = services(request).settings.metrics_token
    if not (_bears(request, token) if token else on_this_computer(request)):
        raise NotFoundError
    connections: Connections = getattr(request.state, KEY)
    stop: Stop = request.state.stop
    text = written(services(request), len(connections), stop.answering)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4, headers=FRESH)


def _bears(request: Request, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and compare_digest(given.strip().encode(), token.encode())


def _answer(body: Mapping[str, object], status: int) -> Response:
    return JSONResponse(body, status, headers=FRESH)


async def _findings(parts: Services) -> dict[str, object]:
    """Say how the database and the speech engine are; `status` is `error` without the former."""
    database = await _database(parts)
    speech = parts.rooms.engine.health()
    usable = database == "ok"
    healthy = usable and speech.health is not Health.DEGRADED
    return {
        "status": "ok" if healthy else "degraded" if usable else "error",
        "timestamp": datetime.now(UTC).isoformat(),
        "database": database,
        "speech": {
            "engine": parts.rooms.engine.name,
            "health": speech.health.value,
            "reason": str(speech.reason) if speech.reason else None,
            "since": speech.since.isoformat() if speech.since else None,
        },
        "queue": parts.writer.waiting,
        "queue_waited_s": round(parts.writer.waited_s, 1),
    }


async def _database(parts: Services) -> str:
    """Return what the database is good for at this moment: `ok`, or what is wrong with it.

    It is asked whether it takes writes. What else it refuses is known once somebody was refused.
    """
    question = asyncio.create_task(
        parts.db.returning("SELECT current_setting('transaction_read_only') = 'on' AS read_only")
    )
    # How long it takes to give up isn't ours.
    done, _ = await asyncio.wait({question}, timeout=DATABASE_TIMEOUT_S)
    if not done:
        question.cancel()
        return "away"
    try:
        row = question.result()
    except DatabaseAwayError as problem:
        return "away" if problem.code == DatabaseAwayError.code else "refuses"
    if row["read_only"]:
        return "read-only"
    trouble = parts.db.trouble
    if trouble is not None:
        return trouble.code
    return "late" if parts.writer.waited_s > QUEUE_LATE_S else "ok"
