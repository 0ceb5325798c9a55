"""What attacks do to others: `python -m benchmarks.attacks [FOLDER]` prints a Markdown table.

Each attack meets a fresh server with its default limits, while other people's WebSocket pings,
audio and captions are timed and the process's memory is watched. FOLDER is another checkout of
Sessions, to compare: each attack runs against both, one right after the other, so that they meet
the same weather. All of it is on loopback, and bounded: about half a minute for an attack and
checkout. `--only` takes an attack's name, or a part of several.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import itertools
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import jwt

from tests.emulators.gladia import GladiaEmulator
from tests.support.app_server import AppServer
from tests.support.attacks import (
    FLOODS,
    MUTED,
    Flood,
    Order,
    Outcome,
    RawSocket,
    frame,
    resident,
)
from tests.support.bystanders import Noticed, others
from tests.support.own_postgres import OwnPostgres
from tests.support.unread import come_in, fill_chat, seconds_until_gone, still_there
from tests.support.visitors import Visitor

HERE = Path(__file__).parent.parent
CALM_S = 2.0  # without an attack, before each one
ATTACK_S = 6.0
MEGABIT = 125_000  # bytes
PAST = 4900  # chat lines of 2,000 characters
UNREAD_JOINS = 40
GONE_WITHIN_S = 25.0  # that is waited for pages which never read to be gone
LONGEST_STOP_S = 60.0


@dataclass
class Place:
    """One server under attack."""

    server: AppServer
    gladia: GladiaEmulator  # which transcribes for it
    database: str
    ada: Visitor  # who has a session there
    slug: str
    _numbers: itertools.count[int] = dataclasses.field(default_factory=lambda: itertools.count(1))

    def guest(self) -> tuple[str, str, str]:
        """Return a new guest's token, identity and address."""
        number = next(self._numbers)
        guest = Visitor(self.server.url).be_guest(self.slug, f"Guest {number}")
        token = guest.join(self.slug)["transcription"]["token"]
        claims = jwt.decode(token, options={"verify_signature": False})
        return token, claims["identity"], f"127.0.2.{number % 250 + 1}"


Ended = str
Attack = Callable[[Place], Ended]  # runs in a thread and says how it ended


def flood(kind: str, rate: float = 0.0) -> Attack:
    """Return a flood of one socket: see tests.support.attacks."""

    def run(place: Place) -> Ended:
        token, identity, source = place.guest()
        order = Order(kind, place.server.url, token, ATTACK_S, rate, source=source)
        process = Flood(order)
        if kind == MUTED:
            place.ada.host(place.slug, f"people/{identity}/mute")
        return _told(process.outcome())

    return run


def _told(outcome: Outcome) -> Ended:
    if outcome.code is None:
        return f"not closed, {outcome.sent / 1e6:.0f} MB taken"
    return f"{outcome.code} after {outcome.closed_after:.2f} s"


def several(kind: str, people: int) -> Attack:
    """Return the same flood of several people at once."""

    def run(place: Place) -> Ended:
        guests = [place.guest() for _ in range(people)]
        floods = [
            Flood(Order(kind, place.server.url, token, ATTACK_S, source=source))
            for token, _, source in guests
        ]
        told = [_told(one.outcome()) for one in floods]
        return f"all: {told[0]}" if len({one[:4] for one in told}) == 1 else "; ".join(told)

    return run


def unread_pongs(place: Place) -> Ended:
    """Eight sockets of a person send pings and never read."""
    token, _, source = place.guest()
    clients = [come_in(place.server.url, token, source) for _ in range(8)]
    for client in clients:
        client.socket.setblocking(False)
    block, sent, until = frame(9, b"p" * 125) * 500, 0, time.monotonic() + ATTACK_S
    while time.monotonic() < until:
        for client in clients:
            with contextlib.suppress(OSError):
                sent += client.socket.send(block)
        time.sleep(0.001)
    return f"{_gone(clients)}, {sent / 1e6:.0f} MB taken"


def unread_joins(place: Place) -> Ended:
    """Forty pages come in and never read a long chat."""
    token, identity, _ = place.guest()
    asyncio.run(fill_chat(place.database, place.slug, identity, PAST))
    clients = []
    for _ in range(UNREAD_JOINS):
        token, _, source = place.guest()
        clients.append(come_in(place.server.url, token, source))
    return _gone(clients)


def _gone(clients: list[RawSocket]) -> Ended:
    """Say when the server has ended these connections, of which nothing is read."""
    seconds = seconds_until_gone(clients, GONE_WITHIN_S)
    left = still_there(clients)
    for client in clients:
        client.socket.close()
    return f"{left} of {len(clients)} still there" if left else f"gone after {seconds:.0f} s"


def http(block: bytes, first: bytes, *, again: bool = True) -> Attack:
    """Return a request that begins with `first` and goes on with `block`, without end."""

    def run(place: Place) -> Ended:
        began, sent = time.monotonic(), 0
        with socket.create_connection(("127.0.0.1", place.server.port)) as line:
            line.settimeout(0.2)
            line.sendall(first)
            while (passed := time.monotonic() - began) < GONE_WITHIN_S:
                if passed < ATTACK_S and again:
                    try:
                        sent += line.send(block)
                    except TimeoutError:
                        pass
                    except OSError:
                        return f"ended after {passed:.1f} s, {sent / 1e6:.1f} MB taken"
                    if sent % (len(block) * 64):
                        continue
                line.settimeout(0.01 if again and passed < ATTACK_S else 0.2)
                try:
                    answer = line.recv(65_536)
                except TimeoutError:
                    continue
                except OSError:
                    answer = b""
                status = answer.split(b" ")[1].decode() if answer.startswith(b"HTTP") else "ended"
                return f"{status} after {passed:.1f} s, {sent / 1e6:.1f} MB taken"
        return f"still open after {GONE_WITHIN_S:.0f} s, {sent / 1e6:.1f} MB taken"

    return run


HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


def charset(place: Place) -> Ended:
    """Six forms whose charset takes long to decode."""
    host, statuses = urlsplit(place.server.url).netloc, []
    text = b"-" + bytes(97 + at % 26 for at in range(63_000))
    body = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n' + text + b"\r\n--b--\r\n"
    for _ in range(6):
        with socket.create_connection(("127.0.0.1", place.server.port), timeout=30) as line:
            line.sendall(
                f"POST /s/{place.slug}/guest HTTP/1.1\r\nHost: {host}\r\n"
                f"Origin: {place.server.url}\r\nContent-Length: {len(body)}\r\n"
                "Content-Type: multipart/form-data; boundary=b; charset=punycode\r\n\r\n".encode()
            )
            line.sendall(body)
            statuses.append(line.recv(65_536).split(b" ")[1].decode())
    return f"{', '.join(sorted(set(statuses)))} to all six"


def stop_unread(place: Place) -> Ended:
    """The process is told to stop while pages don't read what is left of a long chat."""
    token, identity, _ = place.guest()
    asyncio.run(fill_chat(place.database, place.slug, identity, PAST))
    clients = []
    for _ in range(3):
        token, _, source = place.guest()
        clients.append(come_in(place.server.url, token, source))
    time.sleep(1)
    began = time.monotonic()
    os.kill(place.server.pid, 15)
    while time.monotonic() - began < LONGEST_STOP_S and Path(f"/proc/{place.server.pid}").exists():
        if "Z" in Path(f"/proc/{place.server.pid}/stat").read_text().rpartition(")")[2][:3]:
            break
        time.sleep(0.05)
    seconds = time.monotonic() - began
    for client in clients:
        client.socket.close()
    return f"stopped after {seconds:.1f} s" if seconds < LONGEST_STOP_S else "still runs after 60 s"


ATTACKS: dict[str, Attack] = {
    **{kind: flood(kind) for kind in FLOODS},
    "empty pings, 2 Mbit/s": flood("empty pings", 2 * MEGABIT),
    "hands, 2 Mbit/s": flood("hands", 2 * MEGABIT),
    "empty pings of 10 people": several("empty pings", 10),
    "audio faster than real time of 10 people": several("audio faster than real time", 10),
    "125-byte pings of 8 sockets that never read": unread_pongs,
    "40 pages that never read a long chat": unread_joins,
    "header lines without end": http(b"X-Filling: " + b"x" * 8000 + b"\r\n", HEAD),
    "a header value without end": http(b"x" * 16_384, HEAD + b"X-Filling: "),
    "half a request": http(b"", HEAD, again=False),
    "a form whose body never comes": http(
        b"",
        b"POST /sign-in/dev HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
        b"Sec-Fetch-Site: same-origin\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\n",
        again=False,
    ),
    "forms with charset punycode": charset,
    "SIGTERM while pages don't read": stop_unread,
}


@dataclass(frozen=True, slots=True)
class Found:
    """What one attack did to one checkout."""

    calm: Noticed
    others: Noticed
    before: float  # MB
    most: float  # MB
    ended: Ended

    def cells(self) -> str:
        """Return them for a row."""
        return f"{self.others} | {self.before:.0f} → {self.most:.0f} | {self.ended}"


@contextmanager
def _place(root: Path) -> Iterator[Place]:
    with (
        OwnPostgres() as postgres,
        GladiaEmulator() as gladia,
        tempfile.TemporaryDirectory() as folder,
    ):
        settings = {
            "DATABASE_URL": postgres.url,
            "GLADIA_API_KEY": gladia.api_key,
            "GLADIA_API_URL": gladia.url,
            "RATE_LIMIT_FACTOR": "1",
            "LIVEKIT_URL": "ws://localhost:9",
        }
        command = [sys.executable, str(root / "app.py"), "serve"]
        server = AppServer(Path(folder), settings, command).start()
        try:
            ada = Visitor(server.url).sign_in("Ada Lovelace")
            yield Place(server, gladia, postgres.url, ada, ada.start_session())
        finally:
            if Path(f"/proc/{server.pid}").exists():
                server.kill()


async def _measure(place: Place, attack: Attack) -> Found:
    tokens = _token(place), _token(place)
    async with others(place.server.url, tokens, place.gladia) as both:
        calm = await both.notice(CALM_S)
        before = resident(place.server.pid)
        with _watching(place.server.pid) as most:
            running = asyncio.create_task(asyncio.to_thread(attack, place))
            noticed = await both.notice(ATTACK_S)
            ended = await running
        return Found(calm, noticed, before, most(), ended)


def _token(place: Place) -> str:
    return str(place.ada.join(place.ada.start_session())["transcription"]["token"])


@contextmanager
def _watching(pid: int) -> Iterator[Callable[[], float]]:
    """Note the most memory that a process takes meanwhile."""
    seen, done = [resident(pid)], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            with contextlib.suppress(OSError, StopIteration):
                seen.append(resident(pid))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield lambda: max(seen)
    finally:
        done.set()
        watching.join()


def _run(root: Path, attack: Attack) -> Found:
    with _place(root) as place:
        return asyncio.run(_measure(place, attack))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="another checkout of Sessions")
    parser.add_argument("--only", default="", help="attacks with this in their name")
    given = parser.parse_args()
    roots = ([given.folder.resolve()] if given.folder else []) + [HERE]
    names = ["before", "after"][-len(roots) :]
    head = " | ".join(
        f"{name}: others, ms | {name}: memory, MB | {name}: it ended" for name in names
    )
    print(f"| attack | calm | {head} |\n|{'---|' * (2 + 3 * len(roots))}", flush=True)
    for name, attack in ATTACKS.items():
        if name == given.only or (given.only not in ATTACKS and given.only in name):
            found = [_run(root, attack) for root in roots]
            cells = " | ".join(one.cells() for one in found)
            print(f"| {name} | {found[-1].calm} | {cells} |", flush=True)
    print("\nPings, audio, captions of others: median and p99 of each, in ms.")


if __name__ == "__main__":
    main()
