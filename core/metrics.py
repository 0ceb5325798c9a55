"""Metrics: what is counted as it happens, for whoever asks `/metrics`. Imports nothing of ours.

Who counts imports a counter from here. What is known anyway, such as who is in the rooms, is read
when somebody asks: see core.scrape. Nothing is counted for each frame of audio but its samples.

Labels have values of fixed sets only, known before anybody comes: what people choose, and ids of
people and sessions, would make as many series as there are, and tell of them to who may not know.
docs/metrics.md has all of it in words.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series of each counter, for its begin: the process has one
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)  # CPU, memory and files of the process; on Linux
PlatformCollector(registry=REGISTRY)  # the release of Python
GCCollector(registry=REGISTRY)

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds


class Samples:
    """Samples of audio, counted for each frame: an addition costs less than a lock."""

    __slots__ = ("samples",)

    def __init__(self) -> None:
        self.samples = 0


RECEIVED = Samples()  # of all pages, what they sent again included

CAPTION_SECONDS = Histogram(
    "sessions_caption_seconds",
    "From an utterance's last audio to its text: its final, and the first text of it.",
    ("kind",),
    buckets=(0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 30, 60),
    registry=REGISTRY,
)
FIRST_PARTIAL, FINAL = (CAPTION_SECONDS.labels(kind) for kind in ("first_partial", "final"))

LOST_SECONDS = Counter(
    "sessions_lost_seconds",
    "Speech that will never be text.",
    ("why",),
    registry=REGISTRY,
)
LOST_BY_PAGE, LOST_FOR_MEMORY, LOST_BY_ENGINE, LOST_AT_END, LOST_FOR_MINUTES, LOST_FOR_PLACE = (
    LOST_SECONDS.labels(why)
    for why in (
        "page",  # let it go before it could send it
        "memory",  # no more could wait
        "engine",  # fell too far behind
        "given_up",  # as the room closed, or nobody was left to wait for it
        "minutes",  # the space has used up its own
        "transcript_full",
    )
)
SOUND_KEPT = Counter(
    "sessions_sound_kept_seconds", "Sound that was written to a file.", registry=REGISTRY
)
SOUND_NOT_KEPT = Counter(
    "sessions_sound_not_kept_seconds",
    "Sound that was to be kept and wasn't, as there was no place for it.",
    registry=REGISTRY,
)
UPLOADS = Counter(
    "sessions_uploads",
    "Uploaded recordings that were worked on, by what became of them: done or failed.",
    ("outcome",),
    registry=REGISTRY,
)
NOT_STORED = Counter(
    "sessions_not_stored",
    "Entries that were let go: the database refused them, or too many waited.",
    ("kind", "why"),
    registry=REGISTRY,
)
SPEECH_ERRORS = Counter(
    "sessions_speech_errors",
    "Streams that the engine refused or lost, by core.speech.reasons.",
    ("what", "reason"),
    registry=REGISTRY,
)
PAGES_BACK = Counter(
    "sessions_page_returns",
    "Pages that came back to their room, after their line broke or by a reload.",
    registry=REGISTRY,
)
DATABASE_SECONDS = Histogram(
    "sessions_database_seconds",
    "Waiting for a connection of the pool, statements, and whole transactions.",
    ("what",),
    buckets=QUICK,
    registry=REGISTRY,
)
WAIT_FOR_CONNECTION, STATEMENT, TRANSACTION = (
    DATABASE_SECONDS.labels(what) for what in ("connection", "statement", "transaction")
)
DATABASE_ERRORS = Counter(
    "sessions_database_errors",
    "Statements that an outage kept from being done, by its code in /health.",
    ("code",),
    registry=REGISTRY,
)
LIVEKIT_REQUESTS = Counter(
    "sessions_livekit_requests",
    "What LiveKit's API was asked, by what came of it.",
    ("outcome",),
    registry=REGISTRY,
)
LOOP_LAG = Histogram(
    "sessions_loop_lag_seconds",
    "By how much the event loop was late, looked at four times a second.",
    buckets=QUICK,
    registry=REGISTRY,
)
HTTP_REQUESTS = Counter(
    "sessions_http_requests",
    "Requests by method, route and class of the answer's status.",
    ("method", "route", "status"),
    registry=REGISTRY,
)
HTTP_SECONDS = Histogram(
    "sessions_http_seconds",
    "From a request's headers to the end of its answer, by route.",
    ("route",),
    buckets=QUICK,
    registry=REGISTRY,
)
HTTP_REFUSED = Counter(
    "sessions_http_refused",
    "Connections whose request passed a bound before there was a route for it.",
    ("status",),
    registry=REGISTRY,
)
SOCKETS_OVER = Counter(
    "sessions_sockets_over",
    "Sockets that are over, by close code; refused ones by status.",
    ("code",),
    registry=REGISTRY,
)
EVENTS = Counter(
    "sessions_events",
    "Events of the audit log: sign-ins, refusals, bounds that were hit, acts of hosts.",
    ("event",),
    registry=REGISTRY,
)
