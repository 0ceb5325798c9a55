"""Two relays under the same load at once: `python -m benchmarks.pair [A] [B]`.

How fast a shared machine is drifts by a third within minutes. Two relays that work in the same
seconds on the same core meet the same weather: the ratio of their CPU is right within a few
percent, where that of measurements one after the other isn't. Their latencies mean less: each
waits for the other. A and B are names of contenders as `python -m benchmarks` prints them, or
folders with another checkout of Sessions, which is how to learn what a change costs.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.contenders import Contender, Node, Sessions, everybody
from benchmarks.rig import (
    HERE,
    LANE_VARIABLE,
    SCRATCH,
    TURNS,
    Load,
    Measurement,
    RigError,
    build,
    measure,
    relay_process,
)

READY, GO = "ready\n", "go\n"


def contender(name: str) -> Contender:
    """Return who is meant by a name or a folder. Raises RigError."""
    if Path(name, "app.py").is_file():
        return Sessions(root=Path(name).resolve())
    found = [one for one in everybody() if one.name.lower() == name.lower()]
    if not found:
        names = ", ".join(one.name for one in everybody())
        raise RigError(f"{name} is neither a checkout nor one of: {names}")
    missing = found[0].missing()
    if missing is not None:
        raise RigError(f"{name} needs {missing}")
    return found[0]


def run_lane(name: str, streams: int, seconds: float) -> None:
    """Measure whenever told to, together with the other lane, until standard input ends."""
    relay = contender(name)
    load = Load(streams, seconds, passthrough=relay.passthrough, acks=relay.acks, turns=TURNS)
    with relay.services():
        while True:
            places = relay.tokens(streams, load.room)
            log = SCRATCH / "relay.log"
            with relay_process(relay.command(), relay.environment(), log) as pid:
                sys.stdout.write(READY)
                sys.stdout.flush()
                if sys.stdin.readline() != GO:
                    return
                found = measure(load, pid, places)
            sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
            sys.stdout.flush()


class Lane:
    """A process that measures one relay when it is told to."""

    def __init__(self, number: int, name: str, arguments: Sequence[str]) -> None:
        command = [sys.executable, "-m", "benchmarks.pair", name, "--lane", *arguments]
        self._process = subprocess.Popen(
            command,
            cwd=HERE.parent,
            env=os.environ | {LANE_VARIABLE: str(number)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self) -> str:
        """Return the next line. Raises RigError when the lane has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RigError("a lane has ended; see above")
        return line

    def go(self) -> None:
        """Let it measure."""
        assert self._process.stdin is not None
        self._process.stdin.write(GO)
        self._process.stdin.flush()

    def close(self) -> None:
        """End it and what it has started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


@contextmanager
def lanes(names: Sequence[str], arguments: Sequence[str]) -> Iterator[list[Lane]]:
    """Yield a lane for each name."""
    started = [Lane(number, name, arguments) for number, name in enumerate(names)]
    try:
        yield started
    finally:
        for lane in started:
            lane.close()


def run_round(both: Sequence[Lane]) -> list[Measurement]:
    """Let both measure at the same time."""
    for lane in both:
        lane.read()
    for lane in both:
        lane.go()
    return [msgspec.json.decode(lane.read(), type=Measurement) for lane in both]


def ratio(first: float, second: float) -> float:
    """Return a part of the whole, or NaN where nothing was done in a disturbed window."""
    return first / second if first > 0 and second > 0 else math.nan


def ratios(first: Measurement, second: Measurement) -> tuple[float, ...]:
    """Return what the first used of the second's CPU: for all the work, a frame, a lone caption.

    A caption beside audio isn't among them: that is a small difference of two large numbers, which
    came out anywhere between -0.12 and 2.01 for the same code.
    """
    return (
        ratio(first.work_us, second.work_us),
        ratio(first.frame_us, second.frame_us),
        ratio(first.lone_transcript_us, second.lone_transcript_us),
    )


def median(column: Sequence[float]) -> float:
    """Return the median of the rounds that have a value, NaN without any."""
    known = [one for one in column if not math.isnan(one)]
    return statistics.median(known) if known else math.nan


def _line(of: Sequence[float]) -> str:
    work, frame, alone = of
    return (
        f"frames, acknowledgments and captions {work:5.2f}"
        f"   a frame {frame:5.2f}   a caption alone {alone:5.2f}"
    )


def _state(both: Sequence[Measurement]) -> str:
    memory = ", ".join(f"{one.windows[1].rss_kb / 1024:.0f}" for one in both)
    return f"   {memory} MB" + ("" if all(one.intact for one in both) else "   NOT INTACT")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pair", description=__doc__)
    parser.add_argument("names", nargs="*", default=[Sessions.NAME, Node.NAME])
    parser.add_argument("--streams", type=int, default=200, help="of each")
    parser.add_argument("--seconds", type=float, default=3, help="length of a window")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--lane", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if len(given.names) != (1 if given.lane else 2):
        parser.error("two names, please")
    try:
        build()
        if given.lane:
            run_lane(given.names[0], given.streams, given.seconds)
            return
        seen = []
        sizes = [f"--streams={given.streams}", f"--seconds={given.seconds}"]
        with lanes(given.names, sizes) as both:
            for _ in range(given.rounds):
                pair = run_round(both)
                seen.append(ratios(*pair))
                print(_line(seen[-1]) + _state(pair), flush=True)
    except RigError as problem:
        sys.exit(str(problem))
    print(f"\nmedian: {_line([median(column) for column in zip(*seen, strict=True)])}")
    print(f"of the CPU of {given.names[1]} that {given.names[0]} uses")


if __name__ == "__main__":
    main()
