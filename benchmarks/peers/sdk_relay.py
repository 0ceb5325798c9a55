"""A minimal relay whose upstream client is Gladia's official SDK.

Usage: python sdk_relay.py PORT UPSTREAM_URL. The token is ROOM.PERSON; there is no database
and no check.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from typing import Any, cast

import uvicorn
from gladiaio_sdk import GladiaClient
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

PORT, UPSTREAM = int(sys.argv[1]), sys.argv[2]
SETTINGS = {"encoding": "wav/pcm", "sample_rate": 16_000, "bit_depth": 16, "channels": 1}

client = GladiaClient(api_key="bench", api_url=UPSTREAM).live_v2_async()
rooms: dict[str, set[WebSocket]] = defaultdict(set)


async def relay(websocket: WebSocket) -> None:
    """Send audio up and the room's transcripts down."""
    protocol, token = websocket.scope["subprotocols"]
    room, person = token.split(".")
    await websocket.accept(protocol)
    rooms[room].add(websocket)
    session = client.start_session(
        SETTINGS | {"messages_config": {"receive_partial_transcripts": True}}
    )

    async def broadcast(message: Any) -> None:
        if message.type == "transcript":
            text = json.dumps({"type": "utterance", "identity": person} | message.data.to_dict())
            for viewer in rooms[room]:
                await viewer.send_text(text)

    # The emitter awaits coroutines; its annotation doesn't know.
    cast(Any, session).on("message", broadcast)

    while (event := await websocket.receive())["type"] == "websocket.receive":
        if event.get("bytes"):
            session.send_audio(event["bytes"][8:])
        elif json.loads(event["text"])["type"] == "hello":
            await websocket.send_json({"type": "welcome"})
    rooms[room].discard(websocket)
    session.end_session()


app = Starlette(routes=[WebSocketRoute("/ws", relay)])

if __name__ == "__main__":
    uvicorn.run(app, port=PORT, log_level="warning", ws_per_message_deflate=False)
