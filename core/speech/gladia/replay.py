"""The last audio of each stream, for as long as it may be needed again: on disk, encrypted.

Until its final has come, speech must be at hand in case the connection or the session is lost.
That is seconds of audio for each speaker, of which nearly none is ever read: most of a stream's
memory if it were kept there.
"""

from __future__ import annotations

import logging
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.speech.engine import BYTES_PER_SECOND

log = logging.getLogger(__name__)

PIECE = BYTES_PER_SECOND // 4  # bytes; what is younger is in memory
SMALL = 1024 * 1024  # bytes of a file that isn't worth being cut when it is empty
_TAG = 16  # bytes that encryption adds
_NONCE = 12  # bytes


class AudioSpool:
    """Pieces of audio in a file without a name, which vanishes with the process.

    It is encrypted with a key that exists in memory only, so that nothing that was said can be
    read from the disk later. While the disk takes nothing, pieces stay in memory.
    """

    def __init__(self, directory: Path | None = None, piece: int = PIECE) -> None:
        self.piece = piece  # bytes, of every one
        self._directory = directory
        self._slot_size = piece + _TAG
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._file: BinaryIO | None = None
        self._written = 0  # how many pieces ever were
        self._pieces: list[int] = []  # which of them is in each slot
        self._free: list[int] = []
        self._failing = False

    @property
    def kept(self) -> int:
        """How many pieces are in the file."""
        return len(self._pieces) - len(self._free)

    def open(self) -> None:
        """Make the file. A disk that can't be written is told of in the log."""
        try:
            if self._directory is not None:
                self._directory.mkdir(parents=True, exist_ok=True)
            # Unbuffered: every write is of a whole piece. Unnamed, so never left behind.
            self._file = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115
        except OSError as problem:
            self._note(problem)

    def close(self) -> None:
        """Give the file up, with all that is in it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def put(self, audio: bytearray) -> int | bytes:
        """Keep a piece; what is returned is for `get` and `free`."""
        if self._file is None:
            return bytes(audio)
        slot = self._free.pop() if self._free else self._new_slot()
        self._written += 1
        self._pieces[slot] = self._written
        try:
            self._write(self._file, slot, self._cipher.encrypt(self._nonce(slot), audio, None))
        except OSError as problem:
            self.free(slot)
            self._note(problem)
            return bytes(audio)
        self._note(None)
        return slot

    def get(self, kept: int | bytes) -> bytes | None:
        """Return a piece, or None for one that the disk has damaged or lost, which is logged."""
        if isinstance(kept, bytes):
            return kept
        try:
            return self._cipher.decrypt(self._nonce(kept), self._read(kept), None)
        except (OSError, InvalidTag) as problem:
            log.error("kept speech can't be read again: %s", type(problem).__name__)
            return None

    def free(self, kept: int | bytes) -> None:
        """Forget a piece. A file with nothing in it gives its space back."""
        if isinstance(kept, int):
            self._free.append(kept)
            if not self.kept and len(self._pieces) * self._slot_size > SMALL:
                self._cut()

    def _cut(self) -> None:
        self._pieces.clear()
        self._free.clear()
        if self._file is not None:
            with suppress(OSError):  # then it is written over, as it would have been anyway
                self._file.truncate(0)

    def _new_slot(self) -> int:
        self._pieces.append(0)
        return len(self._pieces) - 1

    def _nonce(self, slot: int) -> bytes:
        """Return what never comes again: the number of the piece."""
        return self._pieces[slot].to_bytes(_NONCE, "big")

    def _write(self, file: BinaryIO, slot: int, data: bytes) -> None:
        file.seek(slot * self._slot_size)
        if file.write(data) != len(data):
            raise OSError("the disk is full")

    def _read(self, slot: int) -> bytes:
        if self._file is None:
            raise OSError("the file is closed")
        self._file.seek(slot * self._slot_size)
        return self._file.read(self._slot_size)

    def _note(self, problem: OSError | None) -> None:
        """Tell when the disk begins to fail and when that ends."""
        if self._failing == (problem is not None):
            return
        self._failing = problem is not None
        if problem is None:
            log.warning("speech is kept on disk again")
        else:
            reason = os.strerror(problem.errno) if problem.errno else str(problem)
            log.warning("speech can't be kept on disk and stays in memory: %s", reason)


class ReplayBuffer:
    """The last audio of a stream by byte position, kept while it may be needed again.

    Kept is what the service has not acknowledged (to be resent on the same URL) and what
    has no final yet (to be fed to a new stream). With more than `limit` + `slack` bytes the
    oldest acknowledged audio goes, down to `limit`. Unacknowledged audio is never dropped:
    once there is as much of it, `overfull` tells that the service does not keep up.
    """

    __slots__ = (
        "_filled",
        "_limit",
        "_most",
        "_newest",
        "_pieces",
        "_spool",
        "acknowledged",
        "damaged",
        "end",
        "settled",
        "start",
    )

    def __init__(
        self,
        spool: AudioSpool,
        limit: int = 60 * BYTES_PER_SECOND,
        slack: int = 10 * BYTES_PER_SECOND,
    ) -> None:
        self.start = 0  # position of the oldest byte kept, where the first piece begins
        self.end = 0  # bytes ever appended
        self.acknowledged = 0
        self.settled = 0  # end of the last final, or of silence the service had nothing to say to
        # Positions of what was to be read again and came back as silence: begins and ends.
        self.damaged: list[tuple[int, int]] = []
        self._spool = spool
        self._limit = limit
        self._most = limit + slack
        self._pieces: list[int | bytes] = []
        self._newest = bytearray(spool.piece)  # what is not yet a piece, and room for the rest
        self._filled = 0  # bytes of it

    @property
    def overfull(self) -> bool:
        """Whether so much is unacknowledged that the stream must be given up."""
        return self.end - self.acknowledged > self._most

    def append(self, pcm: bytes) -> None:
        """Take the next audio."""
        begin, stop = self._filled, self._filled + len(pcm)
        if stop < len(self._newest):
            self._newest[begin:stop] = pcm
            self._filled = stop
        else:
            self._append_pieces(pcm)
        self.end += len(pcm)
        if self.end - self.start > self._most:
            self._trim()

    def _append_pieces(self, pcm: bytes) -> None:
        rest, piece = memoryview(pcm), self._spool.piece
        while rest:
            fitting = rest[: piece - self._filled]
            stop = self._filled + len(fitting)
            self._newest[self._filled : stop] = fitting
            rest, self._filled = rest[len(fitting) :], stop
            if stop == piece:
                self._pieces.append(self._spool.put(self._newest))
                self._filled = 0

    def acknowledge(self, position: int) -> None:
        """Note that the service has everything before `position`."""
        if position > self.acknowledged:
            self.acknowledged = min(position, self.end)
            self._trim()

    def settle(self, position: int) -> None:
        """Note that nothing before `position` will be needed by a new stream."""
        if position > self.settled:
            self.settled = min(position, self.end)
            self._trim()

    def read(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes from `position`, or from the oldest that is kept.

        What the disk has damaged is silence, and noted in `damaged`.
        """
        first = max(position, self.start) - self.start
        stop = min(self.end - self.start, first + size)
        parts = []
        while first < stop:
            index, offset = divmod(first, self._spool.piece)
            part = self._piece(index)[offset : offset + stop - first]
            parts.append(part)
            first += len(part)
        return b"".join(parts)

    def _piece(self, index: int) -> bytes:
        if index == len(self._pieces):
            return bytes(self._newest)
        piece = self._spool.get(self._pieces[index])
        if piece is None:
            self._spool.free(self._pieces[index])
            piece = self._pieces[index] = bytes(self._spool.piece)
            begin = self.start + index * len(piece)
            self.damaged.append((begin, begin + len(piece)))
        return piece

    def tail(self, position: int) -> bytes:
        """Return everything from `position` on that is still kept."""
        return self.read(position, self.end - self.start)

    def clear(self) -> None:
        """Forget all audio."""
        self._forget(len(self._pieces))
        self._filled = 0
        self.start = self.end

    def _trim(self) -> None:
        needed = self.settled
        if self.end - self.start > self._most:
            needed = max(needed, self.end - self._limit)
        needed = min(needed, self.acknowledged)
        self._forget(min((needed - self.start) // self._spool.piece, len(self._pieces)))

    def _forget(self, pieces: int) -> None:
        if pieces > 0:
            for kept in self._pieces[:pieces]:
                self._spool.free(kept)
            del self._pieces[:pieces]
            self.start += pieces * self._spool.piece
