"""What the service answers over HTTP, in Gladia's words, and which jobs a list is to have."""

from __future__ import annotations

import uuid
from typing import Any

from . import messages
from .fault_kinds import RequestFault
from .session import LiveSession
from .wire import Request, Response

Json = dict[str, Any]


def error(request: Request, status: int, message: str, **more: Any) -> Response:
    """Return an error as Gladia words it."""
    body = {
        "timestamp": messages.now(),
        "path": request.path,
        "request_id": f"G-{uuid.uuid4().hex[:8]}",
        "statusCode": status,
        "message": message,
    }
    return Response(status, body | more)


def invalid(request: Request, errors: list[str]) -> Response:
    """Return the 400 that lists what is wrong with a request."""
    return error(request, 400, "Invalid parameters", validation_errors=errors)


def fault_response(request: Request, fault: RequestFault) -> Response:
    """Return what a planned fault answers."""
    assert fault.status is not None
    usual = error(request, fault.status, "Too many requests" if fault.status == 429 else "Refused")
    body = usual.body if fault.body is None else fault.body
    return Response(fault.status, body, headers=fault.headers)


def job_json(session: LiveSession) -> Json:
    """Return a session's job as it is now."""
    return session.record.job | {"status": session.record.status}


def page(request: Request, url: str, jobs: list[Json]) -> Response:
    """Return the part of a list that was asked for, and links to others."""
    try:
        offset = int(request.argument("offset") or 0)
        limit = int(request.argument("limit") or 20)
    except ValueError:
        return invalid(request, ["offset and limit must be integer numbers"])
    if offset < 0 or limit < 1:
        return invalid(request, ["limit must not be less than 1"])
    link = f"{url}?limit={limit}&offset="
    following = f"{link}{offset + limit}" if offset + limit < len(jobs) else None
    answer = {"first": f"{link}0", "current": f"{link}{offset}", "next": following}
    return Response(200, answer | {"items": jobs[offset : offset + limit]})


def dated(request: Request, created: str) -> bool:
    """Whether a job's date is one that was asked for."""
    date, before, after = (request.argument(n) for n in ("date", "before_date", "after_date"))
    on_day = date is None or created.startswith(date[:10])
    return on_day and (before is None or created < before) and (after is None or created > after)


def not_found(request: Request) -> Response:
    """Return what is answered where nothing is."""
    return error(request, 404, f"Cannot {request.method} {request.path}")


def labelled(request: Request, labels: Json | None) -> bool:
    """Whether a job has the metadata that was asked for."""
    wanted = {
        name.removeprefix("custom_metadata[").removesuffix("]"): values[0]
        for name, values in request.query.items()
        if name.startswith("custom_metadata[")
    }
    return all(str((labels or {}).get(name)) == value for name, value in wanted.items())
