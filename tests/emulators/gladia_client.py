"""Clients of the Gladia emulator: Gladia's own SDK, and bare HTTP and WebSockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from gladiaio_sdk import GladiaClient
from gladiaio_sdk.v2.live.async_session import LiveV2AsyncSession
from gladiaio_sdk.v2.live.session import LiveV2Session
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.emulators.gladia import (
    API_KEY,
    GladiaEmulator,
)
from tests.emulators.wordaudio import silence, speak
from tests.support.waiting import WAIT_TIMEOUT_S, wait_until

Json = dict[str, Any]

CHUNK = 3_200
# The SDK connects in a way newer releases of websockets advise against.
SYNC_SDK = pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")
ALL_MESSAGES = {
    "receive_partial_transcripts": True,
    "receive_final_transcripts": True,
    "receive_speech_events": True,
    "receive_realtime_processing_events": True,
    "receive_post_processing_events": True,
    "receive_acknowledgments": True,
    "receive_lifecycle_events": True,
}
INIT: Json = {
    "encoding": "wav/pcm",
    "sample_rate": 16_000,
    "bit_depth": 16,
    "channels": 1,
    "endpointing": 0.3,
    "language_config": {"languages": ["en"], "code_switching": False},
    "messages_config": ALL_MESSAGES,
}
SPEECH = silence(0.2) + speak("good morning") + silence(0.5) + speak("all of you") + silence(0.5)


def chunks(audio: bytes, size: int = CHUNK) -> list[bytes]:
    return [audio[at : at + size] for at in range(0, len(audio), size)]


class Heard:
    """Collects what an SDK session emits."""

    def __init__(self, session: LiveV2AsyncSession | LiveV2Session) -> None:
        self.session = session
        self.messages: list[Any] = []
        self.errors: list[Exception] = []
        self.ended: list[Any] = []
        self.connected = 0
        session.on("message", self.messages.append)
        session.on("error", self.errors.append)
        session.on("ended", self.ended.append)
        session.on("connected", self._connected)

    def types(self) -> list[str]:
        return [message.type for message in self.messages]

    def of(self, *types: str) -> list[Any]:
        return [message for message in self.messages if message.type in types]

    def finals(self) -> list[str]:
        return [m.data.utterance.text for m in self.of("transcript") if m.data.is_final]

    def partials(self) -> list[str]:
        return [m.data.utterance.text for m in self.of("transcript") if not m.data.is_final]

    async def until(self, condition: Callable[[], bool]) -> None:
        await asyncio.to_thread(self.wait_until, condition)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        wait_until(condition)

    def _connected(self, _: object) -> None:
        self.connected += 1


def sdk(emulator: GladiaEmulator, key: str = API_KEY) -> GladiaClient:
    # Without it the SDK leaves its connections to the garbage collector.
    once = {"connection": "close"}
    return GladiaClient(api_key=key, api_url=emulator.url, http_headers=once)


async def begin(emulator: GladiaEmulator, key: str = API_KEY, **changes: Any) -> Heard:
    return Heard(sdk(emulator, key).live_v2_async().start_session(INIT | changes))


async def start(emulator: GladiaEmulator, **changes: Any) -> Heard:
    heard = await begin(emulator, **changes)
    await heard.until(lambda: heard.connected > 0)
    return heard


async def post(emulator: GladiaEmulator, body: Any = None, **options: Any) -> httpx.Response:
    options.setdefault("headers", {"x-gladia-key": API_KEY})
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        return await client.post(
            f"{emulator.url}/v2/live", json=INIT if body is None else body, **options
        )


async def call(emulator: GladiaEmulator, method: str, path: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        return await client.request(
            method, f"{emulator.url}/v2/live{path}", headers={"x-gladia-key": API_KEY}, **options
        )


async def open_session(emulator: GladiaEmulator, **changes: Any) -> tuple[str, str]:
    answer = (await post(emulator, INIT | changes)).json()
    return answer["id"], answer["url"]


async def read_until(socket: ClientConnection, *types: str) -> list[Json]:
    """Return the messages up to the first of these types."""
    messages: list[Json] = []
    async with asyncio.timeout(WAIT_TIMEOUT_S):
        while True:
            messages.append(json.loads(await socket.recv()))
            if messages[-1]["type"] in types:
                return messages


async def read_to_the_end(socket: ClientConnection) -> list[Json]:
    messages: list[Json] = []
    async with asyncio.timeout(WAIT_TIMEOUT_S):
        try:
            while True:
                messages.append(json.loads(await socket.recv()))
        except ConnectionClosed:
            return messages


async def close_code(socket: ClientConnection) -> int | None:
    await read_to_the_end(socket)
    return socket.close_code


def words_of(messages: list[Json]) -> list[str]:
    final = [m["data"]["utterance"]["text"] for m in messages if is_final(m)]
    return " ".join(final).split()


def is_final(message: Json) -> bool:
    return message["type"] == "transcript" and message["data"]["is_final"] is True
