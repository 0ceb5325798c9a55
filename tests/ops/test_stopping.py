"""A stop takes 8 s at most, whatever hangs, and what must be written is written first."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import asyncpg
import httpx2
import psutil
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import speak, vocabulary
from tests.support.app_server import AppServer
from tests.support.dictation import emulator, say, speech_by
from tests.support.own_postgres import OwnPostgres
from tests.support.raw_http import Line
from tests.support.socket_client import PLAIN
from tests.support.tables import Tables
from tests.support.visitors import Visitor
from tests.support.waiting import WAIT_TIMEOUT_S, wait_until

__all__ = ["emulator"]
MOST_S = 8.0  # from the signal to the exit
STOPPED = {0, -signal.SIGTERM, -signal.SIGINT}
WORDS = vocabulary(40, seed=5)
HOST = "Host: localhost\r\n"
# How many wait for a lock in the same statement: the request, and that of the unfinished form.
SAME_WAITS = """
    SELECT max(number) FROM (
        SELECT count(*) AS number FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' GROUP BY query
    ) AS waiting"""
LARGE = "/static/vendor/livekit-client-2.23.0.umd.js"


@pytest.fixture
def own_postgres() -> Iterator[OwnPostgres]:
    with OwnPostgres() as running:
        yield running


def stop(server: AppServer, *signals: signal.Signals, every: float = 0.3) -> float:
    """Stop it, and return how long that took."""
    began = time.monotonic()
    for one in signals[:-1]:
        psutil.Process(server.pid).send_signal(one)
        time.sleep(every)
    end = server.interrupt if signals[-1] == signal.SIGINT else server.stop
    assert end() in STOPPED
    took = time.monotonic() - began
    assert "Traceback" not in server.log, server.log
    assert took < MOST_S, server.log
    return took


# Connections


@contextmanager
def unread_page(ada: Visitor) -> Iterator[None]:
    """A page in a room that is told much, and reads nothing of it."""
    slug = ada.start_session()
    passes = [one.join(slug) for one in (Visitor(ada.url).be_guest(slug, "Deaf"), ada)]
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect(("127.0.0.1", int(ada.url.rpartition(":")[2])))
    tokens = [one["transcription"]["token"] for one in passes]
    offers = [[Subprotocol("sessions.v1"), Subprotocol(one)] for one in tokens]
    address = passes[0]["transcription"]["url"]
    line.settimeout(None)
    with (
        connect(address, sock=line, subprotocols=offers[0], compression=None, max_queue=1) as deaf,
        connect(address, subprotocols=offers[1], compression=None) as talking,
    ):
        deaf.send('{"type": "hello", "client": "abcdefgh"}')
        deaf.recv(WAIT_TIMEOUT_S)
        talking.send('{"type": "hello", "client": "ijklmnop"}')
        for _ in range(200):
            talking.send('{"type": "chat", "text": "' + "x" * 2000 + '"}')
        heard = 0
        while heard < 200:
            heard += '"chat"' in str(talking.recv(WAIT_TIMEOUT_S))
        try:
            yield
        finally:
            line.close()


@contextmanager
def waiting_request(url: str, answers: list[httpx2.Response]) -> Iterator[None]:
    """A request that the server is working on; its answer is in `answers` in the end."""

    def ask() -> None:
        answers.append(httpx2.get(url, timeout=WAIT_TIMEOUT_S, verify=False))

    asking = threading.Thread(target=ask)
    asking.start()
    yield
    asking.join()


@pytest.mark.parametrize("how", [None, PLAIN], ids=["serve", "uvicorn"])
async def test_no_connection_holds_up_a_stop(
    how: list[str] | None, make_server: MakeServer, own_postgres: OwnPostgres
) -> None:
    """Half requests, bodies that never come, unread answers and pages, and a locked table."""
    server = await asyncio.to_thread(make_server, command=how, DATABASE_URL=own_postgres.url)
    ada = await asyncio.to_thread(lambda: Visitor(server.url).sign_in("Ada Lovelace"))
    slug = await asyncio.to_thread(ada.start_session)
    answers: list[httpx2.Response] = []
    locking = await asyncpg.connect(**Tables(own_postgres.url).where)
    with ExitStack() as open_until_stopped:
        await asyncio.to_thread(open_until_stopped.enter_context, unread_page(ada))
        lines = [open_until_stopped.enter_context(Line(server, 4096)) for _ in range(5)]
        lines[0].send("GET /hea")
        lines[1].send(f"POST /sessions HTTP/1.1\r\n{HOST}Content-Length: 9\r\n\r\n")
        form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\nname="
        lines[2].send(
            f"POST /s/{slug}/guest HTTP/1.1\r\nHost: localhost:{server.port}\r\n"
            f"Origin: {server.url}\r\n{form}"
        )
        lines[3].send(f"GET {LARGE} HTTP/1.1\r\n{HOST}\r\n")
        async with locking.transaction():
            await locking.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
            open_until_stopped.enter_context(waiting_request(f"{server.url}/s/{slug}", answers))
            where = Tables(own_postgres.url)
            await asyncio.to_thread(wait_until, lambda: where.one(SAME_WAITS) == 2)
            await asyncio.to_thread(stop, server, signal.SIGTERM)
    await locking.close()
    (answer,) = answers
    assert (answer.status_code, "We are restarting." in answer.text) == (503, True)


# Words


async def words_are_written(
    signals: list[signal.Signals],
    make_server: MakeServer,
    own_postgres: OwnPostgres,
    emulator: GladiaEmulator,
) -> None:
    """The database takes connections and says nothing more, and neither does Gladia."""
    server = await asyncio.to_thread(
        make_server, DATABASE_URL=own_postgres.url, **speech_by(emulator)
    )
    ada = await asyncio.to_thread(lambda: Visitor(server.url).sign_in("Ada Lovelace"))
    slug = await asyncio.to_thread(ada.start_session)
    page = ada.page(slug)
    await page.connect()
    await page.mic(True)
    await say(page, WORDS[:4])
    await page.until(lambda: page.settled)
    with own_postgres.frozen():
        await say(page, WORDS[4:8])
        emulator.faults.stall_socket(60)
        await page.speak(speak(WORDS[8:12]))
        await asyncio.to_thread(stop, server, *signals)
    await page.until_closed()
    await asyncio.to_thread(server.start)
    where = Tables(own_postgres.url)
    stored = "SELECT string_agg(text, ' ' ORDER BY seq) FROM utterances"
    await asyncio.to_thread(
        wait_until,
        lambda: where.one(stored).split()[:8] == WORDS[:8],
        news=lambda: f"{where(stored)}\n{server.log}",
    )


@pytest.mark.parametrize(
    "signals",
    [
        [signal.SIGTERM],
        [signal.SIGINT] * 2,
    ],
    ids=["TERM", "INT INT"],
)
async def test_words_are_written_whatever_hangs(
    signals: list[signal.Signals],
    make_server: MakeServer,
    own_postgres: OwnPostgres,
    emulator: GladiaEmulator,
) -> None:
    await words_are_written(signals, make_server, own_postgres, emulator)
