"""The files of uploads as rows: how much of each is here, what it is, and who speaks in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.database import Database, Row
from core.problems import ProblemError
from core.store.uploads import collecting

MAX_FILES = 20  # of one upload, and speakers: a form of each is in its page


class FilesFullError(ProblemError):
    """The upload has as many files as it may have."""

    status, code = 409, "upload_files_full"


class TooLargeError(ProblemError):
    """The upload would have more bytes than it may have."""

    status, code = 413, "upload_too_large"


@dataclass(frozen=True, slots=True)
class UploadFile:
    """A file of an upload, of which `received` of its `bytes` are here.

    Once all are: its seconds and channels, or the code of its `flaw`. `separate`: each channel is a
    speaker; else the first of `names` speaks in all of it.
    """

    number: int
    name: str
    bytes: int
    received: int
    modified_at: datetime | None
    seconds: float | None
    channels: int | None
    flaw: str | None
    separate: bool
    names: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether all of it is here."""
        return self.received == self.bytes

    @property
    def speakers(self) -> int:
        """How many names it needs."""
        return (self.channels or 1) if self.separate else 1

    @property
    def named(self) -> bool:
        """Whether it is known who speaks in it."""
        return len(self.names) == self.speakers and all(self.names)


async def files(db: Database, upload_id: str) -> list[UploadFile]:
    """Return the files of an upload, in the order in which they were added."""
    rows = await db.fetch_all(
        "SELECT * FROM upload_files WHERE upload_id = :id ORDER BY number", id=UUID(upload_id)
    )
    return [_file(row) for row in rows]


async def file(db: Database, upload_id: str, number: int) -> UploadFile | None:
    """Return one of them."""
    row = await db.fetch_one(
        "SELECT * FROM upload_files WHERE upload_id = :id AND number = :number",
        id=UUID(upload_id),
        number=number,
    )
    return _file(row) if row else None


def _file(row: Row) -> UploadFile:
    names = ("number", "name", "bytes", "received", "modified_at")
    read = ("seconds", "channels", "flaw", "separate")
    return UploadFile(**{name: row[name] for name in names + read}, names=tuple(row["names"]))


async def add_file(
    db: Database,
    upload_id: str,
    name: str,
    size: int,
    modified_at: datetime | None,
    *,
    most: int,
    speaker: str,
) -> tuple[UploadFile, bool]:
    """Add a file of so many bytes to an upload that may have `most` of them in all.

    Returns it, and whether it is new: one of the same name, size and time that isn't all here is
    the same one, which goes on. `speaker` is who speaks in it until somebody says otherwise.
    Raises BegunError, FilesFullError, TooLargeError.
    """
    async with db.transaction():
        await collecting(db, upload_id)
        known = await files(db, upload_id)
        for one in known:
            if (one.name, one.bytes, one.modified_at) == (name, size, modified_at):
                return one, False
        if len(known) >= MAX_FILES:
            raise FilesFullError
        if sum(one.bytes for one in known) + size > most:
            raise TooLargeError
        row = await db.returning(
            """
            INSERT INTO upload_files (upload_id, number, name, bytes, modified_at, names)
            VALUES (:id, :number, :name, :bytes, CAST(:modified AS timestamptz),
                CAST(:names AS text[])) RETURNING *
            """,
            id=UUID(upload_id),
            number=max((one.number for one in known), default=0) + 1,
            name=name,
            bytes=size,
            modified=modified_at,
            names=[speaker] if speaker else [],
        )
    return _file(row), True


async def remove_file(db: Database, upload_id: str, number: int) -> None:
    """Let a file of an upload go. Raises BegunError."""
    async with db.transaction():
        await collecting(db, upload_id)
        await db.execute(
            "DELETE FROM upload_files WHERE upload_id = :id AND number = :number",
            id=UUID(upload_id),
            number=number,
        )


async def came(db: Database, upload_id: str, number: int, received: int) -> None:
    """Note that so many bytes of a file are here."""
    await db.execute(
        """
        WITH came AS (
            UPDATE upload_files SET received = greatest(received, CAST(:received AS bigint))
            WHERE upload_id = :id AND number = :number AND bytes >= :received
        )
        UPDATE uploads SET changed_at = now() WHERE id = :id
        """,
        id=UUID(upload_id),
        number=number,
        received=received,
    )


async def looked_at(
    db: Database,
    upload_id: str,
    number: int,
    *,
    seconds: float | None = None,
    channels: int | None = None,
    flaw: str | None = None,
) -> None:
    """Note what a file is, or why it can't be read."""
    await db.execute(
        """
        UPDATE upload_files SET seconds = CAST(:seconds AS float8),
            channels = CAST(:channels AS smallint), flaw = CAST(:flaw AS text)
        WHERE upload_id = :id AND number = :number
        """,
        id=UUID(upload_id),
        number=number,
        seconds=seconds,
        channels=channels,
        flaw=flaw,
    )


async def name(
    db: Database, upload_id: str, number: int, names: Sequence[str], *, separate: bool
) -> None:
    """Note who speaks in a file. Raises BegunError."""
    async with db.transaction():
        await collecting(db, upload_id)
        await db.execute(
            """
            UPDATE upload_files SET names = CAST(:names AS text[]), separate = :separate
            WHERE upload_id = :id AND number = :number
            """,
            id=UUID(upload_id),
            number=number,
            names=list(names),
            separate=separate,
        )
