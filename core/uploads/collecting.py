"""Collecting: the files of an upload as they come, in pieces or whole, and what each of them is."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterable, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from core.database import Database
from core.problems import ProblemError
from core.speech.recorded.decoding import facts_of
from core.speech.recorded.model import UnreadableError
from core.store import upload_files
from core.store.upload_files import UploadFile
from core.store.uploads import Upload
from core.text import display_name, one_line
from core.uploads.shelf import DiskFullError, UploadShelf

NAME_LENGTH = 200  # characters of a file's name
SPEAKER_LENGTH = 80  # of who speaks, as of a participant
LOOKED_AT_ONCE = 2  # files: a strange one may take a core for seconds


class ElsewhereError(ProblemError):
    """Another server of this installation has the files of this upload."""

    status, code = 409, "upload_elsewhere"


class Collecting:
    """Takes files for uploads of this place, which may have `most` bytes each in all."""

    def __init__(self, db: Database, shelf: UploadShelf, place: str, most: int) -> None:
        self._db = db
        self._shelf = shelf
        self.place = place
        self.most = most
        self._looking = asyncio.Semaphore(LOOKED_AT_ONCE)

    def check_place(self, upload: Upload) -> None:
        """Raise ElsewhereError for an upload whose files aren't here."""
        if upload.place != self.place:
            raise ElsewhereError

    async def begin(
        self, upload: Upload, name: str, size: int, modified_at: datetime | None
    ) -> tuple[UploadFile, int]:
        """Add a file that comes in pieces, or go on with it; return how much of it is here.

        Raises ElsewhereError, DiskFullError, and what `core.store.upload_files.add_file` raises.
        """
        self.check_place(upload)
        called = _called(name)
        file, new = await upload_files.add_file(
            self._db,
            upload.id,
            called,
            size,
            modified_at,
            most=self.most,
            speaker=speaker_of(called),
        )
        if new and await asyncio.to_thread(self._shelf.free) < size:
            await upload_files.remove_file(self._db, upload.id, file.number)
            raise DiskFullError
        received = await asyncio.to_thread(self._shelf.received, upload.id, file.number)
        if received == file.bytes:
            await self._know(upload, file, received)
        return file, received

    async def piece(
        self, upload: Upload, file: UploadFile, offset: int, pieces: AsyncIterable[bytes]
    ) -> UploadFile:
        """Put a piece behind the `offset` bytes of a file that are here; return what it is then.

        What came of one that was cut off stays. Raises ElsewhereError, and what
        `UploadShelf.take` raises.
        """
        self.check_place(upload)
        try:
            await self._shelf.take(upload.id, file.number, offset, file.bytes, pieces)
        finally:
            received = await asyncio.to_thread(self._shelf.received, upload.id, file.number)
            await self._know(upload, file, received)
        return await upload_files.file(self._db, upload.id, file.number) or file

    async def whole(
        self, upload: Upload, name: str, pieces: AsyncIterable[bytes]
    ) -> UploadFile | None:
        """Add a file that comes in one go; None for an empty one, which no browser chose.

        Nothing of one that was cut off stays. Raises as `begin` and `piece` do.
        """
        self.check_place(upload)
        coming, called = f"coming-{secrets.token_hex(8)}", _called(name)
        there = sum(one.bytes for one in await upload_files.files(self._db, upload.id))
        try:
            size = await self._shelf.take(upload.id, coming, 0, self.most - there, pieces)
            if not size:
                return None
            file, _ = await upload_files.add_file(
                self._db, upload.id, called, size, None, most=self.most, speaker=speaker_of(called)
            )
            await asyncio.to_thread(self._shelf.rename, upload.id, coming, file.number)
        finally:
            await asyncio.to_thread(self._shelf.remove, upload.id, coming)
        await self._know(upload, file, size)
        return file

    async def remove(self, upload: Upload, number: int) -> None:
        """Let a file go. Raises ElsewhereError, BegunError."""
        self.check_place(upload)
        await upload_files.remove_file(self._db, upload.id, number)
        await asyncio.to_thread(self._shelf.remove, upload.id, number)

    async def files(self, upload: Upload) -> list[UploadFile]:
        """Return the files of an upload; what nobody has looked at yet is, if it is here."""
        found = await upload_files.files(self._db, upload.id)
        unknown = [one for one in found if one.whole and one.seconds is None and not one.flaw]
        if not unknown or upload.place != self.place or upload.state != "COLLECTING":
            return found
        for one in unknown:
            await self._know(upload, one, one.bytes)
        return await upload_files.files(self._db, upload.id)

    async def _know(self, upload: Upload, file: UploadFile, received: int) -> None:
        """Note how much of a file is here, and once all is, what it is."""
        await upload_files.came(self._db, upload.id, file.number, received)
        if received != file.bytes or file.seconds is not None or file.flaw:
            return
        path = self._shelf.path(upload.id, file.number)
        try:
            async with self._looking:
                facts = await asyncio.to_thread(facts_of, path)
        except UnreadableError as problem:
            await upload_files.looked_at(self._db, upload.id, file.number, flaw=problem.why)
            return
        await upload_files.looked_at(
            self._db,
            upload.id,
            file.number,
            seconds=facts.seconds,
            channels=facts.channels,
        )


def _called(name: str) -> str:
    """Return what a file is called, without folders and what isn't seen."""
    return one_line(name.replace("\\", "/").rpartition("/")[2], NAME_LENGTH) or "recording"


def speaker_of(name: str) -> str:
    """Return whom a file is named after, perhaps: who uploads it may say otherwise."""
    stem = PurePosixPath(name).stem.replace("_", " ")
    return names_of([stem])[0]


def names_of(typed: Sequence[str]) -> list[str]:
    """Return names of speakers as they may be; empty for what can't be one."""
    return [display_name(one, 1, SPEAKER_LENGTH) or "" for one in typed]
