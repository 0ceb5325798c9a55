"""However it is started, the server has the same protocol classes and bounds, or doesn't start."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import uvicorn
from packaging.version import Version
from starlette.types import Message, Receive, Scope, Send
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from core.settings import Settings
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.raw_http import Line
from tests.support.socket_client import PLAIN
from tests.support.visitors import Visitor
from tests.support.waiting import WAIT_TIMEOUT_S
from web.http.bounds import MAX_HEAD
from web.serving import MAX_MESSAGE, UVICORN, Serving, WrongServerError, set_bounds
from web.starting import Starting

TRACING = ["sh", "-c", f'exec {sys.executable} -m uvicorn app:app --port "$PORT" --log-level trace']


@pytest.fixture(scope="module", params=["serve", "uvicorn"])
def place(request: pytest.FixtureRequest, make_server_in: MakeServer) -> AppServer:
    if request.param == "uvicorn":
        return make_server_in(command=PLAIN)
    shared: AppServer = request.getfixturevalue("server")
    return shared


@pytest.fixture(scope="module")
def ada(place: AppServer) -> Visitor:
    return Visitor(place.url).sign_in("Ada Lovelace")


def opened(ada: Visitor) -> ClientConnection:
    """A socket of Ada's whose page would like its messages compressed."""
    passes = ada.join(ada.start_session())["transcription"]
    offered = [Subprotocol("sessions.v1"), Subprotocol(passes["token"])]
    return connect(passes["url"], subprotocols=offered, compression="deflate")


def test_messages_of_a_socket_are_not_compressed(ada: Visitor) -> None:
    with opened(ada) as socket:
        assert socket.protocol.extensions == []


def test_messages_of_a_socket_are_bounded(ada: Visitor) -> None:
    with opened(ada) as socket:
        socket.send("x" * (MAX_MESSAGE + 1))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(WAIT_TIMEOUT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_heads_of_requests_are_bounded(place: AppServer) -> None:
    with Line(place) as line:
        line.send("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + "x" * MAX_HEAD)
        assert line.answer()[0] == 431


def test_a_server_that_cannot_be_bounded_is_told_in_a_sentence(
    make_server: MakeServer, tmp_path: Any
) -> None:
    server = AppServer(tmp_path, {"DATABASE_URL": "postgresql://nobody@nowhere/none"}, TRACING)
    server.launch()
    assert server.wait() != 0
    assert f"Sessions can't start: only uvicorn {UVICORN} can serve it" in server.log
    assert "Traceback" not in server.log


async def test_any_other_server_is_told_in_a_sentence() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("it must not begin")

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    told: list[Message] = []

    async def send(message: Message) -> None:
        told.append(message)

    await Starting(Serving(app, Settings()))({"type": "lifespan"}, receive, send)
    assert [one["type"] for one in told] == ["lifespan.startup.failed"]
    assert "python app.py serve" in told[0]["message"]


def test_a_uvicorn_without_one_of_the_bounds_is_another_server() -> None:
    config = uvicorn.Config("app:app")
    del config.timeout_graceful_shutdown
    with pytest.raises(WrongServerError):
        set_bounds(config)


def test_the_release_in_use_is_the_one_that_the_classes_are_made_for() -> None:
    assert Version(uvicorn.__version__).release[:2] == Version(UVICORN).release
