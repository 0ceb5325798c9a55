"""Planned faults of the Gladia emulator happen when and where they were planned."""

from __future__ import annotations

import asyncio
import time

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.emulators.gladia import (
    GladiaEmulator,
    Timings,
)
from tests.emulators.gladia.fault_kinds import LastChunk
from tests.emulators.gladia.recognizers import Event
from tests.emulators.gladia_client import (
    Json,
    chunks,
    close_code,
    open_session,
    read_to_the_end,
    read_until,
    words_of,
)
from tests.emulators.wordaudio import DAMAGED, silence, speak, vocabulary


async def send_all(emulator: GladiaEmulator, audio: bytes) -> list[Json]:
    """A careful client: 100 ms chunks, resumes from the last acknowledged byte, then stops."""
    _, url = await open_session(emulator)
    messages: list[Json] = []
    acknowledged = 0
    while "end_session" not in [m["type"] for m in messages[-1:]]:
        async with connect(url, proxy=None) as socket:
            sender = asyncio.create_task(send_from(socket, audio[acknowledged:]))
            messages += await read_to_the_end(socket)
            await sender
        ends = [m["data"]["byte_range"][1] for m in messages if m["type"] == "audio_chunk"]
        acknowledged = max(ends, default=0)
    return messages


async def send_from(socket: ClientConnection, audio: bytes) -> None:
    try:
        for chunk in chunks(audio):
            await socket.send(chunk)
            await asyncio.sleep(0.001)
        await socket.send('{"type": "stop_recording"}')
    except ConnectionClosed:
        return


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_drops_lose_and_double_nothing(seed: int) -> None:
    audio = speak(vocabulary(80, seed=seed)) + silence(0.4)
    positions = []
    for _ in range(2):
        async with GladiaEmulator(timings=Timings(final=0)) as emulator:
            chaos = emulator.faults.chaos(
                seed=seed, mean_bytes=60_000, codes=(1005, 1011, 1012, 1013, 4500)
            )
            await send_all(emulator, audio)
            record = emulator.sessions[0]
            assert record.text.split() == vocabulary(80, seed=seed)
            assert record.audio == audio
            assert chaos.fired == len(record.connections) - 1 > 3
            positions.append([(c.close_code, c.closed_by) for c in record.connections])
    assert positions[0] == positions[1]


@pytest.mark.parametrize(("fate", "counted"), [("acked", 4), ("unacked", 4), ("lost", 3)])
async def test_the_last_chunk_before_a_drop(
    emulator: GladiaEmulator, fate: LastChunk, counted: int
) -> None:
    fault = emulator.faults.drop(after_bytes=4 * 320, code=None, last_chunk=fate)
    _, url = await open_session(emulator)
    async with connect(url, proxy=None) as socket:
        for _ in range(4):
            await socket.send(bytes(320))
        assert await close_code(socket) == 1006
    record = emulator.sessions[0]
    assert len(record.audio) == counted * 320
    assert len(record.acknowledgments) == (4 if fate == "acked" else 3)
    assert fault.fired == 1
    assert record.connections[0].close_code == 1006


async def test_acknowledgments_may_stall_fail_and_get_lost(emulator: GladiaEmulator) -> None:
    emulator.faults.stall_acknowledgments(0.2, after_bytes=320)
    emulator.faults.refuse_audio(after_bytes=640)
    emulator.faults.lose_acknowledgments(after_bytes=960)
    _, url = await open_session(emulator, messages_config={})
    async with connect(url, proxy=None) as socket:
        began = time.monotonic()
        for _ in range(5):
            await socket.send(bytes(320))
        acks = [(await read_until(socket, "audio_chunk"))[-1] for _ in range(4)]
        assert time.monotonic() - began >= 0.15
    assert sum(a["acknowledged"] for a in acks) == 3
    ends = [a["data"]["byte_range"] for a in acks if a["acknowledged"]]
    assert ends == [[0, 320], [320, 640], [960, 1280]]


async def test_a_stalled_socket_reads_and_sends_nothing(emulator: GladiaEmulator) -> None:
    _, url = await open_session(emulator)
    async with connect(url, proxy=None) as socket:
        await read_until(socket, "start_recording")
        emulator.faults.stall_socket()
        await asyncio.sleep(0.05)
        await socket.send(bytes(320))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.1)
        assert emulator.sessions[0].audio == b""
        emulator.faults.stall_socket(0.05)  # and that is its end
        await read_until(socket, "audio_chunk")


async def test_faulty_handshakes(emulator: GladiaEmulator) -> None:
    _, url = await open_session(emulator)
    for status in (403, 502):
        emulator.faults.refuse_handshake(status)
        with pytest.raises(InvalidStatus, match=str(status)):
            await connect(url, proxy=None)
    emulator.faults.hang_handshake(5)
    with pytest.raises(TimeoutError):
        await connect(url, proxy=None, open_timeout=0.1)
    emulator.faults.slow_handshake(0.1)
    loop = emulator.faults.accept_then_close(1013, times=3)
    for _ in range(3):
        async with connect(url, proxy=None) as socket:
            assert await close_code(socket) == 1013
    assert loop.fired == 3
    async with connect(url, proxy=None) as socket:
        await socket.send(bytes(320))
        await read_until(socket, "audio_chunk")


async def test_a_final_may_come_late(emulator: GladiaEmulator) -> None:
    emulator.faults.late_finals()
    emulator.faults.drop(on="speech_end", code=1011, delay=0.1)
    _, url = await open_session(emulator)
    async with connect(url, proxy=None) as socket:
        await socket.send(speak("too late") + silence(0.5))
        assert words_of(await read_to_the_end(socket)) == []
    async with connect(url, proxy=None) as socket:
        assert words_of(await read_until(socket, "transcript")) == ["too", "late"]


async def test_moments_and_targets(emulator: GladiaEmulator) -> None:
    early = emulator.faults.drop(after_seconds=0.1, code=1012, session=1)
    stop = emulator.faults.drop(on="stop", code=1011, session=0)
    never = emulator.faults.error_message(after_bytes=1)
    never.cancel()
    repeated = emulator.faults.error_message(every_bytes=640, times=2)
    urls = [(await open_session(emulator))[1] for _ in range(2)]
    async with connect(urls[0], proxy=None) as first, connect(urls[1], proxy=None) as second:
        assert await close_code(second) == 1012
        for _ in range(8):
            await first.send(bytes(320))
        await first.send('{"type": "stop_recording"}')
        messages = await read_to_the_end(first)
        assert first.close_code == 1011
    assert [m["type"] for m in messages].count("error") == 2
    assert [fault.fired for fault in (early, stop, never, repeated)] == [1, 1, 0, 2]


async def test_a_message_may_be_bigger_than_clients_expect(emulator: GladiaEmulator) -> None:
    _, url = await open_session(emulator)
    async with connect(url, proxy=None) as socket:
        emulator.faults.oversized_message()
        await read_to_the_end(socket)
    await emulator.until(lambda: emulator.sessions[0].connections[0].close_code == 1009)
    async with connect(url, proxy=None, max_size=None) as socket:
        emulator.faults.oversized_message()
        await read_until(socket, "post_transcript")


class Broken:
    slow = False

    def feed(self, pcm: bytes) -> list[Event]:
        raise ZeroDivisionError

    def finish(self) -> list[Event]:
        return []


async def test_its_own_failures_are_not_hidden() -> None:
    with pytest.raises(BaseExceptionGroup) as failed:
        async with GladiaEmulator(recognizer=lambda _: Broken()) as emulator:
            _, url = await open_session(emulator)
            async with connect(url, proxy=None) as socket:
                await socket.send(bytes(320))
                await read_until(socket, "audio_chunk")
    assert isinstance(failed.value.exceptions[0], ZeroDivisionError)


async def test_swapped_audio_shows_in_the_text(emulator: GladiaEmulator) -> None:
    _, url = await open_session(emulator)
    pieces = chunks(speak("one two three"), 6_400)
    pieces[0], pieces[1] = pieces[1], pieces[0]
    async with connect(url, proxy=None) as socket:
        for piece in pieces:
            await socket.send(piece)
        await socket.send('{"type": "stop_recording"}')
        words = words_of(await read_to_the_end(socket))
    assert words != ["one", "two", "three"]
    assert DAMAGED in words
