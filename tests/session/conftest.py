"""Sessions without captions, for tests of its pages, and sessions that go on or are over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.meetings import Meeting, make_meeting


@pytest.fixture(scope="session")
def database(make_database: Callable[[], str]) -> str:
    """The address of the database behind `site`."""
    return make_database()


@pytest.fixture(scope="session")
def site(make_lasting_server: MakeServer, database: str) -> AppServer:
    """Sessions without captions."""
    return make_lasting_server(DATABASE_URL=database)


@pytest.fixture(scope="module")
def open_session(site: AppServer) -> str:
    """The slug of a session that goes on."""
    return Browser(site.url).sign_in("Ada Lovelace").start_session("Secret title")


@pytest.fixture(scope="module")
def live(site: AppServer, database: str) -> Meeting:
    """A session that goes on."""
    return make_meeting(site, database, "Frequencies")


@pytest.fixture(scope="module")
def ended(site: AppServer, database: str) -> Meeting:
    """A session that is over."""
    meeting = make_meeting(site, database, "Frequencies hopped")
    meeting.people["host"].end(meeting.slug)
    return meeting
