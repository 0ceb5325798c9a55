"""Sessions without captions and without a video server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.tables import Tables


@pytest.fixture(scope="module")
def database(make_database: Callable[[], str]) -> str:
    return make_database()


@pytest.fixture(scope="module")
def tables(database: str) -> Tables:
    return Tables(database)


@pytest.fixture(scope="module")
def site(make_server_in: MakeServer, database: str) -> AppServer:
    return make_server_in(DATABASE_URL=database, LIVEKIT_URL="ws://localhost:9")


@pytest.fixture
def host(site: AppServer) -> Browser:
    browser = Browser(site.url)
    browser.sign_in("Ada Lovelace")
    return browser
