"""What `/metrics` tells at this moment: what is counted (core.metrics), and what is there to read.

Reading costs nobody anything but who asks. What it says is of this process alone.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import get_args

from prometheus_client import Metric, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from core.metrics import RECEIVED, REGISTRY
from core.room.rooms import Rooms
from core.services import Services
from core.speech.engine import SAMPLE_RATE, Health, SpeechState

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def written(parts: Services, connections: int, requests: int) -> bytes:
    """Return all metrics in Prometheus's text format 0.0.4.

    `connections` and `requests` are those that the server has open and in progress.
    """
    return generate_latest(_Now(parts, connections, requests))


class _Now(Collector):
    """Everything, as it is now."""

    def __init__(self, parts: Services, connections: int, requests: int) -> None:
        self._parts = parts
        self._connections = connections
        self._requests = requests

    def collect(self) -> Iterable[Metric]:
        """Collector."""
        parts = self._parts
        yield from REGISTRY.collect()
        yield _by("build_info", "The release that runs.", "version", {version(): 1})
        yield _one("connections", "Open connections, WebSockets among them.", self._connections)
        yield _one("requests_in_progress", "Requests that wait for answers.", self._requests)
        tasks = len(asyncio.all_tasks())
        yield _one("tasks", "What the event loop has under way.", tasks)
        yield from _people(parts.rooms)
        yield from _speech(parts.rooms)
        yield from _storing(parts)


def _people(rooms: Rooms) -> Iterator[Metric]:
    seats = [room.fanout.seats for room in rooms.all]
    people = sum(len({seat.participant.identity for seat in some}) for some in seats)
    unsent = sum(seat.listener.unsent for some in seats for seat in some)
    yield _one("rooms", "Rooms in memory.", len(seats))
    yield _one("pages", "Pages that are in a room.", sum(map(len, seats)))
    yield _one("participants", "People who have a page in a room, counted per room.", people)
    yield _one("sockets", "Sockets that are open or being opened.", rooms.quota.taken)
    yield _one("unsent_bytes", "What waits in pages' sockets to be read.", unsent)


def _speech(rooms: Rooms) -> Iterator[Metric]:
    speech, engine = rooms.speech, rooms.engine
    states = Counter(state for room in rooms.all for state in room.microphones.states)
    yield _by(
        "microphones",
        "Pages' microphones, by what becomes of what they hear.",
        "state",
        {state: states[state] for state in get_args(SpeechState)},
    )
    waiting, usage = speech.slots.waiting, speech.tally.usage
    of_state = {"open": len(speech.tally.open), "waiting": waiting}
    yield _by("streams", "Streams to the engine, open or waiting for one.", "state", of_state)
    yield _one("stream_slots", "Streams that may be open at once.", speech.slots.capacity)
    health = engine.health().health
    of_health = {one.value: float(one is health) for one in Health}
    yield _by("speech_health", "1 for how the speech engine is.", "health", of_health)
    yield _one("speech_memory_bytes", "Speech that is kept until it is text.", speech.budget.used)
    yield _one("speech_memory_limit_bytes", "How much of it may be.", speech.budget.limit)
    received = RECEIVED.samples / SAMPLE_RATE
    sent = usage.seconds_sent
    yield _sum("audio_received_seconds", "Audio that came from pages.", received)
    yield _sum("audio_sent_seconds", "Audio that went to the engine, as it is paid for.", sent)
    texts = {"partial": usage.partials, "final": usage.finals}
    yield _sums("captions", "Texts that came of the engine.", "kind", texts)
    yield _sum("streams_opened", "Streams that the engine opened.", speech.tally.opened)
    yield _sum("stream_reconnects", "Lines to the engine that were opened anew.", usage.reconnects)
    yield _sum("stream_errors", "Errors that the engine told within streams.", usage.errors)


def _storing(parts: Services) -> Iterator[Metric]:
    depths = parts.writer.depths
    waiting = {kind: depth for kind, depth, _ in depths}
    on_disk = {kind: depth for kind, _, depth in depths}
    yield _by("unstored", "What waits for the database.", "kind", waiting)
    yield _by("unstored_on_disk", "What of that is in a file, too.", "kind", on_disk)
    yield _one("unstored_seconds", "How long the oldest of it has waited.", parts.writer.waited_s)
    busy, size, most = parts.db.connections
    of_state = {"busy": busy, "idle": size - busy}
    yield _by("database_connections", "Connections of the pool.", "state", of_state)
    yield _one("database_connections_limit", "How many there may be.", most)
    trouble = parts.db.trouble is not None
    yield _one("database_trouble", "1 while statements are refused or not answered.", trouble)


def _one(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(f"sessions_{name}", help_, value=value)


def _by(name: str, help_: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"sessions_{name}", help_, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _sum(name: str, help_: str, value: float) -> Metric:
    return CounterMetricFamily(f"sessions_{name}", help_, value=value)


def _sums(name: str, help_: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"sessions_{name}", help_, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


@cache
def version() -> str:
    """Return the release that runs, as pyproject.toml names it; `unknown` where that isn't."""
    try:
        project = tomllib.loads(PROJECT.read_text("utf-8"))
        return str(project["project"]["version"])
    except (OSError, ValueError, KeyError):
        return "unknown"
