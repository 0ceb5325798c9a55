"""Access tokens: what LiveKit accepts, what it answers otherwise, and the tokens it makes."""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
from livekit.protocol import models

_LEEWAY = 60  # seconds: what the server allows clocks to differ
_REFRESH_TTL = 600  # seconds: lifetime of the token the server sends on an open connection
_WEBHOOK_TTL = 300  # seconds


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure of ours
    """A request LiveKit answers with a plain-text error.

    Attributes:
        status: HTTP status.
        message: the response body.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass
class Grants:
    """Who a token is for and what it allows (the claims `video.*`, in the token's own spelling)."""

    identity: str = ""
    name: str = ""
    metadata: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    video: dict[str, Any] = field(default_factory=dict)

    def allows(self, permission: str) -> bool:
        """`canPublish`, `canSubscribe`, `canPublishData`: allowed unless the token says no."""
        return self.video.get(permission) is not False

    def allows_source(self, source: models.TrackSource) -> bool:
        """Whether a track of this source may be published."""
        sources = self.video.get("canPublishSources") or []
        return self.allows("canPublish") and (not sources or source_name(source) in sources)

    def permission(self) -> models.ParticipantPermission:
        """The same grants as participants see them."""
        return models.ParticipantPermission(
            can_subscribe=self.allows("canSubscribe"),
            can_publish=self.allows("canPublish"),
            can_publish_data=self.allows("canPublishData"),
            can_publish_sources=[
                name.upper() for name in self.video.get("canPublishSources") or []
            ],
            can_update_metadata=bool(self.video.get("canUpdateOwnMetadata")),
            hidden=bool(self.video.get("hidden")),
        )

    def replace_permission(self, permission: models.ParticipantPermission) -> None:
        """What UpdateParticipant does to the grants of somebody who is in the room."""
        self.video |= {
            "canSubscribe": permission.can_subscribe,
            "canPublish": permission.can_publish,
            "canPublishData": permission.can_publish_data,
            "canPublishSources": [source_name(one) for one in permission.can_publish_sources],
            "canUpdateOwnMetadata": permission.can_update_metadata,
            "hidden": permission.hidden,
        }


def source_name(source: models.TrackSource) -> str:
    """How tokens spell a track source: `camera`, `microphone`, `screen_share`…"""
    return models.TrackSource.Name(source).lower()


def verify(token: str, key: str, secret: str) -> Grants:
    """The grants in a token.

    Raises:
        Refused: 401 with the text the server gives for this defect.
    """
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss", "")
    except jwt.InvalidTokenError:
        raise Refused(401, "invalid authorization token") from None
    if issuer != key:
        raise Refused(401, f"invalid API key: {issuer}")
    try:
        claims = jwt.decode(token, secret, ["HS256"], leeway=_LEEWAY)
    except jwt.InvalidTokenError as error:
        raise Refused(401, f"invalid token: {token}, error: {error}") from None
    return Grants(
        identity=claims.get("sub", ""),
        name=claims.get("name", ""),
        metadata=claims.get("metadata", ""),
        attributes=claims.get("attributes") or {},
        video=claims.get("video") or {},
    )


def refreshed(grants: Grants, key: str, secret: str) -> str:
    """The token the server sends to a connected participant, so that it can come back later."""
    claims = {
        "sub": grants.identity,
        "name": grants.name,
        "metadata": grants.metadata,
        "attributes": grants.attributes,
        "video": grants.video,
    }
    return _signed(claims, key, secret, _REFRESH_TTL)


def webhook_token(body: bytes, key: str, secret: str) -> str:
    """The Authorization header of a webhook: a JWT that holds the body's SHA-256."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return _signed({"sha256": digest}, key, secret, _WEBHOOK_TTL)


def _signed(claims: dict[str, Any], key: str, secret: str, ttl: int) -> str:
    now = int(time.time())
    return jwt.encode(claims | {"iss": key, "nbf": now, "exp": now + ttl}, secret, "HS256")
