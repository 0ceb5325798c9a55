"""A stream of the local engine: one participant's audio, waiting for its worker's turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from core.speech.engine import BYTES_PER_SECOND, StreamOptions, StreamSink, StreamUsage
from core.speech.local.ear import Ear, Heard, Line
from core.speech.local.recognizer import Recognizer
from core.speech.local.worker import Worker
from core.speech.reasons import Reason

TOO_SLOW = Reason("too_slow")
# The text so far is shown as delayed above two seconds, which people notice as a stall, and as
# caught up well below that: at one bound it would flicker.
DELAYED_ABOVE_S = 2.0
CAUGHT_UP_BELOW_S = 0.5
# A piece is computed in one go, which nothing interrupts: a backlog is worked off in bigger ones,
# but none so big that somebody else's turn is late. Below half a second of new audio a turn would
# cost more in transcribing the open segment again than it brings.
PIECE_BYTES = 5 * BYTES_PER_SECOND
TURN_BYTES = BYTES_PER_SECOND // 2


class Streams(Protocol):
    """All streams of the engine."""

    def forget(self, stream: LocalStream) -> None:
        """Look after a stream no more."""


class LocalStream:
    """One participant's audio; everything here happens on the event loop's thread.

    Audio waits here until the worker takes it, as far as there is memory: beyond that the page's
    oldest is dropped, the sink is told, and `dropped_seconds` grows.
    """

    def __init__(
        self, streams: Streams, options: StreamOptions, sink: StreamSink, worker: Worker
    ) -> None:
        self.is_delayed = False  # what the sink was told last
        self.speaker = options.speaker or f"stream {id(self)}"  # whose turn it is to be heard
        self.since = options.since  # when the first byte was spoken: older streams go first
        self._memory = options.memory  # where each byte of `_audio` is counted
        self._sink = sink
        self._worker = worker  # the thread that hears it, from its first turn to its last
        self._streams = streams  # the engine, which is told once it is over
        # The worker's side of this stream.
        self._ear = Ear(options.languages, code_switching=options.code_switching)
        # Audio that may still be needed, and the byte position of its beginning: what waits for a
        # turn, and what a turn has heard that belongs to a segment without a final.
        self._audio = bytearray()
        self._audio_start = 0
        self._taken = 0  # byte position up to which turns have taken the audio
        self._in_flight = 0  # bytes that the worker computes right now
        self._gap = 0  # bytes dropped since the last turn, which the ear is told with the next
        self._dropped = 0  # bytes dropped in all
        self._frames = self._partials = self._finals = self._errors = 0  # the account, see `usage`
        self._partial: Line | None = None  # what viewers read of the open segment
        self._ending = False  # `finish` was called: no more audio comes
        self._drained = False  # the turn underway is the last one
        # Done once nothing more will be reported, for whatever reason.
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        worker.add(self)

    @property
    def is_ending(self) -> bool:
        """Whether no more audio comes: what waits is still transcribed."""
        return self._ending

    @property
    def pending_seconds(self) -> float:
        """Seconds of audio that were fed and not transcribed yet."""
        if self._over.done():
            return 0.0
        return (self._waiting + self._in_flight) / BYTES_PER_SECOND

    @property
    def dropped_seconds(self) -> float:
        """Seconds of audio given up because too much was waiting; it never shrinks."""
        return self._dropped / BYTES_PER_SECOND

    @property
    def usage(self) -> StreamUsage:
        """Return what was transcribed here; nothing leaves the machine."""
        return StreamUsage(
            seconds_sent=self._taken / BYTES_PER_SECOND - self.dropped_seconds,
            frames=self._frames,
            partials=self._partials,
            finals=self._finals,
            errors=self._errors,
            reconnects=0,
        )

    def feed(self, pcm: bytes) -> None:
        """Take the next audio; cheap. After the end it is ignored."""
        if self._ending or self._over.done():
            return
        self._frames += 1
        for start in range(0, len(pcm), PIECE_BYTES):
            self._keep(pcm[start : start + PIECE_BYTES])
        self._note_delay()
        self._worker.wake(self)

    @property
    def end(self) -> int:
        """Return how many bytes were fed so far."""
        return self._audio_start + len(self._audio)

    def tail(self, position: int) -> bytes:
        """Return the audio kept from byte `position` on."""
        return bytes(self._audio[max(0, position - self._audio_start) :])

    async def finish(self) -> None:
        """Transcribe what is left, however long that takes."""
        self._ending = True
        if not self._over.done():
            self._worker.wake(self)
        await asyncio.shield(self._over)

    def give_up(self) -> int:
        """Stream: what viewers read last becomes final."""
        final_until = self._audio_start
        if not self._over.done() and self._partial and self._partial.text:
            final_until = max(final_until, self._partial.end)
            self._end_partial()
        self._end()
        return final_until

    def surrender(self) -> tuple[int, bytes]:
        """Stream: what a turn computes of it right now is computed again."""
        kept = bytes(self._audio)
        self._end()
        return self._audio_start, kept

    async def wait_over(self) -> None:
        """Stream."""

    def abort(self) -> None:
        """Drop everything. What a worker computes for this stream right now is ignored."""
        self._end()

    def _keep(self, pcm: bytes) -> None:
        while not self._memory.reserve(len(pcm)):
            if not self._worker.drop_oldest(self.speaker, len(pcm)):
                # What is being heard, or the speech of others, fills the memory.
                self._drop(self.end + len(pcm))
                return
        self._audio += pcm

    # What the worker calls, on the event loop's thread:

    def drop_waiting(self, size: int) -> bool:
        """Let go of the oldest `size` bytes that wait, or of all. False when none do."""
        if self._over.done() or not self._waiting:
            return False
        self._drop(self._taken + min(size + size % 2, self._waiting))
        return True

    @property
    def ready(self) -> bool:
        """Whether there is enough to do for a worker to take this stream's turn."""
        if self._over.done():
            return False
        return self._ending or self._waiting >= TURN_BYTES

    def begin_turn(self) -> Callable[[Recognizer], Heard]:
        """Hand over the next piece as something to compute in a worker's thread."""
        offset = self._taken - self._audio_start
        piece = bytes(self._audio[offset : offset + PIECE_BYTES])
        self._taken += len(piece)
        self._in_flight = len(piece)
        gap, self._gap = self._gap, 0
        behind = self._waiting > DELAYED_ABOVE_S * BYTES_PER_SECOND
        last = self._ending and not self._waiting
        self._drained = last
        ear = self._ear
        return lambda recognizer: ear.listen(
            recognizer, gap, piece, update=not behind and not last, last=last
        )

    def end_turn(self, heard: Heard) -> None:
        """Report what a worker heard in the piece it took last."""
        if self._over.done():
            return
        self._in_flight = 0
        for line in heard.lines:
            self._report(line)
        done = heard.final_until - self._audio_start
        if done > 0:
            self._memory.release(done)
            del self._audio[:done]
            self._audio_start += done
        self._note_delay()
        if self._drained:
            self._end()

    def failed(self, reason: Reason) -> None:
        """Report that a worker failed on the piece it took last; the stream is over."""
        if self._over.done():
            return
        if self._partial and self._partial.start < self._audio_start:
            self._end_partial()
        self._errors += 1
        kept = bytes(self._audio)
        self._end()
        self._audio += kept  # for `tail`, until the sink has it; not counted any more
        self._sink.lost(reason, self._audio_start)

    @property
    def _waiting(self) -> int:
        return self._audio_start + len(self._audio) - self._taken

    def _drop(self, cut: int) -> None:
        """Let go of audio up to byte `cut`, also of what was taken: a replay must have no holes."""
        kept = min(cut, self.end) - self._audio_start
        self._memory.release(kept)
        del self._audio[:kept]
        self._dropped += cut - self._taken
        self._sink.dropped(self._taken / BYTES_PER_SECOND, cut / BYTES_PER_SECOND)
        self._gap += cut - self._taken
        self._audio_start = self._taken = cut

    def _note_delay(self) -> None:
        if not self.is_delayed and self.pending_seconds > DELAYED_ABOVE_S:
            self.is_delayed = True
            self._sink.delayed(True, TOO_SLOW)
        elif self.is_delayed and self.pending_seconds < CAUGHT_UP_BELOW_S:
            self.is_delayed = False
            self._sink.delayed(False)

    def _report(self, line: Line) -> None:
        shown = self._partial.text if self._partial else ""
        self._partial = None if line.final else line
        if line.text == shown and not line.final:
            return
        if not line.text and not shown:
            return
        if line.final:
            self._finals += 1
        else:
            self._partials += 1
        self._sink.heard(line.recognition())

    def _end_partial(self) -> None:
        if self._partial and self._partial.text:
            line = self._partial
            self._report(replace(line, final=True))

    def _end(self) -> None:
        if self._over.done():
            return
        self._over.set_result(None)
        self._memory.release(len(self._audio))
        self._audio.clear()
        self.is_delayed = False
        self._worker.remove(self)
        self._streams.forget(self)
