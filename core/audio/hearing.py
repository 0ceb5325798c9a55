"""Hearing: what is in a file, wherever it is, and how many may take one at the same time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from core.problems import ProblemError

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


class Listeners:
    """Who takes a file at the moment."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()

    def enter(self, person: str) -> Callable[[], None]:
        """Take a place; call what is returned to give it back. Raises TooManyHearError."""
        if self._of[person] >= PER_PERSON or self._of.total() >= AT_ONCE:
            raise TooManyHearError
        self._of[person] += 1
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self._of[person] -= 1
                if not self._of[person]:
                    del self._of[person]

        return leave


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
