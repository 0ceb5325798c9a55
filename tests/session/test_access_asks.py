"""Whether each act really asks the table: what happens where an action is nobody’s."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.access import Action, Standing
from tests.conftest import MakeServer
from tests.emulators.wordaudio import silence
from tests.support.access_ways import WAYS, Place, make_stage
from tests.support.tables import Tables
from tests.support.visitors import RoomPage
from tests.support.waiting import wait_until

ASKS_A_FILE = """
import os, pathlib
from core.access import table

class Table(dict):
    def __getitem__(self, action):
        nobodys = pathlib.Path(os.environ["NOBODYS"]).read_text().split()
        return frozenset() if action.name in nobodys else super().__getitem__(action)

table.MAY = Table(table.MAY)
import app
app.serve()
"""
MOST: dict[Action, Standing] = {Action.NAME: Standing.WAITING, Action.KNOCK: Standing.WAITING}


@dataclass(frozen=True)
class Strict(Place):
    """A place where `forbidden` makes actions nobody's for a while."""

    file: Path

    @contextmanager
    def forbidden(self, *actions: Action) -> Iterator[None]:
        self.file.write_text(" ".join(one.name for one in actions))
        try:
            yield
        finally:
            self.file.write_text("")


@pytest.fixture(scope="module")
def strict(
    make_server_in: MakeServer,
    make_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Strict:
    url, file = make_database(), tmp_path_factory.mktemp("table") / "nobodys"
    file.write_text("")
    server = make_server_in(
        command=[sys.executable, "-c", ASKS_A_FILE],
        DATABASE_URL=url,
        LIVEKIT_URL="ws://localhost:9",
        NOBODYS=str(file),
    )
    return Strict(server, Tables(url), file)


@pytest.mark.parametrize("action", Action, ids=lambda one: one.name.lower())
def test_nobody_does_what_the_table_forbids(strict: Strict, action: Action) -> None:
    stage = make_stage(strict, MOST.get(action, Standing.HOST))
    with strict.forbidden(action):
        worked = WAYS[action](stage)
        if asyncio.iscoroutine(worked):
            worked = asyncio.run(worked)
        assert worked is False


def test_where_what_hosts_see_and_all_read_is_offered(strict: Strict) -> None:
    """Pages leave out what the table forbids; none shows what it would refuse."""
    stage = make_stage(strict, Standing.HOST)

    def offered() -> tuple[bool, ...]:
        assert stage.knocker.knock(stage.slug)[0] == 202
        html = stage.ada.http.get("/").text
        row = html[html.index(f'id="session-{stage.slug}"') :].partition("</li>")[0]
        lobby = stage.ada.http.get(f"/s/{stage.slug}").text
        left = stage.ada.http.get(f"/s/{stage.slug}/left").status_code == 200
        so_far = f"/s/{stage.slug}/transcript"
        settings = f'hx-get="/s/{stage.slug}/settings"' in row
        return "1 person waits" in row, so_far in row, so_far in lobby, left, settings

    async def come() -> None:
        async with stage.ada.page(stage.slug):
            pass

    asyncio.run(come())
    left = (
        "SELECT count(*) FROM participants p JOIN sessions s ON s.id = session_id"
        " WHERE slug = $1 AND p.left_at IS NOT NULL"
    )
    wait_until(lambda: stage.place.tables.one(left, stage.slug))
    assert offered() == (True, True, True, True, True)
    with strict.forbidden(Action.SEE_WAITING):
        assert offered() == (False, True, True, True, True)
    with strict.forbidden(Action.READ):
        assert offered() == (True, False, False, False, True)
    with strict.forbidden(Action.SETTINGS):
        assert offered() == (True, True, True, True, False)
    settings = f"/s/{stage.slug}/settings"
    assert f'action="/s/{stage.slug}/end"' in stage.ada.http.get(settings).text
    with strict.forbidden(Action.END):
        assert f'action="/s/{stage.slug}/end"' not in stage.ada.http.get(settings).text


async def test_who_sees_knocks_is_counted_for_who_knocks(strict: Strict) -> None:
    stage = await asyncio.to_thread(make_stage, strict, Standing.GUEST)
    async with stage.ada.page(stage.slug), stage.who.page(stage.slug):
        answer = await asyncio.to_thread(stage.knocker.knock, stage.slug)
        assert answer[1]["hosts"] == 1, "and not the guest"
        with strict.forbidden(Action.SEE_WAITING):
            answer = await asyncio.to_thread(stage.knocker.knock, stage.slug)
            assert answer[1]["hosts"] == 0


async def test_whom_hosts_denied_is_read_anew_for_who_sees_them(strict: Strict) -> None:
    stage = await asyncio.to_thread(make_stage, strict, Standing.GUEST)
    deny = "UPDATE participants SET state = 'DENIED' WHERE identity = $1"  # by another process

    def denied(page: RoomPage) -> list[str]:
        told = page.of_type("people")
        return [one["name"] for one in told[-1]["denied"]] if told else []

    async with stage.ada.page(stage.slug) as ada:
        kay = await asyncio.to_thread(stage.identity, "Kay")
        await asyncio.to_thread(strict.tables, deny, kay)
        async with stage.who.page(stage.slug) as who:
            await ada.until(lambda: len(ada.of_type("people")[-1]["people"]) == 2)
            assert denied(ada) == []
            async with stage.ada.page(stage.slug) as second:
                await second.until(lambda: denied(second) == ["Kay"])
                await ada.until(lambda: denied(ada) == ["Kay"])
            assert denied(who) == []


MESSAGES: list[tuple[Action, dict[str, Any]]] = [
    (Action.SPEAK, {"type": "mic", "on": True}),
    (Action.SPEAK, {"type": "lost", "from": 0, "until": 16000}),
    (Action.LISTEN, {"type": "take"}),
    (Action.CHAT, {"type": "chat", "text": "Hello."}),
    (Action.HAND, {"type": "hand", "up": True}),
    (Action.REACT, {"type": "reaction", "emoji": "👏"}),
]


def is_news(message: dict[str, Any]) -> bool:
    """Whether somebody has said or shown something."""
    if message["type"] == "people":
        return any(one["hand"] for one in message["people"])
    if message["type"] == "speech":
        return bool(message["state"] != "paused")
    return message["type"] in {"chat", "reaction", "utterance"}


@pytest.mark.parametrize(("action", "message"), MESSAGES)
async def test_every_message_asks_at_its_moment(
    strict: Strict, action: Action, message: dict[str, Any]
) -> None:
    """Who came in when they might is asked again; nothing of it reaches others."""
    stage = await asyncio.to_thread(make_stage, strict, Standing.GUEST)
    async with stage.ada.page(stage.slug) as ada, stage.who.page(stage.slug) as page:
        await ada.until(lambda: len(ada.of_type("people")[-1]["people"]) == 2)
        before = len(ada.messages)
        with strict.forbidden(action):
            await page.send(message)
            if message["type"] == "mic":  # audio asks for a refused microphone
                await page.send_frame(0, silence(0.04))
            await page.until(lambda: page.of_type("error"))
            await allowed_still(page, ada, action)
        assert [one["code"] for one in page.of_type("error")] == ["not_allowed"]
        news = [one for one in ada.messages[before:] if is_news(one)]
        assert len(news) == 1, news
        await page.send(message)
        if message["type"] != "take":  # which changes nothing with one page
            await ada.until(lambda: sum(map(is_news, ada.messages[before:])) == 2)
        assert len(page.of_type("error")) == 1


async def allowed_still(page: RoomPage, other: RoomPage, action: Action) -> None:
    """Do something else that is allowed, and wait until it was seen: all before it is done."""
    if action is Action.CHAT:
        await page.send({"type": "reaction", "emoji": "🎉"})
        await other.until(lambda: other.of_type("reaction"))
    else:
        await page.send({"type": "chat", "text": "The end."})
        await other.until(lambda: other.of_type("chat"))


async def test_a_microphone_refused_by_the_table_comes_on_once_it_may(strict: Strict) -> None:
    stage = await asyncio.to_thread(make_stage, strict, Standing.GUEST)
    async with stage.ada.page(stage.slug) as ada, stage.who.page(stage.slug) as page:
        with strict.forbidden(Action.SPEAK):
            await page.mic(True)
            await page.speak(silence(2))
            await page.until(lambda: page.of_type("error"))
            await allowed_still(page, ada, Action.SPEAK)
        assert not any(map(is_news, ada.of_type("speech")))
        await page.speak(silence(0.2))
        await ada.until(lambda: any(map(is_news, ada.of_type("speech"))))
        assert [one["code"] for one in page.of_type("error")] == ["not_allowed"]
        assert page.closed is None, "audio of who waits for leave is no mistake"
