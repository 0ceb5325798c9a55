"""Recordings as sound: what a file is, and a track of it as 16 kHz mono PCM16, piece by piece.

A process reads each file (core/speech/recorded/child.py, which says why), and here is the other end
of its pipe: what came is bounded by the pipe's buffer and the reader's, 10 s of sound, however fast
it decodes. Whatever it does, crash, hang or write nonsense, becomes UnreadableError, or lost sound.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast, get_args

import msgspec

from core.speech.engine import BYTES_PER_SAMPLE, SAMPLE_RATE
from core.speech.recorded.model import (
    MAX_CHANNELS,
    MAX_SECONDS,
    Facts,
    Track,
    Unreadable,
    UnreadableError,
)

_CHILD = Path(__file__).with_name("child.py")
# Seconds. Looking takes less than one; a file that doesn't say how long it is, is read once.
FACTS_TIMEOUT_S, FACTS_CPU_S = 60.0, 40
# Of processor: 12 hours take 140 s here, and there are machines ten times as slow.
SOUND_CPU_S = 1800
SILENT_TIMEOUT_S = 120.0  # seconds without a word of it until a process is taken for hanging
_READ = 64 * 1024  # bytes; a reader keeps twice as many
_LARGEST = 1024 * 1024  # bytes of a record; more is nonsense
_HEAD = 9


@dataclass(frozen=True, slots=True)
class Piece:
    """The next of a track. `start` and `samples` count from the beginning of the file.

    `pcm` is empty where there is nothing to hear: silence, or what `is_lost`.
    """

    start: int
    samples: int
    pcm: bytes = b""
    is_lost: bool = False


class _Told(msgspec.Struct):
    seconds: float
    channels: int


def facts_of(path: Path) -> Facts:
    """Return what a file is. Raises UnreadableError.

    Blocks, for as long as FACTS_TIMEOUT_S: call it in a thread.
    """
    with _open(path) as file:
        try:
            done = subprocess.run(  # noqa: S603 - our own program
                _command("facts", FACTS_CPU_S, None, 0),
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=FACTS_TIMEOUT_S,
                env={},
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UnreadableError("too_hard") from None
    answer = done.stdout
    kind, size = answer[:1], int.from_bytes(answer[1:_HEAD], "little")
    data = answer[_HEAD : _HEAD + size]
    if kind == b"F":
        return _facts(data)
    raise UnreadableError(_why(data) if kind == b"E" else "too_hard")


async def sound(track: Track, start: float = 0.0) -> AsyncGenerator[Piece]:
    """Yield a track from second `start` on, in pieces of a second at most; close it to stop.

    What can't be read is lost sound. Raises UnreadableError if nothing can, or the file goes on
    for longer than MAX_SECONDS.
    """
    first = round(start * SAMPLE_RATE)
    file = await asyncio.to_thread(_open, track.path)
    with file:
        process = await asyncio.create_subprocess_exec(
            *_command("sound", SOUND_CPU_S, track.channel, first),
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            limit=_READ,
        )
    try:
        async with contextlib.aclosing(_pieces(process, first)) as pieces:
            async for piece in pieces:
                yield piece
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # asyncio doesn't see the end of a process whose pipe it has stopped reading.
        await cast(asyncio.StreamReader, process.stdout).read()
        await process.wait()


async def _pieces(process: Process, position: int) -> AsyncGenerator[Piece]:
    reader = cast(asyncio.StreamReader, process.stdout)
    end = 0  # the sample at which the file says to end
    try:
        while True:
            async with asyncio.timeout(SILENT_TIMEOUT_S):
                kind, number, data = await _record(reader)
            match kind:
                case b"F":
                    end = round(_facts(data).seconds * SAMPLE_RATE)
                case b"E" if data:
                    raise UnreadableError(_why(data))
                case b"E":
                    return
                case b"P":
                    samples = len(data) // BYTES_PER_SAMPLE
                    yield Piece(position, samples, data)
                    position += samples
                case _ if number:
                    yield Piece(position, number, is_lost=kind == b"L")
                    position += number
    except (asyncio.IncompleteReadError, TimeoutError):
        # It crashed, used up what it may, or hangs: with such a file it would do so again.
        if not end:
            raise UnreadableError("too_hard") from None
    if end > position:
        yield Piece(position, end - position, is_lost=True)


async def _record(reader: asyncio.StreamReader) -> tuple[bytes, int, bytes]:
    """Return the next record: its kind, its number, and its bytes. Raises IncompleteReadError."""
    head = await reader.readexactly(_HEAD)
    kind, number = head[:1], int.from_bytes(head[1:], "little")
    if kind not in (b"F", b"P", b"E", b"S", b"L"):
        raise asyncio.IncompleteReadError(head, None)
    if kind in (b"S", b"L"):
        return kind, min(number, round(MAX_SECONDS * SAMPLE_RATE)), b""
    if number > _LARGEST:
        raise asyncio.IncompleteReadError(head, None)
    return kind, number, await reader.readexactly(number)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError:
        raise UnreadableError("gone") from None


def _command(what: str, cpu_s: int, channel: int | None, start: int) -> list[str]:
    chosen = -1 if channel is None else channel
    numbers = map(str, (MAX_SECONDS, MAX_CHANNELS, cpu_s, chosen, start))
    return [sys.executable, "-I", str(_CHILD), what, *numbers]


def _facts(data: bytes) -> Facts:
    try:
        told = msgspec.json.decode(data, type=_Told)
    except msgspec.DecodeError:
        raise UnreadableError("too_hard") from None
    return Facts(told.seconds, told.channels)


def _why(data: bytes) -> Unreadable:
    told = data.decode("ascii", errors="replace")
    return cast(Unreadable, told) if told in get_args(Unreadable) else "too_hard"
