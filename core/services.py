"""The long-lived parts of a running Sessions, made in the lifespan and handed to every route."""

from __future__ import annotations

from dataclasses import dataclass

from core.database import Database
from core.jobs import Jobs
from core.livekit import Calls
from core.rate_limit import RateLimiter
from core.recorder import Recorder
from core.settings import Settings
from core.speech.hub import Hub


class RateLimits:
    """Actions a minute and client; `factor` multiplies them all."""

    def __init__(self, factor: float = 1.0) -> None:
        self.default = RateLimiter(100 * factor)
        self.create = RateLimiter(20 * factor)
        self.token = RateLimiter(30 * factor)
        self.guest = RateLimiter(60 * factor)
        self.sign_in = RateLimiter(60 * factor)
        self.chat = RateLimiter(20 * factor)
        self.gesture = RateLimiter(60 * factor)  # hands, reactions, `take`
        self.loss = RateLimiter(60 * factor)  # audio that a page had to let go
        self.mic = RateLimiter(300 * factor)  # turned on: no person does it five times a second


@dataclass(frozen=True, slots=True)
class Services:
    """What routes reach as `request.state.services`."""

    settings: Settings
    db: Database
    hub: Hub
    calls: Calls
    jobs: Jobs
    recorder: Recorder
    limits: RateLimits
