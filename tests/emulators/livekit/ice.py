"""ICE-lite on one UDP port per local address, shared by every connection of the server.

A lite agent never checks the path itself: it answers the browser's binding requests (RFC 8445,
section 2.5) and sends where the browser nominated. Which connection a datagram belongs to is told
by the user name of the binding request that came from the same address before.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import Iterable
from typing import cast

from aioice import stun
from aioice.ice import get_host_addresses

Address = tuple[str, int]
_BUFFER = 1 << 20  # bytes: a keyframe arrives as a burst
_LOOPBACK = "127.0.0.1"


class IceLink:
    """The path to one browser, in the shape aiortc's DTLS transport wants its ICE transport.

    Attributes:
        username, password: of this side; new ones after `restart`.
        connected: set when the browser nominated a path.
        last_check: `time.monotonic()` of the browser's last binding request.
    """

    role = "controlled"
    state = "completed"

    def __init__(self, mux: UdpMux) -> None:
        self._mux = mux
        self._inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._path: tuple[asyncio.DatagramTransport, Address] | None = None
        self.connected = asyncio.Event()
        self.last_check = time.monotonic()
        self.username = ""
        self.password = ""
        self.restart()

    def restart(self) -> None:
        """Take new credentials; media goes on over the old path until the new one is nominated."""
        self.username = secrets.token_hex(4)
        self.password = secrets.token_hex(12)
        self._mux.register(self)

    def close(self) -> None:
        """Forget the path: whoever waits for a datagram gets a ConnectionError."""
        self._mux.unregister(self)
        self._path = None
        self._inbox.put_nowait(None)

    def checked(
        self, transport: asyncio.DatagramTransport, address: Address, nominated: bool
    ) -> None:
        """A valid binding request came in."""
        self.last_check = time.monotonic()
        if nominated or self._path is None:
            self._path = (transport, address)
        if nominated:
            self.connected.set()

    def received(self, data: bytes) -> None:
        """A datagram that is not STUN came in."""
        self._inbox.put_nowait(data)

    async def _recv(self) -> bytes:
        data = await self._inbox.get()
        if data is None:
            raise ConnectionError("the ICE link is closed")
        return data

    async def _send(self, data: bytes) -> None:
        if self._path is None:
            raise ConnectionError("the ICE link has no path")
        transport, address = self._path
        transport.sendto(data, address)


class UdpMux:
    """The server's UDP sockets and who is behind which address."""

    def __init__(self) -> None:
        self._transports: dict[str, asyncio.DatagramTransport] = {}
        self._by_username: dict[str, IceLink] = {}
        self._by_address: dict[Address, IceLink] = {}

    async def open(self) -> None:
        """Bind a socket on the loopback address and on every other IPv4 address of the machine."""
        loop = asyncio.get_running_loop()
        others = get_host_addresses(use_ipv4=True, use_ipv6=False)
        for host in dict.fromkeys([_LOOPBACK, *others]):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            sock.bind((host, 0))
            transport, _ = await loop.create_datagram_endpoint(lambda: _Socket(self), sock=sock)
            self._transports[host] = transport

    def close(self) -> None:
        """Close the sockets without a word to anybody."""
        for link in {*self._by_username.values()}:
            link.close()
        for transport in self._transports.values():
            transport.abort()
        self._transports.clear()

    def candidates(self) -> Iterable[str]:
        """The candidate attributes for a session description, loopback first."""
        for index, (host, transport) in enumerate(self._transports.items()):
            port = transport.get_extra_info("sockname")[1]
            priority = 2130706431 - index
            yield f"candidate:{index + 1} 1 udp {priority} {host} {port} typ host"

    def register(self, link: IceLink) -> None:
        """Answer binding requests for the link's user name."""
        self._by_username[link.username] = link

    def unregister(self, link: IceLink) -> None:
        """Ignore the link's browser from now on."""
        for table in (self._by_username, self._by_address):
            for key in [key for key, value in table.items() if value is link]:
                del table[key]  # type: ignore[arg-type]

    def datagram(self, transport: asyncio.DatagramTransport, data: bytes, address: Address) -> None:
        """Hand a datagram to its connection, or answer it if it is a check."""
        if data and data[0] < 4:
            with contextlib.suppress(ValueError):
                self._check(transport, data, address)
        elif link := self._by_address.get(address):
            link.received(data)

    def _check(self, transport: asyncio.DatagramTransport, data: bytes, address: Address) -> None:
        request = stun.parse_message(data)
        if request.message_class != stun.Class.REQUEST:
            return
        username = str(request.attributes.get("USERNAME", ""))
        link = self._by_username.get(username.partition(":")[0])
        if link is None:
            return
        password = link.password.encode()
        # After a restart the browser may check the old user name once more: no answer.
        if not username.startswith(link.username) or not request.check_message_integrity(password):
            return
        answer = stun.Message(
            message_method=stun.Method.BINDING,
            message_class=stun.Class.RESPONSE,
            transaction_id=request.transaction_id,
        )
        answer.attributes["XOR-MAPPED-ADDRESS"] = address
        answer.add_message_integrity(password)
        transport.sendto(bytes(answer), address)
        self._by_address[address] = link
        link.checked(transport, address, "USE-CANDIDATE" in request.attributes)


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, mux: UdpMux) -> None:
        self._mux = mux
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | None, int]) -> None:
        assert self._transport is not None
        self._mux.datagram(self._transport, data, (str(addr[0]), addr[1]))
