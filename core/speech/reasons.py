"""Why speech is not transcribed at the moment, or an engine is not well: codes, no words.

They go to pages, to `/health` and into the log; static/js/room/reasons.js and web/banner.py have
the words that people read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ReasonCode = Literal[
    # of a stretch of speech
    "busy",  # all streams are taken; it is caught up with
    "no_stream",  # the service takes no further stream now
    "dropped",  # the service dropped the connection; it is caught up with
    "space_used_up",  # the space's minutes of today, until 00:00 UTC
    # … of this month, until 00:00 UTC of the day in `detail`: as who runs the server allows, or
    # as the owners of the space have chosen
    "space_month_used_up",
    "space_choice_used_up",
    # of the engine as it was set up
    "switched_off",  # SPEECH_ENGINE=off
    "key_missing",  # GLADIA_API_KEY
    "malformed",  # GLADIA_API_URL or GLADIA_API_KEY
    # of a service that was asked for a stream
    "credit_used_up",
    "key_refused",
    "plan_forbids",
    "plan_full",  # its number of streams at once
    "settings_refused",  # detail: what the service says is wrong
    "service_trouble",  # detail: an HTTP status
    "not_the_service",  # the address answers something else; detail: an HTTP status
    "unreachable",
    "no_answer",
    # of a stream to a service
    "stream_ended",
    "stream_cut",  # by the service, unasked; detail: a close code, if one came
    "connection_lost",  # detail: a close code, if one came
    "connection_refused",  # detail: an HTTP status
    "unexpected_answer",
    "unfinished",  # it did not finish in time
    "falls_behind",
    "no_reaction",
    "too_old",  # of Gladia's three hours
    "no_memory",  # to keep speech for it
    "audio_refused",
    "words_twice",
    "results_missed",  # while the connection was broken
    # of the local engine
    "no_package",  # for this platform
    "not_loadable",  # detail: why, as the system says it
    "model_not_loadable",  # detail: likewise
    "not_started",
    "stopped",
    "too_slow",  # the machine, for how much is spoken
    "engine_failed",  # detail: as the engine says it
]


@dataclass(frozen=True, slots=True)
class Reason:
    """A code, and what it was about in the words of whoever said it; never a secret."""

    code: ReasonCode
    detail: str = ""

    def __str__(self) -> str:
        """Return it as the log shows it: `settings_refused (language: unknown)`."""
        return f"{self.code} ({self.detail})" if self.detail else self.code
