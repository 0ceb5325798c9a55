"""Pages that never read, and a past that is long enough for them."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from tests.support.attacks import RawSocket

TINY_BUFFER = 4096  # bytes that the page's kernel takes, so that the server has the rest
LINE = 1992  # characters of a line of the chat
_ESTABLISHED = "01"  # in /proc/net/tcp


async def fill_chat(database_url: str, slug: str, identity: str, lines: int) -> None:
    """Give a session that nobody has opened yet so many chat lines of somebody's."""
    database = await asyncpg.connect(database_url)
    try:
        await database.execute(
            """
            INSERT INTO chat_messages (session_id, id, identity, text, sent_at)
            SELECT sessions.id, line, $1, repeat('lorem ipsum ', $4), now()
            FROM sessions, generate_series(1, $2::integer) AS line WHERE slug = $3
            """,
            identity,
            lines,
            slug,
            LINE // len("lorem ipsum "),
        )
    finally:
        await database.close()


def come_in(url: str, token: str, source: str) -> RawSocket:
    """Come in and read nothing more than the answer to the handshake."""
    client = RawSocket(url, token, source, buffer=TINY_BUFFER)
    client.hello()
    return client


def still_there(clients: Sequence[RawSocket]) -> int:
    """Count those whose other end, the server's, the kernel still has."""
    ends = [client.socket.getsockname() for client in clients]
    theirs = {
        f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{port:04X}" for host, port in ends
    }
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2] in theirs and line[3] == _ESTABLISHED for line in lines)


def seconds_until_gone(clients: Sequence[RawSocket], at_most: float) -> float:
    """Wait until the server has ended all of them, and return how long that took."""
    began = time.monotonic()
    while (passed := time.monotonic() - began) < at_most and still_there(clients):
        time.sleep(0.1)
    return passed
