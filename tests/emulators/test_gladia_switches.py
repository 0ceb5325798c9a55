"""What Gladia doesn't document: the emulator can answer either way."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.emulators.gladia import (
    GladiaEmulator,
    Switches,
    Timings,
)
from tests.emulators.gladia_client import (
    CHUNK,
    SPEECH,
    chunks,
    close_code,
    is_final,
    open_session,
    read_to_the_end,
    read_until,
    words_of,
)


async def ranges(emulator: GladiaEmulator, *connections: list[int]) -> list[list[int]]:
    """Send chunks of these sizes over one connection after the other; return the acks."""
    _, url = await open_session(emulator, messages_config={})
    found: list[list[int]] = []
    for number, sizes in enumerate(connections):
        async with connect(url, proxy=None) as socket:
            for size in sizes:
                await socket.send(bytes(size))
            if number + 1 < len(connections):
                await asyncio.sleep(0.05)
                emulator.faults.drop(code=4500)
            else:
                await socket.send('{"type": "stop_recording"}')
            messages = await read_to_the_end(socket)
            found += [m["data"]["byte_range"] for m in messages if m["type"] == "audio_chunk"]
    return found


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        (Switches(), [[0, 8], [8, 16], [16, 20]]),
        (Switches(inclusive_ranges=True), [[0, 7], [8, 15], [16, 19]]),
        (Switches(ranges_restart_on_reconnect=True), [[0, 8], [8, 16], [0, 4]]),
        (Switches(acknowledge_every=2), [[0, 16]]),
        (Switches(acknowledge_empty=True), [[0, 8], [8, 16], [16, 16], [16, 20]]),
        (Switches(deduplicate=True), [[0, 8], [8, 16], [16, 20]]),
    ],
)
async def test_ranges_follow_the_switches(switches: Switches, expected: list[list[int]]) -> None:
    async with GladiaEmulator(switches=switches) as emulator:
        empty = [0] if switches.acknowledge_empty else []
        assert await ranges(emulator, [8, 8, *empty], [4]) == expected


async def test_duplicates_may_be_recognised() -> None:
    async with GladiaEmulator(switches=Switches(deduplicate=True)) as emulator:
        emulator.faults.drop(after_bytes=6 * CHUNK, last_chunk="unacked", code=1011)
        _, url = await open_session(emulator)
        for part in (chunks(SPEECH)[:6], chunks(SPEECH)[5:]):
            async with connect(url, proxy=None) as socket:
                for chunk in part:
                    await socket.send(chunk)
                if part[0] != SPEECH[:CHUNK]:
                    await socket.send('{"type": "stop_recording"}')
                await read_to_the_end(socket)
        record = emulator.sessions[0]
        assert record.audio == SPEECH
        assert record.billed_seconds == pytest.approx((len(SPEECH) + CHUNK) / 32_000)


@pytest.mark.parametrize("replay", [False, True])
async def test_messages_missed_while_away(replay: bool) -> None:
    switches, timings = Switches(replay=replay), Timings(final=0.1)
    async with GladiaEmulator(switches=switches, timings=timings) as emulator:
        _, url = await open_session(emulator)
        async with connect(url, proxy=None) as socket:
            emulator.faults.drop(on="speech_end", code=1012)
            await socket.send(SPEECH)
            await read_to_the_end(socket)
        await emulator.until(lambda: len(emulator.sessions[0].texts) == 2)
        async with connect(url, proxy=None) as socket:
            await socket.send('{"type": "stop_recording"}')
            messages = await read_to_the_end(socket)
    assert words_of(messages) == (["good", "morning", "all", "of", "you"] if replay else [])
    assert len([m for m in emulator.sessions[0].missed if is_final(m)]) == 2


async def test_second_connections() -> None:
    async with GladiaEmulator(switches=Switches(second_connection="refuse")) as emulator:
        _, url = await open_session(emulator)
        async with connect(url, proxy=None):
            with pytest.raises(InvalidStatus, match="409"):
                await connect(url, proxy=None)
    async with GladiaEmulator() as emulator:
        _, url = await open_session(emulator)
        async with connect(url, proxy=None) as first, connect(url, proxy=None) as second:
            assert await close_code(first) == 4409
            await second.send(bytes(320))
            await read_until(second, "audio_chunk")


async def test_the_smaller_switches() -> None:
    switches = Switches(
        start_session_on_socket=True,
        repeat_start_recording=True,
        refuse_unaligned=True,
        asyncapi_errors=True,
        slot_taken="connect",
        compression=True,
    )
    async with GladiaEmulator(switches=switches) as emulator:
        _, url = await open_session(emulator)
        assert emulator.open_slots == 0
        async with connect(url, proxy=None) as socket:
            first = await read_until(socket, "start_recording")
            assert [m["type"] for m in first] == ["start_session", "start_recording"]
            assert emulator.open_slots == 1
            assert "permessage-deflate" in str(socket.response and socket.response.headers)
            await socket.send(bytes(3))
            refused = (await read_until(socket, "audio_chunk"))[-1]
            assert refused["error"].keys() == {"status_code", "exception", "message"}
            await socket.close(1001)
        await emulator.until(lambda: emulator.open_slots == 0)
        async with connect(url, proxy=None) as socket:
            await read_until(socket, "start_recording")
