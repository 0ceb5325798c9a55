"""ReadLowWatermark: short messages wait for each other in the kernel, and never for long."""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Iterator

import pytest

from core.speech.gladia.lowwater import HEAD, ReadLowWatermark

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="epoll is asked here")

SHORT = 200  # bytes of payload


class Ends:
    """Two ends of a connection, and whether an event loop would be woken by the near one."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.near = socket.create_connection(server.getsockname())
            self.far, _ = server.accept()
        self._poll = select.epoll()
        self._poll.register(self.near, select.EPOLLIN)

    def say(self, size: int) -> None:
        self.far.sendall(bytes(size))

    def wakes(self) -> bool:
        return bool(self._poll.poll(0.05))

    def close(self) -> None:
        for one in (self.near, self.far, self._poll):
            one.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    both = Ends()
    yield both
    both.close()


def test_the_third_short_message_wakes(ends: Ends) -> None:
    ReadLowWatermark(ends.near, secure=False).gather(SHORT)
    for _ in range(2):
        ends.say(HEAD + SHORT)
        assert not ends.wakes()
    ends.say(HEAD + SHORT)
    assert ends.wakes()


def test_a_long_message_wakes_at_once(ends: Ends) -> None:
    ReadLowWatermark(ends.near, secure=False).gather(SHORT)
    ends.say(HEAD + 3 * SHORT)
    assert ends.wakes()


def test_the_end_of_the_connection_wakes(ends: Ends) -> None:
    ReadLowWatermark(ends.near, secure=False).gather(SHORT)
    ends.say(5)
    ends.far.close()
    assert ends.wakes()


def test_stopping_wakes_for_what_is_there(ends: Ends) -> None:
    coalescing = ReadLowWatermark(ends.near, secure=False)
    coalescing.gather(SHORT)
    ends.say(5)
    assert not ends.wakes()
    coalescing.stop()
    assert ends.wakes()
    ends.near.recv(100)
    ends.say(1)
    assert ends.wakes()


def test_messages_that_grow_still_wait_for_the_third(ends: Ends) -> None:
    coalescing = ReadLowWatermark(ends.near, secure=False)
    coalescing.gather(SHORT)
    coalescing.gather(SHORT + 10)
    coalescing.gather(SHORT)
    for _ in range(2):
        ends.say(HEAD + SHORT + 10)
        assert not ends.wakes()
    ends.say(1)
    assert ends.wakes()


def test_no_message_is_waited_for_that_is_not_short(ends: Ends) -> None:
    ReadLowWatermark(ends.near, secure=False).gather(100_000)
    ends.say(1)
    assert ends.wakes()


def test_encrypted_messages_are_longer(ends: Ends) -> None:
    ReadLowWatermark(ends.near, secure=True).gather(SHORT)
    ends.say(2 * (HEAD + SHORT + 22))
    assert not ends.wakes()


def test_a_closed_socket_does_no_harm(ends: Ends) -> None:
    coalescing = ReadLowWatermark(ends.near, secure=False)
    ends.near.close()
    coalescing.gather(SHORT)
    coalescing.stop()
