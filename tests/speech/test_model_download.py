"""Fetching a speech model from servers of all kinds: it is the right one in the end, or none."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest

from core.speech.local import download
from core.speech.local.catalogue import File, Model
from core.speech.local.download import FetchError, Progress, fetch

CONTENT = {
    "config.json": b'{"lang_ids": []}',
    "vocabulary.txt": Random(1).randbytes(30_000),
    "model.bin": Random(2).randbytes(400_000),
}
WEIGHTS = CONTENT["model.bin"]
MODEL = Model(
    "tiny",
    "whisper",
    "MIT",
    "https://hub.invalid/tiny",
    tuple(
        File(name, len(content), hashlib.sha256(content).hexdigest())
        for name, content in CONTENT.items()
    ),
)


class Server(ThreadingHTTPServer):
    """A server of models that answers as it is told; else as it should."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []  # file and Range, of each request
        # What the next requests for model.bin get, in order; the last one stays.
        self.script: list[Callable[[Handler], None]] = []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def ranges(self) -> list[str | None]:
        """Which parts of the weights were asked for."""
        return [wanted for name, wanted in self.asked if name == "model.bin"]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[-1]
        self.server.asked.append((name, self.headers.get("Range")))
        script = self.server.script
        if name == "model.bin" and script:
            (script.pop(0) if len(script) > 1 else script[0])(self)
        else:
            self.serve(CONTENT[name])

    def serve(self, content: bytes, *, cut: int | None = None) -> None:
        """Answer as asked; `cut` ends the connection behind so many bytes."""
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.send(content[start:] if cut is None else content[start : start + cut])

    def serve_all(self) -> None:
        """Answer with the weights, as asked."""
        self.serve(WEIGHTS)

    def send(self, content: bytes) -> None:
        with contextlib.suppress(OSError):  # whoever asked has seen enough
            self.wfile.write(content)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Log nothing."""


def cut_after(size: int) -> Callable[[Handler], None]:
    return lambda handler: handler.serve(WEIGHTS, cut=size)


def status(code: int, **headers: str) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": "0", **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()

    return answer


def whole(content: bytes, length: int | None = None, code: int = 200) -> Callable[[Handler], None]:
    """Answer with all of it, whatever part was asked for; `length` is what is said of it."""

    def answer(handler: Handler) -> None:
        handler.send_response(code)
        if length is not None:
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.send(content)

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=partial(running.serve_forever, poll_interval=0.02))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSES_S", (0.0,))
    monkeypatch.setattr(download, "RESERVE", 0)


def told(progress: Progress) -> None:
    """Take it, as nobody looks."""


def fetched(server: Server, folder: Path) -> Path:
    return fetch(MODEL, folder, server.base, told)


def assert_right(folder: Path) -> None:
    assert {one.name: one.read_bytes() for one in folder.iterdir()} == CONTENT
    left = {one.name for one in folder.parent.iterdir()} - {"tiny.lock"}
    assert left == {"tiny"}, "nothing that is unfinished stays"


def refused(server: Server, folder: Path) -> str:
    """Return why nothing was fetched; a model must not be there then."""
    with pytest.raises(FetchError) as refusal:
        fetched(server, folder)
    assert not (folder / "speech" / "tiny").exists()
    return str(refusal.value)


def test_a_model_is_fetched_and_it_is_told_how_far(server: Server, tmp_path: Path) -> None:
    seen: list[Progress] = []
    assert_right(fetch(MODEL, tmp_path, server.base, seen.append))
    done = [one.done for one in seen]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, MODEL.size)
    assert [name for name, _ in server.asked] == list(CONTENT)


def test_a_connection_that_breaks_is_gone_on_with_where_it_was(
    server: Server, tmp_path: Path
) -> None:
    server.script = [cut_after(100_000), cut_after(50_000), cut_after(0), Handler.serve_all]
    assert_right(fetched(server, tmp_path))
    assert server.ranges == [None, "bytes=100000-", "bytes=150000-", "bytes=150000-"]


def test_what_an_earlier_fetch_left_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    server.script = [cut_after(100_000), status(503)]
    assert "503" in refused(server, tmp_path)
    assert len(server.ranges) == 1 + download.FRUITLESS_TRIES
    server.script, server.asked = [], []
    assert_right(fetched(server, tmp_path))
    assert server.asked == [("model.bin", "bytes=100000-")]


def test_a_server_that_knows_no_parts_sends_all_anew(server: Server, tmp_path: Path) -> None:
    server.script = [cut_after(100_000), whole(WEIGHTS, len(WEIGHTS))]
    assert_right(fetched(server, tmp_path))


@pytest.mark.parametrize(
    "answer",
    [status(416), status(206, **{"Content-Range": "bytes 5-9/10"}), status(206)],
    ids=["no such part", "another part", "nothing said"],
)
def test_another_part_than_what_was_asked_for_is_not_put_behind(
    server: Server, tmp_path: Path, answer: Callable[[Handler], None]
) -> None:
    server.script = [cut_after(100_000), answer, Handler.serve_all]
    assert_right(fetched(server, tmp_path))
    assert server.ranges == [None, "bytes=100000-", None]


def test_a_file_with_another_digest_is_not_kept(server: Server, tmp_path: Path) -> None:
    wrong = WEIGHTS[:-1] + bytes([WEIGHTS[-1] ^ 1])
    server.script = [whole(wrong, len(wrong))]
    assert "SHA-256" in refused(server, tmp_path)
    assert len(server.ranges) == 1, "the same file would come again"
    server.script = []
    assert_right(fetched(server, tmp_path))


def test_halves_of_two_files_are_noticed_and_fetched_as_one(server: Server, tmp_path: Path) -> None:
    unfinished = tmp_path / "speech" / "tiny.part"
    unfinished.mkdir(parents=True)
    (unfinished / "model.bin").write_bytes(bytes(50_000))
    assert_right(fetched(server, tmp_path))
    assert server.ranges == ["bytes=50000-", None]


@pytest.mark.parametrize("length", [len(WEIGHTS) - 1, len(WEIGHTS) + 1, 10**15])
def test_what_says_that_it_is_of_another_size_is_not_even_read(
    server: Server, tmp_path: Path, length: int
) -> None:
    server.script = [whole(WEIGHTS, length)]
    assert "size" in refused(server, tmp_path)
    assert not (tmp_path / "speech" / "tiny.part" / "model.bin").exists()


def test_an_endless_file_is_cut_off(server: Server, tmp_path: Path) -> None:
    server.script = [whole(WEIGHTS + bytes(5_000_000))]
    assert "larger" in refused(server, tmp_path)
    assert (tmp_path / "speech" / "tiny.part" / "model.bin").stat().st_size <= len(WEIGHTS)


def test_a_compressed_answer_is_refused(server: Server, tmp_path: Path) -> None:
    server.script = [status(200, **{"Content-Encoding": "gzip"})]
    assert "size" in refused(server, tmp_path)


def test_what_comes_too_slowly_is_given_up_and_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SLOW_FOR_S", 0.0)
    monkeypatch.setattr(download, "SLOWEST", 10**12)
    assert "slowly" in refused(server, tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(download, "RESERVE", 0)
    assert_right(fetched(server, tmp_path))


def test_a_server_that_falls_silent_is_not_waited_for(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SILENCE_S", 0.05)
    release = threading.Event()

    def silent(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        release.wait(30)

    server.script = [silent]
    try:
        assert "nothing any more" in refused(server, tmp_path)
    finally:
        release.set()


def test_a_server_that_cuts_after_each_byte_is_not_asked_for_ever(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_TRIES", 20)
    server.script = [cut_after(1)]
    assert "too early" in refused(server, tmp_path) or "broke" in refused(server, tmp_path)
    assert 20 <= len(server.ranges) <= 40


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_what_isn_t_there_is_asked_for_once(server: Server, tmp_path: Path, code: int) -> None:
    server.script = [status(code)]
    assert str(code) in refused(server, tmp_path)
    assert len(server.ranges) == 1


def test_a_server_in_trouble_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.script = [status(503), status(429), Handler.serve_all]
    assert_right(fetched(server, tmp_path))


def test_it_is_followed_where_it_leads_but_only_by_https(server: Server, tmp_path: Path) -> None:
    server.script = [status(302, Location=f"{server.base}/elsewhere/model.bin"), Handler.serve_all]
    assert_right(fetched(server, tmp_path))
    shutil.rmtree(tmp_path / "speech")
    for address in ("http://198.51.100.7/model.bin", "file:///etc/passwd", "ftp://127.0.0.1/x"):
        server.script = [status(302, Location=address)]
        assert "only https" in refused(server, tmp_path)
    server.script = [status(302, Location=f"{server.base}/round/model.bin")]
    assert "leads from one address to another" in refused(server, tmp_path)
    with pytest.raises(FetchError, match="only https"):
        fetch(MODEL, tmp_path, "http://models.example.org", told)


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, MODEL.size - 1))
    assert "are free in" in refused(server, tmp_path)
    assert server.asked == []


def test_a_folder_that_can_t_be_written_to_is_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "speech").write_text("a file is in the way")
    assert str(tmp_path / "speech") in refused(server, tmp_path)


def test_two_at_once_don_t_write_to_the_same_files(server: Server, tmp_path: Path) -> None:
    held, release = threading.Event(), threading.Event()

    def waiting(handler: Handler) -> None:
        held.set()
        release.wait(30)
        handler.serve(WEIGHTS)

    server.script = [waiting]
    first = threading.Thread(target=fetched, args=(server, tmp_path))
    first.start()
    assert held.wait(30)
    assert "another process" in refused(server, tmp_path)
    release.set()
    first.join()
    assert_right(tmp_path / "speech" / "tiny")


def test_what_was_damaged_later_is_fetched_again_and_nothing_else(
    server: Server, tmp_path: Path
) -> None:
    folder = fetched(server, tmp_path)
    (folder / "model.bin").write_bytes(bytes(len(WEIGHTS)))
    server.asked.clear()
    server.script = [status(404)]
    with pytest.raises(FetchError):
        fetched(server, tmp_path)
    assert folder.is_dir(), "until there is another, the old one stays"
    server.script = []
    assert_right(fetched(server, tmp_path))
    assert {name for name, _ in server.asked} == {"model.bin"}
