"""A recording's track, read on from one file of it for Gladia to the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from core.speech.engine import BYTES_PER_SAMPLE, SAMPLE_RATE
from core.speech.gladia.cuts import Bounds, Cut, Cutter
from core.speech.recorded.decoding import Piece, sound
from core.speech.recorded.model import Track


class Reader:
    """Cuts a track, with one process to decode it as long as one cut follows the other."""

    def __init__(self, track: Track) -> None:
        self._track = track
        self._pieces: AsyncGenerator[Piece] | None = None
        self._rest: Piece | None = None  # of a piece that was cut in two
        self._position = 0  # sample up to which it was read

    @property
    def folder(self) -> Path:
        """Where the recording is."""
        return self._track.path.parent

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    async def cut(self, out: IO[bytes], position: int, bounds: Bounds) -> Cut:
        """Write the file that begins at this sample. Raises UnreadableError, OSError."""
        pieces = await self._from(position)
        cutter = Cutter(out, position, bounds)
        while not cutter.is_full:
            piece = self._rest or await anext(pieces, None)
            if piece is None:
                break
            taken = await asyncio.to_thread(cutter.take, piece)
            self._rest = _behind(piece, taken)
        cut = await asyncio.to_thread(cutter.close)
        self._position = cut.end
        return cut

    async def _from(self, position: int) -> AsyncGenerator[Piece]:
        if self._pieces is None or self._position != position:
            await self._close()
            self._pieces = sound(self._track, position / SAMPLE_RATE)
        return self._pieces

    async def _close(self) -> None:
        pieces, self._pieces, self._rest = self._pieces, None, None
        if pieces is not None:
            await pieces.aclose()


def _behind(piece: Piece, samples: int) -> Piece | None:
    """Return what is left of a piece behind so many samples."""
    if samples == piece.samples:
        return None
    return replace(
        piece,
        start=piece.start + samples,
        samples=piece.samples - samples,
        pcm=piece.pcm[samples * BYTES_PER_SAMPLE :],
    )
