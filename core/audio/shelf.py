"""The shelf: the folder of DATA_DIR in which recordings are, and the labels of those in the making.

A file's label has all that the database is told of it, and lies beside it from before its first
byte until the database knows. So a file that a crash cut off is found, and known, by the next
process, or by another one on the same DATA_DIR: whoever writes a file has its label locked, and the
kernel gives the lock back however a process ends.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from core.audio.opus import samples_of
from core.speech.engine import SAMPLE_RATE
from core.store.recordings import Recording

log = logging.getLogger(__name__)

# Bytes of the disk that sound never takes: PostgreSQL may be on it, and what waits to be stored.
LEFT_FREE = 1024 * 1024 * 1024
UNFINISHED = ".new"  # of a label that is being written
UNFINISHED_S = 60.0  # after which nobody writes it any more
LONGEST_S = 24 * 3600  # that a damaged file may claim to be


class FullError(OSError):
    """The disk has no more than LEFT_FREE."""


class Label(msgspec.Struct, frozen=True):
    """What is known of a recording before it ends: see Recording. It is kept for `days`."""

    id: str
    session_id: str
    identity: str
    client: str
    first: int
    start: float
    days: int
    created_at: datetime


class Shelf:
    """The folder. `place` names it among all there may be: who has the folder has its files."""

    def __init__(self, data_dir: Path) -> None:
        """Make it, unless it is there. Raises OSError."""
        self._root = data_dir / "audio"
        self._labels = self._root / "labels"
        self._labels.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.place = f"disk:{self._name()}"

    def _name(self) -> str:
        """Return the folder's name, made for the first who asks."""
        file, mine = self._root / "name", self._root / f"name.{secrets.token_hex(4)}"
        if not file.exists():
            mine.write_text(secrets.token_hex(8))
            with suppress(FileExistsError):  # of two at once, one names it
                os.link(mine, file)
            mine.unlink()
        return file.read_text().strip()

    def path(self, session_id: str, recording: str) -> Path:
        """Return where a file is, if it is here."""
        return self._root / session_id / f"{recording}.opus"

    def begin(self, label: Label) -> int:
        """Write a label, and return what keeps it locked. Raises OSError."""
        if shutil.disk_usage(self._root).free < LEFT_FREE:
            raise FullError("the disk is nearly full")
        self.path(label.session_id, label.id).parent.mkdir(mode=0o700, exist_ok=True)
        # Under its name once it is locked and whole: nobody takes it for left behind before that.
        file = self._label(label.id)
        unfinished = file.with_suffix(UNFINISHED)
        lock = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try_lock(lock)
            os.write(lock, msgspec.json.encode(label))
            unfinished.rename(file)
        except OSError:
            os.close(lock)
            raise
        return lock

    def finished(self, label: Label, samples: int) -> Recording | None:
        """Return what a file has become; None for one that has nothing in it, which is removed."""
        path = self.path(label.session_id, label.id)
        size = path.stat().st_size if path.exists() else 0
        if not (size and 0 < samples <= LONGEST_S * SAMPLE_RATE):
            self.remove(label.session_id, label.id)
            self.known(label.id)
            return None
        return recording_of(label, samples, size, self.place)

    def known(self, recording: str) -> None:
        """Let the label go: the database knows the file."""
        self._label(recording).unlink(missing_ok=True)

    def remove(self, session_id: str, recording: str) -> None:
        """Delete a file, whether it is there or not, and the folder of its session if it is empty.

        Raises OSError.
        """
        path = self.path(session_id, recording)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # others are in it, or it is gone
            path.parent.rmdir()

    def left_behind(self) -> Iterator[tuple[Label, Recording | None]]:
        """Yield the files of which a process has left without telling the database."""
        for file in sorted(self._labels.iterdir()):
            with suppress(FileNotFoundError):  # whoever has it is done with it
                if file.suffix == UNFINISHED:
                    if time.time() - file.stat().st_mtime > UNFINISHED_S:
                        file.unlink()
                    continue
                lock = os.open(file, os.O_RDWR)
                try:
                    if not try_lock(lock) or not file.exists():
                        continue
                    try:
                        label = msgspec.json.decode(os.read(lock, 65_536), type=Label)
                    except msgspec.DecodeError:  # damaged: nobody knows whose sound it was
                        file.unlink()
                        continue
                    path = self.path(label.session_id, label.id)
                    yield label, self.finished(label, samples_of(path) if path.exists() else 0)
                finally:
                    os.close(lock)

    def _label(self, recording: str) -> Path:
        return self._labels / f"{recording}.json"


def recording_of(label: Label, samples: int, size: int, place: str) -> Recording:
    """Return the recording of a label; without bytes, what of it couldn't be kept."""
    return Recording(
        id=label.id,
        session_id=label.session_id,
        identity=label.identity,
        client=label.client,
        first=label.first,
        samples=samples,
        start=label.start,
        bytes=size,
        place=place,
        created_at=label.created_at,
    )


def try_lock(file: int) -> bool:
    """Lock an open file for as long as it is open; False where somebody else has it."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
