"""Hearing: what is in a file, wherever it is, and how many may take one at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from core.problems import ProblemError
from core.waiting_line import Places

PIECE = 64 * 1024  # bytes that are read at once
PER_PERSON = 6  # files at the same time: a player that is moved about asks for the next at once
AT_ONCE = 200


class TooManyHearError(ProblemError):
    """The person hears as much as anybody may at once, or all together do."""

    status, code = 503, "sound_crowded"
    retry_after = 5


class SoundAwayError(ProblemError):
    """The bucket with the sound can't be reached at the moment."""

    status, code = 503, "sound_away"
    retry_after = 30


def places() -> Places:
    """Return room for who takes a file at the moment, which raises TooManyHearError."""
    return Places(AT_ONCE, PER_PERSON, TooManyHearError)


async def pieces(path: Path, first: int, last: int) -> AsyncGenerator[bytes]:
    """Yield the bytes of a file from `first` to `last`, read beside the loop. Raises OSError."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        await asyncio.to_thread(file.seek, first)
        left = last - first + 1
        while left:
            piece = await asyncio.to_thread(file.read, min(PIECE, left))
            if not piece:  # it was cut meanwhile: the connection tells that bytes are missing
                return
            left -= len(piece)
            yield piece
    finally:
        file.close()
