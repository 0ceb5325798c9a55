"""Sessions with a video server, and a session of Ada’s."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import MakeServer
from tests.emulators.livekit import LiveKitThread
from tests.support import call
from tests.support.app_server import AppServer
from tests.support.visitors import Visitor


@pytest.fixture(scope="module")
def livekit() -> Iterator[LiveKitThread]:
    with LiveKitThread() as thread:
        yield thread


@pytest.fixture(scope="module")
def place(livekit: LiveKitThread, make_server_in: MakeServer) -> AppServer:
    return make_server_in(**call.environment(livekit))


@pytest.fixture
def ada(place: AppServer) -> Visitor:
    return Visitor(place.url).sign_in("Ada Lovelace")


@pytest.fixture
def slug(ada: Visitor) -> str:
    return ada.start_session("Engines", admission="KNOCK")
