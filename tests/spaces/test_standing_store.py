"""Standing rooms in the database: exactly one open meeting each, whoever ends it and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from core.database import Database
from core.model import Person, Planning
from core.store import sessions, standing_rooms
from core.store.standing_rooms import StandingRoom
from tests.support.tables import Tables

OPEN = "SELECT * FROM sessions WHERE standing_room = $1 AND status IN ('CREATED', 'LIVE')"
HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Place:
    """Databases as several processes have them, a space, and who made its rooms."""

    nodes: list[Database]
    url: str
    space: str
    user: str

    @property
    def db(self) -> Database:
        return self.nodes[0]

    @property
    def person(self) -> Person:
        return Person(self.user, "Ada", "ada@example.com", 1)

    async def room(self, title: str = "Weekly", at: datetime | None = None) -> StandingRoom:
        planning = Planning(at, "1. Ferries\n2. Rest", "Mondays at 9")
        made = await standing_rooms.create(
            self.db, self.space, self.person, title, "KNOCK", planning=planning
        )
        assert made is not None
        return made

    async def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        found = await asyncio.to_thread(Tables(self.url), sql, *values)
        return [dict(row) for row in found]

    async def meeting(self, room: StandingRoom) -> dict[str, Any]:
        """Return the room's open meeting, of which there is one."""
        (row,) = await self.rows(OPEN, UUID(room.id))
        return row


@pytest.fixture
async def place(make_database: Callable[[], str]) -> AsyncIterator[Place]:
    url = await asyncio.to_thread(make_database)
    nodes = [Database(url) for _ in range(3)]
    for one in nodes:
        await one.connect()
    user = await nodes[0].returning(
        "INSERT INTO users (name, email, hue) VALUES ('Ada', 'ada@example.com', 1) RETURNING id"
    )
    space = await nodes[0].returning("INSERT INTO spaces (name) VALUES ('Ferries') RETURNING id")
    await nodes[0].execute(
        "INSERT INTO members (space_id, user_id, role) VALUES (:space, :user, 'MEMBER')",
        space=space["id"],
        user=user["id"],
    )
    yield Place(nodes, url, str(space["id"]), str(user["id"]))
    for one in nodes:
        await one.disconnect()


async def end(db: Database, session: UUID) -> bool:
    return await sessions.end(db, str(session), by=None, reason="ADMIN_ENDED", now=now())


async def test_ending_at_once_everywhere_leaves_one_open_meeting(place: Place) -> None:
    room = await place.room()
    seen = {(await place.meeting(room))["slug"]}
    for turn in range(1, 6):
        meeting = await place.meeting(room)
        ends = [end(node, meeting["id"]) for node in place.nodes for _ in range(3)]
        assert sum(await asyncio.gather(*ends)) == 1
        following = await place.meeting(room)
        assert following["slug"] not in seen
        assert (following["title"], following["agenda"]) == ("Weekly", "1. Ferries\n2. Rest")
        assert (following["status"], following["recurs"]) == ("CREATED", "Mondays at 9")
        assert str(following["created_by"]) == place.user
        seen.add(following["slug"])
        assert len(await place.rows("SELECT FROM sessions")) == turn + 1
    assert await standing_rooms.meeting_of(place.db, room.slug) == following["slug"]


async def test_meetings_that_are_left_end_and_are_followed(place: Place) -> None:
    rooms = [await place.room(f"Room {n}") for n in range(5)]
    begun = "UPDATE sessions SET status = 'LIVE', started_at = now() - interval '1 hour'"
    await place.rows(begun)
    empty = [sessions.end_empty(one, now(), now()) for one in place.nodes]
    ended = [one for share in await asyncio.gather(*empty) for one in share]
    assert len(ended) == 5
    assert {one.standing_room for one in ended} == {one.id for one in rooms}
    for room in rooms:
        assert (await place.meeting(room))["status"] == "CREATED"


async def test_what_waits_in_a_room_never_expires(place: Place) -> None:
    room = await place.room(at=now())
    old = "UPDATE sessions SET created_at = now() - interval '90 days', planned_at = created_at"
    await place.rows(old)
    await sessions.expire(place.db, now(), now())
    assert (await place.meeting(room))["status"] == "CREATED"


async def test_a_time_that_is_to_come_stays_with_who_only_had_a_look(place: Place) -> None:
    later = now() + HOUR
    room = await place.room(at=later)
    await end(place.db, (await place.meeting(room))["id"])
    assert (await place.meeting(room))["planned_at"] == later
    await place.rows("UPDATE sessions SET planned_at = now() - interval '1 minute'")
    await end(place.db, (await place.meeting(room))["id"])
    assert (await place.meeting(room))["planned_at"] is None


async def test_who_has_left_the_space_hosts_no_further_meeting(place: Place) -> None:
    room = await place.room()
    await place.rows("DELETE FROM members")
    await end(place.db, (await place.meeting(room))["id"])
    assert (await place.meeting(room))["created_by"] is None


async def test_a_change_is_of_the_next_meeting_and_of_none_that_goes_on(place: Place) -> None:
    room = await place.room()
    other = Planning(now() + HOUR, "Other", "Fridays")
    assert await standing_rooms.change(place.db, room, "New", "ANYONE", planning=other)
    assert not await standing_rooms.change(place.db, room, "Newer", "ANYONE", planning=other)
    meeting = await place.meeting(room)
    assert (meeting["title"], meeting["agenda"], meeting["admission"]) == ("New", "Other", "ANYONE")
    assert (meeting["planned_at"], meeting["recurs"]) == (other.at, "Fridays")
    await place.rows("UPDATE sessions SET status = 'LIVE', started_at = now()")
    (found,) = await standing_rooms.of_space(place.db, place.space, place.user)
    assert (found.here, found.membership, found.meeting.status) == (0, "MEMBER", "LIVE")
    third = Planning(None, "Third", "")
    assert await standing_rooms.change(place.db, found.room, "Newest", "KNOCK", planning=third)
    assert (await place.meeting(room))["title"] == "New"
    await end(place.db, meeting["id"])
    assert (await place.meeting(room))["agenda"] == "Third"


async def test_a_room_that_goes_leaves_what_was_said(place: Place) -> None:
    room = await place.room()
    past = (await place.meeting(room))["id"]
    await end(place.db, past)
    await standing_rooms.delete(place.db, room, place.person)
    (left,) = await place.rows("SELECT * FROM sessions")
    assert (left["id"], left["standing_room"], left["status"]) == (past, None, "ENDED")
    assert await standing_rooms.meeting_of(place.db, room.slug) is None


async def test_deleting_a_room_while_its_meeting_ends_leaves_nothing_open(place: Place) -> None:
    for _ in range(10):
        room = await place.room()
        meeting = (await place.meeting(room))["id"]
        await place.rows("UPDATE sessions SET status = 'LIVE' WHERE id = $1", meeting)
        deleting = standing_rooms.delete(place.nodes[1], room, place.person)
        await asyncio.gather(end(place.nodes[0], meeting), deleting)
        left = await place.rows("SELECT slug FROM sessions WHERE status IN ('CREATED', 'LIVE')")
        assert not left


async def test_a_space_has_so_many_rooms_at_most(place: Place) -> None:
    for n in range(standing_rooms.MAX_ROOMS):
        await place.room(f"Room {n}")
    more = standing_rooms.create(
        place.db, place.space, place.person, "One more", "KNOCK", planning=Planning()
    )
    assert await more is None
    made = await place.rows("SELECT FROM sessions")
    assert len(made) == standing_rooms.MAX_ROOMS
