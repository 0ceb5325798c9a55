"""Processes on one DATA_DIR: one's stop leaves another's words, and a dead one's are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import vocabulary
from tests.ops.test_nodes import age
from tests.support.database_line import DatabaseLine
from tests.support.dictation import emulator, say, speech_by
from tests.support.visitors import Visitor
from tests.support.waiting import until

__all__ = ["emulator"]
pytestmark = pytest.mark.torture
WORDS = vocabulary(100, seed=37)


async def texts(database: str, table: str) -> list[str]:
    connection = await asyncpg.connect(database)
    try:
        return [
            row["text"] for row in await connection.fetch(f"SELECT text FROM {table} ORDER BY 1")
        ]
    finally:
        await connection.close()


async def test_the_stop_of_one_leaves_anothers_words_and_a_dead_ones_are_stored(
    emulator: GladiaEmulator,
    make_database: Callable[[], str],
    make_server: MakeServer,
    tmp_path: Path,
) -> None:
    database, folder = await asyncio.to_thread(make_database), tmp_path / "data"
    with DatabaseLine(database) as line:
        settings = {"DATABASE_URL": line.url, "NEXTAUTH_SECRET": "s" * 40} | speech_by(emulator)
        first = await asyncio.to_thread(make_server, data_dir=folder, **settings)
        second = await asyncio.to_thread(make_server, data_dir=folder, **settings)
        ada = Visitor(second.url).sign_in("Ada Lovelace")
        page = ada.page(ada.start_session())
        await page.connect()
        await page.mic(True)
        line.cut()
        await say(page, WORDS[:4])
        await page.send({"type": "chat", "text": "A line that waits."})
        mine = [folder / f"{what}unsaved-2.jsonl" for what in ("", "chat-")]
        await until(lambda: all(file.exists() for file in mine))
        await asyncio.to_thread(first.stop)
        assert all(file.exists() for file in mine), "they are another's"
        await say(page, WORDS[4:8])
        await until(lambda: len(mine[0].read_bytes().splitlines()) == 2)
        await asyncio.to_thread(second.kill)
        await page.leave()
        line.mend()
        await asyncio.to_thread(first.start)
        age(folder, "*unsaved-2.jsonl")  # it doesn't come back

        async def stored() -> bool:
            said = " ".join(await texts(database, "utterances")).split()
            return sorted(said) == sorted(WORDS[:8])

        await until(stored, news=lambda: first.log)
        assert await texts(database, "chat_messages") == ["A line that waits."]
        await until(lambda: not list(folder.glob("*unsaved*")))
        await asyncio.to_thread(first.stop)
