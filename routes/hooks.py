"""POST /hooks/livekit: what LiveKit tells, signed with the API secret."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from core.livekit import BadWebhookError, OddWebhookError
from web.render import json_error
from web.request import services


async def livekit(request: Request) -> Response:
    """POST /hooks/livekit: whoever has the API secret. LiveKit repeats what isn't answered 2xx."""
    try:
        event = services(request).calls.read_webhook(
            await request.body(), request.headers.get("authorization", "")
        )
    except OddWebhookError:
        return json_error(400, "bad_request", "No event of LiveKit is like this.", {})
    except BadWebhookError:
        return json_error(401, "bad_signature", "This isn't signed by our LiveKit.", {})
    await services(request).lifecycle.hear(event)
    return Response(status_code=204)
