"""Who is connected: how many connections an address and the process have, and may have."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable

from web.addresses import network_of
from web.http.bounds import FEW_FILES, MAX_FILES, MIN_PER_ADDRESS, PER_ADDRESS

KEY = "connections"  # under which protocols find it in the lifespan's state
PROXIED = "proxied"  # under which a request's state has whether a trusted proxy passed it on


class Connections:
    """The open connections of one process, WebSockets among them.

    Args:
        most: open at once in the process.
        factor: multiplies what one address may have, as it does with all limits per address.
        is_proxy: whether an address is a trusted proxy's. It speaks for many: only `most` counts.
    """

    def __init__(self, most: int, factor: float, is_proxy: Callable[[str], bool]) -> None:
        self._most = most
        self._per_address = max(MIN_PER_ADDRESS, int(PER_ADDRESS * factor))
        self._is_proxy = is_proxy
        self._addresses: dict[asyncio.BaseTransport, str] = {}  # of those who are in; "": a proxy
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._addresses)

    def enter(self, transport: asyncio.BaseTransport, host: str | None) -> int | None:
        """Let a connection in, or return the HTTP status that refuses it.

        `host` is the peer's address; None for a socket of this machine, which a proxy opens.
        """
        if len(self._addresses) >= self._most:
            return 503
        address = "" if host is None or self._is_proxy(host) else network_of(host)
        if address:
            if self._counts[address] >= self._per_address:
                return 429
            self._counts[address] += 1
        self._addresses[transport] = address
        return None

    def is_proxied(self, transport: asyncio.BaseTransport) -> bool:
        """Whether a trusted proxy is at the other end."""
        return self._addresses.get(transport) == ""

    def leave(self, transport: asyncio.BaseTransport) -> None:
        """Note that a connection is gone. Nothing happens when it wasn't in."""
        address = self._addresses.pop(transport, "")
        if address:
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]


def most_connections() -> int:
    """Let the process have as many files as it may, and return how many connections that allows.

    Half: the database, speech engines, files and what is just being refused need some, too.
    """
    if sys.platform == "win32":
        return FEW_FILES // 2
    import resource  # noqa: PLC0415 - not there on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return min(MAX_FILES, soft if soft > 0 else MAX_FILES) // 2
