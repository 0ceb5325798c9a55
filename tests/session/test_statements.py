"""How often the database is asked, and what happens when a host decides between two questions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from core.database import Database
from core.store import access, participants, sessions, spaces
from core.store import people as users
from core.store.keys import digest_of
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.statement_line import StatementLine
from tests.support.tables import Tables
from tests.support.visitors import RoomPage, Visitor
from tests.support.waiting import until

# From the click on Join to captions, in a room that isn't in memory: look at the door, let in,
# note the call; show the token, come in; load what was said, its corrections and the chat, claim
# the room.
JOIN_MOST = 9
# Look at the door; load who was there, what was said and written, the pauses, who spoke when, into
# what it was translated, what an AI made of it, how long it is kept, the usage.
# And what notes that somebody has left may come as late as this.
TRANSCRIPT_MOST = 10
PAGE_MOST = 2  # look at the door, and make a participant of who comes for the first time
ATTEMPTS = 2  # what a server does by itself may fall into one, and only adds: the least is true
WAITS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
ARRIVING = "arrived AS ("  # the statement that notes that a page has come


@dataclass(frozen=True)
class Place:
    server: AppServer
    line: StatementLine
    tables: Tables


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer, make_database: Callable[[], str]) -> Iterator[Place]:
    url = make_database()
    with StatementLine(url) as line:
        server = make_server_in(DATABASE_URL=line.url, LIVEKIT_URL="ws://localhost:9")
        line.know_routine()
        yield Place(server, line, Tables(url))
        server.stop()


@pytest.fixture
def ada(place: Place) -> Visitor:
    return Visitor(place.server.url).sign_in("Ada Lovelace")


Case = Callable[[Place, Visitor], tuple[Visitor, str]]


def host(place: Place, ada: Visitor) -> tuple[Visitor, str]:
    """Who has started a session and sees its page."""
    slug = ada.start_session("Statements")
    return ada, slug


def host_of_denied(place: Place, ada: Visitor) -> tuple[Visitor, str]:
    """Who hosts a session where somebody was sent away."""
    slug = ada.start_session("Statements", admission="KNOCK")
    Visitor(place.server.url).be_guest(slug, "Mallory").knock(slug)
    denied = "UPDATE participants SET state = 'DENIED' WHERE name = 'Mallory'"
    place.tables(denied)
    return ada, slug


def member(place: Place, ada: Visitor) -> tuple[Visitor, str]:
    """Who belongs to the session's space."""
    slug = ada.start_session("Statements", admission="MEMBERS")
    grace = Visitor(place.server.url).sign_in("Grace Hopper")
    place.tables(
        "INSERT INTO members (space_id, user_id, role) SELECT s.space_id, u.id, 'MEMBER'"
        " FROM sessions s, users u WHERE s.slug = $1 AND u.name = 'Grace Hopper'"
        " ON CONFLICT DO NOTHING",
        slug,
    )
    return grace, slug


def stranger(place: Place, ada: Visitor) -> tuple[Visitor, str]:
    """Who is signed in, and of another space."""
    return Visitor(place.server.url).sign_in("Mary Shelley"), ada.start_session("Statements")


def guest(place: Place, ada: Visitor) -> tuple[Visitor, str]:
    """Who has given a name where anyone comes in."""
    slug = ada.start_session("Statements")
    return Visitor(place.server.url).be_guest(slug, "Bob"), slug


def admitted(place: Place, ada: Visitor) -> tuple[Visitor, str]:
    """Who has knocked and was let in."""
    slug = ada.start_session("Statements", admission="KNOCK")
    bob = Visitor(place.server.url).be_guest(slug, "Bob")
    assert bob.knock(slug)[0] == 202
    assert ada.host(slug, "admit-all") == (204, "")
    return bob, slug


CASES: list[Case] = [host, host_of_denied, member, stranger, guest, admitted]


async def fewest(place: Place, attempt: Callable[[], Awaitable[list[str]]]) -> list[str]:
    """Return the statements of the attempt with the fewest."""
    return min([await attempt() for _ in range(ATTEMPTS)], key=len)


def shown(statements: list[str]) -> str:
    return "\n".join(f"{n}: {' '.join(sql.split())}" for n, sql in enumerate(statements, 1))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("page_first", [True, False], ids=["from the page", "at once"])
async def test_a_join_asks_little(place: Place, ada: Visitor, case: Case, page_first: bool) -> None:
    async def attempt() -> list[str]:
        who, slug = await asyncio.to_thread(case, place, ada)
        if page_first:
            await asyncio.to_thread(who.http.get, f"/s/{slug}")
        page = who.page(slug)
        with place.line.noted() as statements:
            await page.connect()  # from the click until what was said is there
        await page.leave()
        return statements

    asked = await fewest(place, attempt)
    assert len(asked) <= JOIN_MOST, shown(asked)
    assert any(ARRIVING in sql for sql in asked), "or nothing was counted"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("over", [False, True], ids=["so far", "in the end"])
async def test_a_transcript_asks_little(place: Place, ada: Visitor, case: Case, over: bool) -> None:
    async def attempt() -> list[str]:
        who, slug = await asyncio.to_thread(case, place, ada)
        async with who.page(slug):
            pass
        if over:
            assert (await asyncio.to_thread(ada.end, slug)).status_code == 303
        with place.line.noted() as statements:
            answer = await asyncio.to_thread(
                who.http.get, f"/s/{slug}" if over else f"/s/{slug}/transcript"
            )
            assert answer.status_code == 200
            assert 'id="transcript"' in answer.text
        return statements

    asked = await fewest(place, attempt)
    assert 0 < len(asked) <= TRANSCRIPT_MOST, shown(asked)


@pytest.mark.parametrize("case", CASES)
async def test_a_page_asks_little(place: Place, ada: Visitor, case: Case) -> None:
    async def attempt() -> list[str]:
        who, slug = await asyncio.to_thread(case, place, ada)
        with place.line.noted() as statements:
            assert (await asyncio.to_thread(who.http.get, f"/s/{slug}")).status_code == 200
        return statements

    asked = await fewest(place, attempt)
    assert 0 < len(asked) <= PAGE_MOST, shown(asked)


def test_a_hosts_act_by_nobody_known_asks_nothing(place: Place, ada: Visitor) -> None:
    slug, nobody = ada.start_session("Statements"), Visitor(place.server.url)
    attempts = []
    for _ in range(ATTEMPTS):
        with place.line.noted() as statements:
            assert nobody.host(slug, "mute-all") == (401, "signed_out")
        attempts.append(statements)
    assert min(attempts, key=len) == []


# What a host does while somebody is coming in: it is stored after the statement that notes the
# coming, whose answer is on its way meanwhile.


async def come_while(
    place: Place, ada: Visitor, slug: str, act: Callable[[str], tuple[int, str]], *, first: bool
) -> RoomPage:
    """Let Bob come in while Ada acts on him; `first`: into a room that isn't in memory yet."""
    bob = await asyncio.to_thread(Visitor(place.server.url).be_guest, slug, "Bob")
    passes = await asyncio.to_thread(bob.join, slug)
    page = bob.page(slug)
    others = ada.page(slug)
    if not first:
        await others.connect()
    try:
        async with place.line.kept_back(ARRIVING) as stuck:
            coming = asyncio.create_task(page.connect())
            assert await stuck()
            status, _ = await asyncio.to_thread(act, passes["you"]["identity"])
            assert status in (200, 204, 303)
        await coming
    finally:
        await others.leave()
    return page


@pytest.mark.parametrize("first", [True, False], ids=["first", "among others"])
async def test_who_is_removed_while_coming_in_is_out(
    place: Place, ada: Visitor, first: bool
) -> None:
    slug = ada.start_session("Statements")
    page = await come_while(
        place, ada, slug, lambda bob: ada.host(slug, f"people/{bob}/remove"), first=first
    )
    assert await page.until_closed() == 4401
    await page.leave()


@pytest.mark.parametrize("first", [True, False], ids=["first", "among others"])
async def test_a_session_that_ends_while_somebody_comes_in_is_over_for_them(
    place: Place, ada: Visitor, first: bool
) -> None:
    slug = ada.start_session("Statements")
    page = await come_while(
        place, ada, slug, lambda _: (ada.end(slug).status_code, ""), first=first
    )
    assert await page.until_closed() == 4410
    await page.leave()


@pytest.mark.parametrize("first", [True, False], ids=["first", "among others"])
async def test_who_is_made_host_while_coming_in_is_one(
    place: Place, ada: Visitor, first: bool
) -> None:
    slug = ada.start_session("Statements")
    page = await come_while(
        place, ada, slug, lambda bob: ada.host(slug, f"people/{bob}/host"), first=first
    )

    def is_host() -> bool:
        told = page.of_type("people")
        people = told[-1]["people"] if told else []
        return any(one["name"] == "Bob" and one["role"] == "HOST" for one in people)

    await page.until(is_host)
    await page.leave()


async def test_what_is_set_while_the_first_comes_in_is_told_to_them(
    place: Place, ada: Visitor
) -> None:
    slug = ada.start_session("Statements")
    page = await come_while(
        place, ada, slug, lambda _: ada.host(slug, "settings", title="New"), first=True
    )
    await page.until(lambda: [one["title"] for one in page.of_type("session")] == ["New"])
    await page.leave()


async def test_two_who_begin_a_session_at_once_have_one_beginning(
    make_database: Callable[[], str],
) -> None:
    """The second's statement was asked while the first's wasn't done: it sees what came of it."""
    url = await asyncio.to_thread(make_database)
    db = Database(url)
    await db.connect()
    tables = Tables(url)
    try:
        ada = await users.create(db, "test", "ada", "Ada", "ada@example.com")
        space = await spaces.first_space(db, ada.id, "Space")
        session = await sessions.create(db, space, ada.id, "Statements")
        me = await participants.for_user(db, session.id, ada, "HOST", "ADMITTED")
        first = datetime.now(UTC)
        key = digest_of(await users.open_login(db, ada.id, first, timedelta(days=1)))
        other = await asyncpg.connect(**tables.where)
        transaction = other.transaction()
        await transaction.start()
        await other.execute(
            "UPDATE sessions SET status = 'LIVE', started_at = $1 WHERE slug = $2",
            first,
            session.slug,
        )
        coming = asyncio.create_task(
            access.come_in(db, session.id, me.identity, key, first + timedelta(seconds=9))
        )
        await until(lambda: asyncio.to_thread(tables.one, WAITS))
        await transaction.commit()
        await other.close()
        found = await coming
        assert found is not None
        assert found.participant is not None
        assert found.key_open
        assert (found.session.status, found.session.started_at) == ("LIVE", first)
    finally:
        await db.disconnect()
