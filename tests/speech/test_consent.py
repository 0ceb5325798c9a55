"""Consent at the door: a space tells, or asks, and who doesn't want to be transcribed isn't."""

from __future__ import annotations

import asyncio
import math
import re
import secrets
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from core import conduct
from core.model import Answer, News, Seated
from core.room.commands import SetConsent
from core.speech.engine import BYTES_PER_SECOND, SAMPLE_RATE
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence, speak
from tests.speech.gladia_rooms import WORDS
from tests.speech.scripted import Page, ScriptedEngine
from tests.support.access_ways import Place, Stage, add_member
from tests.support.app_server import AppServer
from tests.support.tables import Tables
from tests.support.visitors import RoomPage, Visitor

JSON = {"Accept": "application/json"}
SECRET = WORDS[900:906]
MOST_EARLY = 30  # seconds: no page here takes longer from its first word to its last


class Door:
    """A session of Ada's, whose space asks something at its doors."""

    def __init__(self, place: AppServer) -> None:
        self.tables = Tables(place.database_url)
        self.host = f"Host {secrets.token_hex(4)}"  # with a space of their own
        self.ada = Visitor(place.url).sign_in(self.host)
        self.slug = self.ada.start_session()
        self.space = str(
            self.tables.one("SELECT space_id FROM sessions WHERE slug = $1", self.slug)
        )
        self.place = place

    def ask(self, what: str, who: Visitor | None = None) -> int:
        answer = (who or self.ada).http.post(
            f"/spaces/{self.space}/consent", data={"consent": what}, headers=JSON
        )
        return answer.status_code

    def guest(self, name: str) -> Visitor:
        return Visitor(self.place.url).be_guest(self.slug, name)

    def join(self, who: Visitor, **form: str) -> dict[str, Any]:
        answer = who.http.post(f"/s/{self.slug}/join", data=form, headers=JSON)
        assert answer.status_code == 200
        told: dict[str, Any] = answer.json()["consent"]
        return told

    def noted(self, name: str) -> tuple[bool, bool, bool]:
        """Return whether they are noted to have agreed, refused and been shown the notice."""
        [row] = self.tables(
            "SELECT consented_at, refused_at, noticed_at FROM participants p JOIN sessions s"
            " ON s.id = session_id WHERE slug = $1 AND p.name = $2",
            self.slug,
            name,
        )
        agreed, refused, noticed = (one is not None for one in row)
        return agreed, refused, noticed


@pytest.fixture
def door(place: AppServer) -> Door:
    return Door(place)


def heard_bytes(gladia: GladiaEmulator) -> int:
    return sum(len(one.received) for one in gladia.sessions)


def given(page: RoomPage) -> tuple[str, bool | None]:
    """Return what the page was last told: what is asked, and what was answered."""
    told = [
        one.get("consent", one) for one in page.messages if one["type"] in ("welcome", "consent")
    ]
    return told[-1]["asked"], told[-1]["given"]


def untranscribed(page: RoomPage) -> list[str]:
    """Return the identities of whom this page was last told not to be transcribed."""
    found: list[str] = page.of_type("people")[-1]["untranscribed"]
    return found


async def says(page: RoomPage, *words: str) -> None:
    """Say it, and wait until it is written."""
    await page.mic(True)
    await page.speak(speak([*words]) + silence(1))
    await page.until(lambda: page.text.split()[-len(words) :] == [*words])
    assert not {*SECRET} & {*page.text.split()}, "nor what was said before that"


async def all_read(page: RoomPage) -> None:
    """Wait until the server has read all that this page sent."""
    line = f"That was all, {secrets.token_hex(4)}."
    await page.send({"type": "chat", "text": line})
    await page.until(lambda: any(one["text"] == line for one in page.of_type("chat")))


async def is_not_heard(page: RoomPage, gladia: GladiaEmulator) -> None:
    """Say something all the same: it reaches no engine, and that is no mistake of the page."""
    before = heard_bytes(gladia)
    await page.mic(True)
    await page.speak(speak(SECRET) + silence(1))
    await page.send({"type": "lost", "from": page.index, "until": page.index + SAMPLE_RATE})
    await all_read(page)
    assert heard_bytes(gladia) == before
    assert page.of_type("error") == []
    me = page.welcome["you"]["identity"]
    states = [one["state"] for one in page.of_type("speech") if one["identity"] == me]
    assert states[-1:] in ([], ["paused"])


async def answers(who: Visitor, slug: str, consent: str) -> tuple[int, str]:
    return await asyncio.to_thread(who.host, slug, "consent", consent=consent)


def test_a_notice_is_noted_when_a_page_says_that_it_showed_it(door: Door) -> None:
    bob = door.guest("Bob")
    words = "the members of its space can read it"
    gate = f"/s/{door.slug}"
    stranger = Visitor(door.place.url)
    assert words not in stranger.http.get(gate).text + bob.http.get(gate).text
    assert door.join(bob) == {"asked": "OFF", "given": None}
    assert door.ask("NOTICE") == 204
    for who in (stranger, bob, door.ada):
        page = who.http.get(gate).text
        assert words in page
        assert 'type="radio" name="consent"' not in page
    assert 'name="noticed" value="yes"' in bob.http.get(gate).text
    assert door.join(bob) == {"asked": "NOTICE", "given": None}
    assert door.noted("Bob") == (False, False, False), "neither by looking nor by joining"
    assert door.join(bob, noticed="maybe")
    assert door.noted("Bob") == (False, False, False)
    assert door.join(bob, noticed="yes") == {"asked": "NOTICE", "given": None}
    assert door.noted("Bob") == (False, False, True), "which is no agreement"
    shown = door.ada.http.get(f"/spaces/{door.space}/events")
    assert "Changed what the doors of sessions ask" in shown.text


async def test_nobody_is_transcribed_before_they_say_so(door: Door, gladia: GladiaEmulator) -> None:
    """Guest, member and host; each may refuse, say nothing or agree, and change their mind."""
    assert await asyncio.to_thread(door.ask, "REQUIRED") == 204
    bob = await asyncio.to_thread(door.guest, "Bob")
    cy = await asyncio.to_thread(Visitor(door.place.url).sign_in, "Who")
    stage = Stage(Place(door.place, door.tables), door.slug, door.ada, cy, cy, "")
    await asyncio.to_thread(add_member, stage)
    lobby = (await asyncio.to_thread(bob.http.get, f"/s/{door.slug}")).text
    assert lobby.count('type="radio" name="consent"') == 2
    assert "checked" not in lobby.split("data-door")[1].split("</form>")[0]
    assert await answers(cy, door.slug, "yes") == (404, "not_found"), "who hasn't come yet"
    async with door.ada.page(door.slug) as host, bob.page(door.slug) as reader:
        for who, name in ((bob, "Bob"), (cy, "Who"), (door.ada, door.host)):
            assert await asyncio.to_thread(door.join, who) == {"asked": "REQUIRED", "given": None}
            async with who.page(door.slug) as page:
                me = page.welcome["you"]["identity"]
                assert given(page) == ("REQUIRED", None)
                await host.until(lambda me=me: me in untranscribed(host))  # type: ignore[misc]
                await is_not_heard(page, gladia)
                assert await answers(who, door.slug, "maybe") == (422, "invalid")
                someone = {"consent": "yes", "identity": host.welcome["you"]["identity"] + "0"}
                other = await asyncio.to_thread(who.host, door.slug, "consent", **someone)
                assert other == (404, "not_found"), "a page of who this browser was before"
                assert await asyncio.to_thread(door.noted, name) == (False, False, False)
                told = {"consent": "no", "noticed": "yes"}
                answered = await asyncio.to_thread(partial(door.join, who, **told))
                assert answered == {"asked": "REQUIRED", "given": False}
                await page.until(lambda: given(page) == ("REQUIRED", False))
                assert await asyncio.to_thread(door.noted, name) == (False, True, True)
                await is_not_heard(page, gladia)
                assert await answers(who, door.slug, "yes") == (204, "")
                await page.until(lambda: given(page) == ("REQUIRED", True))
                assert await asyncio.to_thread(door.noted, name) == (True, False, True)
                await host.until(lambda me=me: me not in untranscribed(host))  # type: ignore[misc]
                page.record(silence(2 + MOST_EARLY))  # what passed meanwhile, generously
                await says(page, *WORDS[:3])
        assert all(one["untranscribed"] == [] for one in reader.of_type("people")), "a guest's"
    assert await answers(Visitor(door.place.url), door.slug, "yes") == (401, "signed_out")
    await asyncio.to_thread(tells_hosts_alone, door, bob)


def tells_hosts_alone(door: Door, bob: Visitor) -> None:
    """Look for who agreed, and when, in the transcript: so far, and when it is over."""
    for address in (f"/s/{door.slug}/transcript", f"/s/{door.slug}"):
        page = door.ada.http.get(address).text
        said = re.findall(r'<span class="name">([^<]+)</span> agreed at <time', page)
        assert sorted(said) == sorted(["Bob", "Who", door.host])
        assert "agreed at" not in bob.http.get(address).text
        door.ada.end(door.slug)  # a second time changes nothing
    assert door.ada.host(door.slug, "consent", consent="no") == (403, "ended")
    assert door.noted(door.host) == (True, False, True)


async def test_refusing_in_mid_sentence_and_being_asked_in_mid_session(
    door: Door, gladia: GladiaEmulator
) -> None:
    bob = await asyncio.to_thread(door.guest, "Bob")
    async with door.ada.page(door.slug) as host, bob.page(door.slug) as page:
        await says(page, *WORDS[:3])
        # It becomes required while he speaks: he is asked, and not heard until he answers.
        assert await asyncio.to_thread(door.ask, "REQUIRED") == 204
        await page.until(lambda: given(page) == ("REQUIRED", None))
        await host.until(lambda: given(host) == ("REQUIRED", None))
        await is_not_heard(page, gladia)
        await answers(bob, door.slug, "yes")
        await page.until(lambda: given(page) == ("REQUIRED", True))
        page.record(silence(2 + MOST_EARLY))
        await page.speak(speak(WORDS[3:7]))
        await page.until(lambda: page.of_type("speech")[-1]["state"] == "listening")
        await answers(bob, door.slug, "no")
        await page.until(lambda: given(page) == ("REQUIRED", False))
        await page.speak(speak(SECRET) + silence(1))  # which it had said already
        await page.until(lambda: page.text.split() == WORDS[:7])
        await is_not_heard(page, gladia)
        assert untranscribed(page) == []
        # A new page of his is as little heard, and he stays refused where nothing is asked.
        async with bob.page(door.slug) as other:
            assert given(other) == ("REQUIRED", False)
            await is_not_heard(other, gladia)
        assert await asyncio.to_thread(door.ask, "OFF") == 204
        await page.until(lambda: given(page) == ("OFF", False))
        await is_not_heard(page, gladia)
        await host.until(lambda: given(host) == ("OFF", None))
        await says(host, *WORDS[7:9])


async def test_what_was_said_before_a_yes_is_never_taken(
    door: Door, gladia: GladiaEmulator
) -> None:
    """A line is gone while somebody hasn't agreed; what their page kept of it comes late."""
    bob = await asyncio.to_thread(door.guest, "Bob")
    page = bob.page(door.slug)
    await page.connect()
    await says(page, *WORDS[:3])
    await page.drop()
    assert await asyncio.to_thread(door.ask, "REQUIRED") == 204
    page.record(speak(SECRET))
    await asyncio.sleep(len(speak(SECRET)) / BYTES_PER_SECOND)  # as long as it takes to say
    assert await answers(bob, door.slug, "yes") == (204, "")
    page.record(silence(0.5))
    await asyncio.sleep(0.5)
    before = heard_bytes(gladia)
    await page.connect()
    assert given(page) == ("REQUIRED", True)
    await page.mic(True)
    await page.resend()
    await all_read(page)
    heard = (heard_bytes(gladia) - before) / BYTES_PER_SECOND
    assert heard < len(speak(SECRET[:1])) / BYTES_PER_SECOND
    page.record(silence(MOST_EARLY))
    await says(page, *WORDS[3:6])
    assert page.text.split() == WORDS[:6]
    assert not any("lost" in one for one in page.finals), "nor is it told to be lost"
    await page.leave()


@pytest.mark.virtual_time
@pytest.mark.usefixtures("hasty_pages")
async def test_frames_count_by_when_they_were_said() -> None:
    page = Page(ScriptedEngine())
    page.say(*WORDS[:2])
    page.microphone.heed(None, math.inf)
    page.say(*SECRET)
    page.microphone.lost(page.index, page.index + 5 * SAMPLE_RATE)
    page.index += 5 * SAMPLE_RATE
    agreed_at = page.room.now + 20
    page.room.now += 30
    yes = Answer(True, datetime.now(UTC))
    page.microphone.heed(yes, agreed_at)
    assert page.microphone.participant.answer == yes
    page.say(*SECRET)  # by its samples, 25 s ago
    page.index += 25 * SAMPLE_RATE
    page.say(*WORDS[2:4])
    page.microphone.heed(None, math.inf)
    page.say(*SECRET)
    page.microphone.heed(None, -math.inf)  # nobody is asked any more
    page.room.now += 1
    page.index += SAMPLE_RATE
    page.say(*WORDS[4:6])
    await page.done()
    assert page.room.words == WORDS[:6]
    assert page.room.gaps == []


async def test_an_older_read_undoes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is caught up with was read before somebody said no here: it is read again."""
    told: list[tuple[str, Any]] = []
    rooms = SimpleNamespace(decided=0, seats_of=lambda _: set(), tell=lambda *it: told.append(it))
    seated = Seated("p_bob", b"key", "GUEST")
    yes = Answer(True, datetime.now(UTC))
    meanwhile = [1, 0]

    async def read(*_: object) -> list[News]:
        rooms.decided += meanwhile.pop(0)  # he says no, while this is on its way
        return [News(seated, "session", "ADMITTED", "GUEST", key_open=True, answer=yes)]

    monkeypatch.setattr(conduct, "what_changed", read)
    acts = conduct.Conduct(Any, rooms, Any)  # type: ignore[arg-type]
    await acts.catch_up([seated])
    assert told == []
    await acts.catch_up([seated])
    assert told == [("session", SetConsent("p_bob", yes))]
