"""The audit log: a line for each sign-in, refusal, bound that was hit and act of a host.

People are told by the ids that the database has for them, which say nothing to who lacks it. No
slug (it opens a session), token, name, e-mail address or text goes in. web/logs.py bounds lines.
"""

from __future__ import annotations

import logging
from typing import Literal, get_args

from core import metrics

log = logging.getLogger("audit")

MAX_WORD = 80  # characters of a value; ids have 36 at most

# The inventory; docs/limits.md says of each when it is written.
Event = Literal[
    "signed_in",
    "sign_in_failed",
    "signed_out",
    "signed_out_elsewhere",
    "api_token",
    "left_for_good",
    "account_deleted",
    "refused",
    "limited",
    "flood_closed",
    "mistakes_closed",
    "session_started",
    "host_act",
    "minutes_set",
    "space_act",
    "administrator_act",
]
EVENTS: tuple[Event, ...] = get_args(Event)
# What somebody should look at while it happens: these are warnings, the others for the record.
ALARMING: frozenset[Event] = frozenset({"limited", "flood_closed"})
_COUNTED = {event: metrics.EVENTS.labels(event) for event in EVENTS}


def note(event: Event, **details: str | int | float | None) -> None:
    """Write one event with its details, as `event key=value …`; None is left out."""
    _COUNTED[event].inc()
    level = logging.WARNING if event in ALARMING else logging.INFO
    if not log.isEnabledFor(level):
        return
    fields = {key: _word(value) for key, value in details.items() if value is not None}
    told = " ".join(f"{key}={value}" for key, value in fields.items())
    log.log(level, "%s %s", event, told, extra={"kind": event, "event": event, "fields": fields})


def _word(value: str | int | float) -> str | int | float:
    """Return a value as one word, whatever somebody put into it."""
    return "_".join(value.split())[:MAX_WORD] if isinstance(value, str) else value
