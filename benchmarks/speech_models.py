"""What the local engine's models cost and how well they hear: `python -m benchmarks.speech_models`.

Names or folders as in SPEECH_MODEL come behind it; without any, the English model and the one of
the tests. Each runs in a process of its own. Speech is fed as it would be spoken, as fast as the
engine keeps up with it; errors are words that are wrong, missing or too many, per word that was
said. A machine's voice in Russian is hard for all of them: it compares models, not languages.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.noises import Captions
from core.speech.engine import BYTES_PER_SECOND, StreamOptions
from core.speech.local.engine import LocalEngine
from tests.support.speech_models import whisper_base
from tests.support.speech_samples import (
    BECKETT,
    RUSSIAN,
    TWO_CITIES,
    beckett,
    russian,
    two_cities,
    words,
)

ENGLISH = "English, with the engine"
SAMPLES = (
    ("a man reads", two_cities, TWO_CITIES, "en"),
    ("an actor", beckett, BECKETT, "en"),
    ("espeak-ng", russian, RUSSIAN, "ru"),
)


def errors(said: str, heard: str) -> float:
    """Return the share of words that are wrong, missing or too many."""
    wanted, got = words(said), words(heard)
    row = list(range(len(got) + 1))
    for at, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], at
        for column, other in enumerate(got, start=1):
            best = min(row[column] + 1, row[column - 1] + 1, diagonal + (word != other))
            diagonal, row[column] = row[column], best
    return row[-1] / len(wanted)


async def measure(model: str) -> None:
    """Load a model, have it hear, and print a row for each sample."""
    engine = LocalEngine(
        model=None if model == ENGLISH else model, data_dir=Path(".data"), workers=1
    )
    began, before = time.perf_counter(), _memory()
    await engine.start()
    if engine.health().reason:
        print(f"{model}: {engine.health().reason}")
        return
    loaded = f"{time.perf_counter() - began:.1f} s, {_memory() - before:.0f} MB"
    for name, sample, said, language in SAMPLES:
        if language not in engine.languages:
            continue
        captions, pcm = Captions(), sample() + bytes(BYTES_PER_SECOND)
        stream = await engine.open(StreamOptions(languages=(language,)), captions)
        spent = time.process_time()
        for at in range(0, len(pcm), BYTES_PER_SECOND // 2):
            stream.feed(pcm[at : at + BYTES_PER_SECOND // 2])
            while stream.pending_seconds >= 0.5:  # noqa: ASYNC110 - audio has no event
                await asyncio.sleep(0.002)
        await stream.finish()
        cost = (time.process_time() - spent) / (len(pcm) / BYTES_PER_SECOND)
        wrong = errors(said, " ".join(captions.finals))
        print(
            f"{Path(model).name[:24]:25}{loaded:16}{_memory():7.0f} MB  {name:12}{cost:8.2f}"
            f"{100 * wrong:7.0f} %",
            flush=True,
        )
    await engine.close()


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure one after another."""
    if sys.argv[1:2] == ["--one"]:
        asyncio.run(measure(sys.argv[2]))
        return
    print(f"{'model':25}{'loaded':16}{'process':>10}  {'voice':12}{'CPU s/s':>8}{'errors':>9}")
    for model in sys.argv[1:] or [ENGLISH, str(whisper_base())]:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.speech_models", "--one", model], check=True
        )


if __name__ == "__main__":
    main()
