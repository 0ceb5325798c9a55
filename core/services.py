"""The long-lived parts of a running Sessions, made in the lifespan and handed to every route."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.archive import Extras
from core.audio import hearing
from core.audio.rounds import Rounds
from core.checks import Watch
from core.conduct import Conduct
from core.correcting import Correcting
from core.database import Database
from core.deletion import Deletion
from core.lifecycle import Lifecycle
from core.livekit import Calls
from core.minutes import SpaceMinutes
from core.newest import NewestOnly
from core.probe import ProbeQuota
from core.rate_limit import HOUR, RateLimiter
from core.room.rooms import Rooms
from core.settings import Settings
from core.slow_down import SlowDown
from core.speaking import Speaking
from core.transcript.reading import TranscriptReader
from core.transcript.writer import TranscriptWriter
from core.uploads.service import Uploads
from core.waiting_line import Places, WaitingLine

ARCHIVES = 2  # of spaces, under way at once in a process: each may take a core for minutes


class RateLimits:
    """Actions a minute and client; `factor` multiplies them all."""

    def __init__(self, factor: float = 1.0) -> None:
        self.default = RateLimiter(100 * factor)
        self.create = RateLimiter(20 * factor)
        self.update = RateLimiter(30 * factor)  # what is kept of people, spaces and sessions
        self.delete = RateLimiter(10 * factor)
        self.upload = RateLimiter(5 * factor)  # pictures: each takes some 50 ms of a core
        # Pieces of recordings: of the smallest, which are half a megabyte, ten a second.
        self.piece = RateLimiter(1200 * factor)
        self.token = RateLimiter(30 * factor)
        self.export = RateLimiter(5 * factor)  # of an account: it may be thousands of statements
        self.by_token = RateLimiter(120 * factor)  # whatever programs do for one person
        self.wrong_tokens = RateLimiter(30 * factor)  # of one address, beside those that are good
        self.guest = RateLimiter(60 * factor)
        # Names of one address: a hall or school once, and not a session's memory in an evening.
        self.guest_hourly = RateLimiter(300 * factor, window=HOUR)
        self.sign_in = RateLimiter(30 * factor)
        self.come_back = RateLimiter(30 * factor)  # from a provider: each sign-in once
        self.language = RateLimiter(30 * factor)
        self.checks = RateLimiter(20 * factor)  # each may ask ten services
        self.metrics = RateLimiter(60 * factor)  # scrapes: each takes some milliseconds
        self.chat = RateLimiter(20 * factor)
        self.gesture = RateLimiter(60 * factor)  # hands, reactions, `take`
        self.listing = RateLimiter(200 * factor)  # lists: each takes 30 ms; a page asks every 5 s
        self.searching = RateLimiter(
            150 * factor
        )  # each takes up to 60 ms; a page asks while one types
        self.loss = RateLimiter(60 * factor)  # audio that a page had to let go
        self.hearing = RateLimiter(240 * factor)  # parts of recordings: a player asks for several
        self.reading = RateLimiter(60 * factor)  # transcripts; a page asks every 4 s for late words
        # Tests of somebody's connection: each makes a room at LiveKit, so all together count, too.
        self.test = RateLimiter(10 * factor)
        self.tests = RateLimiter(120 * factor)
        self.probe = RateLimiter(60 * factor)  # sockets that only echo, of one address
        self.mic = RateLimiter(300 * factor)  # turned on: no person does it five times a second
        # Messages of any kind in /ws. A page sends a beat every 2 s, and what the bounds above let
        # through comes to 460; `off`, which is always honoured, may come as often as `on`.
        self.message = RateLimiter(1000 * factor)
        self.probes = ProbeQuota(factor)
        self.floods = SlowDown(factor)  # who sent too much in /ws, and may not come back yet


@dataclass(frozen=True, slots=True)
class Services:
    """What routes reach as `request.state.services`."""

    settings: Settings
    db: Database
    rooms: Rooms
    calls: Calls
    conduct: Conduct
    correcting: Correcting
    deletion: Deletion
    lifecycle: Lifecycle
    writer: TranscriptWriter
    reader: TranscriptReader
    limits: RateLimits
    checks: Watch
    minutes: SpaceMinutes
    speaking: Speaking
    sound: Rounds | None  # None: DATA_DIR can't have any
    uploads: Uploads | None  # None: nobody can upload recordings
    listeners: Places = field(default_factory=hearing.places)
    pictures: WaitingLine = field(default_factory=WaitingLine)  # each takes memory and a core
    # Pictures of providers: each takes memory, and up to 5 s of nobody else's time.
    fetches: WaitingLine = field(default_factory=lambda: WaitingLine(4))
    archives: Places = field(default_factory=lambda: Places(ARCHIVES))
    archived: Sequence[Extras] = ()  # what else of a session goes into an archive of its space
    # What PostgreSQL is asked of search at once, whoever types.
    searches: NewestOnly = field(default_factory=lambda: NewestOnly(3))
    began: float = field(default_factory=time.monotonic)  # when the process did, a monotonic time
