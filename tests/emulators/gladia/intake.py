"""Intake: the audio of a session is counted, heard and acknowledged, or not, as faults have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .clock import Clock
from .jobs import frame_bytes
from .listening import Listener

if TYPE_CHECKING:
    from .link import Link
    from .session import LiveSession


class Intake:
    """That of one session."""

    def __init__(self, session: LiveSession, listener: Listener, no_text: Clock) -> None:
        self._session = session
        self._record = session.record
        self._switches = session.service.switches
        self._listener = listener
        self._no_text = no_text  # runs from the first audio on

    def take(self, link: Link, audio: bytes) -> None:
        """Take a chunk that came over a connection."""
        audio = self._without_duplicates(link, audio)
        total = len(self._record.received) + len(audio)
        due = self._session.service.faults.on_audio(self._session, total) if audio else []
        fate = {fault.last_chunk for fault in due}
        if self._switches.refuse_unaligned and len(audio) % frame_bytes(self._record):
            self._session.say(
                self._session.compose.refusal("audio_chunk", "Chunk holds a partial frame"), link
            )
        elif "lost" in fate:
            self._record.lost_bytes += len(audio)
        elif audio or self._switches.acknowledge_empty:
            self._count(link, audio, acknowledge="unacked" not in fate)
        for fault in due:
            fault.act(self._session)

    def _without_duplicates(self, link: Link, audio: bytes) -> bytes:
        same = min(len(audio), len(link.duplicates))
        if not same or audio[:same] != link.duplicates[:same]:
            link.duplicates = b""
            return audio
        link.duplicates = link.duplicates[same:]
        if self._switches.bill_duplicates:
            self._record.duplicates_skipped += same
        end = len(self._record.received) - len(link.duplicates)
        self._session.acknowledgments.send(link, end - same, end)
        return audio[same:]

    def _count(self, link: Link, audio: bytes, *, acknowledge: bool) -> None:
        start = len(self._record.received)
        self._record.received += audio
        if self._record.status == "queued":
            self._record.status = "processing"
        if start == 0 and audio:
            self._no_text.start()
        self._listener.put(audio)
        if acknowledge:
            self._session.acknowledgments.batch(link, start, len(self._record.received))
        self._session.service.charged()
