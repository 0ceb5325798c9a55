"""A proxy in front of a server, as people set one up, and as they get it wrong."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.support.waiting import WAIT_TIMEOUT_S

HOP = {"connection", "upgrade", "keep-alive", "transfer-encoding", "content-length", "host"}


class Proxy:
    """Passes requests on to `target`, but no WebSocket: Upgrade gets lost on the way.

    Attributes:
        instead: a status, and headers, that are answered instead; None: requests are passed on.
        added: headers that are added to what is passed on.
    """

    def __init__(self, target: str = "") -> None:
        self.target = target
        self.instead: tuple[int, dict[str, str]] | None = None
        self.added: dict[str, str] = {}
        self.url = ""


@contextmanager
def proxy(target: str = "") -> Iterator[Proxy]:
    """Run one."""
    made = Proxy(target)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": made}))
    made.url = f"http://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(*(self.proxy.instead or (405, {})), b"")

    def do_GET(self) -> None:
        if self.proxy.instead is not None:
            self._answer(*self.proxy.instead, b"")
            return
        there = urlsplit(self.proxy.target)
        passed = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        onward = http.client.HTTPConnection(there.netloc, timeout=WAIT_TIMEOUT_S)
        onward.request("GET", self.path, headers=passed | self.proxy.added)
        answer = onward.getresponse()
        body = answer.read()
        self._answer(answer.status, dict(answer.getheaders()), body)
        onward.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Say nothing."""
