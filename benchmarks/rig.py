"""The measuring rig: builds the generator, starts relays on their own core, runs one measurement.

The relay has core 0, the generator (all browsers and the upstream) core 1. Both cores are kept
awake by spinners of idle priority.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

HERE = Path(__file__).parent
BUILD = HERE / "build"
LOAD = HERE / "load"
LANE_VARIABLE = "BENCH_LANE"
LANE = int(os.environ.get(LANE_VARIABLE, "0"))  # measurements at the same time each have their own
SCRATCH = BUILD / f"lane-{LANE}"

RELAY_CORE = 0
GENERATOR_CORE = 1
RELAY_PORT = 18_100 + 10 * LANE
UPSTREAM_PORT = RELAY_PORT + 1

BUSY_GENERATOR = 0.95  # share of its core above which its measurements mean nothing
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
QUIET_SAMPLE = 0.25  # seconds
TURNS = 4  # of the windows within one measurement
QUIET_SHARE = 0.15

GENERATOR_SOURCES = ("generator.c", "net.c", "measure.c", "sha1.c")


class RigError(Exception):
    """The measurement can't be made; the message says what to do about it."""


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds; the histogram pairs upper bounds (-1: none) with counts."""

    count: int
    left_out: int
    p50: float
    p90: float
    p99: float
    p999: float
    max: float
    histogram: list[tuple[float, int]]


class Window(msgspec.Struct, frozen=True):
    """What was counted in one window. `audio` is browser to upstream, `caption` is upstream to
    the last viewer of the room; `lateness` is the generator's own delay behind its schedule.
    `own_cpu` is the generator's share of its core; `waited` and `own_waited` are the shares of the
    time in which relay and generator were ready to run but others had their core.
    """

    seconds: float
    cpu_seconds: float
    own_cpu: float
    waited: float
    own_waited: float
    sent: int
    received: int
    lost: int
    transcripts: int
    deliveries: int
    undelivered: int
    rss_kb: int
    stalls: int
    stalled_ms: float
    audio: Latency
    caption: Latency
    lateness: Latency


class Measurement(msgspec.Struct, frozen=True):
    """One run of the generator: audio and finals, the same with partials, and partials alone."""

    joined: bool
    streams: int
    talking: int
    heard: int
    disorder: int
    corrupt: int
    foreign: int
    doubled: int
    closed: int
    refused: int
    windows: tuple[Window, Window, Window]

    @property
    def intact(self) -> bool:
        """Whether everybody joined and everything arrived, once, in order and unchanged."""
        wrong = self.disorder + self.corrupt + self.foreign + self.doubled + self.closed
        lost = any(window.lost or window.undelivered for window in self.windows)
        return self.joined and not wrong and not lost

    @property
    def valid(self) -> bool:
        """Whether the generator had time left, so that what it saw was the relay's doing."""
        return all(window.own_cpu <= BUSY_GENERATOR for window in self.windows)

    @property
    def disturbed(self) -> float:
        """The share of time that other programs took from relay or generator, at worst."""
        return max(max(window.waited, window.own_waited) for window in self.windows)

    @property
    def frame_us(self) -> float:
        """Microseconds of the relay's CPU per audio frame."""
        audio = self.windows[0]
        return audio.cpu_seconds * 1e6 / audio.received if audio.received else float("nan")

    @property
    def work_us(self) -> float:
        """Microseconds of CPU for a frame with all that goes with it in a meeting.

        That is its acknowledgment and its part of the captions that everybody reads.
        """
        both = self.windows[1]
        return both.cpu_seconds * 1e6 / both.received if both.received else float("nan")

    @property
    def transcript_us(self) -> float:
        """Microseconds of the relay's CPU that a transcript to everybody adds to the audio's."""
        audio, both, _ = self.windows
        if not audio.received:
            return float("nan")
        ratio = both.received / audio.received
        more = both.transcripts - audio.transcripts * ratio
        spent = both.cpu_seconds - audio.cpu_seconds * ratio
        return spent * 1e6 / more if more > 0 else float("nan")

    @property
    def lone_transcript_us(self) -> float:
        """Microseconds of the relay's CPU per transcript to everybody while nobody speaks."""
        alone = self.windows[2]
        return alone.cpu_seconds * 1e6 / alone.transcripts if alone.transcripts else float("nan")


@dataclass(frozen=True, slots=True)
class Load:
    """What the generator does: `room` people hear each other, for `seconds` per window.

    With `acks` the upstream acknowledges every frame, as Gladia does. The windows take turns, so
    that all see the machine as fast and as slow.
    """

    streams: int
    seconds: float
    warmup: float = 0.5
    turns: int = TURNS
    room: int = 5
    passthrough: bool = False
    acks: bool = True
    final_every: int = 25
    per_second: int = 5
    join_rate: float = 80

    @property
    def longest_setup(self) -> float:
        """Seconds that everybody's joining may take."""
        return 15 + 2 * self.streams / self.join_rate


def build() -> None:
    """Compile what is older than its source."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    _compile("generator", GENERATOR_SOURCES)
    _compile("spin", ("spin.c",))


def _compile(program: str, sources: Sequence[str]) -> None:
    target = BUILD / program
    newest = max(source.stat().st_mtime for source in LOAD.iterdir())
    if target.exists() and target.stat().st_mtime > newest:
        return
    compiler = shutil.which("cc")
    if compiler is None:
        raise RigError("there is no C compiler: install gcc or clang")
    paths = [str(LOAD / source) for source in sources]
    command = [compiler, "-O2", "-o", str(target), *paths, "-lm", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RigError(f"{program} can't be compiled:\n{done.stderr}")


def is_served(port: int) -> bool:
    """Tell whether something listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def refuse_foreign_ports() -> None:
    """Raise RigError when a port of ours is in use: numbers would be somebody else's."""
    for port in (RELAY_PORT, UPSTREAM_PORT):
        if is_served(port):
            raise RigError(f"something already listens on port {port}: stop it first")


class Quiet:
    """Waits for other programs to leave the processor alone, for `budget` seconds in all."""

    def __init__(self, budget: float) -> None:
        self._budget = budget

    def wait(self) -> None:
        """Return when little else runs, or when the budget is used up."""
        while self._budget > 0 and (busy := _busy_share(QUIET_SAMPLE)) > QUIET_SHARE:
            self._budget -= QUIET_SAMPLE + busy
            time.sleep(busy)


def _busy_share(seconds: float) -> float:
    """Return the share of all cores that is in use, without what runs at low priority."""
    before = _processor_times()
    time.sleep(seconds)
    spent = [late - early for early, late in zip(before, _processor_times(), strict=True)]
    user, _, system, *_ = spent
    return (user + system) / max(1, sum(spent))


def _processor_times() -> list[int]:
    line = Path("/proc/stat").read_text().partition("\n")[0]
    return [int(value) for value in line.split()[1:9]]


def prioritise(nice: int) -> None:
    """Run this process and what it starts at another priority, for a machine in use.

    Linux groups processes by session (autogroup): the group's priority is what counts then.
    """
    try:
        Path("/proc/self/autogroup").write_text(str(nice))
    except OSError:
        os.nice(nice)


@contextmanager
def awake(seconds: int) -> Iterator[None]:
    """Keep both cores from halting, for at most that long."""
    spinners = [
        subprocess.Popen([str(BUILD / "spin"), str(core), str(seconds)])
        for core in (RELAY_CORE, GENERATOR_CORE)
    ]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


@contextmanager
def relay_process(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[int]:
    """Run a relay on its core until the block ends. Yields its pid once its port answers."""
    refuse_foreign_ports()
    pinned = ["taskset", "-c", str(RELAY_CORE), *command]
    with log.open("wb") as output:
        process = subprocess.Popen(
            pinned, env=os.environ | dict(environment), stdout=output, stderr=output
        )
    try:
        _wait_until_served(process, log)
        yield process.pid
    finally:
        _stop(process)


def _wait_until_served(process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + START_TIMEOUT_S
    while not is_served(RELAY_PORT):
        if process.poll() is not None or time.monotonic() > limit:
            raise RigError(f"the relay did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def measure(load: Load, pid: int, tokens: Sequence[str]) -> Measurement:
    """Put the relay with this pid under load. Raises RigError when the generator fails."""
    token_file = SCRATCH / "tokens"
    token_file.write_text("".join(f"{token}\n" for token in tokens))
    options = {
        "port": RELAY_PORT,
        "listen": UPSTREAM_PORT,
        "streams": load.streams,
        "room": load.room,
        "seconds": load.seconds,
        "warmup": load.warmup,
        "turns": load.turns,
        "final-every": load.final_every,
        "per-second": load.per_second,
        "join-rate": load.join_rate,
        "setup-limit": load.longest_setup,
        "acks": int(load.acks),
        "tokens": token_file,
        "pids": pid,
        "cores": f"{RELAY_CORE},{GENERATOR_CORE}",
    }
    command = ["taskset", "-c", str(GENERATOR_CORE), str(BUILD / "generator")]
    command += [f"--{key}={value}" for key, value in options.items()]
    command += ["--passthrough"] if load.passthrough else []
    longest = 10 + int(load.longest_setup + 3 * (load.seconds + load.turns * load.warmup))
    with awake(longest):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=longest)
    if done.returncode:
        raise RigError(f"the generator failed: {done.stderr}")
    measured = msgspec.json.decode(done.stdout, type=Measurement)
    if measured.refused:
        raise RigError(f"the relay refused browsers: {done.stderr}")
    return measured
