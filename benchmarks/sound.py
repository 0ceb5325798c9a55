"""What kept sound costs for each person who speaks, and how late the loop is with and without.

Pages speak in real time, each frame of 40 ms by itself, as microphones hand them over; the keeper
encodes real speech beside the loop. A beat every 5 ms notes how late it comes: captions are made on
that loop, and can't be later for sound than it is. Both halves are of one run, in turns.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from core.audio.keeper import Keeper
from core.audio.shelf import Shelf
from core.speech.engine import BYTES_PER_SECOND, SAMPLE_RATE
from core.store.recordings import Recording
from tests.support.speech_samples import two_cities

SPEAKERS = 10
SECONDS = 10.0  # of each turn
TURNS = 3
FRAME = SAMPLE_RATE // 25 * 2  # bytes
BEAT = 0.005


async def speak(keeper: Keeper | None, number: int, speech: bytes, begin: float) -> None:
    """Say it in real time, from a place of its own."""
    tape = keeper.tape("session", (f"p_{number}", "bench"), 7) if keeper else None
    loop = asyncio.get_running_loop()
    for place in range(0, int(SECONDS * BYTES_PER_SECOND), FRAME):
        await asyncio.sleep(max(0.0, begin + place / BYTES_PER_SECOND - loop.time()))
        at = (place + number * BYTES_PER_SECOND) % (len(speech) - FRAME) // 2 * 2
        if tape is not None:
            tape.take(place // 2, speech[at : at + FRAME], place / BYTES_PER_SECOND)
    if tape is not None:
        tape.finish()


async def turn(keeper: Keeper | None, speech: bytes) -> list[float]:
    """Return how late each beat came, in seconds."""
    late: list[float] = []
    loop = asyncio.get_running_loop()
    begin = loop.time()
    work = [asyncio.create_task(speak(keeper, one, speech, begin)) for one in range(SPEAKERS)]
    while not all(one.done() for one in work):
        due = loop.time() + BEAT
        await asyncio.sleep(BEAT)
        late.append(loop.time() - due)
    return late


async def main() -> None:
    """Measure, and print what was found."""
    speech = two_cities()
    kept: list[Recording] = []
    late: dict[bool, list[float]] = {False: [], True: []}
    spent: dict[bool, float] = {False: 0.0, True: 0.0}
    with tempfile.TemporaryDirectory() as folder:
        keeper = Keeper(Shelf(Path(folder)), lambda one, _: kept.append(one))
        keeper.start()
        await turn(keeper, speech)  # the first file loads the encoder
        kept.clear()
        for _ in range(TURNS):
            for with_sound in (False, True):
                before = time.process_time()
                late[with_sound] += await turn(keeper if with_sound else None, speech)
                spent[with_sound] += time.process_time() - before
        await asyncio.to_thread(keeper.close)
    seconds = sum(one.seconds for one in kept)
    cpu = (spent[True] - spent[False]) / (SPEAKERS * SECONDS * TURNS)
    size = sum(one.bytes for one in kept) / seconds
    print(f"CPU of a speaker: {cpu:.2%} of a core")
    print(f"size: {size * 8 / 1000:.1f} kbit/s, {size * 3600 / 1e6:.1f} MB an hour of speech")
    for with_sound, name in ((False, "without"), (True, "with")):
        found = sorted(late[with_sound])
        p50, p99 = found[len(found) // 2], found[len(found) * 99 // 100]
        print(f"event loop {name} sound: late by {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms")


if __name__ == "__main__":
    asyncio.run(main())
