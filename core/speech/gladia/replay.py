"""The last audio of a stream, for as long as it may be needed again.

Until its final has come, speech must be at hand in case the connection or the session is lost. That
is seconds of audio for each speaker, of which nearly none is ever read.
"""

from __future__ import annotations

from core.speech.engine import BYTES_PER_SECOND
from core.speech.memory import AudioBudget

PIECE = BYTES_PER_SECOND // 4  # bytes; memory is taken and given back by pieces


class ReplayBuffer:
    """The last audio of a stream by byte position, kept while it may be needed again.

    Kept is what the service has not acknowledged (to be resent on the same URL) and what has no
    final yet (to be fed to a new stream), as far as there is memory: else the oldest goes, and
    `start` tells from where on something is kept.
    """

    __slots__ = (
        "_filled",
        "_memory",
        "_newest",
        "_pieces",
        "acknowledged",
        "end",
        "final_until",
        "start",
    )

    def __init__(self, memory: AudioBudget) -> None:
        self.start = 0  # position of the oldest byte kept, where the first piece begins
        self.end = 0  # bytes ever appended
        self.acknowledged = 0  # position before which the service has everything
        # End of the last final, or of silence to which the service had nothing to say.
        self.final_until = 0
        self._memory = memory  # where pieces are counted, unlike `_newest`
        self._pieces: list[bytes] = []  # of PIECE bytes each
        self._newest = bytearray(PIECE)  # what is not yet a piece, and room for the rest
        self._filled = 0  # bytes of it

    @property
    def unacknowledged(self) -> int:
        """Bytes that the service has not said to have."""
        return self.end - self.acknowledged

    def append(self, pcm: bytes) -> None:
        """Take the next audio."""
        begin, stop = self._filled, self._filled + len(pcm)
        if stop < PIECE:
            self._newest[begin:stop] = pcm
            self._filled = stop
        else:
            self._append_pieces(pcm)
        self.end += len(pcm)

    def _append_pieces(self, pcm: bytes) -> None:
        rest = memoryview(pcm)
        while rest:
            fitting = rest[: PIECE - self._filled]
            stop = self._filled + len(fitting)
            self._newest[self._filled : stop] = fitting
            rest, self._filled = rest[len(fitting) :], stop
            if stop == PIECE:
                self._keep(bytes(self._newest))
                self._filled = 0

    def _keep(self, piece: bytes) -> None:
        # Without memory its own oldest goes, of which a final is likeliest to come soon.
        if not self._memory.reserve(PIECE):
            if not self._pieces:  # the speech of others fills the memory
                self.start += PIECE
                return
            self._forget(1)
            self._memory.reserve(PIECE)
        self._pieces.append(piece)

    def acknowledge(self, position: int) -> None:
        """Note that the service has everything before `position`."""
        if position > self.acknowledged:
            self.acknowledged = min(position, self.end)
            self._trim()

    def mark_final(self, position: int) -> None:
        """Note that nothing before `position` will be needed by a new stream."""
        if position > self.final_until:
            self.final_until = min(position, self.end)
            self._trim()

    def read(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes from `position`, or from the oldest that is kept."""
        first = max(position, self.start) - self.start
        stop = min(self.end - self.start, first + size)
        parts: list[bytes | bytearray] = []
        while first < stop:
            index, offset = divmod(first, PIECE)
            piece = self._newest if index == len(self._pieces) else self._pieces[index]
            parts.append(piece[offset : offset + stop - first])
            first += len(parts[-1])
        return b"".join(parts)

    def tail(self, position: int) -> bytes:
        """Return everything from `position` on that is still kept."""
        return self.read(position, self.end - self.start)

    def clear(self) -> None:
        """Forget all audio."""
        self._forget(len(self._pieces))
        self._filled = 0
        self.start = self.end

    def _trim(self) -> None:
        # Either may lag: a final may come before its acknowledgment, as after a drop.
        needed = min(self.final_until, self.acknowledged)
        self._forget(min((needed - self.start) // PIECE, len(self._pieces)))

    def _forget(self, pieces: int) -> None:
        if pieces > 0:
            del self._pieces[:pieces]
            self._memory.release(pieces * PIECE)
            self.start += pieces * PIECE
