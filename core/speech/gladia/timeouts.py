"""How long a stream or a recording at Gladia waits for what, before something is done about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """All in seconds. Tests shorten them; nothing else does."""

    connect_s: float = 8.0  # one WebSocket handshake
    post_s: float = 10.0  # the answer to `POST /v2/live`
    backoff_first_s: float = 0.25  # the longest first pause before connecting again
    backoff_max_s: float = 8.0  # the longest of all
    stable_s: float = 5.0  # a connection that worked so long ends the trouble before it
    watch_s: float = 0.5  # between two looks at all streams
    give_up_s: float = 30.0  # of trouble, then a new stream is asked for
    gathered_s: float = 0.25  # without a message until short ones no longer wait for others
    delayed_s: float = 1.0  # without a connection until people are told
    # Without a reaction, and that much audio underway, until people are told.
    slow_s: float = 3.0
    silent_s: float = 8.0  # without a reaction until the connection is taken for dead
    # For results to come after a reconnect, or for silence to be silence.
    missed_s: float = 5.0
    # 2 h 50 min: Gladia ends a session after 3 h, so a pause of the speaker is used before.
    roll_over_s: float = 10_200.0
    roll_over_at_last_s: float = 10_680.0  # 2 h 58 min: even in the middle of an utterance


@dataclass(frozen=True, slots=True)
class RecordedTimeouts:
    """All in seconds. Tests shorten them; nothing else does."""

    answer_s: float = 60.0  # one answer, a result of megabytes included
    upload_s: float = 1800.0  # of 120 MB at most, which is 0.5 Mbit/s
    again_first_s: float = 1.0  # the longest first pause before a request is tried again
    again_max_s: float = 30.0  # the longest of all
    # Between two looks at a job. An hour of sound takes the service about a minute.
    look_first_s: float = 2.0
    look_max_s: float = 30.0
    trouble_s: float = 300.0  # without a good answer to these looks, then others decide
    # Gladia goes on trying for two hours after it has taken a job; until then another job would
    # only be a second one to pay (docs.gladia.io/chapters/pre-recorded-stt/transcription-process).
    job_s: float = 8_100.0
    upload_kept_s: float = 3600.0  # an upload without a job that is older is made anew
    forget_s: float = 120.0  # for deleting at last what could not be deleted at once
