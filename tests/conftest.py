"""Fixtures: a real PostgreSQL, and Sessions as its own process on a fresh database."""

from __future__ import annotations

import importlib
import inspect
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.support.app_server import AppServer
from tests.support.browser import IN_ITS_LOOP, browsers, chromium
from tests.support.postgres import Cluster, shared_cluster
from tests.support.virtual_time import LoopFactory, loop_factories
from tests.support.visitors import Visitor

__all__ = ["browsers", "chromium"]

_numbers = itertools.count()
_CLUSTER = pytest.StashKey[Path]()

MakeServer = Callable[..., AppServer]

# A busy machine may hold up any one example: how long it takes says nothing about what is right.
settings.register_profile("sessions", deadline=None)
settings.load_profile("sessions")


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    """Give a test the loop that it is marked for."""
    return loop_factories(item)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(obj: object) -> None:
    """Run the tests that use Chromium in one loop, as they share it."""
    if inspect.iscoroutinefunction(obj) and "browsers" in inspect.signature(obj).parameters:
        IN_ITS_LOOP(obj)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files with browsers and those of speech: they are what takes longest."""
    first = {item.path for item in items if item.get_closest_marker("browser")}
    items.sort(key=lambda item: (item.path not in first, "speech" not in item.path.parts))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """Give files to the workers of pytest-xdist: see tests/support/lanes.py."""
    if config.getvalue("dist") != "loadfile":
        return None
    lanes = importlib.import_module("tests.support.lanes")  # only where there is pytest-xdist
    return lanes.Lanes(config, log)  # type: ignore[no-any-return]


def pytest_configure(config: pytest.Config) -> None:
    """Have a folder for the PostgreSQL of this run, which all workers share."""
    if hasattr(config, "workerinput"):
        config.stash[_CLUSTER] = Path(config.workerinput["cluster"])
    else:
        # A short path: a socket's name may have a hundred characters only.
        config.stash[_CLUSTER] = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where it is."""
    node.workerinput["cluster"] = str(node.config.stash[_CLUSTER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the PostgreSQL when all who used it are done."""
    if not hasattr(config, "workerinput"):
        Cluster(config.stash[_CLUSTER]).delete()


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Cluster:
    """The PostgreSQL that all tests share."""
    return shared_cluster(pytestconfig.stash[_CLUSTER])


@pytest.fixture(scope="session")
def make_database(postgres: Cluster) -> Callable[[], str]:
    """Make an empty database and return its URL."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return lambda: postgres.create(f"test_{worker}_{next(_numbers)}")


def _servers(
    make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeServer]:
    """Start servers on databases of their own, and stop them at the end."""
    servers: list[AppServer] = []

    def make(
        data_dir: Path | None = None, command: list[str] | None = None, **environment: str
    ) -> AppServer:
        environment.setdefault("DATABASE_URL", make_database())
        # The local engine costs each start a second of a core: who needs it asks for it.
        if "GLADIA_API_KEY" not in environment:
            environment.setdefault("SPEECH_ENGINE", "off")
        directory = data_dir or tmp_path_factory.mktemp("data")
        servers.append(AppServer(directory, environment, command))
        return servers[-1].start()

    yield make
    for server in servers:
        server.stop()


# Start servers that live as long as the run: few, as each looks after its sessions.
make_lasting_server = pytest.fixture(scope="session")(_servers)
# Start servers for the tests of one file.
make_server_in = pytest.fixture(scope="module")(_servers)
# Start servers for one test.
make_server = pytest.fixture(_servers)


@pytest.fixture(scope="session")
def server(make_lasting_server: MakeServer) -> AppServer:
    """One Sessions with embedded defaults for all tests that don't disturb it."""
    return make_lasting_server(SPEECH_ENGINE="auto")


@pytest.fixture
def visitor(server: AppServer) -> Callable[[], Visitor]:
    """Make a visitor of the shared server."""
    return lambda: Visitor(server.url)


@pytest.fixture
def ada(visitor: Callable[[], Visitor]) -> Visitor:
    """A person who is signed in."""
    return visitor().sign_in("Ada Lovelace")
