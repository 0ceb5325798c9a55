"""Rooms: what is said within one turn of the event loop goes out together, in order, once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from core.model import Participant, Role
from core.room.commands import Mute, Remove, obey
from core.room.room import Room
from core.room.rooms import Rooms
from core.room.seat import Seat
from core.room.session import RoomSession
from core.room.wire import CLOSE_ENDED, CLOSE_REMOVED, Batch, Hello, Message
from core.speech.engines import OffEngine
from core.speech.microphone import MicrophoneOptions
from core.speech.reasons import Reason
from tests.room.test_abandoned import Memory
from tests.support.alone import Alone

SESSION = RoomSession("session", "room", "Title", "LIVE", datetime.now(UTC))


@dataclass
class Page:
    """Listener: notes what it is told, a list for each time it is told something."""

    past: list[dict[str, Any]] = field(default_factory=list)
    told: list[list[dict[str, Any]]] = field(default_factory=list)
    code: int | None = None
    unsent: int = 0

    def replay(self, messages: list[Message]) -> None:
        self.past = [json.loads(message.payload) for message in messages]

    def send(self, batch: Batch) -> None:
        if self.code is None:
            self.told.append([json.loads(message.payload) for message in batch.messages])

    def close(self, code: int) -> None:
        self.code = code

    @property
    def lines(self) -> list[str]:
        """The chat lines it knows, of the past and since."""
        known = [*self.past, *(one for many in self.told for one in many)]
        return [one["text"] for one in known if one["type"] == "chat"]

    @property
    def told_types(self) -> list[str]:
        return [one["type"] for many in self.told for one in many]


@dataclass
class Hall:
    """A hub with one session."""

    rooms: Rooms

    async def enter(self, name: str, role: Role = "GUEST") -> tuple[Seat, Page]:
        who, page = Participant(f"p_{name}", "session", name, 2, role), Page()
        seat = await self.rooms.enter(SESSION, who, Hello(f"client-{name}"), page)
        page.told.clear()
        return seat, page

    @property
    def room(self) -> Room:
        room = self.rooms.room("session")
        assert room is not None
        return room


@pytest.fixture
async def hall() -> AsyncIterator[Hall]:
    rooms = Rooms(OffEngine(Reason("switched_off")), Memory(), Alone(), MicrophoneOptions())
    rooms.start()
    yield Hall(rooms)
    await rooms.close()


async def test_what_comes_in_one_turn_of_the_loop_is_handed_over_at_once_and_in_order(
    hall: Hall,
) -> None:
    (ada, ada_page), (_, bob_page) = await hall.enter("ada"), await hall.enter("bob")
    ada_page.told.clear()
    for number in range(5):
        ada.say(str(number))
    await asyncio.sleep(0)
    ada.say("later")
    await asyncio.sleep(0)
    for page in (ada_page, bob_page):
        assert [[one["text"] for one in many] for many in page.told] == [list("01234"), ["later"]]


async def test_who_comes_in_the_same_turn_gets_every_line_once(hall: Hall) -> None:
    ada, ada_page = await hall.enter("ada")
    ada.say("before")
    entering = asyncio.create_task(hall.enter("bob"))
    ada.say("between")
    _, bob_page = await entering
    ada.say("after")
    await asyncio.sleep(0)
    assert bob_page.lines == ada_page.lines == ["before", "between", "after"]


async def test_who_enters_without_waiting_is_not_told_again_what_was_replayed(hall: Hall) -> None:
    ada, _ = await hall.enter("ada")
    ada.say("before")
    bob, page = Participant("p_bob", "session", "bob", 2, "GUEST"), Page()
    hall.room.enter(bob, Hello("client-bob"), page, MicrophoneOptions())
    ada.say("after")
    await asyncio.sleep(0)
    assert page.lines == ["before", "after"]


async def test_what_one_page_is_told_comes_after_what_all_were_told_before(hall: Hall) -> None:
    ada, page = await hall.enter("ada")
    ada.say("first")
    ada.hand(True)
    ada.say("second")
    obey(hall.room, Mute("p_ada"))
    ada.say("third")
    await asyncio.sleep(0)
    others = [kind for kind in page.told_types if kind != "speech"]
    assert others == ["chat", "people", "chat", "muted", "chat"]


async def test_who_is_removed_has_got_what_was_said_until_then(hall: Hall) -> None:
    (ada, ada_page), (_, bob_page) = await hall.enter("ada"), await hall.enter("bob")
    ada.say("goodbye")
    obey(hall.room, Remove("p_bob"))
    assert bob_page.code == CLOSE_REMOVED
    assert bob_page.lines == ["goodbye"]
    ada.say("alone")
    await asyncio.sleep(0)
    assert ada_page.lines == ["goodbye", "alone"]
    assert bob_page.lines == ["goodbye"]


async def test_the_end_comes_last(hall: Hall) -> None:
    ada, page = await hall.enter("ada")
    ada.say("goodbye")
    await hall.rooms.end("session", "ended by a host")
    assert page.code == CLOSE_ENDED
    assert page.told_types[-2:] == ["chat", "session"]
