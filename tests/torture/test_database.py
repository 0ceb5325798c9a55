"""A PostgreSQL whose disk is really full, and one that keeps a table locked, while people speak."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import vocabulary
from tests.support.dictation import emulator, say, speech_by
from tests.support.outage import Scene
from tests.support.own_postgres import OwnPostgres
from tests.support.postgres import Cluster
from tests.support.visitors import Visitor
from tests.support.waiting import until

pytestmark = pytest.mark.torture
__all__ = ["emulator"]

WORDS = vocabulary(60, seed=13)
LOCKED_S = 25.0
DISK = "160m"


class SmallDisk(OwnPostgres):
    """A PostgreSQL on a disk of its own, which can be filled up."""

    def __init__(self, disk: Path) -> None:
        self._disk = disk
        self._cluster = Cluster(disk)
        self.url = self._cluster.url()

    def fill(self) -> None:
        """Leave no space for anything."""
        subprocess.run(
            ["dd", "if=/dev/zero", f"of={self._disk}/ballast", "bs=4k"],
            check=False,
            capture_output=True,
        )

    def free(self) -> None:
        (self._disk / "ballast").unlink()


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("nobody may mount here")
    try:
        with SmallDisk(folder) as running:
            yield running
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
async def scene(emulator: GladiaEmulator, make_server: MakeServer) -> AsyncIterator[Scene]:
    with OwnPostgres() as postgres:
        yield await start(postgres, emulator, make_server)


async def start(postgres: OwnPostgres, emulator: GladiaEmulator, make_server: MakeServer) -> Scene:
    server = await asyncio.to_thread(make_server, DATABASE_URL=postgres.url, **speech_by(emulator))
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    return Scene(postgres, server, ada, ada.start_session())


async def test_a_disk_that_is_full_loses_no_word(
    small_disk: SmallDisk, emulator: GladiaEmulator, make_server: MakeServer
) -> None:
    scene = await start(small_disk, emulator, make_server)
    keeper = await asyncpg.connect(small_disk.url)
    await keeper.execute("CREATE TABLE filler (text text)")
    # So that a few rows need a new page each time.
    for table in ("utterances", "sessions", "participants", "rooms"):
        await keeper.execute(f"ALTER TABLE {table} SET (fillfactor = 10)")
    async with scene.page() as page:
        await page.mic(True)
        await say(page, WORDS[:5])
        await page.until(lambda: page.settled)
        small_disk.fill()
        with pytest.raises((asyncpg.PostgresError, OSError)):
            # What room is left in pages and in the log of writes is used up, too.
            while True:
                await keeper.execute(
                    "INSERT INTO filler SELECT repeat('x', 2000) FROM generate_series(1, 100)"
                )
        keeper.terminate()
        for end in range(10, 40, 5):
            await say(page, WORDS[end - 5 : end])

        async def told() -> bool:
            status, health = await scene.health()
            return (status, health["database"]) == (503, "full") and health["queue"] != 0

        await until(told, news=lambda: scene.server.log)
        form = {"title": "x" * 80, "admission": "ANYONE"}
        for _ in range(20):  # the first may find room in a page
            answer = await asyncio.to_thread(scene.ada.http.post, "/sessions", data=form)
            if answer.status_code != 303:
                break
        assert answer.status_code == 503
        assert "We can’t write anything down." in answer.text
        small_disk.free()
        await until_answers(small_disk)
        await scene.until_stored()
        assert await scene.stored() == WORDS[:35]
    assert "Traceback" not in scene.server.log


async def until_answers(postgres: OwnPostgres) -> None:
    async def answers() -> bool:
        try:
            connection = await asyncpg.connect(postgres.url)
        except (asyncpg.PostgresError, OSError):
            await asyncio.to_thread(postgres.start)
            return False
        await connection.close()
        return True

    await until(answers)


async def test_a_table_that_is_locked_for_long_is_told_once(scene: Scene) -> None:
    keeper = await asyncpg.connect(scene.postgres.url)
    async with scene.page() as page:
        await page.mic(True)
        await say(page, WORDS[:5])
        await page.until(lambda: page.settled)
        logged = len(scene.server.log)
        async with keeper.transaction():
            await keeper.execute("LOCK TABLE utterances IN ACCESS EXCLUSIVE MODE")
            began = time.monotonic()
            await say(page, WORDS[5:10])

            async def late() -> bool:
                status, health = await scene.health()
                return (status, health["database"]) == (503, "late")

            await until(late)
            await asyncio.sleep(max(0.0, LOCKED_S - (time.monotonic() - began)))
        await scene.until_stored()
        assert await scene.stored() == WORDS[:10]
    log = scene.server.log[logged:]
    assert log.count("PostgreSQL doesn't get to our statements") == 1
    assert log.count("PostgreSQL is back") == 1, log
    await keeper.close()
