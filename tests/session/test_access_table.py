"""Every cell of docs/access.md, tried at the server's routes."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from core.access import MAY, Action, Standing
from tests.conftest import MakeServer
from tests.emulators.wordaudio import silence
from tests.support.app_server import AppServer
from tests.support.tables import Tables
from tests.support.visitors import RoomPage, Visitor
from tests.support.waiting import PATIENCE_S, wait_until

DOCUMENT = (Path(__file__).parent.parent.parent / "docs/access.md").read_text()


@dataclass(frozen=True)
class Place:
    server: AppServer
    tables: Tables


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer, make_database: Callable[[], str]) -> Place:
    url = make_database()
    nobody = "ws://localhost:9"
    return Place(make_server_in(DATABASE_URL=url, LIVEKIT_URL=nobody), Tables(url))


@dataclass
class Stage:
    """A session of Ada's with somebody of some standing, an admitted guest and one who knocks."""

    place: Place
    slug: str
    ada: Visitor
    who: Visitor
    knocker: Visitor
    target: str

    def identity(self, name: str) -> str:
        found = self.place.tables(
            "SELECT identity FROM participants p JOIN sessions s ON s.id = session_id"
            " WHERE slug = $1 AND p.name = $2",
            self.slug,
            name,
        )
        return str(found[0][0]) if found else "p_nobody"

    def token(self) -> str:
        """Return a token for /ws as no page could have it: whoever asks, well signed."""
        now = datetime.now(UTC)
        session = self.place.tables.one("SELECT id FROM sessions WHERE slug = $1", self.slug)
        identity = self.identity("Who")
        claims = {
            "sub": identity,
            "sessionId": str(session),
            "sessionSlug": self.slug,
            "identity": identity,
            "iat": now,
            "exp": now + timedelta(minutes=5),
        }
        return jwt.encode(claims, self.place.server.secret, algorithm="HS256")


def make_stage(place: Place, standing: Standing) -> Stage:
    url = place.server.url
    ada = Visitor(url).sign_in("Ada Lovelace")
    slug = ada.start_session("Table", admission="KNOCK")
    ada.join(slug)
    target, knocker, who = (Visitor(url) for _ in range(3))
    stage = Stage(place, slug, ada, who, knocker, "")
    target.be_guest(slug, "Target")
    knocker.be_guest(slug, "Kay").knock(slug)
    stage.target = stage.identity("Target")
    assert ada.host(slug, f"people/{stage.target}/admit") == (204, "")
    become(stage, standing)
    return stage


def become(stage: Stage, standing: Standing) -> None:
    who, slug = stage.who, stage.slug
    if standing is Standing.ANONYMOUS:
        return
    if standing in (Standing.OUTSIDER, Standing.MEMBER):
        who.sign_in("Who")
        if standing is Standing.MEMBER:
            add_member(stage)
            who.join(slug)
        return
    who.be_guest(slug, "Who")
    assert who.knock(slug)[0] == 202
    steps = {
        Standing.WAITING: [],
        Standing.GUEST: ["admit"],
        Standing.HOST: ["admit", "host"],
        Standing.DENIED: ["deny"],
        Standing.REMOVED: ["admit", "remove"],
    }
    for step in steps[standing]:
        if step == "remove":
            assert asyncio.run(listens(stage)), "who is removed was there"
        assert stage.ada.host(slug, f"people/{stage.identity('Who')}/{step}")[0] in (200, 204)


def add_member(stage: Stage) -> None:
    stage.place.tables(
        "INSERT INTO members (space_id, user_id, role) SELECT s.space_id, u.id, 'MEMBER'"
        " FROM sessions s, users u WHERE s.slug = $1 AND u.name = 'Who'"
        " ON CONFLICT DO NOTHING",
        stage.slug,
    )


# Each way returns whether it worked.


def opens(stage: Stage) -> bool:
    return stage.who.http.get(f"/s/{stage.slug}").status_code == 200


def names(stage: Stage) -> bool:
    stage.who.http.post(f"/s/{stage.slug}/guest", data={"name": "Nom de guerre"})
    return stage.identity("Nom de guerre") != "p_nobody"


def knocks(stage: Stage) -> bool:
    return stage.who.knock(stage.slug)[0] == 202


def joins(stage: Stage) -> bool:
    status, answer = stage.who.knock(stage.slug)
    return status == 200 and bool(answer["transcription"]["token"] and answer["video"]["token"])


async def in_room(stage: Stage, say: list[Any], hear: Callable[[dict[str, Any]], Any]) -> bool:
    """Connect to /ws with a token as good as can be, say something and wait to hear something."""
    token = await asyncio.to_thread(stage.token)
    offered = [Subprotocol("sessions.v1"), Subprotocol(token)]
    url = stage.place.server.url.replace("http", "ws") + "/ws"
    try:
        socket = await connect(url, subprotocols=offered, compression=None)
    except InvalidStatus as refusal:
        assert refusal.response.status_code == 404
        return False
    async with socket, asyncio.timeout(PATIENCE_S):
        await socket.send('{"type": "hello", "client": "abcdefgh"}')
        for one in say:
            await socket.send(one if isinstance(one, bytes) else json.dumps(one))
        return await heard(socket, hear)


async def heard(socket: ClientConnection, hear: Callable[[dict[str, Any]], Any]) -> bool:
    async for text in socket:
        message = json.loads(text)
        if message.get("code") == "not_allowed":
            return False
        if hear(message):
            return True
    return False


async def listens(stage: Stage) -> bool:
    return await in_room(stage, [], lambda message: message["type"] == "welcome")


async def speaks(stage: Stage) -> bool:
    frames = [index.to_bytes(8, "little") + silence(0.04) for index in range(0, 6400, 640)]
    said = [{"type": "mic", "on": True}, *frames]
    return await in_room(stage, said, lambda message: message.get("state") == "ready")


async def chats(stage: Stage) -> bool:
    line = {"type": "chat", "text": "Hello."}
    return await in_room(stage, [line], lambda message: message.get("text") == "Hello.")


async def raises_hand(stage: Stage) -> bool:
    def raised(message: dict[str, Any]) -> bool:
        people = message.get("people", []) if message["type"] == "people" else []
        return any(one["hand"] for one in people)

    return await in_room(stage, [{"type": "hand", "up": True}], raised)


async def reacts(stage: Stage) -> bool:
    reaction = {"type": "reaction", "emoji": "👏"}
    return await in_room(stage, [reaction], lambda message: message.get("emoji") == "👏")


async def sees_waiting(stage: Stage) -> bool:
    await asyncio.to_thread(stage.knocker.knock, stage.slug)
    seen: list[Any] = []

    def told(message: dict[str, Any]) -> bool:
        if message["type"] == "people":
            seen.extend(message["waiting"])
        return bool(message["type"] == "people")

    await in_room(stage, [], told)
    return [one["name"] for one in seen] == ["Kay"]


def hosts(what: str, **form: str) -> Callable[[Stage], bool]:
    def way(stage: Stage) -> bool:
        identity = stage.identity("Kay") if what in ("admit", "deny") else stage.target
        path = "settings" if what == "settings" else f"people/{identity}/{what}"
        status, code = stage.who.host(stage.slug, path, **form)
        refused = [(404, "not_found"), (401, "signed_out")]
        assert (status, code) in [(204, ""), (200, "unreachable"), *refused]
        return status < 400

    return way


def ends(stage: Stage) -> bool:
    status = stage.who.end(stage.slug).status_code
    assert status in (303, 401, 404)
    return bool(status == 303)


async def reads(stage: Stage) -> bool:
    await listens(stage)
    meanwhile = await asyncio.to_thread(stage.who.http.get, f"/s/{stage.slug}/transcript")
    assert meanwhile.status_code in (200, 404)
    assert (await asyncio.to_thread(stage.ada.end, stage.slug)).status_code == 303
    page = await asyncio.to_thread(stage.who.http.get, f"/s/{stage.slug}")
    assert page.status_code in (200, 403)
    assert (page.status_code == 200) is (meanwhile.status_code == 200)
    return page.status_code == 200 and "data-print" in page.text


WAYS: dict[Action, Callable[[Stage], Any]] = {
    Action.OPEN: opens,
    Action.NAME: names,
    Action.KNOCK: knocks,
    Action.JOIN: joins,
    Action.LISTEN: listens,
    Action.SPEAK: speaks,
    Action.CHAT: chats,
    Action.HAND: raises_hand,
    Action.REACT: reacts,
    Action.SEE_WAITING: sees_waiting,
    Action.ADMIT: hosts("admit"),
    Action.DENY: hosts("deny"),
    Action.MUTE: hosts("mute"),
    Action.LOWER_HAND: hosts("lower-hand"),
    Action.REMOVE: hosts("remove"),
    Action.MAKE_HOST: hosts("host"),
    Action.SETTINGS: hosts("settings", locked="on"),
    Action.END: ends,
    Action.READ: reads,
}


@pytest.mark.parametrize("standing", Standing, ids=lambda one: one.name.lower())
def test_what_somebody_may_and_may_not_do(place: Place, standing: Standing) -> None:
    """Everything forbidden is tried in one session; what is allowed gets a session each."""
    shared = make_stage(place, standing)
    for action, way in WAYS.items():
        allowed = standing in MAY[action]
        apart = allowed or action is Action.READ  # which needs the session to end
        stage = make_stage(place, standing) if apart else shared
        worked = way(stage)
        if asyncio.iscoroutine(worked):
            worked = asyncio.run(worked)
        assert worked is allowed, action


def test_a_member_who_is_made_a_host_hosts(place: Place) -> None:
    """A host's word adds to what somebody is by their space."""
    stage = make_stage(place, Standing.MEMBER)
    assert not hosts("settings", title="Before")(stage)
    assert stage.ada.host(stage.slug, f"people/{stage.identity('Who')}/host")[0] in (200, 204)
    for what in ("settings", "admit", "mute"):
        assert hosts(what, title="After")(stage), what


def test_the_document_shows_the_table() -> None:
    rows = re.findall(r"^\| (.+) \|$", DOCUMENT, re.MULTILINE)
    cells = {row.split(" | ")[0]: row.split(" | ")[1:] for row in rows}
    columns = re.search(r"^\|  \| (anonymous .+) \|$", DOCUMENT, re.MULTILINE)
    assert columns is not None
    assert columns[1].split(" | ") == [one.value for one in Standing]
    for action in Action:
        shown = ["yes" if standing in MAY[action] else "–" for standing in Standing]
        assert cells[action.value] == shown, action


# Whether each act really asks the table: one where an action is nobody's.

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
        return "1 person waits" in row, so_far in row, so_far in lobby, left

    async def come() -> None:
        async with stage.ada.page(stage.slug):
            pass

    asyncio.run(come())
    left = (
        "SELECT count(*) FROM participants p JOIN sessions s ON s.id = session_id"
        " WHERE slug = $1 AND p.left_at IS NOT NULL"
    )
    wait_until(lambda: stage.place.tables.one(left, stage.slug))
    assert offered() == (True, True, True, True)
    with strict.forbidden(Action.SEE_WAITING):
        assert offered() == (False, True, True, True)
    with strict.forbidden(Action.READ):
        assert offered() == (True, False, False, False)


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
