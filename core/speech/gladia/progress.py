"""How far a recording's track has come at Gladia, as it is kept while nobody works on it."""

from __future__ import annotations

import secrets

import msgspec

from core.speech.engine import SAMPLE_RATE
from core.speech.gladia.cuts import Cut
from core.speech.gladia.protocol import UNDECODABLE
from core.speech.recorded.model import Begun

MAX_LEFTOVERS = 50  # jobs that couldn't be deleted; of more the oldest are forgotten


class Sent(msgspec.Struct):
    """A file that is at Gladia, and its job."""

    cut: Cut
    url: str
    at: float  # when it was uploaded, or its job made: seconds since 1970
    # What the job is made with, so that it can be found if nobody was told of it.
    label: str = msgspec.field(default_factory=lambda: secrets.token_hex(16))
    job: str | None = None
    is_unsure: bool = False  # whether there may be a second job, that was taken after all


class Progress(msgspec.Struct, omit_defaults=True):
    """What `Part.state` says."""

    position: int = 0  # sample of the track up to which all is done
    sent: Sent | None = None
    # Up to which sample it was counted what is paid for: what is sent again counts once.
    counted: int = 0
    failures: int = 0  # jobs that failed, of the file at `position`
    leftovers: list[str] = []  # jobs that are still to be deleted

    def text(self) -> str:
        """Return it as it is kept."""
        return msgspec.json.encode(self).decode()

    def leave(self, job: str) -> None:
        """Note a job to be deleted."""
        self.leftovers = [*self.leftovers, job][-MAX_LEFTOVERS:]


def progress_of(begun: Begun) -> Progress:
    """Return where an earlier process came to."""
    position = round(begun.until * SAMPLE_RATE)
    if begun.state:
        try:
            progress = msgspec.json.decode(begun.state, type=Progress)
        except (*UNDECODABLE, msgspec.ValidationError):
            return Progress(position, counted=position)  # another engine's, or a later release's
        # Seconds are kept rounded where they are stored, and samples here.
        if abs(progress.position - position) < SAMPLE_RATE:
            return progress
    return Progress(position, counted=position)
