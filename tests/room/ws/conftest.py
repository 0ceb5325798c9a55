"""`/ws` on the fast path and under plain uvicorn, and a session to open it for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.socket_client import PLAIN, SocketClient
from tests.support.visitors import Visitor


@pytest.fixture(scope="session", params=["fast", "plain"])
def place(request: pytest.FixtureRequest, make_server_in: MakeServer) -> AppServer:
    """Sessions with the relay's fast path, and as `uvicorn app:app` with its default class."""
    if request.param == "fast":
        shared: AppServer = request.getfixturevalue("server")
        return shared
    return make_server_in(command=PLAIN, SPEECH_ENGINE="local")


@pytest.fixture
def host(place: AppServer) -> Visitor:
    return Visitor(place.url).sign_in("Ada Lovelace")


@pytest.fixture
def slug(host: Visitor) -> str:
    return host.start_session("Engines")


@pytest.fixture
async def client(place: AppServer) -> Any:
    client = SocketClient(place)
    yield client
    for socket in client.opened:
        socket.transport.abort()
        await socket.wait_closed()
