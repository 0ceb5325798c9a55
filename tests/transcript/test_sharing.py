"""A transcript shared by a link: who makes one, what it shows, how it is counted and ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from uuid import UUID, uuid4

import httpx2
import pytest

from core.database import Database
from core.signed_links import invitation_path, read_invitation, read_shared, shared_path
from core.store import people, sessions, shared_links
from core.store.shared_links import MAX_OPEN, Maker
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import outside
from tests.support.sign_in import LOGIN_SECRET
from tests.support.tables import Tables
from tests.support.visitors import Visitor

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
SAY = """
    INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s)
    SELECT session_id, 's', n::text, n, identity, 'Line ' || n || ' of Bo.', n * 10, n * 10 + 4
    FROM participants, generate_series(1, 150) n WHERE identity = $1"""
CORRECT = """
    INSERT INTO corrected_lines (session_id, seq, part, revision, text, start_s, end_s, speaker,
        hidden)
    SELECT u.session_id, u.seq, 0, 1, $3, u.start_s, u.end_s, u.identity, $4
    FROM utterances u JOIN sessions s ON s.id = u.session_id WHERE s.slug = $1 AND u.seq = $2"""


@dataclass
class Talk:
    """A session that is over, in which Bo spoke, Cy was silent and Dot wrote; Ada hosted it."""

    server: AppServer
    tables: Tables
    host: Visitor
    slug: str = ""
    guests: dict[str, Visitor] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)

    def share(self, who: Visitor | None = None, **form: str) -> str:
        """Make a link, and return its path."""
        before = set(self.links())
        form = {"days": "7"} | form
        answer = (who or self.host).http.post(f"/s/{self.slug}/share", data=form, headers=JSON)
        assert answer.status_code == 204, answer.text
        (made,) = set(self.links()) - before
        return made

    def links(self) -> list[str]:
        """Return the paths of the open links as the host sees them, the newest first."""
        html = self.host.http.get(f"/s/{self.slug}/share").text
        return re.findall(r'value="http://[^"/]+(/shared/[^"]+)"', html)

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """Open a link as a browser does whose user nobody knows."""
        return outside("GET", self.server.url + path, headers=HTML | headers)

    def revoke(self, path: str, who: Visitor | None = None) -> int:
        which = read_shared(LOGIN_SECRET, path.rpartition("/")[2])
        address = f"/s/{self.slug}/share/{which}/revoke"
        return int((who or self.host).http.post(address, headers=JSON).status_code)

    def openings(self, path: str) -> int:
        which = read_shared(LOGIN_SECRET, path.rpartition("/")[2])
        assert which is not None
        sql = "SELECT openings FROM shared_links WHERE id = $1"
        return int(self.tables.one(sql, UUID(which)))

    def where(self, what: str) -> str:
        """Return something of the session from its row."""
        return str(self.tables.one(f"SELECT {what} FROM sessions WHERE slug = $1", self.slug))


Talks = Callable[..., Talk]


@pytest.fixture(scope="module")
def talks(make_server_in: MakeServer, make_database: Callable[[], str]) -> Talks:
    database = make_database()
    server = make_server_in(
        DATABASE_URL=database,
        LIVEKIT_URL="off",
        RATE_LIMIT_FACTOR="20",
        NEXTAUTH_SECRET=LOGIN_SECRET,
    )

    def made(host: str = "Ada Lovelace", *, over: bool = True) -> Talk:
        talk = Talk(server, Tables(database), Visitor(server.url).sign_in(host))
        talk.slug = talk.host.start_session("Ferries")
        talk.host.join(talk.slug)
        for name in ("Bo", "Cy", "Dot"):
            talk.guests[name] = Visitor(server.url).be_guest(talk.slug, name)
            talk.identities[name] = talk.guests[name].join(talk.slug)["you"]["identity"]
        talk.tables("UPDATE participants SET joined_at = now() WHERE joined_at IS NULL")
        talk.tables(SAY, talk.identities["Bo"])
        # As if it had begun when somebody came.
        talk.tables("UPDATE sessions SET started_at = created_at WHERE started_at IS NULL")
        talk.tables(
            "INSERT INTO chat_messages SELECT session_id, 1, identity, 'private note', now()"
            " FROM participants WHERE identity = $1",
            talk.identities["Dot"],
        )
        if over:
            assert talk.host.end(talk.slug).status_code == 303
        return talk

    return made


@pytest.fixture(scope="module")
def talk(talks: Talks) -> Talk:
    made = talks()
    made.tables(CORRECT, made.slug, 2, "hidden secret", True)
    made.tables(CORRECT, made.slug, 3, "Corrected words.", False)
    made.tables(
        "INSERT INTO pauses (session_id, paused_at, resumed_at, identity)"
        " SELECT s.id, s.started_at + interval '35 s', s.started_at + interval '36 s', p.identity"
        " FROM sessions s JOIN participants p ON p.session_id = s.id AND p.name = 'Ada Lovelace'"
        " WHERE slug = $1",
        made.slug,
    )
    made.tables(
        "INSERT INTO analyses (session_id, summary, status)"
        " SELECT id, 'A summary by an AI', 'DONE' FROM sessions WHERE slug = $1",
        made.slug,
    )
    return made


def ids(html: str) -> list[str]:
    return re.findall(r'<p class="words[^"]*" id="u-([^"]+)"', html)


def test_whoever_has_the_link_reads_what_was_said_and_nothing_else(talk: Talk) -> None:
    link = talk.share()
    answer = talk.get(link)
    html = unescape(answer.text)
    assert answer.status_code == 200
    assert ids(html)[:5] == ["1", "3", "pause-0", "4", "5"]
    assert len(ids(html)) == 101
    for shown in ("Ferries", "Line 1 of Bo.", "Corrected words.", ">Bo<", "Paused by a host"):
        assert shown in html, shown
    every = talk.get(f"{link}/lines?all").text
    assert ids(every)[-1] == "150"
    found = talk.get(f"{link}?q=of+Bo").text
    secrets = {talk.slug, talk.where("id"), talk.where("space_id"), str(talk.where("created_by"))}
    secrets |= {"hidden secret", "Line 2 of Bo", "Line 3 of Bo", "private note", "Cy", "Dot", "Ada"}
    secrets |= {"@example.com", "/s/", "/r/", "/spaces", "/avatars", "A summary by an AI", "guest"}
    secrets |= {"download", "data-player", "data-sound", "data-line=", "What transcribing took"}
    for text in (html, every, found, talk.get(f"{link}?speaker={talk.identities['Bo']}").text):
        for secret in secrets:
            assert secret not in text, secret
    # Who is signed in, the host too, gets the same page.
    assert talk.host.http.get(link, headers=HTML).text == answer.text


def test_the_whole_of_it_is_found_and_gone_to_under_the_link(talk: Talk) -> None:
    link = talk.share()
    html = talk.get(link).text
    for address in (f'action="{link}" data-find="{link}/find"', f'data-lines="{link}/lines?"'):
        assert address in html
    assert f'hx-get="{link}/lines?after=101"' in html
    assert ids(talk.get(f"{link}/lines?after=101").text)[0] == "102"
    assert talk.get(f"{link}/find?q=line+14").json()["lines"][:2] == ["14", "140"]
    assert talk.get(f"{link}/find?q=secret").json() == {"lines": [], "more": False}
    assert ids(talk.get(f"{link}?line=140").text)[-1] == "150"
    assert ids(talk.get(f"{link}?q=of+Bo.").text)[0] == "1"
    second = talk.get(f"{link}?at=1400")
    assert (second.status_code, second.headers["location"]) == (303, f"{link}?line=140#u-140")
    bo = talk.identities["Bo"]
    assert f'href="?speaker={bo}"' in html
    assert len(ids(talk.get(f"{link}/lines?all&speaker={bo}").text)) >= 149


def test_the_chat_is_shown_if_whoever_shares_says_so(talk: Talk) -> None:
    without, link = talk.share(), talk.share(chat="on")
    every = talk.get(f"{link}/lines?all").text
    assert "private note" in every
    assert ">Dot<" in every
    assert talk.get(f"{link}/find?q=private").json()["lines"] == ["chat-1"]
    # Not even that there was any shows where they don't.
    assert talk.get(f"{without}/find?q=private").json()["lines"] == []
    assert talk.get(f"{without}/lines?line=chat-1").status_code == 404
    assert ids(talk.get(f"{without}?line=chat-1").text)[0] == "1"
    dot = talk.identities["Dot"]
    assert ids(talk.get(f"{without}/lines?speaker={dot}").text) == []
    assert ids(talk.get(f"{link}/lines?speaker={dot}").text) == ["chat-1"]


def test_no_answer_is_kept_told_on_or_put_into_an_index(talk: Talk) -> None:
    link = talk.share()
    closed = talk.share()
    assert talk.revoke(closed) == 204
    for path, status in (
        (link, 200),
        (f"{link}/lines", 200),
        (f"{link}/find?q=Bo", 200),
        (closed, 410),
        (f"{link[:-3]}AAA", 404),
        (f"{link}/nothing", 404),
    ):
        answer = talk.get(path)
        assert answer.status_code == status, path
        assert answer.headers["x-robots-tag"].startswith("noindex, nofollow"), path
        assert answer.headers["referrer-policy"] == "no-referrer", path
        assert answer.headers["cache-control"] == "no-store", path
    assert '<meta name="robots" content="noindex, nofollow">' in talk.get(link).text
    assert "x-robots-tag" not in talk.get("/").headers


def test_hosts_share_and_nobody_else(talks: Talks) -> None:
    talk = talks(over=False)
    address = f"/s/{talk.slug}/share"
    host, bo = talk.host, talk.guests["Bo"]
    goes_on = host.http.post(address, data={"days": "7"}, headers=JSON)
    assert (goes_on.status_code, goes_on.json()["error"]["code"]) == (409, "goes_on")
    assert host.host(talk.slug, f"people/{talk.identities['Bo']}/host")[0] in (200, 204)
    host.end(talk.slug)
    link = talk.share()
    other = Visitor(talk.server.url).sign_in("Eve")
    member = Visitor(talk.server.url).sign_in("Max")
    talk.tables(
        "INSERT INTO members SELECT $1, id, 'MEMBER' FROM users WHERE name = 'Max'",
        UUID(talk.where("space_id")),
    )
    for who, status in (
        (Visitor(talk.server.url), 401),
        (other, 404),
        (member, 404),
        (talk.guests["Cy"], 404),
    ):
        assert who.http.get(address).status_code == status
        assert who.http.post(address, data={"days": "7"}, headers=JSON).status_code == status
        assert talk.revoke(link, who) == status
    page = f"/s/{talk.slug}"
    assert address not in member.http.get(page).text
    assert address in host.http.get(page).text
    # Whom a host made one hosts, without an account, too.
    of_bo = talk.share(bo)
    assert "made by Bo" in host.http.get(address).text
    assert talk.revoke(link, bo) == 204
    assert talk.revoke(of_bo) == 204
    foreign = host.http.post(address, data={"days": "7"}, headers={"Origin": "https://evil.test"})
    assert foreign.status_code == 403
    assert talk.links() == []


def test_what_is_no_link_or_no_more_opens_nothing(talk: Talk, talks: Talks) -> None:
    link, another = talk.share(), talks().share()
    token = link.rpartition("/")[2]
    invitation = invitation_path(LOGIN_SECRET, str(uuid4())).rpartition("/")[2]
    unknown = shared_path(LOGIN_SECRET, str(uuid4()))
    elsewhere = shared_path(f"{LOGIN_SECRET}.", str(uuid4()))
    forged = [f"/shared/{one}" for one in (token[:-1], token[:-3] + "AAA", f"{token}A", invitation)]
    for path in (*forged, unknown, elsewhere, "/shared/x", "/shared/%00", "/shared/", "/shared"):
        for rest in ("", "/lines", "/find?q=x"):
            assert talk.get(path + rest).status_code == 404, path
    assert talk.revoke(another) == 404, "of another session"
    assert talk.get(another).status_code == 200
    bad = talk.host.http.post(f"/s/{talk.slug}/share/x/revoke", headers=JSON)
    assert bad.status_code == 404
    assert talk.revoke(link) == 204
    assert talk.revoke(link) == 404
    page = talk.get(link)
    assert page.status_code == 410
    assert "This link was revoked." in page.text
    assert "Ferries" not in page.text
    for path in (f"{link}/lines", f"{link}/find?q=Bo"):
        assert talk.get(path, Accept="application/json").json()["error"]["code"] == "link_closed"
    run_out = talk.share()
    which = UUID(read_shared(LOGIN_SECRET, run_out.rpartition("/")[2]))
    talk.tables("UPDATE shared_links SET expires_at = now() WHERE id = $1", which)
    page = talk.get(run_out)
    assert page.status_code == 410
    assert "This link has run out." in page.text
    assert talk.revoke(run_out) == 404
    assert run_out not in talk.links()


def test_a_link_ends_with_its_session(talks: Talks) -> None:
    talk = talks()
    link = talk.share()
    assert talk.host.http.post(f"/s/{talk.slug}/delete", headers=JSON).status_code == 204
    assert talk.get(link).status_code == 404
    assert talk.get(f"{link}/lines").status_code == 404


def test_a_link_lasts_as_long_as_was_chosen(talk: Talk) -> None:
    for days in (1, 7, 30):
        which = read_shared(LOGIN_SECRET, talk.share(days=str(days)).rpartition("/")[2])
        assert which is not None
        sql = "SELECT expires_at - created_at FROM shared_links WHERE id = $1"
        assert talk.tables.one(sql, UUID(which)) == timedelta(days=days)
    address = f"/s/{talk.slug}/share"
    before = talk.links()
    for odd in ("", "0", "2", "-1", "٧", "9" * 40, "7 "):
        form = {"days": odd, "chat": "on"}
        answer = talk.host.http.post(address, data=form, headers=HTML)
        assert answer.status_code == 422
        assert "Choose how long the link lasts." in answer.text
        assert talk.host.http.post(address, data=form, headers=JSON).status_code == 422
    assert talk.links() == before


def test_a_session_has_so_many_open_links(talks: Talks) -> None:
    talk = talks()
    add = (
        "INSERT INTO shared_links (session_id, maker, expires_at, revoked_at)"
        " SELECT id, 'Ada', now() + interval '1 day', $3 FROM sessions, generate_series(1, $2)"
        " WHERE slug = $1"
    )
    talk.tables(add, talk.slug, MAX_OPEN - 1, None)
    talk.tables("UPDATE shared_links SET expires_at = expires_at")  # what has ended doesn't count
    link = talk.share()
    address = f"/s/{talk.slug}/share"
    answer = talk.host.http.post(address, data={"days": "7"}, headers=HTML)
    assert answer.status_code == 409
    assert "Revoke one that is no longer needed" in answer.text
    full = talk.host.http.post(address, data={"days": "7"}, headers=JSON)
    assert (full.status_code, full.json()["error"]["code"]) == (409, "links_full")
    assert talk.revoke(link) == 204
    talk.share()


def test_a_browser_counts_once_a_day(talk: Talk) -> None:
    link = talk.share()
    browser = Visitor(talk.server.url)
    first = browser.http.get(link, headers=HTML)
    cookie = first.headers["set-cookie"]
    for word in ("sessions_shared=1", f"Path={link}", "Max-Age=86400", "HttpOnly", "SameSite=lax"):
        assert word in cookie
    for path in (link, f"{link}?q=Bo", f"{link}?line=3"):
        assert browser.http.get(path, headers=HTML).status_code == 200
    assert talk.openings(link) == 1
    assert "opened once" in talk.host.http.get(f"/s/{talk.slug}/share").text
    # Another link's page, and another browser, count for themselves.
    assert "set-cookie" in browser.http.get(talk.share(), headers=HTML).headers
    talk.get(link)
    assert talk.openings(link) == 2
    # What isn't somebody who opens it.
    for path, headers in (
        (link, {"HX-Request": "true"}),
        (link, {"Sec-Purpose": "prefetch;prerender"}),
        (link, {"Purpose": "prefetch"}),
        (link, {"Sec-Fetch-Dest": "empty"}),
        (link, {"Accept": "*/*"}),
        (f"{link}/lines", {}),
        (f"{link}/find?q=Bo", {}),
        (f"{link}?at=10", {}),
    ):
        assert talk.get(path, **headers).status_code in (200, 303)
    assert outside("HEAD", talk.server.url + link, headers=HTML).status_code == 200
    talk.links()
    assert talk.openings(link) == 2
    assert "opened 2 times" in talk.host.http.get(f"/s/{talk.slug}/share").text


def test_on_https_only_what_a_browser_shows_counts(
    make_server: MakeServer, make_database: Callable[[], str]
) -> None:
    database = make_database()
    server = make_server(
        DATABASE_URL=database,
        NEXTAUTH_URL="https://meet.example.org",
        NEXTAUTH_SECRET=LOGIN_SECRET,
    )
    tables = Tables(database)
    session = tables.one(
        "WITH s AS (INSERT INTO spaces (name) VALUES ('Space') RETURNING id)"
        " INSERT INTO sessions (slug, title, space_id, status, started_at, ended_at)"
        " SELECT 'over', 'Over', id, 'ENDED', now(), now() FROM s RETURNING id"
    )
    link = tables.one(
        "INSERT INTO shared_links (session_id, maker, expires_at)"
        " VALUES ($1, 'Ada', now() + interval '1 day') RETURNING id",
        session,
    )
    path = shared_path(LOGIN_SECRET, str(link))
    shown = HTML | {"Sec-Fetch-Dest": "document"}
    for headers, count in ((HTML, 0), (shown, 1), (shown | {"Sec-Purpose": "prefetch"}, 1)):
        answer = outside("GET", server.url + path, headers=headers)
        assert answer.status_code == 200
        assert tables.one("SELECT openings FROM shared_links") == count
        assert ("Secure" in answer.headers.get("set-cookie", "")) is (headers == shown)


def test_whose_membership_ends_shares_nothing_any_more(talks: Talks) -> None:
    talk = talks("Olga")
    space = UUID(talk.where("space_id"))
    people = {name: Visitor(talk.server.url).sign_in(name) for name in ("Rae", "Lea", "Ina")}
    for name in people:
        talk.tables(
            "INSERT INTO members SELECT $1, id, 'OWNER' FROM users WHERE name = $2", space, name
        )
    links = {name: talk.share(who) for name, who in people.items()}
    kept = talk.share()
    rae = talk.tables.one("SELECT id FROM users WHERE name = 'Rae'")
    removed = talk.host.http.post(f"/spaces/{space}/members/{rae}/remove", headers=JSON)
    assert removed.status_code == 204
    assert people["Lea"].http.post(f"/spaces/{space}/leave", headers=JSON).status_code == 204
    account = "/profile/account/delete"
    form = {"confirm": "ina@example.com"}
    assert people["Ina"].http.post(account, data=form, headers=JSON).status_code == 204
    for name, link in links.items():
        assert talk.get(link).status_code == 410, name
    assert talk.get(kept).status_code == 200
    assert talk.links() == [kept]
    shown = talk.host.http.get(f"/s/{talk.slug}/share").text
    assert "made by Ina" in shown, "among those that have ended"
    assert people["Rae"].http.get(f"/s/{talk.slug}/share").status_code == 404


def test_who_is_disabled_shares_nothing_any_more(talks: Talks) -> None:
    talk = talks("Odette")
    space = UUID(talk.where("space_id"))
    pat, sue = (Visitor(talk.server.url).sign_in(name) for name in ("Pat", "Sue"))
    for name in ("Pat", "Sue"):
        talk.tables(
            "INSERT INTO members SELECT $1, id, 'OWNER' FROM users WHERE name = $2", space, name
        )
    ended, others = talk.share(pat), talk.share(sue)
    talk.tables("UPDATE users SET administrator = true WHERE name = 'Odette'")
    which = talk.tables.one("SELECT id FROM users WHERE name = 'Pat'")
    who = f"/admin/people/{which}"
    assert talk.host.http.post(f"{who}/disable", headers=JSON).status_code == 204
    assert talk.get(ended).status_code == 410
    assert talk.get(others).status_code == 200
    assert talk.links() == [others]
    assert talk.host.http.post(f"{who}/enable", headers=JSON).status_code == 204
    assert talk.get(ended).status_code == 410, "for good"


async def test_a_link_that_is_made_while_somebody_is_disabled_ends_as_well(talks: Talks) -> None:
    talk = await asyncio.to_thread(talks, "Olaf")
    host = await asyncio.to_thread(talk.tables.one, "SELECT id FROM users WHERE name = 'Olaf'")
    url = talk.server.database_url
    one, other = Database(url), Database(url)
    for db in (one, other):
        await db.connect()
    session = await sessions.find(one, talk.slug)
    person = await people.find(one, str(host))
    assert session is not None
    assert person is not None
    maker = Maker(person, "Olaf", member=True)
    lasts = timedelta(days=1)
    async with one.transaction():
        made = await shared_links.create(one, session, maker, lasts=lasts, chat=False)
        disabling = asyncio.create_task(people.disable(other, host, disabled=True))
        done, _ = await asyncio.wait({disabling}, timeout=0.3)
        assert not done
    assert await disabling
    found = await shared_links.find(one, str(made))
    assert found is not None
    assert found[0].closed == "revoked"
    assert await shared_links.create(one, session, maker, lasts=lasts, chat=False) is None
    for db in (one, other):
        await db.disconnect()


def test_hosts_see_which_links_a_former_host_has_made(talks: Talks) -> None:
    talk = talks("Oona")
    space = UUID(talk.where("space_id"))
    vic = Visitor(talk.server.url).sign_in("Vic")
    sql = "INSERT INTO members SELECT $1, id, 'OWNER' FROM users WHERE name = 'Vic'"
    talk.tables(sql, space)
    link, own = talk.share(vic), talk.share()

    def told() -> list[bool]:
        page = talk.host.http.get(f"/s/{talk.slug}/share").text
        made = re.findall(r"<p class=\"quiet\">made by (?:Vic|Oona).*?</p>", page)
        assert len(made) == 2
        return ["no longer a host here" in one for one in made]

    assert told() == [False, False]
    member = {"role": "MEMBER"}
    which = talk.tables.one("SELECT id FROM users WHERE name = 'Vic'")
    address = f"/spaces/{space}/members/{which}/role"
    changed = talk.host.http.post(address, data=member, headers=JSON)
    assert changed.status_code == 204, changed.text
    assert told() == [False, True]  # the newest first
    assert talk.get(link).status_code == talk.get(own).status_code == 200


def test_the_space_log_and_the_takeout_tell_of_it_without_the_link(talks: Talks) -> None:
    talk = talks("Uma")
    link = talk.share(days="30")
    assert talk.revoke(link) == 204
    events = unescape(talk.host.http.get(f"/spaces/{talk.where('space_id')}/events").text)
    assert "Shared the transcript of “Ferries” by a link; days: 30" in events
    assert "Revoked a link to the transcript of “Ferries”" in events
    takeout = talk.host.http.get("/profile/account/export")
    (mine,) = takeout.json()["shared_links"]
    assert (mine["session"], mine["chat"], mine["openings"]) == (talk.where("id"), False, 0)
    token = link.rpartition("/")[2]
    for text in (events, takeout.text, talk.server.log):
        assert token not in text


def test_htmx_gets_the_links_as_they_are_now(talk: Talk) -> None:
    fragment = {"HX-Request": "true", "Accept": "text/html"}
    address = f"/s/{talk.slug}/share"
    made = talk.host.http.post(address, data={"days": "1"}, headers=fragment)
    assert made.status_code == 200
    assert "<html" not in made.text
    assert "data-just-made" in made.text
    which = re.findall(r'<li id="link-([^"]+)" data-just-made', made.text)
    gone = talk.host.http.post(f"{address}/{which[0]}/revoke", headers=fragment)
    assert "Revoked. It opens nothing any more." in gone.text
    plain = talk.host.http.post(address, data={"days": "1"}, headers=HTML)
    assert plain.status_code == 303
    assert plain.headers["location"].startswith(f"{address}#link-")


def test_guesses_of_one_address_are_bounded_and_bar_nobody_else(
    make_server: MakeServer, talk: Talk
) -> None:
    link = talk.share()
    server = make_server(
        DATABASE_URL=talk.server.database_url,
        NEXTAUTH_SECRET=LOGIN_SECRET,
        RATE_LIMIT_FACTOR="0.1",
    )
    guesser = Visitor(server.url).http
    statuses = [guesser.get(f"/shared/x{n}").status_code for n in range(8)]
    assert statuses[:3] == [404] * 3
    assert 429 in statuses[3:]
    assert guesser.get(link).status_code == 200
    away = {"X-Forwarded-For": "192.0.2.1"}
    assert guesser.get("/shared/x", headers=away).status_code == 404


def test_a_token_of_another_kind_is_none() -> None:
    which = str(uuid4())
    invitation, shared = invitation_path("secret", which), shared_path("secret", which)
    token = shared.rpartition("/")[2]
    assert read_shared("secret", token) == which
    assert read_shared("secret", invitation.rpartition("/")[2]) is None
    assert read_invitation("secret", f"/invitations/{token}") is None
    assert read_shared("another", token) is None
    assert all(
        read_shared("secret", token[:-1] + one) is None for one in "AQgw" if one != token[-1]
    )
