"""Two servers on one database: what is decided at one holds in rooms of the other in seconds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence, speak
from tests.speech.gladia_rooms import WORDS
from tests.support.app_server import AppServer
from tests.support.tables import Tables
from tests.support.visitors import RoomPage, Visitor
from tests.support.waiting import wait_until

SECRET = "one secret for both, as behind one address"
UNHEARD = WORDS[700:704]
WITHIN = 10.0  # seconds: each looks every second or two, on an idle machine
NO_MEMBER = 4404
QUIET = silence(60)  # what passed meanwhile, generously: no clock goes back


@dataclass(frozen=True)
class Nodes:
    """Two servers. All pages of these tests are at the first, all that is done at the second."""

    first: AppServer
    second: AppServer
    tables: Tables

    def at_second(self, visitor: Visitor) -> Visitor:
        """The same browser at the other server."""
        other = Visitor(self.second.url)
        other.http.cookies.update(visitor.http.cookies)
        return other


@pytest.fixture(scope="module")
def nodes(gladia: GladiaEmulator, make_server_in: MakeServer) -> Iterator[Nodes]:
    shared = {
        "NEXTAUTH_SECRET": SECRET,
        "TRANSCRIPTION_JWT_SECRET": SECRET,
        "GLADIA_API_KEY": gladia.api_key,
        "GLADIA_API_URL": gladia.url,
    }
    first = make_server_in(**shared)
    shared["DATABASE_URL"] = first.database_url
    second = make_server_in(**shared)
    yield Nodes(first, second, Tables(first.database_url))
    for one in (first, second):  # before their Gladia, for whose last words they would wait
        one.stop()


class Meeting:
    """A session of somebody with a space of their own, and Bob in it."""

    def __init__(self, nodes: Nodes, host: str) -> None:
        self.host = Visitor(nodes.first.url).sign_in(host)
        self.slug = self.host.start_session()
        self.there = nodes.at_second(self.host)
        self.bob = Visitor(nodes.first.url).be_guest(self.slug, "Bob")
        self.space = str(
            nodes.tables.one("SELECT space_id FROM sessions WHERE slug = $1", self.slug)
        )


async def says(page: RoomPage, *words: str) -> None:
    await page.mic(True)
    page.record(QUIET)
    await page.speak(speak([*words]) + silence(1))
    await page.until(lambda: page.text.split()[-len(words) :] == [*words])
    assert not {*UNHEARD} & {*page.text.split()}


async def is_not_heard(page: RoomPage, gladia: GladiaEmulator) -> None:
    """Say something all the same, and let the server read it."""
    before = sum(len(one.received) for one in gladia.sessions)
    await page.mic(True)
    page.record(QUIET)
    await page.speak(speak(UNHEARD) + silence(1))
    lines = len(page.of_type("chat"))
    await page.send({"type": "chat", "text": "That was all."})
    await page.until(lambda: len(page.of_type("chat")) > lines)
    assert sum(len(one.received) for one in gladia.sessions) == before


async def does(visitor: Visitor, slug: str, what: str, **form: str) -> None:
    assert await asyncio.to_thread(visitor.host, slug, what, **form) == (204, "")


async def test_a_pause(nodes: Nodes, gladia: GladiaEmulator) -> None:
    meeting = await asyncio.to_thread(Meeting, nodes, "Paula")
    async with meeting.bob.page(meeting.slug) as page:
        await says(page, *WORDS[:3])
        await does(meeting.there, meeting.slug, "pause")
        await page.until(lambda: page.of_type("pauses"), WITHIN)
        [pause] = page.of_type("pauses")[-1]["pauses"]
        assert pause["end"] is None
        await is_not_heard(page, gladia)
        await does(meeting.there, meeting.slug, "resume")
        await page.until(lambda: page.of_type("pauses")[-1]["pauses"][-1]["end"], WITHIN)
        await says(page, *WORDS[3:6])


async def test_consent(nodes: Nodes, gladia: GladiaEmulator) -> None:
    """An owner asks, and Bob answers, where the room isn't."""
    meeting = await asyncio.to_thread(Meeting, nodes, "Conny")
    bob = nodes.at_second(meeting.bob)

    async def told(page: RoomPage, asked: str, given: bool | None) -> None:
        await page.until(
            lambda: (
                page.of_type("consent")
                and page.of_type("consent")[-1]
                == {"type": "consent", "asked": asked, "given": given}
            ),
            WITHIN,
        )

    async with meeting.bob.page(meeting.slug) as page:
        await says(page, *WORDS[:3])
        address = f"/spaces/{meeting.space}/consent"
        asks = await asyncio.to_thread(
            meeting.there.http.post,
            address,
            data={"consent": "REQUIRED"},
            headers={"Accept": "application/json"},
        )
        assert asks.status_code == 204
        await told(page, "REQUIRED", None)
        await is_not_heard(page, gladia)
        await does(bob, meeting.slug, "consent", consent="yes")
        await told(page, "REQUIRED", True)
        await says(page, *WORDS[3:6])
        await does(bob, meeting.slug, "consent", consent="no")
        await told(page, "REQUIRED", False)
        await is_not_heard(page, gladia)


async def test_a_removal_from_the_space(nodes: Nodes, gladia: GladiaEmulator) -> None:
    meeting = await asyncio.to_thread(Meeting, nodes, "Olga")
    name = "Mia Member"
    mia = await asyncio.to_thread(Visitor(nodes.first.url).sign_in, name)
    user = await asyncio.to_thread(nodes.tables.one, "SELECT id FROM users WHERE name = $1", name)
    join = "INSERT INTO members (space_id, user_id, role) VALUES ($1, $2, 'MEMBER')"
    await asyncio.to_thread(nodes.tables, join, meeting.space, user)
    async with mia.page(meeting.slug) as page, meeting.bob.page(meeting.slug) as guest:
        assert page.welcome["you"]["role"] == "MEMBER"
        await says(page, *WORDS[:3])
        removed = await asyncio.to_thread(
            meeting.there.http.post,
            f"/spaces/{meeting.space}/members/{user}/remove",
            headers={"Accept": "application/json"},
        )
        assert removed.status_code == 204
        assert await page.until_closed(WITHIN) == NO_MEMBER
        await guest.until(
            lambda: name not in [one["name"] for one in guest.of_type("people")[-1]["people"]]
        )
        assert guest.closed is None
        # They knock like any stranger, at either server.
        for one in (mia, nodes.at_second(mia)):
            assert (await asyncio.to_thread(one.knock, meeting.slug))[0] == 202
            shown = await asyncio.to_thread(one.http.get, f"/spaces/{meeting.space}")
            assert shown.status_code == 404


async def test_corrections(nodes: Nodes, gladia: GladiaEmulator) -> None:
    """What is corrected where the room isn't is on its pages, and on those that come or return."""
    meeting = await asyncio.to_thread(Meeting, nodes, "Cora")
    headers = {"Accept": "application/json"}

    async def correct(path: str, at: Visitor, **form: str) -> dict[str, Any]:
        address = f"/s/{meeting.slug}/transcript/{path}"
        answer = await asyncio.to_thread(at.http.post, address, data=form, headers=headers)
        assert answer.is_success, answer.text
        told: dict[str, Any] = answer.json() if answer.content else {}
        return told

    async def stored(how_many: int) -> None:
        sql = "SELECT count(*) FROM utterances JOIN sessions s ON s.id = session_id WHERE slug = $1"
        await asyncio.to_thread(wait_until, lambda: nodes.tables.one(sql, meeting.slug) >= how_many)

    async with meeting.bob.page(meeting.slug) as page, meeting.host.page(meeting.slug) as other:
        for begin in (0, 3, 6):
            await says(page, *WORDS[begin : begin + 3])
        await stored(3)
        ids = [one["id"] for one in page.finals]
        first, second, third = (" ".join(WORDS[begin : begin + 3]) for begin in (0, 3, 6))
        await other.drop()  # and comes back once all is over
        assert [one["text"] for one in other.finals] == [first, second, third]

        await correct("lines/1", meeting.there, text="One\nTwo", revision="0")
        await page.until(lambda: len(page.of_type("corrected")) == 1, WITHIN)
        await correct("lines/2/hide", meeting.host, revision="0")
        await correct("lines/3", meeting.there, text="Three", speaker="several", revision="0")
        bob = next(one["identity"] for one in page.finals)
        await correct(f"speakers/{bob}", meeting.there, name="Robert", revision="0")
        expected = [
            (ids[0], "Robert", "One"),
            (f"{ids[0]}.1", "Robert", "Two"),
            (ids[2], "None", "Three"),
        ]
        await page.until(lambda: page.shown == expected, WITHIN)

        # Who was away gets what it lacks and no more; who comes late, what was hidden never.
        told = len(other.messages)
        await other.connect()
        await other.until(lambda: other.shown == expected)
        again = [one["type"] for one in other.messages[told:]]
        assert again.count("corrected") == 3
        assert "utterance" not in again
        async with meeting.bob.page(meeting.slug) as late:
            await late.until(lambda: late.shown == expected)
            assert second not in json.dumps(late.messages)
            assert first not in json.dumps(late.messages)
            numbers = [one["seq"] for one in late.messages if one["type"] == "corrected"]
            assert numbers == [1, 2, 3]
        told = len(other.messages)
        await other.drop()
        await other.connect()
        await says(page, *WORDS[9:12])
        fourth = " ".join(WORDS[9:12])
        await other.until(lambda: other.shown[-1][1:] == ("Robert", fourth))
        assert "corrected" not in [one["type"] for one in other.messages[told:]]

        # Joined and restored, with the name that is theirs.
        at = nodes.tables.one
        sql = (
            "SELECT max(revision) FROM corrected_lines JOIN sessions s ON s.id = session_id"
            " WHERE slug = $1 AND seq = 1 AND part = $2"
        )
        revisions = [str(await asyncio.to_thread(at, sql, meeting.slug, part)) for part in (0, 1)]
        form = {"revision": revisions[0], "next": "1.1", "next_revision": revisions[1]}
        await correct("lines/1/join", meeting.there, **form)
        await page.until(lambda: page.shown[0] == (ids[0], "Robert", "One Two"), WITHIN)
        for name in ("1", "2", "3"):
            await correct(f"lines/{name}/restore", meeting.there, seen="999999999")
        revision = (
            "SELECT k.revision FROM speakers k JOIN sessions s ON s.id = session_id"
            " WHERE slug = $1 AND speaker = $2"
        )
        seen = str(await asyncio.to_thread(at, revision, meeting.slug, bob))
        await correct(f"speakers/{bob}", meeting.there, name="Bob", revision=seen)
        whole = [(id_, "Bob", text) for id_, text in zip(ids, (first, second, third), strict=True)]
        for one in (page, other):
            await one.until(lambda one=one: one.shown[:3] == whole, WITHIN)  # type: ignore[misc]
        # The room is empty, and made anew from what is stored.
        await correct("lines/2/hide", meeting.there, revision="0")
        await page.until(lambda: len(page.shown) == 3, WITHIN)
    async with meeting.bob.page(meeting.slug) as late:
        await late.until(lambda: len(late.shown) == 3)
        assert second not in json.dumps(late.messages)
