"""What a stream takes of memory, and what its speech takes: `python -m benchmarks.memory`.

Speech is kept until its final has come, so a stream takes the more the longer a final is on its
way. Both are told apart by loads that differ in that alone: how often a stream has a final. What
is left where that line meets no wait at all is the stream's own.
"""

from __future__ import annotations

import numpy as np

from benchmarks.contenders import Contender, Sessions
from benchmarks.rig import SCRATCH, Load, build, measure, relay_process

FEW, MANY = 100, 400  # streams: what both share, such as the interpreter, is no stream's
TRANSCRIPTS = 5  # of a stream in a second; each so many is a final
FINALS_S = (1.0, 2.0, 4.0)  # between two finals of a stream
SECONDS = 10.0  # of speech; memory settles at the longest wait within them


def _kb(contender: Contender, streams: int, wait: float) -> int:
    every = round(wait * TRANSCRIPTS)
    load = Load(streams, SECONDS, turns=1, per_second=TRANSCRIPTS, final_every=every)
    places = contender.tokens(streams, load.room)
    command, log = contender.command(), SCRATCH / "relay.log"
    with relay_process(command, contender.environment(), log) as pid:
        return measure(load, pid, places).windows[0].rss_kb


def main() -> None:
    """Measure and print; takes about four minutes."""
    build()
    sessions, slopes = Sessions(), list[float]()
    with sessions.services():
        for wait in FINALS_S:
            few, many = (_kb(sessions, streams, wait) for streams in (FEW, MANY))
            slopes.append((many - few) / (MANY - FEW))
            print(f"a final every {wait:.0f} s: {slopes[-1]:.0f} kB a stream", flush=True)
    second, own = np.polyfit(FINALS_S, slopes, 1)
    print(f"a second of speech without a final: {second:.0f} kB; a stream besides: {own:.0f} kB")


if __name__ == "__main__":
    main()
