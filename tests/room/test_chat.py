"""Chat, hands and reactions: told to everybody at once, chat kept with the session."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest

from core.model import MAX_LINES, ChatLine, Participant
from core.room.chat import ChatLog
from core.room.wire import WireError
from core.speech.engine import BYTES_PER_SECOND
from core.transcript.outbox import Entry
from tests.conftest import MakeServer
from tests.emulators.wordaudio import silence
from tests.support.app_server import AppServer
from tests.support.database_line import DatabaseLine
from tests.support.speech_samples import beckett
from tests.support.visitors import RoomPage, Visitor

SPEECH = beckett()[: 3 * BYTES_PER_SECOND]


@pytest.fixture
def slug(ada: Visitor) -> str:
    return ada.start_session("Engines")


@pytest.fixture
def bob(server: AppServer, slug: str) -> Visitor:
    return Visitor(server.url).be_guest(slug, "Bob")


async def say(page: RoomPage, text: str) -> None:
    before = len(page.of_type("chat")) + len(page.of_type("error"))
    await page.send({"type": "chat", "text": text})
    await page.until(lambda: len(page.of_type("chat")) + len(page.of_type("error")) > before)


def lines(page: RoomPage) -> list[str]:
    return [line["text"] for line in page.of_type("chat")]


def errors(page: RoomPage) -> list[str]:
    return [error["code"] for error in page.of_type("error")]


def hand_of(page: RoomPage, name: str) -> Any:
    told = page.of_type("people")
    found = [one for one in told[-1]["people"] if one["name"] == name] if told else []
    return found[0]["hand"] if found else None


async def test_a_line_reaches_everybody_and_who_comes_later(
    ada: Visitor, bob: Visitor, slug: str
) -> None:
    async with ada.page(slug) as ada_page, bob.page(slug) as bob_page:
        await say(bob_page, "Good morning.\nThis is me: <b>&amp;</b>")
        await ada_page.until(lambda: ada_page.of_type("chat"))
        line = ada_page.of_type("chat")[0]
        age = datetime.now(UTC) - datetime.fromisoformat(line.pop("at"))
        assert 0 <= age.total_seconds() < 20
        assert line == {
            "type": "chat",
            "id": 1,
            "identity": bob_page.welcome["you"]["identity"],
            "name": "Bob",
            "hue": bob_page.welcome["you"]["hue"],
            "role": "GUEST",
            "text": "Good morning.\nThis is me: <b>&amp;</b>",
        }
        await say(ada_page, "Hello, Bob.")
        await bob_page.until(lambda: len(lines(bob_page)) == 2)
        await bob_page.drop()
        await say(ada_page, "You missed this.")
        await bob_page.connect()
        await bob_page.until(lambda: len(lines(bob_page)) == 3)
        assert [one["id"] for one in bob_page.of_type("chat")] == [1, 2, 3]
        await say(bob_page, "Now I know.")
    async with ada.page(slug) as late:
        await late.until(lambda: late.of_type("people"))
        assert [one["id"] for one in late.of_type("chat")] == [1, 2, 3, 4]
        assert lines(late)[-1] == "Now I know."


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("x" * 2000, "x" * 2000, id="longest"),
        pytest.param("🎉" * 2000, "🎉" * 2000, id="longest emoji"),
        pytest.param("x" * 2001, None, id="too long"),
        pytest.param("", None, id="empty"),
        pytest.param(" \n\t\n ", None, id="nothing to see"),
        pytest.param("\x00a\x07\u202eb\n\n\nc", "a b\n\n\nc", id="control characters"),
    ],
)
async def test_the_bounds_of_a_line(ada: Visitor, slug: str, text: str, kept: str | None) -> None:
    async with ada.page(slug) as page:
        await say(page, text)
        assert lines(page) == ([] if kept is None else [kept])
        assert errors(page) == (["bad_message"] if kept is None else [])


async def test_hands_go_up_and_down_in_order(ada: Visitor, bob: Visitor, slug: str) -> None:
    async with ada.page(slug) as ada_page, bob.page(slug) as bob_page:
        for page in (bob_page, ada_page):
            await page.send({"type": "hand", "up": True})
            me = page.welcome["you"]["name"]
            await ada_page.until(functools.partial(hand_of, ada_page, me))
        assert hand_of(ada_page, "Bob") < hand_of(ada_page, "Ada Lovelace")
        since = hand_of(ada_page, "Bob")
        await bob_page.send({"type": "hand", "up": True})
        await bob_page.drop()
        await ada_page.until(lambda: len(ada_page.of_type("people")[-1]["people"]) == 1)
        await bob_page.connect()
        await bob_page.until(lambda: hand_of(bob_page, "Bob"))
        assert hand_of(bob_page, "Bob") == since, "a lost connection doesn't lower it"
        await bob_page.send({"type": "hand", "up": False})
        await ada_page.until(lambda: hand_of(ada_page, "Bob") is None)
        assert hand_of(ada_page, "Ada Lovelace")


async def test_reactions_are_shown_and_forgotten(ada: Visitor, bob: Visitor, slug: str) -> None:
    async with ada.page(slug) as ada_page, bob.page(slug) as bob_page:
        shown = ["👍", "❤️", "😂", "👏", "🎉", "😮"]
        for emoji in shown:
            await bob_page.send({"type": "reaction", "emoji": emoji})
        await ada_page.until(lambda: len(ada_page.of_type("reaction")) == 6)
        assert [one["emoji"] for one in ada_page.of_type("reaction")] == shown
        identity = bob_page.welcome["you"]["identity"]
        assert {one["identity"] for one in ada_page.of_type("reaction")} == {identity}
        await bob_page.send({"type": "reaction", "emoji": "💩"})
        await bob_page.until(lambda: errors(bob_page) == ["bad_message"])
        async with ada.page(slug) as late:
            await late.until(lambda: late.of_type("people"))
            assert late.of_type("reaction") == []


async def test_who_is_too_eager_is_told_and_not_thrown_out(make_server: MakeServer) -> None:
    place = await asyncio.to_thread(make_server, RATE_LIMIT_FACTOR="1")
    ada = Visitor(place.url).sign_in("Ada Lovelace")
    slug = ada.start_session("Engines")
    async with ada.page(slug) as page:
        for number in range(35):
            await say(page, f"line {number}")
        allowed = len(lines(page))
        assert 20 <= allowed <= 22
        assert lines(page) == [f"line {number}" for number in range(allowed)]
        assert errors(page) == ["too_much"] * (35 - allowed)
        # A code and a number: the page has the words.
        assert page.of_type("error")[-1].keys() == {"type", "code", "seconds"}
        assert 1 <= page.of_type("error")[-1]["seconds"] <= 3
        for number in range(70):
            gesture: dict[str, Any] = {"type": "reaction", "emoji": "👏"}
            await page.send(gesture if number % 2 else {"type": "hand", "up": number % 4 == 0})
        await page.until(lambda: len(errors(page)) >= 35 - allowed + 8)
        assert page.closed is None
        assert set(errors(page)) == {"too_much"}
        await page.drop()
        await page.connect()
        await say(page, "a new connection starts no new count")
        assert errors(page)[-1] == "too_much"


def test_a_session_has_a_bounded_number_of_lines() -> None:
    now, ada = datetime.now(UTC), Participant("p_1", "s", "Ada", 4, "HOST")
    old = [ChatLine("s", n, "p_1", "Ada", 4, "HOST", "x", now) for n in range(1, MAX_LINES)]
    kept: list[Entry[ChatLine]] = []
    log = ChatLog("s", old, kept.append)
    log.say(ada, "the last one")
    with pytest.raises(WireError, match="full"):
        log.say(ada, "one too many")
    assert [one.value.id for one in kept] == [MAX_LINES]
    assert len(log.after(MAX_LINES - 3)) == 3
    assert len(log.after(MAX_LINES + 1)) == MAX_LINES, "the page knows another server's lines"


async def test_chat_goes_on_without_the_database_and_survives_a_restart(
    make_server: MakeServer, make_database: Callable[[], str]
) -> None:
    with DatabaseLine(await asyncio.to_thread(make_database)) as line:
        place = await asyncio.to_thread(make_server, DATABASE_URL=line.url)
        ada = Visitor(place.url).sign_in("Ada Lovelace")
        slug = ada.start_session("Engines")
        async with ada.page(slug) as page:
            await say(page, "before")
            line.cut()
            await say(page, "meanwhile")
            assert lines(page) == ["before", "meanwhile"]
            await asyncio.to_thread(place.stop)
        line.mend()
        await asyncio.to_thread(place.start)
        async with ada.page(slug) as page:
            await page.until(lambda: page.of_type("people"))
            assert lines(page) == ["before", "meanwhile"]
            await say(page, "afterwards")
            assert [one["id"] for one in page.of_type("chat")] == [1, 2, 3]
        ada.end(slug)
        transcript = ada.http.get(f"/s/{slug}").text
        assert all(text in transcript for text in ("before", "meanwhile", "afterwards"))


async def test_the_transcript_has_chat_in_its_place(ada: Visitor, bob: Visitor, slug: str) -> None:
    async with ada.page(slug) as ada_page, bob.page(slug) as bob_page:
        await say(bob_page, "first, <in> the chat")
        await asyncio.sleep(0.3)  # when something was said is known to a tenth of a second
        await ada_page.mic(True)
        await ada_page.speak(silence(0.3) + SPEECH + silence(0.5), speed=1)
        await ada_page.mic(False)
        await bob_page.until(lambda: bob_page.finals)
        await say(ada_page, "last of all")
    ada.end(slug)
    page = unescape(ada.http.get(f"/s/{slug}").text)
    texts = ["first, <in> the chat", bob_page.finals[0]["text"], "last of all"]
    places = [page.index(text) for text in texts]
    assert places == sorted(places)
    assert page.count("in the chat</span>") == 2
