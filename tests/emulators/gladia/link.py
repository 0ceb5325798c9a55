"""A session's connection, and what its client's text messages hold."""

from __future__ import annotations

import base64
import binascii
import json

from .records import Connection
from .wire import WebSocket


class Link:
    """A connection of a session: the socket and the record of it."""

    def __init__(self, socket: WebSocket, record: Connection) -> None:
        self.socket = socket
        self.record = record
        self.base = 0
        self.unacknowledged: tuple[int, int] | None = None
        self.chunks = 0
        self.duplicates = b""


def parse(data: bytes) -> tuple[str | None, bytes, str | None]:
    """Return type, audio and problem of a client's text message."""
    try:
        message = json.loads(data)
    except ValueError:
        return None, b"", "Message is not JSON"
    type_ = message.get("type") if isinstance(message, dict) else None
    if type_ == "stop_recording":
        return type_, b"", None
    if type_ != "audio_chunk":
        return None, b"", f"Unknown message type {type_!r}"
    try:
        return type_, base64.b64decode(message["data"]["chunk"], validate=True), None
    except (KeyError, TypeError, binascii.Error):
        return type_, b"", "data.chunk must be base64"
