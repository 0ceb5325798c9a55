"""The audit log: one line for each sign-in, refusal, bound that was hit and act of a host."""

from __future__ import annotations

import logging

log = logging.getLogger("sessions.audit")


def note(event: str, **details: str | int | float) -> None:
    """Write one event. `event` is a word such as `flood_closed`; no slug, token or name goes in."""
    log.info("%s %s", event, " ".join(f"{key}={value}" for key, value in details.items()))
