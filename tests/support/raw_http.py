"""HTTP byte by byte, for what no client library would send."""

from __future__ import annotations

import socket
import time
from types import TracebackType
from typing import Self

from tests.support.app_server import AppServer
from tests.support.waiting import WAIT_TIMEOUT_S

SECURITY_HEADERS = (
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "permissions-policy",
)


class Line:
    """One TCP connection to a server: `with Line(server) as line`.

    Args:
        receive_buffer: bytes that the kernel may take for us unread; None: as many as it likes.
    """

    def __init__(self, server: AppServer, receive_buffer: int | None = None) -> None:
        self.began = time.monotonic()
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(WAIT_TIMEOUT_S)
        self._socket.connect(("127.0.0.1", server.port))
        self.port: int = self._socket.getsockname()[1]

    def send(self, data: str | bytes) -> bool:
        """Send all of it; return False when the server has closed meanwhile."""
        try:
            self._socket.sendall(data.encode() if isinstance(data, str) else data)
        except (ConnectionError, BrokenPipeError):
            return False
        return True

    def trickle(self, data: str, every: float) -> None:
        """Send a character at a time, over and over, until the server has enough."""
        self._socket.settimeout(every)
        while True:
            for one in data:
                if not self.send(one):
                    return
                try:
                    if not self._socket.recv(1, socket.MSG_PEEK):
                        return
                except TimeoutError:
                    continue
                return

    def read(self, size: int) -> bytes:
        """Return what is there, at least a byte; nothing once the server has closed."""
        return self._socket.recv(size)

    def rest(self) -> bytes:
        """Return all that comes until the server closes."""
        self._socket.settimeout(WAIT_TIMEOUT_S)
        came = b""
        try:
            while data := self._socket.recv(65536):
                came += data
        except ConnectionResetError:
            pass
        return came

    def answer(self) -> tuple[int, dict[str, str]]:
        """Wait for the end, and return status and headers of the first answer; 0 if none came."""
        head, _, _ = self.rest().partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return int(first.split()[1]) if first else 0, headers

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return time.monotonic() - self.began

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
