"""What the local speech engine costs: `python -m benchmarks.local_engine`.

One and three people talk in real time, for 12 s each, next to an event loop whose delay
is taken every 5 ms. It prints the processor time per second of speech, how late the loop
was, and how long after its audio a final arrives. Compare figures of one run only: they
differ between machines, and with what else these do.
"""

from __future__ import annotations

import asyncio
import os
import resource
import time

from core.speech.engine import BYTES_PER_SECOND, Recognition, StreamOptions, Translation
from core.speech.local.engine import LocalEngine, local_engine_available
from core.speech.reasons import Reason
from tests.support.speech_samples import two_cities

SECONDS = 12
FRAME = BYTES_PER_SECOND // 20


class Captions:
    """A sink that notes how long after its last sound each final came."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.partials = 0
        self.lags: list[float] = []
        self.delays = 0

    def heard(self, recognition: Recognition) -> None:
        """Sink."""
        if recognition.final:
            self.lags.append(time.perf_counter() - self.began - recognition.end)
        else:
            self.partials += 1

    def translated(self, translation: Translation) -> None:
        """Sink."""

    def delayed(self, is_delayed: bool, reason: Reason | None = None) -> None:
        """Sink."""
        self.delays += is_delayed

    def dropped(self, start: float, end: float) -> None:
        """Sink."""
        raise AssertionError("the engine did not keep up")

    def lost(self, reason: Reason, replay_from: int) -> None:
        """Sink."""
        raise AssertionError(reason)


async def main() -> None:
    """Run and print everything; takes under 30 s."""
    if reason := local_engine_available():
        raise SystemExit(str(reason))
    pcm = two_cities()
    engine = LocalEngine()
    began, spent = time.perf_counter(), time.process_time()
    await engine.start()
    print(
        f"loading: {time.perf_counter() - began:.2f} s, "
        f"{time.process_time() - spent:.2f} s of CPU, {_peak_mb():.0f} MB afterwards"
    )
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the run")
    print("people  CPU s per s of speech  loop p50/p99/max ms  final after ms  partials  delayed")
    for people in (1, 3):
        await _talk(engine, [pcm[at * 8 * BYTES_PER_SECOND :] for at in range(people)])
    print(f"peak memory {_peak_mb():.0f} MB")
    await engine.close()


async def _talk(engine: LocalEngine, voices: list[bytes]) -> None:
    late: list[float] = []
    ticker = asyncio.create_task(_tick(late))
    spent = time.process_time()
    captions = [Captions() for _ in voices]
    await asyncio.gather(
        *(_speak(engine, voice, sink) for voice, sink in zip(voices, captions, strict=True))
    )
    spent = time.process_time() - spent
    ticker.cancel()
    late.sort()
    p50, p99 = (1000 * late[int(len(late) * share)] for share in (0.5, 0.99))
    lags = sorted(lag for sink in captions for lag in sink.lags)
    print(
        f"{len(voices):6}  {spent / SECONDS / len(voices):21.3f}  "
        f"{p50:5.1f} /{p99:5.1f} /{1000 * late[-1]:5.1f}  {1000 * lags[len(lags) // 2]:14.0f}  "
        f"{sum(sink.partials for sink in captions):8}  {sum(sink.delays for sink in captions):7}"
    )


async def _speak(engine: LocalEngine, voice: bytes, captions: Captions) -> None:
    stream = await engine.open(StreamOptions(), captions)
    for frame in range(SECONDS * BYTES_PER_SECOND // FRAME):
        await asyncio.sleep(max(0.0, captions.began + (frame + 1) / 20 - time.perf_counter()))
        stream.feed(voice[frame * FRAME : (frame + 1) * FRAME])
    await stream.finish()


async def _tick(late: list[float]) -> None:
    while True:
        due = time.perf_counter() + 0.005
        await asyncio.sleep(0.005)
        late.append(time.perf_counter() - due)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    asyncio.run(main())
