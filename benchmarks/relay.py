"""What relaying costs, measured beside peers in one run: `python -m benchmarks [--quick]`.

Every contender is measured at 100 and 400 streams in alternating rounds, of which the median
counts; then some are given more and more streams, until the 99th percentile of the latency
that they add to audio reaches 20 ms. Absolute values belong to a machine: compare the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.contenders import Contender, Nginx, Node, Sessions, everybody
from benchmarks.rig import (
    BUILD,
    SCRATCH,
    TURNS,
    Latency,
    Load,
    Measurement,
    Quiet,
    RigError,
    build,
    measure,
    prioritise,
    refuse_foreign_ports,
    relay_process,
)

FEW, MANY = 100, 400
STEPS = (600, 800, 1000, 1200, 1400, 1600)
QUICK_STEPS = (1000,)
LATENCY_LIMIT = 20.0  # ms
DISTURBED = 0.08  # share of time lost to other programs above which a measurement is repeated
SEARCH_SHARE = 0.6  # of the time, after which the search for the most streams must begin


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often to measure, and how to wait for a quiet machine."""

    rounds: int
    seconds: float
    steps: tuple[int, ...]
    quiet: Quiet
    started: float
    minutes: float

    @property
    def used(self) -> float:
        """The share of the time that has passed."""
        return (time.monotonic() - self.started) / (60 * self.minutes)


@dataclass(slots=True)
class Book:
    """All measurements: per contender and number of streams, in the order they were made."""

    entries: dict[tuple[str, int], list[Measurement]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def median(
        self, name: str, streams: int, value: Callable[[Measurement], float]
    ) -> float | None:
        """Return the median of a value over the rounds, None when there are none."""
        found = [one for one in self.entries.get((name, streams), []) if one.valid and one.joined]
        calm = [one for one in found if one.disturbed <= DISTURBED] or found
        return statistics.median(map(value, calm)) if calm else None

    def lacks_calm(self) -> list[str]:
        """Return what was never measured without other programs in the way."""
        return [
            f"{name} at {streams}"
            for (name, streams), found in self.entries.items()
            if all(one.disturbed > DISTURBED for one in found)
        ]

    def kb_per_stream(self, name: str) -> float | None:
        """Return the slope of resident memory between few and many streams."""
        few = self.median(name, FEW, lambda one: one.windows[1].rss_kb)
        many = self.median(name, MANY, lambda one: one.windows[1].rss_kb)
        return None if few is None or many is None else (many - few) / (MANY - FEW)

    def most_streams(self, name: str, window: int) -> int | None:
        """Return the most streams that were carried whole and in time, None if none were sought."""
        tried = {streams: found for (one, streams), found in self.entries.items() if one == name}
        if max(tried, default=0) <= MANY:
            return None
        good = [n for n, found in tried.items() if any(_holds(each, window) for each in found)]
        return max(good, default=None)


def _holds(one: Measurement, window: int) -> bool:
    seen = one.windows[window]
    caption = seen.caption.p99 if window else 0.0
    lost = seen.lost or seen.undelivered
    return one.valid and one.joined and not lost and max(seen.audio.p99, caption) < LATENCY_LIMIT


def run_once(contender: Contender, streams: int, plan: Plan) -> Measurement:
    """Start the contender afresh and measure it.

    Beyond MANY the windows don't take turns: who is past the limit with partials would carry
    the backlog into the next window without.
    """
    load = Load(
        streams,
        plan.seconds,
        passthrough=contender.passthrough,
        acks=contender.acks,
        turns=TURNS if streams <= MANY else 1,
    )
    places = contender.tokens(streams, load.room)
    log = SCRATCH / "relay.log"
    plan.quiet.wait()
    with relay_process(contender.command(), contender.environment(), log) as pid:
        return measure(load, pid, places)


def run_all(contenders: Sequence[Contender], plan: Plan) -> Book:
    """Measure everybody in alternating rounds, then look for the most streams."""
    book = Book()
    with ExitStack() as stack:
        for contender in contenders:
            stack.enter_context(contender.services())
        for number in range(plan.rounds):
            for streams in (FEW, MANY):
                for contender in contenders:
                    if contender.most is None and not (number and contender.once):
                        _note(book, contender, streams, plan)
        for contender in contenders:
            if contender.most is not None:
                _note(book, contender, contender.most, plan)
            elif contender.searched:
                _search(book, contender, plan)
    return book


def _search(book: Book, contender: Contender, plan: Plan) -> None:
    for streams in plan.steps:
        if plan.used >= 1 or not _holds(_note(book, contender, streams, plan), 0):
            return


def _note(book: Book, contender: Contender, streams: int, plan: Plan) -> Measurement:
    """Measure and write down; once more if other programs took too much of a core meanwhile."""
    one = _note_once(book, contender, streams, plan)
    if one.disturbed > DISTURBED and plan.used < SEARCH_SHARE:
        again = _note_once(book, contender, streams, plan)
        one = min(one, again, key=lambda each: (not each.joined, each.disturbed))
    return one


def _note_once(book: Book, contender: Contender, streams: int, plan: Plan) -> Measurement:
    one = run_once(contender, streams, plan)
    book.entries[contender.name, streams].append(one)
    _report(contender, streams, one)
    return one


def _report(contender: Contender, streams: int, one: Measurement) -> None:
    audio, both, _ = one.windows
    print(
        f"{contender.name:34} {streams:5} streams  {one.frame_us:6.1f} us/frame"
        f" {one.transcript_us:7.1f} us/transcript, {one.lone_transcript_us:6.1f} alone"
        f"  audio p99 {audio.audio.p99:7.2f}/{both.audio.p99:7.2f} ms"
        f"  caption p99 {both.caption.p99:7.2f} ms"
        f"  lost {audio.lost + both.lost}+{both.undelivered}"
        f"  generator {both.own_cpu:4.0%}  disturbed {one.disturbed:4.1%}"
        f"{'' if one.intact else '  NOT INTACT'}{'' if one.valid else '  INVALID'}",
        file=sys.stderr,
        flush=True,
    )


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None or value != value else f"{value:.{digits}f}"  # noqa: PLR0124


def _pair(first: float | None, second: float | None) -> str:
    return f"{_number(first)}/{_number(second)}"


def table(book: Book, contenders: Iterable[Contender]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| Relay | µs/frame | µs/transcript, beside audio | alone | most streams on a core"
        " | p50, p99 ms at 400: audio | caption | kB/stream |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_row(book, contender) for contender in contenders)])


def _row(book: Book, contender: Contender) -> str:
    name = contender.name
    few, many = (FEW, MANY) if contender.most is None else (contender.most, 0)

    def both(value: Callable[[Measurement], float]) -> str:
        return _pair(book.median(name, few, value), book.median(name, many, value))

    def delay(kind: Callable[[Measurement], Latency]) -> str:
        p50 = book.median(name, many, lambda one: kind(one).p50)
        p99 = book.median(name, many, lambda one: kind(one).p99)
        return f"{_number(p50, 2)}, {_number(p99, 2)}"

    one_to_one = " (1:1)" if contender.passthrough else ""
    most = "–"
    if contender.searched:
        audio, captions = book.most_streams(name, 0), book.most_streams(name, 1)
        most = f"{_number(audio)} ({_number(captions)} with captions)"
    cells = [
        f"{name}, at {contender.most} streams" if contender.most else name,
        both(lambda one: one.frame_us),
        both(lambda one: one.transcript_us) + one_to_one,
        both(lambda one: one.lone_transcript_us) + one_to_one,
        most,
        delay(lambda one: one.windows[1].audio),
        delay(lambda one: one.windows[1].caption),
        _number(book.kb_per_stream(name)),
    ]
    return "| " + " | ".join(cells) + " |"


def ratios(book: Book) -> str:
    """Return what was to be reached, and what was."""

    def at(name: str, streams: int, value: Callable[[Measurement], float]) -> float:
        found = book.median(name, streams, value)
        return float("nan") if found is None else found

    frame: Callable[[Measurement], float] = lambda one: one.frame_us  # noqa: E731
    beside: Callable[[Measurement], float] = lambda one: one.transcript_us  # noqa: E731
    alone: Callable[[Measurement], float] = lambda one: one.lone_transcript_us  # noqa: E731

    def ratio(ours: str, theirs: str, value: Callable[[Measurement], float]) -> str:
        return f"{at(ours, MANY, value) / at(theirs, MANY, value):.2f}"

    with_acks = (Sessions.NAME, Nginx.WITH_ACKS, Node.NAME)
    without = (Sessions.WITHOUT_ACKS, Nginx.NAME, Node.WITHOUT_ACKS)
    lines = [
        f"At {MANY} streams, {what} acknowledgments: CPU per frame"
        f" {ratio(ours, nginx, frame)} x nginx (<= 1.35), {ratio(ours, node, frame)} x Node"
        f" (<= 0.80); CPU per transcript {ratio(ours, node, alone)} x Node alone,"
        f" {ratio(ours, node, beside)} x Node beside audio (<= 0.75)"
        for what, (ours, nginx, node) in (("with", with_acks), ("without", without))
    ]
    lines += [
        "CPU per frame as streams grow: "
        + ", ".join(
            f"{streams}: {_number(book.median(name, streams, frame), 1)}"
            for name, streams in sorted(book.entries)
            if name == Sessions.NAME
        ),
    ]
    return "\n".join(lines)


def histograms(book: Book) -> str:
    """Return how Sessions' added latency is spread, at the most and the usual load."""
    lines = []
    for (name, streams), found in sorted(book.entries.items()):
        if name == Sessions.NAME and streams >= MANY:
            both = found[-1].windows[1]
            lines.append(f"{streams} streams, audio to upstream:   {_histogram(both.audio)}")
            lines.append(f"{streams} streams, caption to the last: {_histogram(both.caption)}")
    return "\n".join(lines)


def _histogram(of: Latency) -> str:
    total = max(1, of.count)
    parts = [
        f"{'>' if edge < 0 else '<'}{100 if edge < 0 else edge:g} ms {count / total:.1%}"
        for edge, count in of.histogram
        if count
    ]
    return ", ".join(parts)


def conditions(book: Book, plan: Plan) -> str:
    """Return when and where this was measured, and what was left out."""
    windows = [window for found in book.entries.values() for one in found for window in one.windows]
    samples = sum(window.audio.count + window.caption.count for window in windows)
    left_out = sum(window.audio.left_out + window.caption.left_out for window in windows)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {os.cpu_count()} cores,"
        f" Python {platform.python_version()}; median of {plan.rounds} rounds of"
        f" {plan.seconds:g} s. {left_out} of {samples + left_out} samples left out because they"
        f" overlap one of {sum(window.stalls for window in windows)} stalls of the machine."
        f" The generator used at most {max((w.own_cpu for w in windows), default=0):.0%} of its"
        f" core.{_warning(book)}"
    )


def _warning(book: Book) -> str:
    disturbed = book.lacks_calm()
    if not disturbed:
        return ""
    return (
        f"\n\nNOT TO BE RELIED ON: other programs took more than {DISTURBED:.0%} of a core in every"
        f" measurement of: {'; '.join(disturbed)}. Run again on a quiet machine."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def present(contenders: Iterable[Contender]) -> list[Contender]:
    """Return those that can run; say what the others lack."""
    found = []
    for contender in contenders:
        missing = contender.missing()
        if missing is None:
            found.append(contender)
        else:
            print(f"skipped: {contender.name} needs {missing}", file=sys.stderr)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, three sizes")
    parser.add_argument("--seconds", type=float, help="length of a window")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", default="", help="names that contain this, split by commas")
    parser.add_argument("--steps", help="numbers of streams to try beyond 400, split by commas")
    parser.add_argument("--nice", type=int, default=0, help="priority, on a busy machine")
    parser.add_argument("--minutes", type=float, default=20, help="begin nothing new after that")
    parser.add_argument("--quiet-timeout", type=float, default=30, help="s to wait for quiet")
    given = parser.parse_args(arguments)
    plan = Plan(
        rounds=given.rounds or (1 if given.quick else 3),
        seconds=given.seconds or (2 if given.quick else 3),
        steps=tuple(map(int, given.steps.split(",")))
        if given.steps
        else QUICK_STEPS
        if given.quick
        else STEPS,
        quiet=Quiet(given.quiet_timeout),
        started=time.monotonic(),
        minutes=given.minutes,
    )
    wanted = [part.lower() for part in given.only.split(",")]
    try:
        if given.nice:
            prioritise(given.nice)
        build()
        refuse_foreign_ports()
        chosen = [one for one in everybody() if any(part in one.name.lower() for part in wanted)]
        contenders = present(chosen)
        book = run_all(contenders, plan)
    except RigError as problem:
        sys.exit(str(problem))
    print(
        table(book, contenders), ratios(book), histograms(book), conditions(book, plan), sep="\n\n"
    )
    _keep(book)


def _keep(book: Book) -> None:
    """Leave the raw numbers beside the programs, for a closer look."""
    raw = {f"{name}, {streams}": found for (name, streams), found in book.entries.items()}
    (BUILD / "last.json").write_text(json.dumps(msgspec.to_builtins(raw), indent=1))


if __name__ == "__main__":
    main()
