"""Every page and route over HTTP: what it shows, to whom, and what it refuses."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import jwt
import pytest

from core.rate_limit import RateLimiter, TooManyRequestsError
from tests.conftest import MakeServer
from tests.support.app_server import ROOT, AppServer
from tests.support.database_line import DatabaseLine
from tests.support.http import Browser, outside
from tests.support.visitors import Visitor

JSON = {"Accept": "application/json"}
NOWHERE = "zzzz-zzzz-zzzz-zzzz"


@pytest.fixture(scope="module")
def database(make_database: Callable[[], str]) -> str:
    """The address of the database behind `site`."""
    return make_database()


@pytest.fixture(scope="module")
def site(make_server_in: MakeServer, database: str) -> AppServer:
    """Sessions without captions."""
    return make_server_in(DATABASE_URL=database)


@pytest.fixture(scope="module")
def slow(make_server_in: MakeServer) -> AppServer:
    """Sessions that allows a tenth of what it usually allows."""
    return make_server_in(RATE_LIMIT_FACTOR="0.1")


def sql(database: str, statement: str, *values: object) -> list[Any]:
    """Run a statement behind the server's back."""

    async def run() -> list[Any]:
        connection = await asyncpg.connect(database)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    return asyncio.run(run())


def come_and_go(*visitors: Visitor, slug: str) -> None:
    """Be in the room together, then leave."""

    async def meet() -> None:
        pages = [visitor.page(slug) for visitor in visitors]
        for page in pages:
            await page.connect()
        for page in pages:
            await page.leave()

    asyncio.run(meet())


def role_shown(html: str) -> str:
    """Return the role in which a room page shows its reader."""
    (role,) = re.findall('data-role="([^"]*)"', html)
    return str(role)


def row_of(html: str, slug: str) -> str:
    """Return a session's row of the list."""
    (row,) = re.findall(rf'<li class="session-row" id="session-{slug}">.*?</li>', html, re.S)
    return str(row)


# Start page and list


def test_a_stranger_reads_what_this_is(site: AppServer) -> None:
    landing = Browser(site.url).http.get("/")
    assert landing.status_code == 200
    assert "Meetings you can read." in landing.text
    assert 'action="/sign-in/dev"' in landing.text
    assert "Sign out" not in landing.text


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("", "Ada Lovelace’s session"),
        (" \u200b\t ", "Ada Lovelace’s session"),
        ("Engines", "Engines"),
        ("  The \u202eAnalytical\r\n  Engine ", "The Analytical Engine"),
        ("<b>&amp;</b>", "&lt;b&gt;&amp;amp;&lt;/b&gt;"),
        ("é" * 200, "é" * 120),
    ],
)
def test_a_session_starts_with_one_click(site: AppServer, title: str, shown: str) -> None:
    ada = Browser(site.url).sign_in("Ada Lovelace")
    slug = ada.start_session(title)
    assert re.fullmatch("[a-z2-9]{4}(-[a-z2-9]{4}){3}", slug)
    room = ada.http.get(f"/s/{slug}")
    assert f'<h1 id="lobby-title">{shown}</h1>' in room.text
    assert f'data-link="{site.url}/s/{slug}"' in room.text
    assert f">{shown}</a>" in row_of(ada.http.get("/").text, slug)


def test_a_session_without_a_form_has_a_title_too(site: AppServer) -> None:
    ada = Browser(site.url).sign_in("Ada Lovelace")
    assert ada.http.post("/sessions").status_code == 303


def test_the_list_shows_how_every_session_is(site: AppServer, database: str) -> None:
    host, guest = Browser(site.url).sign_in("Barbara Liskov"), Browser(site.url)
    created, live, ended = (host.start_session(f"Session {n}") for n in range(3))
    come_and_go(host, slug=live)
    guest.be_guest(ended, "Kristen Nygaard")
    come_and_go(host, guest, slug=ended)
    host.end(ended)
    sql(
        database,
        "UPDATE sessions SET ended_at = started_at + interval '65 minutes' WHERE slug = $1",
        ended,
    )
    html = host.http.get("/").text
    assert html.index(ended) < html.index(live) < html.index(created)
    assert "Not started yet" in row_of(html, created)
    assert "Nobody here since" in row_of(html, live)
    assert "1 person" in row_of(html, live)
    row = row_of(html, ended)
    assert "1 h 5 min" in row
    assert "2 people" in row
    assert "Barbara Liskov, Kristen Nygaard" in row
    assert "Live now" not in row
    sql(
        database,
        "UPDATE sessions SET ended_at = started_at + interval '1 hour' WHERE slug = $1",
        ended,
    )
    assert ">1 h<" in row_of(host.http.get("/").text, ended)
    row = row_of(host.http.get("/").text, ended)

    fragment = host.http.get("/sessions", headers={"HX-Request": "true"})
    assert row_of(fragment.text, ended) == row
    assert "<html" not in fragment.text


def test_a_list_that_refreshes_after_signing_out_leads_to_the_sign_in(site: AppServer) -> None:
    answer = Browser(site.url).http.get("/sessions", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/sign-in"


def test_a_list_shows_only_ones_own(site: AppServer) -> None:
    ada = Browser(site.url).sign_in("Ada Lovelace")
    slug = ada.start_session("Private matter")
    other = Browser(site.url).sign_in("Eve")
    assert "Private matter" not in other.http.get("/").text
    other.http.get(f"/s/{slug}")  # having looked at it is not having been there
    assert "Private matter" not in other.http.get("/").text
    come_and_go(other, slug=slug)
    assert "Private matter" in other.http.get("/").text


# The gate


@pytest.fixture(scope="module")
def open_session(site: AppServer) -> str:
    """The slug of a session that goes on."""
    return Browser(site.url).sign_in("Ada Lovelace").start_session("Secret title")


@pytest.mark.parametrize("name", ["", "   ", "\t\r\n", "\u200b\u200d", "\u202e", "\x00"])
def test_a_guest_without_a_name_is_asked_again(
    site: AppServer, open_session: str, name: str
) -> None:
    guest = Browser(site.url)
    answer = guest.http.post(f"/s/{open_session}/guest", data={"name": name})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert "Type a name" in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Grace", "Grace"),
        ("  Grace \u202e\n\tHopper\u200b ", "Grace Hopper"),
        ("\u3164Grace\u2800", "Grace"),
        ("x" * 41, "x" * 40),
        ("x" * 5000, "x" * 40),
        ("李小龍 🥋", "李小龍 🥋"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ('" autofocus="', "&#34; autofocus=&#34;"),
    ],
)
def test_a_guests_name_is_shown_tidy(
    site: AppServer, open_session: str, name: str, shown: str
) -> None:
    guest = Browser(site.url)
    gate = guest.http.get(f"/s/{open_session}")
    assert "Continue as a guest" in gate.text
    assert "Secret title" not in gate.text
    room = guest.be_guest(open_session, name).http.get(f"/s/{open_session}").text
    assert f'<span class="name">{shown}</span>' in room
    assert f'data-name="{shown}"' in room
    assert role_shown(room) == "GUEST"


def test_a_signed_in_person_needs_no_gate(site: AppServer, open_session: str) -> None:
    grace = Browser(site.url).sign_in("Grace Hopper")
    grace.be_guest(open_session, "Somebody else")
    assert grace.join(open_session)["you"]["name"] == "Grace Hopper"


def test_a_guest_stays_the_same_over_reloads(site: AppServer, open_session: str) -> None:
    guest = Browser(site.url).be_guest(open_session, "Grace")
    identities = {guest.join(open_session)["you"]["identity"] for _ in range(3)}
    assert len(identities) == 1
    other = Browser(site.url).be_guest(open_session, "Grace")
    assert other.join(open_session)["you"]["identity"] not in identities


# Joining


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_joining_gives_exactly_what_the_room_needs(site: AppServer) -> None:
    host = Browser(site.url).sign_in("Ada Lovelace")
    slug = host.start_session("Engines")
    passes = host.join(slug)
    assert set(passes) == {"you", "session", "transcription", "video"}
    you = passes["you"]
    assert set(you) == {"identity", "name", "role", "hue"}
    assert (you["name"], you["role"]) == ("Ada Lovelace", "HOST")
    assert re.fullmatch("p_[0-9a-f]{24}", you["identity"])
    session = {"slug": slug, "title": "Engines", "status": "CREATED", "started_at": None}
    assert session.items() <= passes["session"].items()

    transcription = passes["transcription"]
    assert transcription["url"] == f"ws://localhost:{site.port}/ws"
    claims = jwt.decode(transcription["token"], site.secret, algorithms=["HS256"])
    assert abs(claims["iat"] - time.time()) < 30
    assert claims.pop("exp") - claims.pop("iat") == 3600
    assert re.fullmatch("[0-9a-f-]{36}", claims.pop("sessionId"))
    assert claims == {
        "sub": you["identity"],
        "sessionSlug": slug,
        "identity": you["identity"],
        "name": "Ada Lovelace",
        "role": "HOST",
    }

    assert passes["video"]["url"] == "ws://localhost:7880"
    video = jwt.decode(passes["video"]["token"], "secret", algorithms=["HS256"])
    assert video["iss"] == "devkey"
    assert video["sub"] == you["identity"]
    assert video["name"] == "Ada Lovelace"
    assert video["exp"] - video["nbf"] == 600
    assert video["attributes"] == {"role": "HOST", "hue": str(you["hue"])}
    assert video["video"] == {
        "room": slug,
        "roomJoin": True,
        "canPublish": True,
        "canSubscribe": True,
        "canPublishData": True,
        "canPublishSources": ["microphone", "camera", "screen_share", "screen_share_audio"],
        "canUpdateOwnMetadata": False,
    }
    assert "admin" not in str(video).lower()


def test_passes_are_kept_nowhere(site: AppServer, open_session: str) -> None:
    guest = Browser(site.url).be_guest(open_session, "Grace")
    answer = guest.http.post(f"/s/{open_session}/join", headers=JSON)
    assert answer.headers["cache-control"] == "no-store"


# Ending


def test_the_host_ends_a_session_once(site: AppServer, database: str) -> None:
    host = Browser(site.url).sign_in("Ada Lovelace")
    slug = host.start_session()
    come_and_go(host, slug=slug)
    question = (
        "SELECT s.status, s.ended_at, s.end_reason, u.name FROM sessions s"
        " JOIN users u ON u.id = s.ended_by WHERE s.slug = $1"
    )
    answer = host.end(slug)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/s/{slug}")
    (first,) = sql(database, question, slug)
    assert (first["status"], first["end_reason"]) == ("ENDED", "ADMIN_ENDED")
    assert first["name"] == "Ada Lovelace"
    assert host.end(slug).status_code == 303
    assert sql(database, question, slug) == [first]
    assert "Nothing was said in this session." in host.http.get(f"/s/{slug}").text


# Who may do what

PEOPLE = ("anonymous", "guest", "participant", "host", "other", "member")


@dataclass
class Meeting:
    """A session, and a browser of everybody who has to do with it."""

    slug: str
    people: dict[str, Visitor] = field(default_factory=dict)


def make_meeting(site: AppServer, database: str, title: str) -> Meeting:
    """Start a session that everybody but `anonymous`, `other` and `member` was in."""
    host = Browser(site.url).sign_in("Hedy Lamarr")
    meeting = Meeting(host.start_session(title), {"host": host})
    for name in ("participant", "other", "member"):
        meeting.people[name] = Browser(site.url).sign_in(name.title())
    meeting.people["guest"] = Browser(site.url).be_guest(meeting.slug, "Guest")
    meeting.people["anonymous"] = Browser(site.url)
    sql(
        database,
        "INSERT INTO members (space_id, user_id, role)"
        " SELECT s.space_id, u.id, 'MEMBER' FROM sessions s, users u"
        " WHERE s.slug = $1 AND u.email = 'member@example.com' ON CONFLICT DO NOTHING",
        meeting.slug,
    )
    come_and_go(
        *(meeting.people[who] for who in ("host", "participant", "guest")), slug=meeting.slug
    )
    return meeting


@pytest.fixture(scope="module")
def live(site: AppServer, database: str) -> Meeting:
    """A session that goes on."""
    return make_meeting(site, database, "Frequencies")


@pytest.fixture(scope="module")
def ended(site: AppServer, database: str) -> Meeting:
    """A session that is over."""
    meeting = make_meeting(site, database, "Frequencies hopped")
    meeting.people["host"].end(meeting.slug)
    return meeting


# What each of PEOPLE gets, in that order.
LIVE = {
    ("GET", "/"): (200, 200, 200, 200, 200, 200),
    ("GET", "/sessions"): (303, 303, 200, 200, 200, 200),
    ("POST", "/sessions"): (303, 303, 303, 303, 303, 303),
    ("GET", "/s/{slug}"): (200, 200, 200, 200, 200, 200),
    ("GET", "/s/{slug}/transcript"): (404, 200, 200, 200, 404, 200),
    ("GET", "/s/{slug}/transcript.txt"): (404, 200, 200, 200, 404, 200),
    ("GET", "/s/{slug}/transcript.vtt"): (404, 200, 200, 200, 404, 200),
    ("GET", "/s/{slug}/left"): (303, 200, 200, 200, 303, 303),
    ("POST", "/s/{slug}/join"): (401, 200, 200, 200, 200, 200),
    ("POST", "/s/{slug}/end"): (401, 404, 404, None, 404, 404),
    ("POST", "/s/{slug}/settings"): (401, 404, 404, 204, 404, 404),
    ("POST", "/s/{slug}/people/{identity}/admit"): (401, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/people/{identity}/deny"): (401, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/people/{identity}/mute"): (401, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/people/{identity}/remove"): (401, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/people/{identity}/host"): (401, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/people/{identity}/lower-hand"): (401, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/admit-all"): (401, 404, 404, 204, 404, 404),
    ("POST", "/s/{slug}/mute-all"): (401, 404, 404, 200, 404, 404),  # 200: LiveKit is away
    ("POST", "/hooks/livekit"): (401, 401, 401, 401, 401, 401),
    ("GET", "/sign-in"): (200, 200, 303, 303, 303, 303),
    ("GET", "/signed-in"): (303, 303, 200, 200, 200, 200),
    ("GET", "/sign-in/google"): (404, 404, 404, 404, 404, 404),
    ("GET", "/api/auth/callback/google"): (404, 404, 404, 404, 404, 404),
    ("GET", "/sign-in/dev"): (405, 405, 405, 405, 405, 405),
    ("GET", "/sign-out"): (405, 405, 405, 405, 405, 405),
    ("GET", "/health"): (200, 200, 200, 200, 200, 200),
    ("GET", "/static/favicon.svg"): (200, 200, 200, 200, 200, 200),
}
ENDED = {
    ("GET", "/s/{slug}"): (403, 200, 200, 200, 403, 200),
    ("GET", "/s/{slug}/transcript"): (303, 303, 303, 303, 303, 303),
    ("GET", "/s/{slug}/left"): (303, 303, 303, 303, 303, 303),
    ("GET", "/s/{slug}/transcript.txt"): (403, 200, 200, 200, 403, 200),
    ("GET", "/s/{slug}/transcript.vtt"): (403, 200, 200, 200, 403, 200),
    ("POST", "/s/{slug}/guest"): (403, 403, 303, 303, 303, 303),
    ("POST", "/s/{slug}/join"): (403, 403, 403, 403, 403, 403),
    ("POST", "/s/{slug}/end"): (401, 404, 404, 303, 404, 404),
}
UNKNOWN = {
    ("GET", "/s/{slug}"): (404, 404, 404, 404, 404, 404),
    ("GET", "/s/{slug}/transcript"): (404, 404, 404, 404, 404, 404),
    ("GET", "/s/{slug}/left"): (404, 404, 404, 404, 404, 404),
    ("GET", "/s/{slug}/transcript.txt"): (404, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/join"): (404, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/end"): (401, 401, 404, 404, 404, 404),
}


def assert_answers(
    meeting: Meeting, slug: str, routes: Mapping[tuple[str, str], tuple[int | None, ...]]
) -> None:
    """Everybody gets what the table says at every route."""
    found = {
        (*route, who): meeting.people[who]
        .http.request(route[0], route[1].format(slug=slug, identity="p_nobody"))
        .status_code
        for route, expected in routes.items()
        for who, status in zip(PEOPLE, expected, strict=True)
        if status is not None
    }
    assert found == {
        (*route, who): status
        for route, expected in routes.items()
        for who, status in zip(PEOPLE, expected, strict=True)
        if status is not None
    }


def test_who_gets_where_while_a_session_goes_on(live: Meeting) -> None:
    assert_answers(live, live.slug, LIVE)


def test_who_gets_where_when_it_is_over(ended: Meeting) -> None:
    assert_answers(ended, ended.slug, ENDED)


def test_nobody_gets_where_nothing_is(live: Meeting) -> None:
    assert_answers(live, NOWHERE, UNKNOWN)


def test_no_route_is_forgotten() -> None:
    tested = {path for _, path in (*LIVE, *ENDED)}
    routes = re.findall(r' Route\("([^"]+)"', (ROOT / "app.py").read_text())
    assert len(routes) > 10
    assert set(routes) <= tested


def test_everybody_has_one_role(live: Meeting) -> None:
    roles = {
        who: live.people[who].join(live.slug)["you"]["role"] for who in PEOPLE if who != "anonymous"
    }
    assert roles == {
        "guest": "GUEST",
        "participant": "GUEST",
        "host": "HOST",
        "other": "GUEST",
        "member": "MEMBER",
    }
    for who, role in roles.items():
        html = live.people[who].http.get(f"/s/{live.slug}").text
        assert role_shown(html) == role


def test_a_stranger_learns_nothing_of_an_ended_session(ended: Meeting) -> None:
    for who in ("anonymous", "other"):
        answer = ended.people[who].http.get(f"/s/{ended.slug}")
        assert answer.status_code == 403
        assert "This session has ended." in answer.text
        for secret in ("Frequencies", "Hedy", "Guest</"):
            assert secret not in answer.text


def test_a_guest_who_never_came_was_not_there(site: AppServer) -> None:
    host, guest = Browser(site.url).sign_in("Ada Lovelace"), Browser(site.url)
    slug = host.start_session("Private matter")
    guest.be_guest(slug, "Eve")
    come_and_go(host, slug=slug)
    host.end(slug)
    assert guest.http.get(f"/s/{slug}").status_code == 403


def test_an_ended_session_takes_no_guests(ended: Meeting) -> None:
    for name in ("Eve", ""):
        answer = ended.people["anonymous"].http.post(
            f"/s/{ended.slug}/guest", data={"name": name}, headers=JSON
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ended")


# The transcript


def test_the_transcript_says_who_said_what_when(site: AppServer, database: str) -> None:
    host, guest = Browser(site.url).sign_in("Ada Lovelace"), Browser(site.url)
    slug = host.start_session("Notes <on> the engine")
    guest.be_guest(slug, "Charles")
    come_and_go(host, guest, slug=slug)
    ada, charles = (one.join(slug)["you"]["identity"] for one in (host, guest))
    said = [
        (1, ada, "Good morning.", 1.0),
        (2, charles, "<script>alert(1)</script>", 3725.0),  # spoken last, finished second
        (3, ada, "Can you hear me?", 4.5),
        (4, charles, "Quite & well.", 61.9),
    ]
    for seq, identity, text, start in said:
        sql(
            database,
            "INSERT INTO utterances"
            " (session_id, stream, utterance, seq, identity, text, start_s, end_s)"
            " SELECT id, $2, '1', $3, $4, $5, $6::float8, $6::float8 + 1"
            " FROM sessions WHERE slug = $1",
            slug,
            uuid4().hex,
            seq,
            identity,
            text,
            start,
        )
    host.end(slug)
    html = host.http.get(f"/s/{slug}").text
    assert html == html.replace("<script>alert", "")
    assert "<h1>Notes &lt;on&gt; the engine</h1>" in html
    turns = re.findall(
        r'<span class="name">([^<]*)</span> (.*?)<a class="at" href="([^"]*)">([^<]*)</a></h2>',
        html,
    )
    guest_mark = '<span class="guest">guest</span> '
    assert turns == [
        ("Ada Lovelace", "", "#u-1", "0:01"),
        ("Charles", guest_mark, "#u-4", "1:01"),
    ]
    # Later words of a turn show their time where a new minute begins, else when pointed at.
    times = re.findall(
        r'<a class="(at[^"]*)" href="#(u-\d)">([^<]*)</a><p class="words" id="(.*?)"', html
    )
    assert times == [
        ("at aside", "u-3", "0:04", "u-3"),
        ("at", "u-2", "1:02:05", "u-2"),
    ]
    assert '<a class="back no-print" href="/">All sessions</a>' in html
    assert "All sessions" not in guest.http.get(f"/s/{slug}").text
    words = re.findall(r'<p class="words"[^>]*>(.*?)</p>', html)
    assert words == [
        "Good morning.",
        "Can you hear me?",
        "Quite &amp; well.",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
    ]
    assert guest.http.get(f"/s/{slug}").status_code == 200


# Refusals


@pytest.mark.parametrize("slug", ["a", "%00", "%FF", "é", "a%2Fb", "x" * 3000, "' OR 1=1"])
def test_an_address_that_cannot_be_is_not_found(site: AppServer, slug: str) -> None:
    answer = Browser(site.url).http.get(f"/s/{slug}")
    assert answer.status_code == 404
    assert "There is nothing here." in answer.text


@pytest.mark.parametrize("path", ["/nothing", "/s/", "/static/nothing.css", "/.env", "/app.py"])
def test_what_is_not_there_is_told_in_the_form_that_was_asked_for(
    site: AppServer, path: str
) -> None:
    page = Browser(site.url).http.get(path)
    assert page.status_code == 404
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>There is nothing here.</h1>" in page.text
    data = Browser(site.url).http.get(path, headers=JSON)
    assert data.status_code == 404
    assert data.json()["error"]["code"] == "not_found"
    assert set(data.json()["error"]) == {"code", "message"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/"),
        ("PUT", "/sessions"),
        ("GET", "/s/abc/join"),
        ("GET", "/s/abc/end"),
        ("GET", "/s/abc/guest"),
        ("POST", "/s/abc"),
        ("POST", "/health"),
        ("POST", "/static/favicon.svg"),
        ("OPTIONS", "/sessions"),
    ],
)
def test_a_wrong_method_is_refused(site: AppServer, method: str, path: str) -> None:
    answer = Browser(site.url).http.request(method, path)
    assert answer.status_code == 405
    assert "That can’t be done here." in answer.text
    data = Browser(site.url).http.request(method, path, headers=JSON)
    assert (data.status_code, data.json()["error"]["code"]) == (405, "wrong_method")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_other_sites_can_change_nothing(site: AppServer, headers: dict[str, str]) -> None:
    ada = Browser(site.url).sign_in("Ada Lovelace")
    slug = ada.start_session()
    before = ada.http.get("/sessions").text
    for path in ("/sessions", "/sign-out", "/sign-in/dev", f"/s/{slug}/end", f"/s/{slug}/join"):
        page = ada.http.post(path, headers=headers)
        assert page.status_code == 403
        assert "This can only be done from our pages." in page.text
        data = ada.http.post(path, headers=headers | JSON)
        assert (data.status_code, data.json()["error"]["code"]) == (403, "foreign_origin")
    assert ada.http.get("/sessions", headers=headers).text == before


def test_a_change_without_an_origin_is_refused(site: AppServer) -> None:
    answer = outside("POST", f"{site.url}/sessions")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large_a_form_is_refused(site: AppServer, chunked: bool) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(70):
            yield b"x" * 1024

    ada = Browser(site.url).sign_in("Ada Lovelace")
    content = body() if chunked else b"".join(body())
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = ada.http.post("/sessions", content=content, headers=form)
    assert answer.status_code == 413
    assert "<h1>That was too much.</h1>" in answer.text


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=a", b"--a\r\nnonsense"),
        ("multipart/form-data; boundary=a", b"--a\r\n" + b"x" * 3000),
        ("application/x-www-form-urlencoded", b"%FF=%00&&=&title"),
        ("application/json", b'{"title": "a"}'),
        ("text/plain", b"\xff\xfe"),
    ],
)
def test_a_strange_form_breaks_nothing(site: AppServer, kind: str, content: bytes) -> None:
    ada = Browser(site.url).sign_in("Ada Lovelace")
    answer = ada.http.post("/sessions", content=content, headers={"Content-Type": kind})
    assert answer.status_code in {303, 400}


@pytest.mark.parametrize("host", ["[", "a b", "", "localhost:port", "x; script-src *", "é"])
def test_a_strange_host_breaks_nothing(site: AppServer, host: str) -> None:
    answer = outside("GET", site.url, headers={"Host": host.encode()})
    assert answer.status_code in {200, 400}
    assert "script-src *" not in answer.headers.get("content-security-policy", "").split("; ")


# Rate limits


def assert_busy(answer: httpx2.Response) -> None:
    """The answer says when to try again."""
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_a_person_can_not_start_session_after_session(slow: AppServer) -> None:
    ada, grace = (Browser(slow.url).sign_in(name) for name in ("Ada", "Grace"))
    slug, _ = (ada.start_session() for _ in range(2))
    busy = ada.http.post("/sessions")
    assert_busy(busy)
    assert "That was a lot at once." in busy.text
    grace.start_session()  # others go on

    for _ in range(3):
        ada.join(slug)
    busy = ada.http.post(f"/s/{slug}/join", headers=JSON)
    assert_busy(busy)
    assert busy.json()["error"]["code"] == "too_many_requests"
    grace.join(slug)

    for _ in range(6):
        Browser(slow.url).be_guest(slug, "Guest")
    assert_busy(Browser(slow.url).http.post(f"/s/{slug}/guest", data={"name": "Guest"}))

    form = {"name": "Ada", "email": "ada@example.com"}
    statuses = [
        Browser(slow.url).http.post("/sign-in/dev", data=form).status_code for _ in range(5)
    ]
    assert statuses == [303] * 4 + [429]  # two signed in above


@pytest.mark.parametrize("per_minute", [0.1, 2, 7, 100])
def test_who_waits_as_long_as_told_is_let_in(per_minute: float) -> None:
    limiter, now = RateLimiter(per_minute), 1000.0
    while True:
        try:
            limiter.check("client", now)
        except TooManyRequestsError as refusal:
            limiter.check("client", now + refusal.retry_after)
            break
        now += 0.07


# Trouble


@pytest.fixture(scope="module")
def line(make_database: Callable[[], str]) -> Iterator[DatabaseLine]:
    """The line to the database of `fragile`."""
    with DatabaseLine(make_database()) as line:
        yield line


@pytest.fixture(scope="module")
def fragile(make_server_in: MakeServer, line: DatabaseLine) -> AppServer:
    """Sessions with a database that may break."""
    return make_server_in(DATABASE_URL=line.url)


def test_a_mistake_of_ours_shows_no_trace(fragile: AppServer, line: DatabaseLine) -> None:
    ada = Browser(fragile.url).sign_in("Ada Lovelace")
    sql(line.url, "ALTER TABLE sessions RENAME TO lost")
    page = ada.http.get("/")
    data = ada.http.get("/sessions", headers=JSON)
    sql(line.url, "ALTER TABLE lost RENAME TO sessions")
    assert page.status_code == 500
    assert "<h1>That didn’t work.</h1>" in page.text
    assert data.status_code == 500
    assert data.json()["error"]["code"] == "failed"
    for secret in ("Traceback", "asyncpg", "lost", "SELECT", "routes"):
        assert secret not in page.text + data.text
    assert "UndefinedTableError" in fragile.log


def test_while_the_database_is_away_everybody_is_told(
    fragile: AppServer, line: DatabaseLine
) -> None:
    told_before = fragile.log.count("Exception in ASGI")
    ada = Browser(fragile.url).sign_in("Ada Lovelace")
    healthy = ada.http.get("/health")
    assert healthy.status_code == 200
    assert healthy.json()["status"] == "ok"
    assert healthy.json()["database"] == "ok"
    assert healthy.json()["speech"]["engine"] == "off"
    assert healthy.headers["cache-control"] == "no-store"

    line.cut()
    away = ada.http.get("/health")
    assert away.status_code == 503
    assert (away.json()["status"], away.json()["database"]) == ("error", "away")
    assert set(away.json()) == set(healthy.json())
    page = ada.http.get("/")
    assert page.status_code == 503
    assert int(page.headers["retry-after"]) > 0
    assert "We can’t reach our memory." in page.text
    data = ada.http.post("/sessions", headers=JSON)
    assert (data.status_code, data.json()["error"]["code"]) == (503, "database_away")
    assert Browser(fragile.url).http.get("/").status_code == 200  # needs no memory

    line.mend()
    assert ada.http.get("/health").status_code == 200
    assert "Sign out" in ada.http.get("/").text  # still signed in

    line.hold()
    assert ada.http.get("/health").status_code == 503, "it never answers, which isn't waited for"
    line.mend()
    assert ada.http.get("/health").status_code == 200
    assert fragile.log.count("Exception in ASGI") == told_before


# Static files


def test_what_the_pages_ask_for_is_there_and_kept(site: AppServer, live: Meeting) -> None:
    ada = live.people["host"]
    pages = [ada.http.get(path).text for path in ("/", f"/s/{live.slug}")]
    pages.append(Browser(site.url).http.get("/").text)
    files = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', "".join(pages)))
    assert len(files) > 10
    for file in files:
        answer = ada.http.get(file)
        assert answer.status_code == 200, file
        # Scripts import each other without a version, and are named in the page the same way.
        is_imported = f'rel="modulepreload" href="{file}"' in pages[1]
        kept = "no-cache" if is_imported else "public, max-age=31536000, immutable"
        assert answer.headers["cache-control"] == kept, file
        assert answer.headers["etag"]


def test_a_file_without_a_version_is_asked_for_again(site: AppServer) -> None:
    browser = Browser(site.url)
    first = browser.http.get("/static/js/room/main.js")
    assert first.headers["cache-control"] == "no-cache"
    assert "javascript" in first.headers["content-type"]
    again = browser.http.get(
        "/static/js/room/main.js", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "../app.py",
        "%2e%2e/app.py",
        "..%2fapp.py",
        "css/%2e%2e/%2e%2e/app.py",
        "%00",
        "css",
        "x" * 300,
        "nothing.js?v=1",
    ],
)
def test_only_static_files_are_served(site: AppServer, path: str) -> None:
    answer = Browser(site.url).http.get(f"/static/{path}")
    assert answer.status_code == 404
    assert "immutable" not in answer.headers["cache-control"]


def test_pages_need_nothing_that_their_policy_forbids(live: Meeting, ended: Meeting) -> None:
    pages = [
        meeting.people[who].http.get(path).text
        for meeting in (live, ended)
        for who in ("anonymous", "host")
        for path in ("/", f"/s/{meeting.slug}", "/nothing")
    ]
    for page in pages:
        assert not re.findall(r"<script(?![^>]* src=)", page)
        assert not re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)
        assert not re.findall(r'(?:src|href|action)="(?!/|#|http://localhost)', page)


def test_a_page_may_connect_to_its_own_socket_and_video_only(site: AppServer) -> None:
    policy = Browser(site.url).http.get("/").headers["content-security-policy"]
    (connect,) = re.findall("connect-src ([^;]*);", policy)
    assert connect.split() == [
        "'self'",
        f"ws://localhost:{site.port}",
        "ws://localhost:7880",
        "http://localhost:7880",
    ]
