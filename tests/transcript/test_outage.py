"""The database goes away, the process dies: nothing that was said is lost or told twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import asyncpg
import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence, speak, vocabulary
from tests.support.dictation import emulator, say, speech_by
from tests.support.outage import Scene
from tests.support.own_postgres import OwnPostgres
from tests.support.visitors import RoomPage, Visitor

__all__ = ["emulator"]
WORDS = vocabulary(200, seed=11)


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[OwnPostgres]:
    with OwnPostgres() as running:
        yield running


@pytest.fixture
async def scene(
    own_postgres: OwnPostgres, emulator: GladiaEmulator, make_server: MakeServer
) -> AsyncIterator[Scene]:
    server = await asyncio.to_thread(
        make_server,
        DATABASE_URL=own_postgres.url,
        **speech_by(emulator),
    )
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    yield Scene(own_postgres, server, ada, ada.start_session())
    own_postgres.start()


async def page_with_words(scene: Scene, count: int) -> RoomPage:
    """Return a page that has said the first words, which are stored."""
    page = scene.page()
    await page.connect()
    await page.mic(True)
    await say(page, WORDS[:count])
    await page.until(lambda: page.settled)
    return page


async def knock(passes: dict[str, dict[str, str]]) -> ClientConnection:
    pass_ = passes["transcription"]
    offered = [Subprotocol("sessions.v1"), Subprotocol(pass_["token"])]
    return await connect(pass_["url"], subprotocols=offered, compression=None)


@pytest.mark.parametrize("how", ["stopped", "crashed"])
async def test_words_wait_for_a_database_that_is_away(scene: Scene, how: str) -> None:
    passes = scene.ada.join(scene.slug)
    async with scene.page() as page, await knock(passes) as accepted:
        await page.mic(True)
        await say(page, WORDS[:5])
        await page.until(lambda: page.settled)
        before = page.settled
        await asyncio.to_thread(scene.postgres.stop if how == "stopped" else scene.postgres.crash)
        for start in (5, 10, 15):
            await say(page, WORDS[start : start + 5])
        assert page.settled == before, "nothing is settled that isn't stored"
        status, health = await scene.health()
        assert (status, health["database"], health["queue"]) == (503, "away", 3)
        with pytest.raises(InvalidStatus) as refusal:
            await knock(passes)
        assert refusal.value.response.status_code == 503
        await accepted.send('{"type": "hello", "client": "abcdefgh"}')
        await accepted.wait_closed()
        assert accepted.close_code == 1013
        await asyncio.to_thread(scene.postgres.start)
        await scene.until_stored()
        assert await scene.stored() == WORDS[:20]
        await say(page, WORDS[20:25])
        await page.until(lambda: page.settled > before)
        async with scene.page() as late:
            await late.until(lambda: late.of_type("people"))
            assert late.text.split() == WORDS[:25]
        await scene.until_stored()
        assert await scene.stored() == WORDS[:25]


async def test_words_survive_a_stop_during_the_outage(scene: Scene) -> None:
    page = await page_with_words(scene, 5)
    await asyncio.to_thread(scene.postgres.stop)
    await say(page, WORDS[5:10])
    await page.speak(speak(WORDS[10:14]))
    await page.until(lambda: WORDS[13] in page.of_type("utterance")[-1]["text"])
    assert await asyncio.to_thread(scene.server.stop) in (0, -15)
    assert await page.until_closed() == 1012
    spool = scene.server.data_dir / "unsaved.jsonl"
    assert spool.stat().st_mode & 0o077 == 0, "only the owner reads what was said"
    assert len(spool.read_text().splitlines()) == 1
    held = scene.server.data_dir / "held-unsaved.jsonl"
    assert held.stat().st_mode & 0o077 == 0
    assert len(held.read_text().splitlines()) == 1, "its page may come back and say it anew"
    with spool.open("ab") as file:
        file.write(b'\n{"session_id": "cut off by a full d')
    await asyncio.to_thread(scene.postgres.start)
    await asyncio.to_thread(scene.server.start)
    await scene.until_stored()
    assert await scene.stored() == WORDS[:10]
    async with scene.page() as late:
        await late.until(lambda: late.of_type("people"))
        assert late.text.split() == WORDS[:10]
        await asyncio.to_thread(scene.ada.end, scene.slug)  # now no page can come back
        await late.until(lambda: late.text.split() == WORDS[:14])
    await scene.until_stored()
    assert await scene.stored() == WORDS[:14]
    await asyncio.to_thread(scene.server.stop)
    assert not spool.exists()
    assert not held.exists()
    assert not any(word in scene.server.log for word in WORDS[:14]), "logs tell nothing of it"


@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_a_restart_in_mid_sentence_loses_and_repeats_nothing(scene: Scene, how: str) -> None:
    page = scene.page()
    await page.connect()
    await page.mic(True)
    await say(page, WORDS[:6])
    await say(page, WORDS[6:12])
    await page.until(lambda: len(page.of_type("settled")) == 2)
    await page.speak(speak(WORDS[12:16]))
    await page.until(lambda: not page.of_type("utterance")[-1]["final"])
    end = scene.server.kill if how == "killed" else scene.server.stop
    await asyncio.to_thread(end)
    await page.until_closed()
    page.record(speak(WORDS[16:20]))
    await asyncio.to_thread(scene.server.start)
    await page.connect()
    await page.mic(True)
    await page.resend()
    await say(page, WORDS[20:24])
    await scene.until_stored()
    assert await scene.stored() == WORDS[:24]
    assert page.text.split() == WORDS[:24]
    await page.leave()


async def test_a_kill_during_the_outage_is_made_good_by_the_page(scene: Scene) -> None:
    page = await page_with_words(scene, 6)
    await asyncio.to_thread(scene.postgres.stop)
    await say(page, WORDS[6:12])
    await asyncio.to_thread(scene.server.kill)
    await page.until_closed()
    await asyncio.to_thread(scene.postgres.start)
    await asyncio.to_thread(scene.server.start)
    await page.connect()
    assert page.welcome["seq"] == 1, "the second sentence was lost with the process"
    await page.mic(True)
    await page.resend()
    await say(page, WORDS[12:15])
    await scene.until_stored()
    assert await scene.stored() == WORDS[:15]
    await page.leave()


@pytest.mark.parametrize("killed", [True, False])
async def test_words_that_later_ones_overtook_survive_too(
    scene: Scene, emulator: GladiaEmulator, killed: bool
) -> None:
    """Nothing is kept of what was said after a mute before all that was said until then is."""
    page = scene.page()
    await page.connect()
    await page.mic(True)
    number = len(emulator.sessions)
    fault = emulator.faults.stall_socket(3, session=number, after_bytes=16_000)
    await page.speak(speak(WORDS[:6]))
    await emulator.until(lambda: fault.fired > 0)
    await page.mic(False)
    await page.mic(True)
    await say(page, WORDS[6:10])
    assert not page.settled
    assert (await scene.health())[1]["queue"] == 0
    assert await scene.stored() == []
    if killed:
        await asyncio.to_thread(scene.server.kill)
        await page.until_closed()
        await asyncio.to_thread(scene.server.start)
        await page.connect()
        await page.mic(True)
        await page.resend()
    await say(page, WORDS[10:12])
    shown = 12 + 4 * killed  # those that went with the process are said anew
    await page.until(lambda: len(page.text.split()) == shown)
    await page.until(lambda: len(page.of_type("settled")) == (2 if killed else 3))
    stored = await scene.stored()
    assert stored == WORDS[:12] if killed else sorted(stored) == sorted(WORDS[:12])
    await page.leave()


async def test_a_stop_keeps_what_overtook_words_that_never_came(
    scene: Scene, emulator: GladiaEmulator
) -> None:
    page = scene.page()
    await page.connect()
    await page.mic(True)
    fault = emulator.faults.stall_socket(session=len(emulator.sessions), after_bytes=16_000)
    await page.speak(speak(WORDS[:6]))
    await emulator.until(lambda: fault.fired > 0)
    await page.mic(False)
    await page.mic(True)
    await say(page, WORDS[6:10])
    await page.leave()
    emulator.reachable = False
    try:
        await asyncio.to_thread(scene.server.stop)
    finally:
        emulator.reachable = True
    await asyncio.to_thread(scene.server.start)
    await scene.until_stored()
    assert await scene.stored() == WORDS[6:10]


async def test_a_login_that_is_refused_while_we_run_is_an_outage_like_others(scene: Scene) -> None:
    keeper = await asyncpg.connect(scene.postgres.url)
    me = await keeper.fetchval("SELECT current_user")
    async with scene.page() as page:
        await page.mic(True)
        await say(page, WORDS[:5])
        await page.until(lambda: page.settled)
        await keeper.execute(f'ALTER ROLE "{me}" NOLOGIN')
        try:
            await keeper.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            await say(page, WORDS[5:10])
            status, health = await scene.health()
            assert (status, health["database"], health["queue"]) == (503, "away", 1)
            async with httpx2.AsyncClient(verify=False) as http:
                answer = await http.get(f"{scene.server.url}/s/{scene.slug}")
            assert answer.status_code == 503
            assert "We can’t reach our memory." in answer.text
        finally:
            await keeper.execute(f'ALTER ROLE "{me}" LOGIN')
            await keeper.close()
        await scene.until_stored()
        assert await scene.stored() == WORDS[:10]
    assert "PostgreSQL refuses the user or the password in DATABASE_URL" in scene.server.log
    assert scene.server.log.count("PostgreSQL is back") == 1


async def test_a_number_that_is_taken_is_given_anew_and_every_page_has_all_in_order(
    scene: Scene,
) -> None:
    """Somebody else has written under a number that the room gives next."""
    connection = await asyncpg.connect(scene.postgres.url)
    async with scene.page() as away, scene.page() as page:
        await page.mic(True)
        await say(page, WORDS[:4])
        await page.until(lambda: page.settled)
        before = page.settled
        await connection.execute(
            "INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s,"
            " end_s) SELECT session_id, 'foreign', '1', seq + 1, identity, $2, 0, 1 FROM utterances"
            " JOIN sessions s ON s.id = session_id WHERE s.slug = $1",
            scene.slug,
            WORDS[50],
        )
        async with connection.transaction():
            await connection.execute("LOCK TABLE utterances IN EXCLUSIVE MODE")  # writing waits
            await say(page, WORDS[4:8])
            await away.until(lambda: away.text.split() == WORDS[:8])
            await away.drop()  # between the two numbers
        mine = page.finals[-1]["id"]
        await page.until(lambda: page.settled > before)
        await page.until(lambda: page.finals[-1]["id"] == mine and page.finals[-1]["seq"] == 3)
        assert [(one["id"], one["seq"]) for one in page.finals[1:]] == [
            (mine, 2),
            ("foreign-1", 2),
            (mine, 3),
        ], "a later message with the same id replaces the earlier"
        seen = len(away.messages)
        await say(page, WORDS[8:10])
        await away.connect()
        assert away.welcome["seq"] == 1, "what it has of seq 2 may be another's"
        await away.until(lambda: away.finals[-1]["seq"] == 4)
        again = [one for one in away.messages[seen:] if one["type"] == "utterance"]
        assert [one["seq"] for one in again if one["final"]] == [2, 3, 4]
        await scene.until_stored()
        assert await scene.stored() == [*WORDS[:4], WORDS[50], *WORDS[4:10]]
        async with scene.page() as late:
            await late.until(lambda: late.of_type("people"))
            assert late.text.split() == [*WORDS[:4], WORDS[50], *WORDS[4:10]]
            assert [one["seq"] for one in late.finals] == [1, 2, 3, 4]
    await connection.close()


async def test_a_line_that_is_not_stored_yet_is_corrected_a_moment_later(scene: Scene) -> None:
    bob = Visitor(scene.server.url).be_guest(scene.slug, "Bob")
    lines = f"/s/{scene.slug}/transcript/lines"
    form = {"revision": "0", "text": "Other words", "seen": "0"}

    async def asked(visitor: Visitor, method: str, path: str, kind: str) -> httpx2.Response:
        def ask() -> httpx2.Response:
            posted = form if method == "POST" else None
            return visitor.http.request(method, path, data=posted, headers={"Accept": kind})

        return await asyncio.to_thread(ask)

    connection = await asyncpg.connect(scene.postgres.url)
    async with scene.page() as page, bob.page(scene.slug) as other:
        await page.mic(True)
        async with connection.transaction():
            await connection.execute("LOCK TABLE utterances IN SHARE MODE")  # writing waits
            await say(page, WORDS[:4])
            [line] = [f"{lines}/{one['seq']}" for one in page.finals]
            for method, path in (
                ("GET", line),
                ("GET", f"{line}/history"),
                ("POST", line),
                ("POST", f"{line}/hide"),
                ("POST", f"{line}/restore"),
            ):
                early = await asked(scene.ada, method, path, "application/json")
                assert (early.status_code, early.headers.get("retry-after")) == (409, "2"), path
                assert early.json()["error"]["code"] == "not_stored_yet"
                assert (await asked(bob, method, path, "application/json")).status_code == 404
            told = await asked(scene.ada, "POST", line, "text/html")
            assert told.status_code == 409
            assert "It can be corrected once it is written down" in told.text
            unsaid = await asked(scene.ada, "POST", f"{lines}/99", "application/json")
            assert unsaid.status_code == 404, "nobody said that"
        await scene.until_stored()
        done = await asked(scene.ada, "POST", line, "application/json")
        assert done.status_code == 200
        for one in (page, other):
            await one.until(lambda: [text for _, _, text in one.shown] == ["Other words"])  # noqa: B023 - at once
    await connection.close()


async def test_words_that_the_database_refuses_are_told_to_be_lost(scene: Scene) -> None:
    """A gap stands in their place; where that is refused too, its page knows at least."""
    connection = await asyncpg.connect(scene.postgres.url)
    bob = Visitor(scene.server.url).be_guest(scene.slug, "Bob")
    async with scene.page() as page, bob.page(scene.slug) as other:
        await page.mic(True)
        await other.mic(True)
        await connection.execute(
            f"ALTER TABLE utterances ADD CONSTRAINT no CHECK (text NOT LIKE '%{WORDS[4]}%')"
            " NOT VALID"
        )
        try:
            await say(page, WORDS[:4])
            await page.until(lambda: page.settled)
            before = page.settled
            await page.speak(speak(WORDS[4:8]) + silence(1))
            await page.until(lambda: page.of_type("error"))
            assert page.of_type("error")[-1]["code"] == "words_lost"
            await other.until(lambda: other.finals and other.finals[-1].get("lost"))
            gap, words = other.finals[-1], other.finals[-2]
            assert words["text"].split() == WORDS[4:8]
            assert (gap["id"], gap["seq"], gap["text"]) == (words["id"], words["seq"], "")
            await page.until(lambda: page.settled > before)
        finally:
            await connection.execute("ALTER TABLE utterances DROP CONSTRAINT no")
        await scene.until_stored()
        assert await scene.stored() == WORDS[:4]
        lost = "SELECT count(*) FROM utterances WHERE lost_s > 0 AND text = '' AND seq = 2"
        assert await connection.fetchval(lost) >= 1
        await connection.execute("DELETE FROM participants WHERE name = 'Bob'")
        await other.speak(speak(WORDS[8:12]) + silence(1))
        await other.until(lambda: other.of_type("error"))
        assert other.of_type("error")[-1]["code"] == "words_lost"
        assert not other.settled
        await say(page, WORDS[12:16])
        await scene.until_stored()
        assert not other.settled
    await connection.close()
    assert "was refused by the database" in scene.server.log
    assert not any(word in scene.server.log for word in WORDS[:16])


async def test_what_speech_cost_survives_a_stop_during_the_outage(scene: Scene) -> None:
    connection = await asyncpg.connect(scene.postgres.url)
    await page_with_words(scene, 5)
    [[session_id]] = await connection.fetch("SELECT id FROM sessions WHERE slug = $1", scene.slug)
    await connection.close()
    await asyncio.to_thread(scene.postgres.stop)
    await asyncio.to_thread(scene.server.stop)
    spool = scene.server.data_dir / "usage-unsaved.jsonl"
    assert len(spool.read_text().splitlines()) == 1
    await asyncio.to_thread(scene.postgres.start)
    await asyncio.to_thread(scene.server.start)
    connection = await asyncpg.connect(scene.postgres.url)
    for _ in range(100):
        told = await connection.fetch(
            "SELECT sent_s FROM streams WHERE session_id = $1", session_id
        )
        if told:
            break
        await asyncio.sleep(0.1)
    [[seconds]] = told
    assert seconds > 1
    await connection.close()
