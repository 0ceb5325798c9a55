"""A session to open `/ws` for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.app_server import AppServer
from tests.support.socket_client import SocketClient
from tests.support.visitors import Visitor


@pytest.fixture(scope="session")
def place(server: AppServer) -> AppServer:
    """Sessions as it is started; tests/ops/test_serving.py starts it by uvicorn's command, too."""
    return server


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
