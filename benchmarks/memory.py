"""What a stream takes of memory, and what its speech takes: `python -m benchmarks.memory`.

Speech is kept until its final has come, on average for half of the time between two, and finals
stay with their room. So loads that differ in how often a stream has a final and for how long it
speaks tell apart what a stream takes by itself, a second of its waiting speech, and a final.
"""

from __future__ import annotations

import numpy as np

from benchmarks.contenders import Contender, Sessions
from benchmarks.rig import SCRATCH, Load, build, measure, relay_process

FEW, MANY = 100, 400  # streams: what both share, such as the interpreter, is no stream's
TRANSCRIPTS = 5  # of a stream in a second; each so many is a final
LOADS = ((0.2, 3.0), (1.0, 3.0), (1.0, 8.0), (4.0, 8.0))  # seconds between finals, and of speech


def _kb(contender: Contender, streams: int, wait: float, seconds: float) -> int:
    every = round(wait * TRANSCRIPTS)
    load = Load(streams, seconds, turns=1, per_second=TRANSCRIPTS, final_every=every)
    places = contender.tokens(streams, load.room)
    command, log = contender.command(), SCRATCH / "relay.log"
    with relay_process(command, contender.environment(), log) as pid:
        return measure(load, pid, places).windows[0].rss_kb


def main() -> None:
    """Measure and print; takes about four minutes."""
    build()
    sessions, slopes = Sessions(), list[float]()
    with sessions.services():
        for wait, seconds in LOADS:
            few, many = (_kb(sessions, streams, wait, seconds) for streams in (FEW, MANY))
            slopes.append((many - few) / (MANY - FEW))
            load = f"{seconds:.0f} s of speech, a final every {wait:.1f} s"
            print(f"{load}: {slopes[-1]:.0f} kB a stream", flush=True)
    parts = [(1.0, wait / 2, seconds / wait) for wait, seconds in LOADS]
    (own, second, final), *_ = np.linalg.lstsq(np.array(parts), np.array(slopes))
    print(
        f"a stream: {own:.0f} kB; a second of its speech without a final: {second:.0f} kB;"
        f" a final: {final:.1f} kB"
    )


if __name__ == "__main__":
    main()
