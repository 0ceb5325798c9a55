"""`backup` and `restore` of the embedded database, beside a server that runs and after one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from core.database import EmbeddedPostgres
from core.settings import Settings
from tests.support.embedded_data import embedded_data
from web.keeping import run
from web.words import speaking


def ask(url: str, statement: str) -> list[object]:
    """Run a statement, and return the first column of its rows."""

    async def asked() -> list[object]:
        connection = await asyncpg.connect(url)
        try:
            return [row[0] for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(asked())


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with embedded_data() as data:
        yield data


def test_a_restored_database_is_the_one_that_was_backed_up(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=folder)
    postgres = EmbeddedPostgres(folder)
    url = postgres.start()
    try:
        ask(url, "CREATE TABLE said (id int PRIMARY KEY, what text)")
        ask(url, "INSERT INTO said VALUES (1, 'привет'), (2, E'a\\nb')")
        assert run("backup", settings) == 0
        assert str(folder / "backup" / "database.dump") in capsys.readouterr().out
        ask(url, "DELETE FROM said WHERE id = 1")
        ask(url, "INSERT INTO said VALUES (3, 'later')")
        # The server that runs is neither stopped by a backup nor robbed of its data by a restore.
        assert run("restore", settings) == 1
        assert "is in use: stop Sessions first" in capsys.readouterr().err
        assert ask(url, "SELECT id FROM said ORDER BY id") == [2, 3]
    finally:
        postgres.stop()

    with speaking("ru"):
        assert run("restore", settings) == 0
    assert "postgres.before-restore" in capsys.readouterr().out
    again = EmbeddedPostgres(folder)
    try:
        rows = ask(again.start(), "SELECT what FROM said ORDER BY id")
        assert rows == ["привет", "a\nb"]
    finally:
        again.stop()


def test_what_cannot_be_restored_leaves_the_database_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=folder)
    dump = folder / "backup" / "database.dump"
    kept = dump.read_bytes()
    dump.write_bytes(kept[: len(kept) // 2])
    assert run("restore", settings) == 1
    assert "Nothing was changed: pg_restore fails" in capsys.readouterr().err
    dump.unlink()
    assert run("restore", settings) == 0
    assert "so the database stays as it is" in capsys.readouterr().out
    again = EmbeddedPostgres(folder)
    try:
        assert ask(again.start(), "SELECT count(*) FROM said") == [2]
    finally:
        again.stop()


def test_a_database_elsewhere_is_left_to_who_runs_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=tmp_path, database_url="postgresql://db/sessions")
    for command in ("backup", "restore"):
        assert run(command, settings) == 0
        assert "isn’t in DATA_DIR" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
