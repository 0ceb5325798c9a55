"""Protocol classes without sockets: a transport that keeps what is written, and a loop to turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from web.http.connections import KEY, Connections
from web.http.protocol import BoundedHttpProtocol
from web.serving import set_bounds

TURNS = 12  # of the loop, in which the app has answered whatever it was given


class KeepingTransport(asyncio.Transport):
    """Keeps what is written to it, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = self.reading = False
        self._protocol: asyncio.BaseProtocol | None = None

    def write(self, data: Any) -> None:
        """Keep it, unless it was closed."""
        if not self.closed:
            self.written += data

    def write_eof(self) -> None:
        """Say that nothing more comes; the peer may still send."""

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def close(self) -> None:
        """Close it."""
        self.closed = True

    abort = close

    def get_write_buffer_size(self) -> int:
        """Everything is taken at once."""
        return 0

    def pause_reading(self) -> None:
        """Let nothing more in."""
        self.reading = False

    def resume_reading(self) -> None:
        """Let more in."""
        self.reading = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another one take what comes."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return who takes what comes."""
        assert self._protocol is not None
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the addresses of the two ends."""
        return {"peername": ("192.0.2.7", 1234), "sockname": ("192.0.2.1", 80)}.get(name, default)


async def exchange(app: Any, pieces: Sequence[bytes]) -> tuple[bytes, bool]:
    """Give pieces to a connection of ours, one after the other; return what it wrote, and its end.

    Raises what the protocol raises, and what the loop was left with.
    """
    loop, broken = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: broken.append(context))
    config = uvicorn.Config(app, log_config=None, lifespan="off")
    config.load()
    set_bounds(config)
    state: dict[str, Any] = {KEY: Connections(100, 1.0, lambda host: False)}
    protocol: Any = BoundedHttpProtocol(config, ServerState(), state)
    transport = KeepingTransport()
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    for piece in pieces:
        if transport.closed:
            break
        transport.get_protocol().data_received(piece)  # type: ignore[attr-defined]
        for _ in range(TURNS):
            await asyncio.sleep(0)
    end: Any = transport.get_protocol()
    closed, transport.closed = transport.closed, True
    end.connection_lost(None)
    for _ in range(TURNS):
        await asyncio.sleep(0)
    assert not broken, broken
    return bytes(transport.written), closed
