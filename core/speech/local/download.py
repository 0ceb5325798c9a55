"""Fetches a model of the catalogue: resumed where it stopped, bounded, and believed by its digest.

Files are written beside where they belong, and moved there together once each is what it must be:
a model that is half there, or another one, is never loaded. Only https is spoken, but to this
computer; where an address leads is looked at in the same way. Nothing here runs while people
talk, unless an operator asks for it: see web/speech_models.py.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

from core.settings import is_loopback
from core.speech.local.catalogue import File, Model
from core.speech.local.choice import FOLDER
from core.starting import StartError, of_file
from core.words import N_, Words

# Tries of a file that bring nothing new, one after another, and the seconds between them.
FRUITLESS_TRIES, PAUSES_S = 5, (0.5, 1.0, 2.0, 4.0)
MAX_TRIES = 200  # of a file in all
SILENCE_S = 30.0  # without a byte, then the connection is given up
# Less than this in so many seconds isn't worth waiting for: at 16 kB/s a small model takes 8 hours.
SLOWEST, SLOW_FOR_S = 16_000, 60.0  # bytes a second
RESERVE = 256 << 20  # bytes that stay free on the disk, for a database that lives there, too
MAX_REDIRECTS = 5
_OK, _PARTIAL, _NOT_SATISFIABLE = 200, 206, 416
_REDIRECTS = (301, 302, 303, 307, 308)
_FINAL = frozenset({400, 401, 403, 404, 410, 451})  # to ask again brings the same


class FetchError(StartError):
    """The model was not fetched; what of it is there already is kept for the next time."""


class _CutError(Exception):
    """A try ended before the file did; another may go on."""

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: which file is being fetched, and bytes of the whole model."""

    file: str
    done: int
    total: int


def fetch(model: Model, data_dir: Path, base: str | None, told: Callable[[Progress], None]) -> Path:
    """Fetch a model and return its folder. Raises FetchError.

    `base` is the address of a mirror with NAME/FILE below it. What is whole already is kept, and
    looked at again: who asks anew has a reason.
    """
    target = data_dir / FOLDER / model.name
    unfinished = target.with_name(f"{model.name}.part")
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        with _alone(target.with_name(f"{model.name}.lock")):
            if target.is_dir():
                _take_what_is_right(model, target, unfinished)
            _ask_for_room(model, unfinished)
            _files(model, unfinished, f"{base}/{model.name}" if base else model.address, told)
            shutil.rmtree(target, ignore_errors=True)
            unfinished.replace(target)
            _sync(target.parent)
    except OSError as problem:
        raise FetchError(N_("the disk refuses (%(why)s)"), why=of_file(problem)) from None
    return target


def _take_what_is_right(model: Model, there: Path, unfinished: Path) -> None:
    """Use what an earlier fetch left whole, so that only what is damaged is fetched again."""
    for file in model.files:
        old, new = there / file.name, unfinished / file.name
        if old.is_file() and _digest(old) == file.sha256:
            new.unlink(missing_ok=True)
            try:
                os.link(old, new)
            except OSError:  # not every file system can
                shutil.copyfile(old, new)


def _ask_for_room(model: Model, folder: Path) -> None:
    there = sum(_size(folder / file.name) for file in model.files)
    free = shutil.disk_usage(folder).free
    if free < model.size - there + RESERVE:
        raise FetchError(
            N_("it needs %(needed)s MB, and %(free)s MB are free in %(folder)s"),
            needed=(model.size - there + RESERVE) >> 20,
            free=free >> 20,
            folder=folder,
        )


def _files(model: Model, folder: Path, address: str, told: Callable[[Progress], None]) -> None:
    before = 0
    # No cookies, no compression: bytes as they are, and counted.
    with httpx2.Client(
        timeout=httpx2.Timeout(SILENCE_S), headers={"Accept-Encoding": "identity"}
    ) as client:
        for file in model.files:

            def told_of_file(done: int, name: str = file.name, start: int = before) -> None:
                told(Progress(name, start + done, model.size))

            _One(client, file, f"{address}/{file.name}", folder / file.name, told_of_file).fetch()
            before += file.size


class _One:
    """One file on its way."""

    def __init__(
        self,
        client: httpx2.Client,
        file: File,
        address: str,
        path: Path,
        told: Callable[[int], None],
    ) -> None:
        self._client, self._file, self._address = client, file, address
        self._path, self._told = path, told

    def fetch(self) -> None:
        """Have the file whole. Raises FetchError."""
        resumed = _size(self._path) > 0
        self._complete()
        if _digest(self._path) == self._file.sha256:
            return
        self._path.unlink()
        if resumed:  # of two fetches with something between them: the whole anew
            self._complete()
            if _digest(self._path) == self._file.sha256:
                return
            self._path.unlink()
        raise FetchError(
            N_("%(file)s isn't the file that it should be: its SHA-256 is another one"),
            file=self._file.name,
        )

    def _complete(self) -> None:
        fruitless = tries = 0
        while (have := self._have()) < self._file.size:
            self._told(have)
            try:
                self._try(have)
            except _CutError as cut:
                tries += 1
                fruitless = 0 if self._have() > have else fruitless + 1
                if fruitless >= FRUITLESS_TRIES or tries >= MAX_TRIES:
                    raise FetchError(
                        N_("%(file)s: %(why)s"), file=self._file.name, why=cut.words
                    ) from None
                time.sleep(PAUSES_S[min(fruitless, len(PAUSES_S) - 1)])
        self._told(have)

    def _have(self) -> int:
        have = _size(self._path)
        if have > self._file.size:
            self._path.unlink()
            return 0
        return have

    def _try(self, have: int) -> None:
        """Ask for what lacks. Raises _CutError where asking again may help, else FetchError."""
        asked = {"Range": f"bytes={have}-"} if have else {}
        try:
            with _answer(self._client, self._address, asked) as answer:
                if answer.status_code == _NOT_SATISFIABLE and have:
                    self._path.unlink()
                    raise _CutError(Words(N_("the server has another file there")))
                if answer.status_code not in (_OK, _PARTIAL):
                    self._refused(answer.status_code)
                # Who ignores that a part was asked for sends the whole from its beginning.
                start = have if answer.status_code == _PARTIAL else 0
                self._look_at(answer, start)
                self._write(answer, start)
        except httpx2.TimeoutException:
            raise _CutError(Words(N_("the server sends nothing any more"))) from None
        except httpx2.HTTPError as problem:
            why = Words(N_("the connection broke (%(why)s)"), why=type(problem).__name__)
            raise _CutError(why) from None

    def _refused(self, status: int) -> None:
        why = Words(N_("the server answers %(status)s"), status=status)
        if status in _FINAL:
            raise FetchError(N_("%(file)s: %(why)s"), file=self._file.name, why=why)
        raise _CutError(why)

    def _look_at(self, answer: httpx2.Response, start: int) -> None:
        """Refuse what says itself that it is another file. Raises FetchError, _CutError."""
        if answer.status_code == _PARTIAL:
            expected = f"bytes {start}-{self._file.size - 1}/{self._file.size}"
            if answer.headers.get("content-range") != expected:
                self._path.unlink()
                raise _CutError(Words(N_("the server has another file there")))
        length = answer.headers.get("content-length")
        lacking = self._file.size - start
        if "content-encoding" in answer.headers or length not in (None, str(lacking)):
            raise FetchError(
                N_("%(file)s has another size there than it should"), file=self._file.name
            )

    def _write(self, answer: httpx2.Response, start: int) -> None:
        done = start
        since, then = time.monotonic(), start
        with self._path.open("ab" if start else "wb") as out:
            for piece in answer.iter_raw():
                if done + len(piece) > self._file.size:
                    raise FetchError(N_("%(file)s is larger than it should"), file=self._file.name)
                out.write(piece)
                done += len(piece)
                self._told(done)
                if (passed := time.monotonic() - since) >= SLOW_FOR_S:
                    if done - then < SLOWEST * passed:
                        raise FetchError(
                            N_("%(file)s comes too slowly; what is there is kept"),
                            file=self._file.name,
                        )
                    since, then = time.monotonic(), done
            out.flush()
            os.fsync(out.fileno())
        if done < self._file.size:
            raise _CutError(Words(N_("the server ended it too early")))


@contextmanager
def _answer(
    client: httpx2.Client, address: str, asked: dict[str, str]
) -> Iterator[httpx2.Response]:
    """Ask, also where that leads. Raises FetchError, and as httpx does."""
    url = httpx2.URL(address)
    for _ in range(1 + MAX_REDIRECTS):
        if not (url.scheme == "https" or (url.scheme == "http" and is_loopback(url.host))):
            raise FetchError(N_("only https is fetched from, not %(address)s"), address=url)
        with client.stream("GET", url, headers=asked) as answer:
            if answer.status_code not in _REDIRECTS or "location" not in answer.headers:
                yield answer
                return
            url = url.join(answer.headers["location"])
    raise FetchError(N_("%(address)s leads from one address to another"), address=address)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Be the only one that fetches this model, where the system has such locks."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        yield
        return
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FetchError(N_("another process is fetching it right now")) from None
        yield


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    """Have the system write down that the folder has its name now, where it can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
