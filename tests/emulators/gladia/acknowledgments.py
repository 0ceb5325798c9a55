"""Acknowledgments of audio: which ranges are told, when, and over which connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .records import Acknowledgment

if TYPE_CHECKING:
    from .link import Link
    from .session import LiveSession

Json = dict[str, Any]


class Acknowledgments:
    """Those of one session."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._record = session.record
        self._switches = session.service.switches
        self._timings = session.service.timings
        self._held_back: list[Callable[[], None]] = []
        self._stalled = False

    @property
    def end(self) -> int:
        """The position up to which the client was told that audio has arrived."""
        return max((a.end for a in self._record.acknowledgments if a.delivered), default=0)

    def stall(self, seconds: float | None) -> None:
        """Hold acknowledgments back."""
        self._stalled = True
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, self.resume)

    def resume(self) -> None:
        """Send the acknowledgments that were held back."""
        self._stalled = False
        held, self._held_back = self._held_back, []
        for send in held:
            send()

    def batch(self, link: Link, start: int, end: int) -> None:
        """Take note of a chunk; some switches have one acknowledgment for several."""
        first = link.unacknowledged[0] if link.unacknowledged else start
        link.unacknowledged = (first, end)
        link.chunks += 1
        if link.chunks % self._switches.acknowledge_every == 0:
            link.unacknowledged = None
            self.send(link, first, end)

    def send(self, link: Link, start: int, end: int) -> None:
        """Acknowledge a range after the usual time."""

        def send() -> None:
            delivered = self._session.say(self._range_message(link, start, end), link)
            note = Acknowledgment(asyncio.get_running_loop().time(), start, end, delivered)
            self._record.acknowledgments.append(note)

        def due() -> None:
            if self._stalled:
                self._held_back.append(send)
            else:
                send()

        self._session.later(self._timings.acknowledgment, due)

    def _range_message(self, link: Link, start: int, end: int) -> Json:
        start, end = start - link.base, end - link.base
        rate = self._record.bytes_per_second
        last = end - 1 if self._switches.inclusive_ranges else end
        data = {"byte_range": [start, last], "time_range": [start / rate, end / rate]}
        return self._session.compose.acknowledgment("audio_chunk", data)
