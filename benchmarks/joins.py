"""How many people a second come in: `python -m benchmarks.joins [FOLDER]`.

A join is what a click on Join does: POST /s/{slug}/join, the WebSocket with the token that it
gives, `hello` and `welcome`. One server on the embedded PostgreSQL, as it starts by itself; nobody
speaks. 20 sessions are filled by guests, of whom 8 come at the same time; the generator runs on
the same processors, so that this is the worse case. How often the database is asked is counted
apart, on its wire, for one join after the other. FOLDER is another checkout of Sessions: both are
measured in turns, so that they meet the same weather.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.app_server import AppServer
from tests.support.own_postgres import OwnPostgres
from tests.support.statement_line import StatementLine
from tests.support.visitors import Visitor

HERE = Path(__file__).parent.parent
ROUNDS = 3  # per checkout, in turns
SESSIONS = 20
GUESTS = 10  # per session
AT_ONCE = 8
COUNTED = 2  # joins per kind of person; the fewest statements are what a join takes
HELLO = '{"type": "hello", "client": "%s"}'


@dataclass
class Found:
    """What was measured of one checkout."""

    root: Path
    per_second: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # milliseconds of the server, without PostgreSQL
    latencies: list[float] = field(default_factory=list)  # milliseconds
    statements: dict[str, int] = field(default_factory=dict)


@contextmanager
def _serving(root: Path, **environment: str) -> Iterator[AppServer]:
    with tempfile.TemporaryDirectory() as directory:
        settings = {"LIVEKIT_URL": "ws://localhost:9", "RATE_LIMIT_FACTOR": "1000"} | environment
        command = [sys.executable, str(root / "app.py"), "serve"]
        server = AppServer(Path(directory), settings, command).start()
        try:
            yield server
        finally:
            server.stop()


def _filled(url: str) -> list[tuple[str, Visitor]]:
    """Make sessions with guests who have seen the lobby and haven't joined yet."""
    host = Visitor(url).sign_in("Host")
    slugs = [host.start_session("Benchmark") for _ in range(SESSIONS)]
    host.http.close()
    guests = []
    for number in range(GUESTS):
        for slug in slugs:
            guest = Visitor(url).be_guest(slug, f"Guest {number}")
            guest.http.get(f"/s/{slug}")
            guests.append((slug, guest))
    return guests


@asynccontextmanager
async def _joined(
    http: httpx2.AsyncClient, slug: str, guest: Visitor, number: int
) -> AsyncIterator[float]:
    """Come in as a page does; yields the milliseconds until what was said is there."""
    cookies = "; ".join(f"{one.name}={one.value}" for one in guest.http.cookies.jar)
    headers = {"Cookie": cookies, "Origin": guest.url, "Accept": "application/json"}
    began = time.perf_counter()
    answer = await http.post(f"{guest.url}/s/{slug}/join", headers=headers)
    transcription = answer.raise_for_status().json()["transcription"]
    offered = [Subprotocol("sessions.v1"), Subprotocol(transcription["token"])]
    async with connect(transcription["url"], subprotocols=offered, compression=None) as socket:
        await socket.send(HELLO % f"client-{number:04}")
        assert b'"welcome"' in await socket.recv(decode=False)
        yield (time.perf_counter() - began) * 1000


async def _join_all(guests: list[tuple[str, Visitor]]) -> tuple[float, list[float]]:
    """Let everybody come, and return the seconds that it took and each one's milliseconds."""
    waiting, taken = list(enumerate(guests)), list[float]()

    async def some(http: httpx2.AsyncClient) -> None:
        while waiting:
            number, (slug, guest) = waiting.pop()
            async with _joined(http, slug, guest, number) as milliseconds:
                taken.append(milliseconds)

    async with httpx2.AsyncClient(timeout=30) as http:
        began = time.perf_counter()
        await asyncio.gather(*(some(http) for _ in range(AT_ONCE)))
        return time.perf_counter() - began, taken


def _cpu_seconds(pid: int) -> float:
    """Return what a process has computed so far, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _measure(found: Found) -> None:
    with _serving(found.root) as server:
        guests = _filled(server.url)
        before = _cpu_seconds(server.pid)
        seconds, taken = asyncio.run(_join_all(guests))
        found.cpu.append((_cpu_seconds(server.pid) - before) / len(guests) * 1000)
    found.per_second.append(len(guests) / seconds)
    found.latencies += taken


def _host(host: Visitor, slug: str) -> Visitor:
    return host


def _guest(host: Visitor, slug: str) -> Visitor:
    return Visitor(host.url).be_guest(slug, "Guest")


def _stranger(host: Visitor, slug: str) -> Visitor:
    return Visitor(host.url).sign_in("Stranger")


PEOPLE: dict[str, Callable[[Visitor, str], Visitor]] = {
    "host": _host,
    "guest": _guest,
    "signed-in stranger": _stranger,
}


def _count(found: Found) -> None:
    """Count what a join, as the first of its room, asks of the database."""
    with (
        OwnPostgres() as postgres,
        StatementLine(postgres.url) as line,
        _serving(found.root, DATABASE_URL=line.url) as server,
    ):
        line.know_routine()
        host = Visitor(server.url).sign_in("Host")
        for kind, person in PEOPLE.items():
            asked = [asyncio.run(_asked(line, host, person)) for _ in range(COUNTED)]
            found.statements[kind] = min(asked)


async def _asked(
    line: StatementLine, host: Visitor, person: Callable[[Visitor, str], Visitor]
) -> int:
    slug = await asyncio.to_thread(host.start_session)
    who = await asyncio.to_thread(person, host, slug)
    await asyncio.to_thread(who.http.get, f"/s/{slug}")
    async with httpx2.AsyncClient(timeout=30) as http, AsyncExitStack() as stack:
        with line.noted() as statements:  # not those of leaving
            await stack.enter_async_context(_joined(http, slug, who, 0))
    return len(statements)


def _show(found: Found, name: str) -> None:
    ordered = sorted(found.latencies)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    asked = ", ".join(f"{kind} {count}" for kind, count in found.statements.items())
    print(
        f"{name:13} {statistics.median(found.per_second):5.0f} joins a second"
        f"   CPU {statistics.median(found.cpu):4.1f} ms   p50 {p50:5.1f} ms   p99 {p99:5.1f} ms"
        f"   statements: {asked}"
    )


def main() -> None:
    """Run and print; takes about 20 s for each checkout and round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="another checkout of Sessions")
    other = parser.parse_args().folder
    checkouts = {"this checkout": Found(HERE)}
    if other is not None:
        checkouts["the other"] = Found(other.resolve())
    for found in checkouts.values():
        _count(found)
    for _ in range(ROUNDS):
        for found in checkouts.values():
            _measure(found)
    for name, found in checkouts.items():
        _show(found, name)


if __name__ == "__main__":
    main()
