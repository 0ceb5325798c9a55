"""A session with somebody of each standing, and a way to try each act of core.access.table."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from core.access import Action, Standing
from tests.emulators.wordaudio import silence
from tests.support.app_server import AppServer
from tests.support.recorded import recorded
from tests.support.tables import Tables
from tests.support.visitors import Visitor, kept_by
from tests.support.waiting import WAIT_TIMEOUT_S


@dataclass(frozen=True)
class Place:
    server: AppServer
    tables: Tables


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

    def key(self) -> str:
        """Return the digest of the key that who asks has for this session."""
        kept = kept_by(self.who)
        key = kept.get("login") or kept.get("guests", {}).get(self.slug, "")
        return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()).decode()

    def token(self) -> str:
        """Return a token for /ws as no page could have it: whoever asks, well signed."""
        now = datetime.now(UTC)
        session = self.place.tables.one("SELECT id FROM sessions WHERE slug = $1", self.slug)
        identity = self.identity("Who")
        claims = {
            "iss": "sessions",
            "aud": "sessions:ws",
            "sub": identity,
            "sid": self.key(),
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


def tests_connection(stage: Stage) -> bool:
    """Open the page of the test, and get what it needs."""
    address = f"/s/{stage.slug}/connection"
    shown = stage.who.http.get(address).status_code == 200
    answer = stage.who.http.post(address, headers={"Accept": "application/json"})
    began = answer.status_code == 200 and bool(answer.json()["probe"]["token"])
    assert shown is began, answer.text
    return began


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
    async with socket, asyncio.timeout(WAIT_TIMEOUT_S):
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


async def says_language(stage: Stage) -> bool:
    """Say what they speak, which their pages are told."""
    said = {"type": "speak", "language": None}  # no engine is on here that would know any
    return await in_room(stage, [said], lambda message: message["type"] == "spoken")


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
        path = what if what in ("settings", "pause", "resume") else f"people/{identity}/{what}"
        status, code = stage.who.host(stage.slug, path, **form)
        refused = [(404, "not_found"), (401, "signed_out")]
        assert (status, code) in [(204, ""), (200, "unreachable"), *refused]
        return status < 400

    return way


def sees_planning(stage: Stage) -> bool:
    """Look for what is said ahead of it where it is shown, and for a calendar."""
    ahead = {
        "planned": f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%dT%H:%M}",
        "agenda": "Tides",
    }
    assert stage.ada.host(stage.slug, "plan", **ahead)[0] in (204, 409)
    address = f"/s/{stage.slug}"
    file = stage.who.http.get(f"{address}/session.ics", headers={"Accept": "application/json"})
    assert file.status_code in (200, 403)
    page = stage.who.http.get(address).text
    assert ("Tides" in page) is (f"{address}/session.ics" in page) is (file.status_code == 200)
    return "DESCRIPTION:Tides" in file.text


def changes(stage: Stage) -> bool:
    """Lock it, where the page with the settings is shown to who may."""
    address = f"/s/{stage.slug}/settings"
    shown = stage.who.http.get(address, headers={"Accept": "text/html"}).status_code == 200
    changed = hosts("settings", locked="on")(stage)
    assert shown is changed
    return changed


def pauses(stage: Stage) -> bool:
    """Pause and go on: neither does anything for who may not."""
    open_one = "SELECT paused_at IS NOT NULL FROM sessions WHERE slug = $1"
    paused = hosts("pause")(stage)
    assert stage.place.tables.one(open_one, stage.slug) is paused
    before = stage.ada.host(stage.slug, "pause")[0] == 204  # she may, unless nobody may
    resumed = hosts("resume")(stage)
    assert stage.place.tables.one(open_one, stage.slug) is (before and not resumed)
    assert paused is resumed
    return paused


def answers(stage: Stage) -> bool:
    """Say no, which is written for who may alone."""
    said = "SELECT count(*) FROM participants p JOIN sessions s ON s.id = session_id"
    status, _ = stage.who.host(stage.slug, "consent", consent="no")
    assert status in (204, 401, 404)
    written = f"{said} WHERE slug = $1 AND refused_at IS NOT NULL"
    assert stage.place.tables.one(written, stage.slug) == (status == 204)
    return status == 204


def ends(stage: Stage) -> bool:
    status = stage.who.end(stage.slug).status_code
    assert status in (303, 401, 404)
    return bool(status == 303)


async def reads(stage: Stage) -> bool:
    await listens(stage)
    await asyncio.to_thread(_said, stage)
    meanwhile = await asyncio.to_thread(stage.who.http.get, f"/s/{stage.slug}/transcript")
    assert meanwhile.status_code in (200, 404)
    assert (await asyncio.to_thread(stage.ada.end, stage.slug)).status_code == 303
    page = await asyncio.to_thread(stage.who.http.get, f"/s/{stage.slug}")
    assert page.status_code in (200, 403)
    assert (page.status_code == 200) is (meanwhile.status_code == 200)
    return page.status_code == 200 and "good morning" in page.text


async def hears(stage: Stage) -> bool:
    """Ask for a recording of what Ada said, while the session goes on."""
    await listens(stage)
    made = await asyncio.to_thread(_recorded, stage)
    answer = await asyncio.to_thread(stage.who.http.get, f"/s/{stage.slug}/audio/{made}")
    assert answer.status_code in (200, 404)
    return answer.status_code == 200


def _recorded(stage: Stage) -> str:
    session = str(stage.place.tables.one("SELECT id FROM sessions WHERE slug = $1", stage.slug))
    who, data_dir = stage.identity("Ada Lovelace"), stage.place.server.data_dir
    return recorded(stage.place.tables, data_dir, session, who)


async def shares(stage: Stage) -> bool:
    """Make a link once it is over, where who may is offered that."""
    await listens(stage)
    address = f"/s/{stage.slug}/share"
    before = await asyncio.to_thread(stage.who.http.post, address, data={"days": "7"})
    assert before.status_code in (401, 404, 409), "it goes on"
    await asyncio.to_thread(_said, stage)
    assert (await asyncio.to_thread(stage.ada.end, stage.slug)).status_code in (303, 403)
    page = await asyncio.to_thread(stage.who.http.get, f"/s/{stage.slug}")
    shown = await asyncio.to_thread(stage.who.http.get, address)
    made = await asyncio.to_thread(stage.who.http.post, address, data={"days": "7"})
    assert made.status_code in (204, 401, 404)
    assert (address in page.text) is (shown.status_code == 200) is (made.status_code == 204)
    return made.status_code == 204


async def sees_answers(stage: Stage) -> bool:
    """Look in the transcript for what Ada answered."""
    await listens(stage)
    assert await asyncio.to_thread(stage.ada.host, stage.slug, "consent", consent="yes")
    async with stage.ada.page(stage.slug):
        pass
    page = await asyncio.to_thread(stage.who.http.get, f"/s/{stage.slug}/transcript")
    return "agreed at" in page.text


async def sees_minutes(stage: Stage) -> bool:
    """Come into a room whose space has used most of its month."""
    tables, warned = stage.place.tables, list[Any]()
    space = await asyncio.to_thread(
        tables.one, "SELECT space_id FROM sessions WHERE slug = $1", stage.slug
    )
    used = "INSERT INTO space_usage VALUES ($1, current_date, gen_random_uuid(), 'x', 54, 0)"
    await asyncio.to_thread(tables, used, space)
    whole = "SELECT sum(sent_s) / 60 / 0.9 FROM space_usage WHERE space_id = $1"
    form = {"minutes": str(await asyncio.to_thread(tables.one, whole, space))}

    def told(message: dict[str, Any]) -> bool:
        warned.extend([message["near"]] if message["type"] == "minutes" else [])
        return bool(message["type"] == "people")

    async with stage.ada.page(stage.slug):
        address = f"/spaces/{space}/minutes"
        answer = await asyncio.to_thread(stage.ada.http.post, address, data=form)
        assert answer.status_code == 204  # it is known there from here on
        await in_room(stage, [], told)
    return warned == ["month"]


async def corrects(stage: Stage) -> bool:
    """Correct what somebody said, and see what it was, after having been there."""
    await listens(stage)
    return await asyncio.to_thread(_corrects, stage)


def _said(stage: Stage) -> int:
    """Have somebody have said something, and return its number."""
    said: int = stage.place.tables.one(
        "INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s,"
        " end_s) SELECT session_id, 's', n::text, n, identity, 'good morning', n, n + 1"
        " FROM participants, (SELECT coalesce(max(seq), 0) + 1 AS n FROM utterances"
        " JOIN sessions s ON s.id = session_id WHERE slug = $1) next"
        " WHERE identity = $2 RETURNING seq",
        stage.slug,
        stage.target,
    )
    return said


def _corrects(stage: Stage) -> bool:
    said = _said(stage)
    line, headers = f"/s/{stage.slug}/transcript/lines/{said}", {"Accept": "application/json"}
    form = {"revision": "0", "text": "Good morning."}
    corrected = stage.who.http.post(line, data=form, headers=headers).is_success
    assert stage.who.http.get(f"{line}/history", headers=headers).is_success is corrected
    return corrected


WAYS: dict[Action, Callable[[Stage], Any]] = {
    Action.OPEN: opens,
    Action.PLANNING: sees_planning,
    Action.NAME: names,
    Action.KNOCK: knocks,
    Action.TEST: tests_connection,
    Action.JOIN: joins,
    Action.LISTEN: listens,
    Action.SPEAK: speaks,
    Action.CONSENT: answers,
    Action.LANGUAGE: says_language,
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
    Action.SETTINGS: changes,
    Action.PAUSE: pauses,
    Action.END: ends,
    Action.SEE_MINUTES: sees_minutes,
    Action.READ: reads,
    Action.CORRECT: corrects,
    Action.HEAR: hears,
    Action.SHARE: shares,
    Action.SEE_ANSWERS: sees_answers,
}
