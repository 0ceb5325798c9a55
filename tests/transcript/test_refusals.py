"""A PostgreSQL that is there and refuses: for people it is an outage, and no word is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import vocabulary
from tests.support.dictation import emulator, say, speech_by
from tests.support.meetings import JSON
from tests.support.outage import Scene
from tests.support.own_postgres import OwnPostgres
from tests.support.tables import Tables
from tests.support.visitors import Visitor
from tests.support.waiting import until

__all__ = ["emulator"]
WORDS = vocabulary(40, seed=12)
TABLES = "utterances, participants, sessions, rooms, logins"


@dataclass(frozen=True)
class Refusal:
    """How PostgreSQL comes to refuse, and what it is called then."""

    begin: str
    end: str
    health: tuple[str, ...]
    code: str
    sentence: str


def setting(name: str, value: str) -> tuple[str, str]:
    """Return how an administrator sets something for everybody, also for who is connected."""
    reload = "SELECT pg_reload_conf()"
    return f"ALTER SYSTEM SET {name} = '{value}'; {reload}", f"ALTER SYSTEM RESET {name}; {reload}"


READ_ONLY = setting("default_transaction_read_only", "on")
LOCKED = setting("lock_timeout", "30ms")
CANCELLED = setting("statement_timeout", "300ms")
LOCK, UNLOCK = f"BEGIN; LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE", "ROLLBACK"
REFUSES, AWAY = "database_refuses", "database_away"
BUSY = "PostgreSQL doesn't get to our statements"
REFUSALS = {
    "read-only": Refusal(*READ_ONLY, ("read-only",), REFUSES, "it is read-only"),
    "full": Refusal(
        "SELECT fill_disk()",
        "SELECT empty_disk()",
        ("full",),
        REFUSES,
        "its disk is full",
    ),
    "crowded": Refusal(
        "ALTER ROLE app CONNECTION LIMIT 0;"
        " SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'",
        "ALTER ROLE app CONNECTION LIMIT -1",
        ("away",),
        AWAY,
        "PostgreSQL is away (TooManyConnectionsError)",
    ),
    # At last, as what they refused once is told for a while.
    "locked": Refusal(
        f"{LOCKED[0]}; {LOCK}", f"{UNLOCK}; {LOCKED[1]}", ("busy", "late"), AWAY, BUSY
    ),
    "cancelled": Refusal(
        f"{CANCELLED[0]}; {LOCK}", f"{UNLOCK}; {CANCELLED[1]}", ("busy", "late"), AWAY, BUSY
    ),
}


# Every table: an insert into another one would show that the disk has room again.
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'No space left on device' USING ERRCODE = '53100'; END $$;

CREATE FUNCTION fill_disk() RETURNS void LANGUAGE plpgsql AS $$
DECLARE of regclass;
BEGIN
    FOR of IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relowner = 'app'::regrole LOOP
        EXECUTE format('CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON %s'
            ' EXECUTE FUNCTION full_disk()', of);
    END LOOP;
END $$;

CREATE FUNCTION empty_disk() RETURNS void LANGUAGE plpgsql AS $$
DECLARE of regclass;
BEGIN
    FOR of IN SELECT tgrelid FROM pg_trigger WHERE tgname = 'full_disk' LOOP
        EXECUTE format('DROP TRIGGER full_disk ON %s', of);
    END LOOP;
END $$;
"""


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL where Sessions isn't a superuser: those may do anything."""
    with OwnPostgres() as running:
        tables = Tables(running.url)
        tables.script("CREATE ROLE app LOGIN; ALTER DATABASE postgres OWNER TO app")
        tables.script("GRANT ALL ON SCHEMA public TO app")
        tables.script(FULL)
        yield running


@pytest.fixture(scope="module")
def everywhere(
    own_postgres: OwnPostgres, emulator: GladiaEmulator, make_server_in: MakeServer
) -> Iterator[Scene]:
    url = own_postgres.url.replace("//postgres:", "//app:")
    server = make_server_in(DATABASE_URL=url, **speech_by(emulator))
    yield Scene(own_postgres, server, Visitor(server.url).sign_in("Ada Lovelace"), "")
    server.stop()  # before what it needs


@pytest.fixture
def scene(everywhere: Scene) -> Scene:
    """A session of its own on the server that all share."""
    everywhere.slug = everywhere.ada.start_session()
    return everywhere


@asynccontextmanager
async def refusing(url: str, how: Refusal) -> AsyncIterator[None]:
    """Have PostgreSQL refuse what the server asks."""
    keeper = await asyncpg.connect(url)
    try:
        await keeper.execute(
            "SET default_transaction_read_only = off; SET lock_timeout = 0;"
            " SET statement_timeout = 0"
        )
        await run(keeper, how.begin)
        try:
            yield
        finally:
            await run(keeper, how.end)
    finally:
        await keeper.close()


async def run(keeper: asyncpg.Connection, statements: str) -> None:
    for one in filter(str.strip, statements.split(";")):  # alone: ALTER SYSTEM demands it
        await keeper.execute(one)


async def newcomer(passes: dict[str, dict[str, str]]) -> int:
    """Come in with passes from before; return the status or the close code of the refusal."""
    offered = [Subprotocol("sessions.v1"), Subprotocol(passes["transcription"]["token"])]
    try:
        async with connect(
            passes["transcription"]["url"], subprotocols=offered, compression=None
        ) as socket:
            await socket.send('{"type": "hello", "client": "abcdefgh"}')
            async for _ in socket:
                raise AssertionError("let in")
    except InvalidStatus as refusal:
        return refusal.response.status_code
    except ConnectionClosed:
        pass
    return socket.close_code or 0


def asked(scene: Scene, bob: Visitor) -> list[httpx2.Response]:
    """What people may ask for."""
    stranger, slug = Visitor(scene.server.url), scene.slug
    return [
        scene.ada.http.get(f"/s/{slug}"),
        scene.ada.http.post("/sessions", data={"title": "", "admission": "ANYONE"}),
        scene.ada.http.post("/sessions", headers=JSON),
        stranger.http.post(f"/s/{slug}/guest", data={"name": "Cyd"}),
        bob.http.post(f"/s/{slug}/join", headers=JSON),
    ]


@pytest.mark.parametrize("kind", REFUSALS)
async def test_a_refusal_is_an_outage(scene: Scene, kind: str) -> None:
    how = REFUSALS[kind]
    # One has a pass and wasn't in the room yet, one has given a name only.
    eve = Visitor(scene.server.url).be_guest(scene.slug, "Eve")
    passes = eve.join(scene.slug)
    bob = Visitor(scene.server.url).be_guest(scene.slug, "Bob")
    logged = len(scene.server.log)
    async with scene.page() as page:
        await page.mic(True)
        await say(page, WORDS[:4])
        await page.until(lambda: page.settled)
        before = page.settled
        async with refusing(scene.postgres.url, how):
            await say(page, WORDS[4:8])

            async def told() -> bool:
                status, health = await scene.health()
                return status == 503 and health["database"] in how.health

            await until(told, news=lambda: scene.server.log)
            answers = await asyncio.to_thread(asked, scene, bob)
            refused = [one for one in answers if one.status_code == 503]
            assert {one.status_code for one in answers} <= {200, 503}, "a page may only read"
            assert len(refused) >= len(answers) - 1
            for answer in refused:
                assert int(answer.headers["retry-after"]) > 0
                if answer.headers["content-type"] == "application/json":
                    assert answer.json()["error"]["code"] == how.code
                else:
                    assert "try again" in answer.text.lower(), answer.text
            assert await newcomer(passes) in (503, 1013)
            assert (await scene.health())[1]["queue"] == 1
            assert page.settled == before, "nothing is settled that isn't stored"
        await asyncio.to_thread(scene.ada.start_session)
        await asyncio.to_thread(bob.join, scene.slug)
        await page.until(lambda: page.settled > before)
        await say(page, WORDS[8:12])
        async with eve.page(scene.slug) as late:
            await late.until(lambda: late.text.split() == WORDS[:12])

    async def all_is_stored() -> bool:
        return await scene.stored() == WORDS[:12]

    await until(all_is_stored)
    log = scene.server.log[logged:]
    assert "Traceback" not in log
    assert log.count(how.sentence) == 1, "it is told once"
    if how.sentence != BUSY:  # else each statement must have succeeded, or be forgotten
        assert (await scene.health())[0] == 200
        assert log.count("PostgreSQL is back") == 1, log
