"""API tokens: made and shown once, what a program may do with one, and all that refuses it."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as some
from playwright.async_api import expect
from starlette.routing import Route
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from app import ROUTES
from core.api_token import may_be_token, new_token
from core.store.api_tokens import MAX_TOKENS
from core.store.keys import digest_of
from tests.conftest import MakeServer
from tests.support import ROOT
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.http import Browser, assert_guarded, outside
from tests.support.tables import Tables
from tests.support.visitors import Visitor
from web.bearer import scope_taken
from web.logs import without_secrets

HERE = "/profile/tokens"
HTML = {"Accept": "text/html"}
FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}


@dataclass
class Place:
    """A server, and somebody with a space and a session of it that is over."""

    server: AppServer
    tables: Tables
    ada: Browser
    space: str = ""
    slug: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    def id_of(self, name: str) -> UUID:
        """Return somebody's id."""
        found: UUID = self.tables.one("SELECT id FROM users WHERE name = $1", name)
        return found

    def join_space(self, name: str, role: str = "MEMBER") -> None:
        """Have somebody be a member of the space."""
        self.tables(
            "INSERT INTO members (space_id, user_id, role) VALUES ($1, $2, $3)",
            UUID(self.space),
            self.id_of(name),
            role,
        )


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer, make_database: Callable[[], str]) -> Place:
    database = make_database()
    server = make_server_in(DATABASE_URL=database, LIVEKIT_URL="off")
    ada = Browser(server.url)
    ada.sign_in("Ada Lovelace")
    place = Place(server, Tables(database), ada)
    place.slug = ada.start_session("Budget 2026")
    place.space = str(place.tables.one("SELECT id FROM spaces WHERE name LIKE 'Ada%'"))
    asyncio.run(_meet(ada, place.slug))
    ada.end(place.slug)
    _say(place)
    for scope in ("READ", "WRITE"):
        place.tokens[scope] = make(ada, f"Of all tests, {scope}", scope)
    return place


async def _meet(ada: Visitor, slug: str) -> None:
    async with ada.page(slug) as page:
        await page.send({"type": "chat", "text": "The sheet is attached."})
        await page.until(lambda: page.of_type("chat"))


def _say(place: Place) -> None:
    """Have spoken in the session, with a gap and a pause."""
    session = place.tables.one("SELECT id FROM sessions WHERE slug = $1", place.slug)
    who = place.tables.one("SELECT identity FROM participants WHERE session_id = $1", session)
    add = (
        "INSERT INTO utterances"
        " (session_id, stream, utterance, seq, identity, text, start_s, end_s, language, lost_s)"
        " VALUES ($1, 's', $2, $3, $4, $5, $6, $7, $8, $9)"
    )
    place.tables(add, session, "1", 1, who, "Good <b>morning</b>.", 0.0, 0.5, "en", None)
    place.tables(add, session, "2", 2, who, "", 9000.0, 9012.0, None, 12.0)
    place.tables(
        "INSERT INTO pauses (session_id, paused_at, resumed_at, identity) SELECT id,"
        " started_at + interval '9100 s', started_at + interval '9160 s', $2 FROM sessions"
        " WHERE id = $1",
        session,
        who,
    )


def make(visitor: Visitor, name: str, scope: str = "READ") -> str:
    """Make a token as a browser does, and return it."""
    answer = visitor.http.post(HERE, data={"name": name, "scope": scope}, headers=HTML)
    assert answer.status_code == 201, answer.text
    (token,) = set(re.findall(r"sessions_[0-9a-f]{56}", answer.text))
    return str(token)


def ask(
    place: Place,
    token: str,
    method: str,
    path: str,
    form: dict[str, str] | None = None,
    **headers: str,
) -> httpx2.Response:
    """Ask as a program: without a cookie, without an Origin."""
    shown = {"Authorization": f"Bearer {token}"} | headers
    answer = outside(method, place.server.url + path, data=form, headers=shown)
    assert_guarded(answer)
    assert "set-cookie" not in answer.headers
    if answer.content:
        assert answer.headers["cache-control"] == "no-store"
    return answer


def code_of(answer: httpx2.Response) -> tuple[int, str]:
    """Return a refusal's status and code: it is always JSON."""
    return answer.status_code, answer.json()["error"]["code"]


TOKENS = some.integers(0, 2**192 - 1).map(lambda _: new_token())


@given(TOKENS, some.integers(0, 64), some.characters(codec="utf-8"))
def test_any_changed_character_is_refused(token: str, index: int, character: str) -> None:
    assert may_be_token(token)
    changed = token[:index] + character + token[index + 1 :]
    assert may_be_token(changed) is (changed == token)


@given(TOKENS, some.integers(0, 64), some.text(min_size=1, max_size=3))
def test_nothing_may_be_missing_or_too_much(token: str, index: int, more: str) -> None:
    assert not may_be_token(token[:index] + more + token[index:])
    assert not may_be_token(token[:index])
    assert not may_be_token(token[:index] + token[index + 1 :])
    assert not may_be_token(token.upper())
    assert not may_be_token(f"{token}\n")


@given(some.text())
def test_what_nobody_made_is_none(text: str) -> None:
    assert not may_be_token(text)
    assert not may_be_token(f"sessions_{text}")


@given(TOKENS, some.text(max_size=5), some.text(max_size=5))
def test_no_line_of_the_log_can_hold_one(token: str, before: str, after: str) -> None:
    assert token[9:] not in without_secrets(before + token + after)
    assert token[9:] not in without_secrets(json.dumps({"authorization": f"Bearer {token}"}))


def test_a_token_is_made_shown_once_and_only_its_digest_kept(place: Place) -> None:
    assert f'href="{HERE}"' in place.ada.http.get("/profile").text
    made = place.ada.http.post(HERE, data={"name": " My  script ", "scope": "READ"}, headers=HTML)
    (token,) = set(re.findall(r"sessions_[0-9a-f]{56}", made.text))
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert may_be_token(token)
    listed = place.ada.http.get(HERE)
    assert "My script" in listed.text
    assert token[9:] not in listed.text
    row = place.tables("SELECT * FROM api_tokens WHERE name = 'My script'")[0]
    assert row["key_digest"] == digest_of(token)
    assert row["used_at"] is None
    assert "Not used yet" in listed.text
    assert token not in str(dict(row))
    assert ask(place, token, "GET", "/spaces").status_code == 200
    assert "Last used, to the hour" in place.ada.http.get(HERE).text


def test_its_use_is_noted_once_an_hour(place: Place) -> None:
    token = make(place.ada, "Clock")
    used = "SELECT used_at FROM api_tokens WHERE name = 'Clock'"
    ask(place, token, "GET", "/spaces")
    first = place.tables.one(used)
    ask(place, token, "GET", "/spaces")
    assert place.tables.one(used) == first
    place.tables("UPDATE api_tokens SET used_at = $1", first - timedelta(minutes=61))
    ask(place, token, "GET", "/spaces")
    assert place.tables.one(used) >= first


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "\u202e\u200b\x00", "x" * 30_000])
def test_a_token_has_a_name(place: Place, name: str) -> None:
    answer = place.ada.http.post(HERE, data={"name": name, "scope": "WRITE"}, headers=HTML)
    assert answer.status_code == 422
    assert "Give it a name of 1 to 60 characters." in answer.text
    assert len(answer.text) < 30_000
    assert re.search(r'value="WRITE" checked', answer.text), "what was chosen stays"
    assert place.ada.http.post(HERE, data={"name": name, "scope": "READ"}).status_code == 422


def test_there_are_two_scopes_and_no_two_of_one_name(place: Place) -> None:
    for scope in ("", "read", "ADMIN", "READ WRITE"):
        answer = place.ada.http.post(HERE, data={"name": "Odd", "scope": scope}, headers=HTML)
        assert answer.status_code == 422, scope
    make(place.ada, "Twice <b>")
    again = place.ada.http.post(HERE, data={"name": "Twice <b>", "scope": "READ"}, headers=HTML)
    assert again.status_code == 409
    assert "You have an API token of that name." in html.unescape(again.text)
    assert "Twice <b>" not in again.text
    count = "SELECT count(*) FROM api_tokens WHERE name = 'Twice <b>'"
    assert place.tables.one(count) == 1


def test_somebody_has_twenty_at_most(place: Place) -> None:
    bo = Browser(place.server.url)
    bo.sign_in("Bo Twenty")
    for number in range(MAX_TOKENS):
        make(bo, f"No. {number}")
    shown = bo.http.get(HERE).text
    assert "as many as anybody may" in shown
    assert 'id="token-name"' not in shown
    one_more = {"name": "One more", "scope": "READ"}
    assert bo.http.post(HERE, data=one_more, headers=HTML).status_code == 409
    answer = bo.http.post(HERE, data=one_more, headers={"Accept": "application/json"})
    assert code_of(answer) == (409, "tokens_full")
    assert "Revoke" in shown


def test_a_program_reads_spaces_and_sessions(place: Place) -> None:
    token = place.tokens["READ"]
    spaces = ask(place, token, "GET", "/spaces").json()["spaces"]
    name = "Ada Lovelace’s space"
    assert {"id": place.space, "name": name, "role": "OWNER", "current": True} in spaces
    found = ask(place, token, "GET", f"/sessions?space={place.space}&show=ended&q=bUDget").json()
    assert found["space"] == place.space
    assert found["next"] is None
    (session,) = found["sessions"]
    assert (session["slug"], session["title"]) == (place.slug, "Budget 2026")
    assert (session["status"], session["came"], session["here"]) == ("ENDED", 1, 0)
    assert session["url"] == f"{place.server.url}/s/{place.slug}"
    assert datetime.fromisoformat(session["started_at"]).tzinfo == UTC
    assert (session["hosted"], session["readable"]) == (False, True)
    assert ask(place, token, "GET", "/sessions?q=nowhere").json()["sessions"] == []
    assert code_of(ask(place, token, "GET", "/sessions?behind=x")) == (400, "bad_request")
    one = ask(place, token, "GET", f"/s/{place.slug}").json()
    assert session == {key: one[key] for key in session}
    assert one["people"] == [{"name": "Ada Lovelace", "role": "HOST"}]
    assert (one["space"], one["agenda"], one["standing_room"]) == (place.space, "", None)


def test_a_list_is_read_to_its_end(place: Place) -> None:
    cleo = Browser(place.server.url)
    cleo.sign_in("Cleo Long")
    cleo.start_session("First")
    place.tables(
        "INSERT INTO sessions (slug, title, space_id, created_by, status, started_at, ended_at)"
        " SELECT 'cleo-' || n, 'Cleo ' || n, s.space_id, s.created_by, 'ENDED',"
        " now() - n * interval '1 hour', now() FROM sessions s, generate_series(1, 120) n"
        " WHERE s.title = 'First'",
    )
    token, slugs, behind = make(cleo, "List"), list[str](), ""
    for _ in range(3):
        page = ask(place, token, "GET", f"/sessions?show=ended&behind={behind}").json()
        slugs += [one["slug"] for one in page["sessions"]]
        behind = page["next"]
    assert not behind
    assert slugs == [f"cleo-{number}" for number in range(1, 121)]


def test_a_program_reads_a_transcript(place: Place) -> None:
    token, address = place.tokens["READ"], f"/s/{place.slug}/transcript"
    told = ask(place, token, "GET", address).json()
    assert (told["title"], told["complete"], told["status"]) == ("Budget 2026", True, "ENDED")
    by_kind = {line["kind"]: line for line in told["lines"]}
    assert [line["kind"] for line in told["lines"]] == ["speech", "chat", "gap", "pause"]
    speech, gap, pause = by_kind["speech"], by_kind["gap"], by_kind["pause"]
    assert (speech["text"], speech["seq"], speech["end"]) == ("Good <b>morning</b>.", 1, 0.5)
    assert (speech["name"], speech["role"], speech["language"]) == ("Ada Lovelace", "HOST", "en")
    assert (gap["lost_s"], "text" in gap) == (12.0, False)
    assert (pause["name"], pause["start"], pause["end"]) == ("Ada Lovelace", 9100.0, 9160.0)
    assert by_kind["chat"]["text"] == "The sheet is attached."
    text = ask(place, token, "GET", f"{address}.txt")
    assert "Ada Lovelace: Good <b>morning</b>." in text.text
    assert ask(place, token, "GET", f"{address}.vtt").text.startswith("WEBVTT")
    events = place.ada.http.get(f"/spaces/{place.space}/events").text
    assert "Saved “Budget 2026” as a file: transcript.json" in events
    assert events.count("by an API token") >= 3


async def test_it_is_not_complete_while_it_goes_on_and_reading_lets_nobody_in(
    place: Place,
) -> None:
    slug = await asyncio.to_thread(place.ada.start_session, "Still open", "KNOCK")
    token = place.tokens["READ"]
    people = "SELECT count(*) FROM participants p JOIN sessions s ON s.id = p.session_id"
    people += f" WHERE s.slug = '{slug}'"
    facts = await asyncio.to_thread(ask, place, token, "GET", f"/s/{slug}")
    assert (facts.json()["status"], facts.json()["hosted"]) == ("CREATED", True)
    assert await asyncio.to_thread(place.tables.one, people) == 0
    async with place.ada.page(slug):
        told = await asyncio.to_thread(ask, place, token, "GET", f"/s/{slug}/transcript")
        assert (told.json()["complete"], told.json()["ended_at"]) == (False, None)


def test_a_program_starts_changes_ends_and_deletes(place: Place) -> None:
    token = place.tokens["WRITE"]
    made = ask(place, token, "POST", "/sessions", {"title": "Robots", "admission": "MEMBERS"})
    assert made.status_code == 201
    slug = made.json()["slug"]
    assert made.headers["location"] == made.json()["url"] == f"{place.server.url}/s/{slug}"
    form = {"title": "Robots, renamed", "locked": "on"}
    assert ask(place, token, "POST", f"/s/{slug}/settings", form).status_code == 204
    facts = ask(place, token, "GET", f"/s/{slug}").json()
    assert (facts["title"], facts["admission"], facts["locked"]) == (
        "Robots, renamed",
        "MEMBERS",
        True,
    )
    bad = ask(place, token, "POST", f"/s/{slug}/settings", {"admission": "NOBODY"})
    assert code_of(bad) == (422, "invalid")
    day = f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%d}T09:00"
    form = {"planned": day, "offset": "120"}
    assert ask(place, token, "POST", f"/s/{slug}/plan", form).status_code == 204
    planned = ask(place, token, "GET", f"/s/{slug}").json()["planned_at"]
    assert planned == f"{day[:11]}07:00:00Z"
    assert ask(place, token, "POST", f"/s/{slug}/end").status_code == 204
    ended = place.tables.one("SELECT status FROM sessions WHERE slug = $1", slug)
    assert ended in ("ENDED", "EXPIRED")
    again = ask(place, token, "POST", f"/s/{slug}/settings", {"title": "Late"})
    assert again.status_code in (403, 404)
    room = place.ada.start_session("Goes on")
    assert ask(place, token, "POST", f"/s/{room}/delete").status_code == 204
    for path in ("", "/transcript", "/transcript.txt"):
        assert code_of(ask(place, token, "GET", f"/s/{room}{path}")) == (404, "not_found")
    events = place.ada.http.get(f"/spaces/{place.space}/events").text
    deleted = events.partition("Deleted the session “Goes on”")[2].partition("</li>")[0]
    assert "by an API token" in deleted


def test_a_program_plans(place: Place) -> None:
    token = place.tokens["WRITE"]
    form = {"title": "Retro", "planned": "2020-01-01T09:00"}
    refused = ask(place, token, "POST", "/sessions", form)
    assert code_of(refused) == (422, "invalid")
    assert refused.json()["error"]["message"] == "That time has passed."
    form["planned"] = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:%M}"
    form |= {"agenda": "1. What was good\n2. What wasn’t", "space": place.space}
    slug = ask(place, token, "POST", "/sessions", form).json()["slug"]
    shown = ask(place, token, "GET", "/sessions?show=planned").json()["sessions"]
    assert slug in [one["slug"] for one in shown]
    assert ask(place, token, "GET", f"/s/{slug}").json()["agenda"].endswith("2. What wasn’t")


def test_a_token_that_reads_changes_nothing(place: Place) -> None:
    slug, token = place.ada.start_session("Stays"), place.tokens["READ"]
    for path in ("/sessions", *(f"/s/{slug}/{act}" for act in ("settings", "plan", "end"))):
        answer = ask(place, token, "POST", path, {"title": "Changed"})
        assert code_of(answer) == (403, "insufficient_scope"), path
        challenge = answer.headers["www-authenticate"]
        assert challenge == 'Bearer error="insufficient_scope", scope="write"'
    assert code_of(ask(place, token, "POST", f"/s/{slug}/delete"))[0] == 403
    facts = ask(place, token, "GET", f"/s/{slug}").json()
    assert (facts["title"], facts["status"]) == ("Stays", "CREATED")
    assert ask(place, token, "GET", "/sessions?q=Changed").json()["sessions"] == []


def test_no_other_route_takes_one_and_no_room_opens(place: Place) -> None:
    token, slug = place.tokens["WRITE"], place.ada.start_session("Closed to programs")
    for method, path in (
        ("GET", "/"),
        ("GET", HERE),
        ("POST", HERE),
        ("POST", f"/s/{slug}/join"),
        ("POST", f"/s/{slug}/guest"),
        ("POST", f"/s/{slug}/connection"),
        ("POST", "/sign-out"),
        ("POST", "/spaces"),
        ("GET", f"/spaces/{place.space}"),
        ("GET", "/static/favicon.svg"),
    ):
        answer = ask(place, token, method, path, {"name": "x"} if method == "POST" else None)
        assert code_of(answer) == (403, "token_not_here"), path
    assert code_of(ask(place, token, "GET", "/nowhere")) == (404, "not_found")
    assert code_of(ask(place, token, "POST", "/spaces/x/events")) == (405, "wrong_method")
    good = place.ada.join(slug)["transcription"]
    assert asyncio.run(_socket(good, {})) == 101
    for shown in (token, new_token()):
        assert asyncio.run(_socket(good, {"Authorization": f"Bearer {shown}"})) == 403
    for word in (token, base64.b64encode(token.encode()).decode().rstrip("=")):
        assert asyncio.run(_socket(good | {"token": word}, {})) == 401


async def _socket(good: dict[str, Any], headers: dict[str, str]) -> int:
    """Return the status with which /ws answers who offers this pass with these headers."""
    offered = [Subprotocol("sessions.v1"), Subprotocol(good["token"])]
    try:
        async with connect(good["url"], subprotocols=offered, additional_headers=headers):
            return 101
    except InvalidStatus as refusal:
        return refusal.response.status_code


def test_what_proves_itself_otherwise_is_left_alone(place: Place) -> None:
    for shown in (place.tokens["READ"], new_token()):
        headers = {"Authorization": f"Bearer {shown}"}
        at = place.server.url
        assert outside("GET", f"{at}/metrics", headers=headers).status_code == 200
        assert outside("GET", f"{at}/health/proof", headers=headers).status_code == 404
        assert outside("POST", f"{at}/hooks/livekit", headers=headers).status_code == 401
    basic = outside("GET", f"{place.server.url}/spaces", headers={"Authorization": "Basic eDp5"})
    assert (basic.status_code, basic.headers["location"]) == (303, "/sign-in?next=/spaces")


def test_a_revoked_token_is_refused_at_once_and_only_ones_own_is_revoked(place: Place) -> None:
    token = make(place.ada, "Short-lived")
    which = place.tables.one("SELECT id FROM api_tokens WHERE name = 'Short-lived'")
    eve = Browser(place.server.url)
    eve.sign_in("Eve Revokes")
    assert eve.http.post(f"{HERE}/{which}/revoke").status_code == 404
    assert Browser(place.server.url).http.post(f"{HERE}/{which}/revoke").status_code == 401
    assert place.ada.http.post(f"{HERE}/{which}/revoke", headers=FOREIGN).status_code == 403
    for nothing in ("nothing", f"{which}x", str(uuid4())):
        assert place.ada.http.post(f"{HERE}/{nothing}/revoke").status_code == 404
    assert ask(place, token, "GET", "/spaces").status_code == 200
    answer = place.ada.http.post(f"{HERE}/{which}/revoke", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HERE}?revoked")
    assert "It no longer works." in place.ada.http.get(f"{HERE}?revoked").text
    assert_invalid(ask(place, token, "GET", "/spaces"))
    assert place.ada.http.post(f"{HERE}/{which}/revoke").status_code == 404


def assert_invalid(answer: httpx2.Response) -> None:
    assert code_of(answer) == (401, "invalid_token")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_what_is_no_token_is_refused(place: Place) -> None:
    token = place.tokens["READ"]
    for shown in (
        new_token(),
        "sessions_",
        token[:-1],
        f"{token}0",
        token.replace("sessions_", "sessions_0"),
        token[:-1] + ("0" if token[-1] != "0" else "1"),
        "sessions_" + "x" * 6000,
        f"{token} {token}",
        f"{token}, Bearer {token}",
    ):
        answer = ask(place, shown, "GET", f"/s/{place.slug}")
        assert_invalid(answer)
        assert shown not in answer.text
    twice = [("Authorization", "Basic eDp5"), ("Authorization", f"Bearer {token}")]
    assert_invalid(outside("GET", f"{place.server.url}/spaces", headers=twice))
    # Of another case or prefix it isn't one of ours, and who asks is nobody.
    for header in (token, f"Bearer {token.upper()}", f"Token {token}"):
        answer = outside("GET", f"{place.server.url}/spaces", headers={"Authorization": header})
        assert answer.status_code == 303, header
    at = f"{place.server.url}/spaces"
    assert outside("GET", at, headers={"Authorization": f"bEARER   {token}"}).status_code == 200
    assert outside("GET", f"{at}?access_token={token}").status_code == 303


def test_whose_token_it_is_counts_and_no_cookie(place: Place) -> None:
    eve = Browser(place.server.url)
    eve.sign_in("Eve Cookie")
    headers = {"Authorization": f"Bearer {place.tokens['WRITE']}"}
    answer = eve.http.get("/spaces", headers=headers)
    assert [one["id"] for one in answer.json()["spaces"]] == [place.space]
    assert "set-cookie" not in answer.headers
    assert_invalid(eve.http.get("/spaces", headers={"Authorization": f"Bearer {new_token()}"}))
    assert eve.http.get("/spaces").status_code == 200, "and she is still signed in"
    # A page of htmx, and one that only takes pages, get JSON, too.
    for more in ({"HX-Request": "true"}, HTML):
        kind = eve.http.get("/sessions", headers=headers | more).headers["content-type"]
        assert kind == "application/json"
    hers = headers | {"HX-Request": "true"}
    nowhere = eve.http.get(f"/sessions?space={uuid4()}", headers=hers)
    assert code_of(nowhere) == (404, "not_found")
    assert "hx-redirect" not in nowhere.headers
    # Nor is her login used by that.
    soon = datetime.now(UTC) + timedelta(days=3)
    ends = "UPDATE logins SET idle_at = $1 WHERE user_id = $2"
    place.tables(ends, soon, place.id_of("Eve Cookie"))
    assert eve.http.get(f"/s/{place.slug}", headers=headers).status_code == 200
    user = place.id_of("Eve Cookie")
    assert place.tables.one("SELECT idle_at FROM logins WHERE user_id = $1", user) == soon


def test_a_token_needs_no_origin_and_a_cookie_still_does(place: Place) -> None:
    form = {"title": "From elsewhere"}
    made = ask(place, place.tokens["WRITE"], "POST", "/sessions", form, **FOREIGN)
    assert made.status_code == 201
    assert_invalid(ask(place, new_token(), "POST", "/sessions", form, **FOREIGN))
    assert place.ada.http.post("/sessions", data=form, headers=FOREIGN).status_code == 403
    basic = FOREIGN | {"Authorization": "Bearer something-else"}
    assert place.ada.http.post("/sessions", data=form, headers=basic).status_code == 403
    asked = outside(
        "OPTIONS",
        f"{place.server.url}/sessions",
        headers=FOREIGN | {"Access-Control-Request-Headers": "authorization"},
    )
    assert "access-control-allow-headers" not in asked.headers, "no page may send one"
    told = json.dumps({"title": "JSON"})
    headers = {"Authorization": f"Bearer {place.tokens['WRITE']}"}
    headers["Content-Type"] = "application/json"
    answer = outside("POST", f"{place.server.url}/sessions", content=told, headers=headers)
    assert code_of(answer) == (415, "not_a_form")


def test_who_leaves_a_space_has_no_token_for_it(place: Place) -> None:
    bo = Browser(place.server.url)
    bo.sign_in("Bo Member")
    token = make(bo, "Mine", "WRITE")
    slug = place.ada.start_session("Theirs alone", "MEMBERS")
    paths = [f"/sessions?space={place.space}", f"/s/{slug}", f"/s/{place.slug}"]
    paths += [f"/s/{place.slug}/transcript{ending}" for ending in ("", ".txt", ".vtt")]

    def statuses() -> set[int]:
        return {ask(place, token, "GET", path).status_code for path in paths}

    assert statuses() == {404}, "another space's"
    place.join_space("Bo Member")
    assert statuses() == {200}
    assert ask(place, token, "POST", f"/s/{slug}/end").status_code == 404, "a member is no host"
    assert ask(place, token, "POST", f"/s/{slug}/delete").status_code == 404
    assert place.ada.http.post(
        f"/spaces/{place.space}/members/{place.id_of('Bo Member')}/remove"
    ).status_code in (204, 303)
    assert statuses() == {404}
    made = ask(place, token, "POST", "/sessions", {"title": "x", "space": place.space})
    assert code_of(made) == (404, "not_found")
    for act in ("settings", "plan", "end", "delete"):
        assert code_of(ask(place, token, "POST", f"/s/{slug}/{act}")) == (404, "not_found"), act
    assert ask(place, token, "GET", "/spaces").status_code == 200, "it is still a token"


def test_who_is_disabled_has_no_token_any_more(place: Place) -> None:
    dora = Browser(place.server.url)
    dora.sign_in("Dora Disabled")
    token = make(dora, "Soon over")
    disable = "UPDATE users SET disabled_at = $1 WHERE name = 'Dora Disabled'"
    place.tables(disable, datetime.now(UTC))
    assert_invalid(ask(place, token, "GET", "/spaces"))
    place.tables(disable, None)
    assert ask(place, token, "GET", "/spaces").status_code == 200


def test_to_be_disabled_ends_all_tokens_for_good(make_server_in: MakeServer) -> None:
    server = make_server_in(ADMIN_EMAILS="root@example.com", LIVEKIT_URL="off")
    root, bo = Browser(server.url), Browser(server.url)
    place = Place(server, Tables(server.database_url), bo)
    root.sign_in("Root")
    bo.sign_in("Bo Ended")
    token = make(bo, "Ended")
    assert ask(place, token, "GET", "/spaces").status_code == 200
    for act in ("disable", "enable"):
        path = f"/admin/people/{place.id_of('Bo Ended')}/{act}"
        assert root.http.post(path).status_code == 204
        assert_invalid(ask(place, token, "GET", "/spaces"))
    assert place.tables.one("SELECT count(*) FROM api_tokens") == 0


def test_who_may_not_sign_in_has_no_token_meanwhile(
    place: Place, make_server_in: MakeServer
) -> None:
    strict = make_server_in(
        DATABASE_URL=place.server.database_url,
        LIVEKIT_URL="off",
        ALLOWED_EMAILS="somebody.else@example.com",
        RATE_LIMIT_FACTOR="0.1",
    )
    there = Place(strict, place.tables, place.ada)
    token = place.tokens["READ"]
    assert_invalid(ask(there, token, "GET", f"/s/{place.slug}"))
    assert ask(place, token, "GET", f"/s/{place.slug}").status_code == 200
    # Three wrong ones a minute of one address here, whatever makes them wrong.
    assert_invalid(ask(there, new_token(), "GET", "/spaces"))
    assert_invalid(ask(there, "sessions_x", "GET", "/spaces"))
    late = ask(there, new_token(), "GET", "/spaces")
    assert code_of(late) == (429, "too_many_requests")
    assert 0 < int(late.headers["retry-after"]) <= 60


def test_wrong_tokens_lock_nobody_out_and_good_ones_are_bounded(
    make_server_in: MakeServer,
) -> None:
    server = make_server_in(RATE_LIMIT_FACTOR="0.1", LIVEKIT_URL="off")
    ada = Browser(server.url)
    ada.sign_in("Ada Lovelace")
    place = Place(server, Tables(server.database_url), ada)
    token = make(ada, "Busy")
    wrong = [ask(place, new_token(), "GET", "/spaces").status_code for _ in range(5)]
    assert wrong == [401, 401, 401, 429, 429]
    good = [ask(place, token, "GET", "/spaces").status_code for _ in range(14)]
    assert good[:12] == [200] * 12, "from the same address"
    assert good[-1] == 429
    assert ada.http.get("/spaces").status_code == 200, "and their browser goes on"


def test_the_document_names_each_route_that_takes_one() -> None:
    document = (ROOT / "docs/api.md").read_text("utf-8")
    told = set(re.findall(r"^\| `([A-Z]+) (\S+)` \| (read|write) \|", document, re.M))
    taken = {
        (method, route.path, str(scope_taken(route.endpoint)).lower())
        for route in ROUTES
        if isinstance(route, Route) and scope_taken(route.endpoint) is not None
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert told == taken
    for method, path, scope in taken:
        assert (method == "GET") is (scope == "read"), path


@pytest.mark.browser
async def test_somebody_makes_copies_uses_and_revokes_one(place: Place, browsers: Browsers) -> None:
    page = await browsers.page(permissions=("clipboard-read", "clipboard-write"))
    frida = await asyncio.to_thread(Browser(place.server.url).sign_in, "Frida Clicks")
    key = frida.http.cookies["sessions_login"]
    cookie: Any = {"name": "sessions_login", "value": key, "url": place.server.url}
    await page.context.add_cookies([cookie])
    await page.goto(f"{place.server.url}/profile")
    await page.get_by_role("link", name="API tokens").click()
    await page.get_by_label("Name of the token").fill("Backup at night")
    await page.get_by_label("Read and write").check()
    await page.get_by_role("button", name="Make the token").click()
    await page.get_by_role("button", name="Copy the token").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    token = await page.evaluate("navigator.clipboard.readText()")
    assert may_be_token(token)
    made = await asyncio.to_thread(ask, place, token, "POST", "/sessions", {"title": "Nightly"})
    assert made.status_code == 201
    await page.get_by_role("link", name="Done").click()
    await expect(page.locator(".own-list li")).to_have_count(1)
    assert token not in await page.content()
    await page.get_by_role("button", name="Revoke").click()
    await expect(page.get_by_text("It no longer works.")).to_be_visible()
    await expect(page.locator(".own-list li")).to_have_count(0)
    answer = await asyncio.to_thread(ask, place, token, "GET", "/spaces")
    assert answer.status_code == 401
