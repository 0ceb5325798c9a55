"""What waits for the database is on disk within seconds, and leaves it once it is stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg
import msgspec
import pytest

from core.transcript import journal
from core.transcript.outbox import Entry, Outbox
from core.transcript.spool import Spool
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import vocabulary
from tests.support.app_server import AppServer
from tests.support.database_line import DatabaseLine
from tests.support.dictation import emulator, say, speech_by
from tests.support.visitors import Visitor
from tests.support.waiting import until

__all__ = ["emulator"]
WORDS = vocabulary(200, seed=31)
OLD_FILES = Path(__file__).parent / "spools"  # as releases have written them, the oldest first
OLD_SESSION = "5e550000-0000-4000-8000-000000000001"


@dataclass
class Scene:
    """A server whose line to its database can be cut, and a session in it."""

    line: DatabaseLine
    database: str
    server: AppServer
    ada: Visitor
    slug: str

    async def sql(self, statement: str, *values: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.database)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *values)
            return rows
        finally:
            await connection.close()

    async def texts(self, table: str) -> list[str]:
        return [row["text"] for row in await self.sql(f"SELECT text FROM {table} ORDER BY 1")]

    def lines(self, name: str) -> list[str]:
        """The lines of a file in DATA_DIR that are whole; none without the file."""
        file = self.server.data_dir / name
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        return [line for line in lines if line.endswith("\n")]


@pytest.fixture
async def scene(
    emulator: GladiaEmulator, make_database: Callable[[], str], make_server: MakeServer
) -> AsyncIterator[Scene]:
    database = await asyncio.to_thread(make_database)
    with DatabaseLine(database) as line:
        settings = {"DATABASE_URL": line.url} | speech_by(emulator)
        server = await asyncio.to_thread(make_server, **settings)
        ada = Visitor(server.url).sign_in("Ada Lovelace")
        yield Scene(line, database, server, ada, ada.start_session())
        line.mend()
        await asyncio.to_thread(server.stop)


async def test_a_crash_during_an_outage_loses_nothing_though_no_page_comes_back(
    scene: Scene,
) -> None:
    page = scene.ada.page(scene.slug)
    await page.connect()
    await page.mic(True)
    await say(page, WORDS[:4])
    await page.until(lambda: page.settled)
    assert not list(scene.server.data_dir.glob("*unsaved*")), "nothing waits for long"
    scene.line.cut()
    await say(page, WORDS[4:8])
    await page.send({"type": "chat", "text": "A line that waits."})
    await until(lambda: scene.lines("unsaved.jsonl") and scene.lines("chat-unsaved.jsonl"))
    await say(page, WORDS[8:12])
    await until(lambda: len(scene.lines("unsaved.jsonl")) == 2)
    assert (scene.server.data_dir / "unsaved.jsonl").stat().st_mode & 0o077 == 0
    await asyncio.to_thread(scene.server.kill)
    with (scene.server.data_dir / "unsaved.jsonl").open("ab") as file:
        file.write(b'{"session_id": "cut off by a cra')
    await page.leave()
    scene.line.mend()
    await asyncio.to_thread(scene.server.start)

    async def stored() -> bool:
        return len(await scene.texts("utterances")) == 3

    await until(stored)
    assert sorted(" ".join(await scene.texts("utterances")).split()) == sorted(WORDS[:12])
    assert await scene.texts("chat_messages") == ["A line that waits."]
    await until(lambda: not list(scene.server.data_dir.glob("*unsaved.jsonl")))
    late = scene.ada.page(scene.slug)
    await late.connect()
    await late.until(lambda: late.of_type("people"))
    assert late.text.split() == WORDS[:12]
    assert [line["text"] for line in late.of_type("chat")] == ["A line that waits."]
    await late.leave()


async def test_files_of_earlier_releases_are_read_and_what_was_deleted_stays_so(
    scene: Scene,
) -> None:
    await asyncio.to_thread(scene.server.stop)
    await scene.sql(
        "INSERT INTO sessions (id, slug, title, space_id)"
        " SELECT $1, 'old-session', 'Old', id FROM spaces LIMIT 1",
        OLD_SESSION,
    )
    await scene.sql(
        "INSERT INTO participants (identity, session_id, name, hue, role)"
        " VALUES ('p_ada', $1, 'Ada', 3, 'HOST')",
        OLD_SESSION,
    )
    finals = [one.read_text() for one in sorted(OLD_FILES.glob("[0-9]-*.jsonl"))]
    gone = finals[0].replace(OLD_SESSION, "5e550000-0000-4000-8000-00000000dead")
    kept = {"": [gone, *finals]} | {
        f"{what}-": [(OLD_FILES / f"{what}.jsonl").read_text()] for what in ("chat", "usage")
    }
    for what, lines in kept.items():
        (scene.server.data_dir / f"{what}unsaved.jsonl").write_text("\n".join(lines))
    await asyncio.to_thread(scene.server.start)
    await until(lambda: not list(scene.server.data_dir.glob("*unsaved.jsonl")))
    stored = await scene.sql("SELECT * FROM utterances ORDER BY seq")
    assert [row["text"] for row in stored] == [msgspec.json.decode(one)["text"] for one in finals]
    assert [row["until"] for row in stored] == [0, 64000, 96000, 128000, 160000]
    assert await scene.texts("chat_messages") == ["a line of the chat"]
    assert [row["sent_s"] for row in await scene.sql("SELECT * FROM streams")] == [7.25]
    assert scene.server.log.count("an utterance was refused by the database") == 1
    assert "damaged" not in scene.server.log


async def test_a_folder_that_takes_nothing_is_told_once_and_holds_up_no_stop(
    scene: Scene,
) -> None:
    page = scene.ada.page(scene.slug)
    await page.connect()
    await page.mic(True)
    for what in ("unsaved.jsonl", "unsaved.partial", "held-unsaved.partial"):
        (scene.server.data_dir / what).mkdir()
    scene.line.cut()
    told = "/unsaved.jsonl can't be written (Is a directory)"
    await say(page, WORDS[:4])
    await until(lambda: told in scene.server.log)
    await say(page, WORDS[4:8])
    await page.speak(b"\1\2" * 16_000)
    assert await asyncio.to_thread(scene.server.stop) in (0, -15)
    assert await page.until_closed() == 1012
    assert scene.server.log.count(told) == 1
    assert "Traceback" not in scene.server.log


@dataclass(frozen=True)
class Value:
    number: int
    text: str = ""


class Stores:
    """Takes what comes once it is told to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.stored: list[int] = []

    async def __call__(self, batch: list[Entry[Value]]) -> list[Entry[Value]]:
        await self.open.wait()
        self.stored += [one.value.number for one in batch]
        return batch


def spool_at(path: Path) -> Spool[Value]:
    return Spool(path, msgspec.json.Decoder(Value).decode)


async def test_nothing_is_written_for_what_is_stored_at_once_and_all_for_what_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SPOOL_EVERY_S", 0.01)
    spool, stores = spool_at(tmp_path / "unsaved.jsonl"), Stores()

    def on_disk(count: int) -> bool:
        return len(spool.read()) == count

    box = Outbox("a value", spool, stores)
    box.start()
    stores.open.set()
    for number in range(10):
        box.put(Entry(Value(number)))
        await box.flush()
        assert not spool.path.exists()
    stores.open.clear()
    monkeypatch.setattr(journal, "SPOOL_AFTER_S", 0.01)
    for number in range(10, 40):
        box.put(Entry(Value(number)))
        await until(partial(on_disk, number - 9))
    stores.open.set()
    await box.flush()
    await until(lambda: not spool.path.exists())
    assert stores.stored == list(range(40))
    await box.close()


async def test_a_disk_that_is_full_leaves_no_torn_line_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal, "SPOOL_AFTER_S", 0.0)
    monkeypatch.setattr(journal, "SPOOL_EVERY_S", 0.01)
    full = tmp_path / "unsaved.jsonl"
    full.symlink_to("/dev/full")  # every write is refused as by a disk without space
    box = Outbox("a value", spool_at(full), Stores())
    monkeypatch.setattr(Spool, "read", lambda _: [])  # it never ends
    box.start()
    box.put(Entry(Value(1)))
    with caplog.at_level(logging.WARNING):
        await until(lambda: "No space left" in caplog.text)
        box.put(Entry(Value(2)))
        await asyncio.sleep(0.2)
        assert len(caplog.records) == 1
        full.unlink()
        await until(full.exists)
        await until(lambda: len(full.read_bytes().splitlines()) == 2)
        await until(lambda: len(caplog.records) > 1)  # which comes after the lines
    assert caplog.messages[1:] == ["what waits to be stored is on disk again"]
    await box.close()


def test_a_line_that_was_cut_off_takes_no_other_along(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "unsaved.jsonl")
    spool.append([Value(1), Value(2, "ü" * 100)])
    whole = spool.path.read_bytes()
    for size in range(len(whole) + 1):
        spool.path.write_bytes(whole[:size])
        before = spool.read()
        spool.append([Value(3)])
        assert spool.read() == [*before, Value(3)]


def test_a_file_that_cannot_be_read_is_never_removed(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "unsaved.jsonl")
    spool.path.symlink_to(tmp_path)  # a folder
    assert spool.read() == []
    spool.replace([])
    assert spool.path.is_symlink()
