"""What recordings cost the local engine, and who speaks meanwhile: `python -m benchmarks.recorded`.

First two minutes of speech are transcribed alone: processor time per second of recording, with that
of the process that decodes. Then somebody talks in real time, in turns without and with a recording
that is transcribed meanwhile: how long after its last sound a final comes, and how late a partial
is. Both are of one run, so their ratio holds where the figures don't. Last a long file is decoded
alone: its time, and the memory of the process that does it. `--hours` says how long it is, which it
takes minutes to make; `--only talk` or `long` leaves the rest out.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

from core.speech.engine import BYTES_PER_SECOND, SAMPLE_RATE, Recognition, StreamOptions
from core.speech.local.engine import LocalEngine, local_engine_available
from core.speech.recorded.decoding import sound
from core.speech.recorded.model import Begun, Track
from tests.speech.local_listener import Listener
from tests.support.media import write_media
from tests.support.speech_samples import two_cities

SECONDS, ROUNDS = 20, 4
FRAME = BYTES_PER_SECOND // 20


class Late(Listener):
    """A sink that notes how long after its last sound each text came, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.began = time.perf_counter()
        self.partials_late: list[float] = []
        self.finals_late: list[float] = []

    def heard(self, recognition: Recognition) -> None:
        """Sink."""
        late = time.perf_counter() - self.began - recognition.end
        (self.finals_late if recognition.final else self.partials_late).append(late)


async def main(hours: float, only: str | None) -> None:
    """Run and print everything; takes ten minutes on two cores."""
    if reason := local_engine_available():
        raise SystemExit(str(reason))
    engine = LocalEngine()
    await engine.start()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the run")
    with tempfile.TemporaryDirectory() as folder:
        path = write_media(Path(folder) / "speech.m4a", 3 * two_cities())
        if only is None:
            await cost(engine, path)
        if only != "long":
            await beside(engine, path)
        if only != "talk":
            await alone(Path(folder) / "long.m4a", hours)
        await engine.close()


async def cost(engine: LocalEngine, path: Path) -> None:
    """Print what it takes to transcribe a recording while nobody speaks."""
    began, spent = time.perf_counter(), _cpu()
    recorded, sent = await transcribe(engine, path)
    took = time.perf_counter() - began
    print(f"recording: {recorded:.0f} s of which {sent:.0f} are spoken, in {took:.0f} s,")
    print(f"  {(_cpu() - spent) / recorded:.3f} s of CPU per second of it")


async def transcribe(engine: LocalEngine, path: Path) -> tuple[float, float]:
    """Return how many seconds a recording has, and how many of them are spoken."""
    transcriber = engine.recorded()
    assert transcriber is not None
    until = sent = 0.0
    async for part in transcriber.transcribe(Track(path), StreamOptions(), Begun()):
        until, sent = part.until, sent + part.seconds_sent
    return until, sent


async def beside(engine: LocalEngine, path: Path) -> None:
    """Print how late captions are without and with a recording."""
    calm, busy = [Late() for _ in range(ROUNDS)], [Late() for _ in range(ROUNDS)]
    for number in range(ROUNDS):
        await _talk(engine, calm[number])
        recording = asyncio.create_task(_again_and_again(engine, path))
        await asyncio.sleep(1)
        await _talk(engine, busy[number])
        recording.cancel()
        await asyncio.gather(recording, return_exceptions=True)
    for name in ("finals", "partials"):
        one, other = (
            sorted(late for sink in sinks for late in getattr(sink, f"{name}_late"))
            for sinks in (calm, busy)
        )
        for share in (0.5, 0.95):
            without, beside_ = one[int(share * len(one))], other[int(share * len(other))]
            print(
                f"{name} of who speaks, p{100 * share:.0f}: {1000 * without:.0f} ms alone, "
                f"{1000 * beside_:.0f} beside a recording: {beside_ / without:.2f} times"
            )


async def _again_and_again(engine: LocalEngine, path: Path) -> None:
    while True:
        await transcribe(engine, path)


async def _talk(engine: LocalEngine, captions: Late) -> None:
    voice = two_cities()
    stream = await engine.open(StreamOptions(), captions)
    captions.began = time.perf_counter()
    for frame in range(SECONDS * BYTES_PER_SECOND // FRAME):
        await asyncio.sleep(max(0.0, captions.began + (frame + 1) / 20 - time.perf_counter()))
        stream.feed(voice[frame * FRAME : (frame + 1) * FRAME])
    await stream.finish()


async def alone(path: Path, hours: float) -> None:
    """Print what it takes to decode a file of so many hours."""
    times = round(hours * 3600 * BYTES_PER_SECOND / len(two_cities()))
    write_media(path, times * two_cities())
    began, spent = time.perf_counter(), _cpu()
    samples = 0
    async with aclosing(sound(Track(path))) as pieces:
        async for piece in pieces:
            samples += piece.samples
    took, cpu = time.perf_counter() - began, _cpu() - spent
    size = await asyncio.to_thread(lambda: path.stat().st_size)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"decoding {samples / SAMPLE_RATE / 3600:.1f} hours ({size / 1e6:.0f} MB): "
        f"{took:.0f} s, {cpu:.0f} s of CPU, {peak:.0f} MB in the process that does it"
    )


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--only", choices=("talk", "long"))
    args = parser.parse_args()
    asyncio.run(main(args.hours, args.only))
