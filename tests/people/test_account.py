"""One's own account: all that is kept about somebody as a file, and its end."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import expect

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.http import Browser
from tests.support.meetings import JSON, come_and_go
from tests.support.route_ways import PICTURE
from tests.support.sign_in import is_signed_in
from tests.support.tables import Tables

HERE = "/profile/account"
HTML = {"Accept": "text/html"}
SIGNED_OUT = 4403  # of a socket
SAID = """
    INSERT INTO utterances
    (session_id, stream, utterance, seq, identity, text, start_s, end_s, language)
    SELECT p.session_id, p.identity, CAST(n AS text), n, p.identity, $3 || n, n, n + 1, 'en'
    FROM participants p JOIN sessions s ON s.id = p.session_id, generate_series(1, $4) n
    WHERE s.slug = $1 AND p.name = $2
"""


@dataclass
class Place:
    server: AppServer
    tables: Tables

    def sign_in(self, name: str) -> Browser:
        who = Browser(self.server.url)
        who.sign_in(name)
        return who

    def user(self, name: str) -> UUID | None:
        found = self.tables("SELECT id FROM users WHERE name = $1", name)
        return found[0][0] if found else None

    def space(self, owner: Browser, name: str, **others: str) -> str:
        """Have somebody make a space, with these others as what they are called in it."""
        made = owner.http.post("/spaces", data={"name": name}, headers=HTML)
        space = str(made.headers["location"]).removeprefix("/spaces/")
        for other, role in others.items():
            self.tables(
                "INSERT INTO members (space_id, user_id, role)"
                " SELECT $1, id, $3 FROM users WHERE name = $2",
                *(UUID(space), other, role),
            )
        return space

    def say(self, slug: str, name: str, text: str, many: int = 1) -> None:
        """Have somebody have said this in a session."""
        self.tables(SAID, slug, name, text, many)


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer, make_database: Callable[[], str]) -> Place:
    database = make_database()
    server = make_server_in(
        DATABASE_URL=database,
        RATE_LIMIT_FACTOR="100",
        LIVEKIT_URL="off",
        ADMIN_EMAILS="root@example.com",
    )
    return Place(server, Tables(database))


def end(who: Browser, name: str, **form: str) -> tuple[int, str]:
    """Delete an account as a program would; return the status, and a problem's code if any."""
    confirm = {"confirm": f"{name.lower()}@example.com"}
    answer = who.http.post(f"{HERE}/delete", data=confirm | form, headers=JSON)
    body = answer.json() if answer.content else {}
    return answer.status_code, body.get("error", {}).get("code", "")


def seen(who: Browser) -> str:
    found = re.search('name="seen" value="([^"]+)"', who.http.get(f"{HERE}/delete").text)
    assert found
    return found[1]


def saved(who: Browser) -> Any:
    answer = who.http.get(f"{HERE}/export")
    assert answer.status_code == 200
    return json.loads(answer.content)


def test_all_that_is_kept_is_saved_and_nothing_of_others(place: Place) -> None:
    ann, bob = place.sign_in("Ann"), place.sign_in("Bob")
    space = place.space(ann, "Team", Bob="MEMBER")
    ann.http.post("/profile/picture", files={"picture": ("p.png", PICTURE)})
    ann.http.post("/profile/look", data={"theme": "DARK"})
    ann.http.post(f"/spaces/{space}/invitations", data={"uses": "3", "days": "7"})
    place.tables(
        "INSERT INTO api_tokens (user_id, name, scope, key_digest)"
        " VALUES ($1, 'Notes', 'READ', $2)",
        *(place.user("Ann"), b"secret digest"),
    )
    own = ann.start_session("Weekly")
    of_bob = bob.start_session("Bob’s own")
    for slug in (own, of_bob):
        for who in (ann, bob):
            come_and_go(who, slug=slug)
    place.say(own, "Ann", "mine ", 1201)  # more than two pages
    place.say(of_bob, "Bob", "secret of Bob ")
    place.tables(
        "INSERT INTO chat_messages SELECT session_id, 1, identity, 'A line', now()"
        " FROM participants WHERE name = 'Ann' AND session_id ="
        " (SELECT id FROM sessions WHERE slug = $1)",
        of_bob,
    )
    corrected = bob.http.post(
        f"/s/{own}/transcript/lines/1", data={"revision": "0", "text": "Mine."}, headers=JSON
    )
    assert corrected.status_code == 200, "Bob is a member"
    corrected = ann.http.post(
        f"/s/{own}/transcript/lines/1",
        data={"revision": str(corrected.json()["lines"][0]["revision"]), "text": "One\nTwo"},
        headers=JSON,
    )
    assert corrected.status_code == 200
    answer = ann.http.get(f"{HERE}/export")
    assert answer.headers["cache-control"] == "no-store"
    name = re.fullmatch(
        r'attachment; filename="sessions-account-\d{4}-\d\d-\d\d\.json"',
        answer.headers["content-disposition"],
    )
    assert name
    assert answer.headers["content-type"] == "application/json"
    file = json.loads(answer.content)
    person = file["person"]
    assert (person["name"], person["email"], person["theme"]) == ("Ann", "ann@example.com", "DARK")
    assert person["picture"]["base64"].startswith("UklGR"), "RIFF"
    assert file["about"]["format"] == "sessions-account-1"
    assert [one["provider"] for one in file["accounts"]] == ["development"]
    assert len(file["sign_ins"]) == 1
    assert [(one["name"], one["scope"]) for one in file["api_tokens"]] == [("Notes", "READ")]
    assert [one["role"] for one in file["spaces"]] == ["OWNER", "OWNER"]
    assert [one["max_uses"] for one in file["invitations"]] == [3]
    assert [(one["title"], one["link"]) for one in file["sessions"]] == [("Weekly", own)]
    assert {one["act"] for one in file["log"]} == {"space_created", "invited"}
    assert [one["title"] for one in file["participations"]] == ["Weekly", "Bob’s own"]
    first, second = file["participations"]
    assert [one["text"] for one in first["utterances"]] == [f"mine {n}" for n in range(1, 1202)]
    assert [(one["part"], one["text"]) for one in first["corrected"]] == [(0, "One"), (1, "Two")]
    assert [(one["kind"], one["text"]) for one in file["corrections"]] == [
        ("SPLIT", "One"),
        ("SPLIT", "Two"),
    ]
    assert "chat" not in first
    assert "corrected" not in second
    assert [one["text"] for one in second["chat"]] == ["A line"]
    assert second["joined_at"] >= second["created_at"]
    for secret in ("secret", "digest", ann.http.cookies["sessions_login"]):
        assert secret not in answer.text

    # Who was removed reads what they said, and no longer what it was called.
    place.tables("UPDATE participants SET state = 'REMOVED' WHERE name = 'Ann'")
    titles = [one["title"] for one in saved(ann)["participations"]]
    assert titles == [None, None]
    assert Browser(place.server.url).http.get(f"{HERE}/export").status_code == 401
    guest = Browser(place.server.url).be_guest(own, "Guest")
    assert guest.http.get(f"{HERE}/export").status_code == 401


def test_an_account_goes_and_what_was_said_stays(place: Place) -> None:
    cy, dora = place.sign_in("Cy"), place.sign_in("Dora")
    elsewhere = place.sign_in("Cy")
    shared = place.space(dora, "Shared", Cy="OWNER")
    alone = place.space(cy, "Alone")
    cy.http.post(f"/spaces/{shared}/invitations", data={"uses": "3", "days": "7"})
    doomed = cy.start_session("Doomed")
    come_and_go(cy, slug=doomed)
    cy.http.post(f"/spaces/{shared}/switch")
    kept = cy.start_session("Kept")
    for who in (cy, dora):
        come_and_go(who, slug=kept)
    place.say(kept, "Cy", "I was here ")
    cy.http.post("/profile/picture", files={"picture": ("p.png", PICTURE)})
    picture = saved(cy)["person"]["picture"]
    assert picture
    user = place.user("Cy")
    avatar = place.tables.one("SELECT avatar FROM users WHERE id = $1", user)

    text = cy.http.get(f"{HERE}/delete").text
    for words in (
        "Alone",
        "Shared",
        "2 browsers",
        "1 open invitation",
        "1 utterance",
        "Cy’s space",
    ):
        assert words in text, words
    assert "1 session that you started there" in text
    assert is_signed_in(cy), "to ask deletes nothing"

    # What isn't right deletes nothing.
    for form, status in (
        ({"confirm": "dora@example.com"}, 422),
        ({"confirm": ""}, 422),
        ({"seen": "0" * 16}, 409),
    ):
        assert end(cy, "Cy", **form)[0] == status
    foreign = {"Origin": "https://evil.example"}
    answer = cy.http.post(f"{HERE}/delete", data={"confirm": "cy@example.com"}, headers=foreign)
    assert answer.status_code == 403
    guest = Browser(place.server.url)
    guest.be_guest(kept, "Guest")
    for nobody in (Browser(place.server.url), guest):
        assert end(nobody, "Cy") == (401, "signed_out")
        assert nobody.http.get(f"{HERE}/delete").headers["location"].startswith("/sign-in")
    assert end(cy, "Cy", seen=seen(cy), confirm="cy@example.con")[0] == 422
    assert place.user("Cy") == user

    async def go() -> int | None:
        page = elsewhere.page(kept)
        await page.connect()
        form = {"confirm": " CY@example.com ", "seen": await asyncio.to_thread(seen, cy)}
        answer = await asyncio.to_thread(cy.http.post, f"{HERE}/delete", data=form, headers=HTML)
        assert (answer.status_code, answer.headers["location"]) == (303, "/?deleted")
        assert answer.headers["clear-site-data"] == '"cache"'
        return await page.until_closed()

    assert asyncio.run(go()) == SIGNED_OUT
    assert not is_signed_in(cy)
    assert not is_signed_in(elsewhere)
    assert end(elsewhere, "Cy") == (401, "signed_out")
    assert place.user("Cy") is None
    assert cy.http.get(f"/avatars/{avatar}.webp").status_code == 404
    for sql in (
        "SELECT count(*) FROM sessions WHERE slug = $1",
        "SELECT count(*) FROM participants p JOIN sessions s ON s.id = session_id WHERE slug = $1",
    ):
        assert place.tables.one(sql, doomed) == 0
    assert place.tables.one("SELECT count(*) FROM spaces WHERE id = $1", UUID(alone)) == 0
    transcript = dora.http.get(f"/s/{kept}/transcript").text
    assert "I was here 1" in transcript
    assert "Cy" in transcript
    log = dora.http.get(f"/spaces/{shared}/events").text
    assert "Deleted their account" in log
    assert "Invitation links" not in dora.http.get(f"/spaces/{shared}").text
    left = "SELECT count(*) FROM invitations WHERE space_id = $1 AND revoked_at IS NULL"
    assert place.tables.one(left, UUID(shared)) == 0

    # Who signs in again begins anew.
    again = place.sign_in("Cy")
    assert place.user("Cy") not in (None, user)
    assert "Kept" not in again.http.get("/").text
    assert again.http.get(f"/s/{kept}/transcript").status_code == 404
    assert saved(again)["participations"] == []


def test_a_space_never_loses_its_last_owner_nor_more_than_was_shown(place: Place) -> None:
    eve, fred = place.sign_in("Eve"), place.sign_in("Fred")
    space = place.space(eve, "Held", Fred="MEMBER")
    shown = eve.http.get(f"{HERE}/delete").text
    assert f'href="/spaces/{space}"' in shown
    assert 'name="confirm"' not in shown
    assert end(eve, "Eve") == (409, "last_owner")
    answer = eve.http.post(f"{HERE}/delete", data={"confirm": "eve@example.com"}, headers=HTML)
    assert (answer.status_code, "no other owner" in answer.text) == (409, True)
    place.tables("UPDATE members SET role = 'OWNER' WHERE user_id = $1", place.user("Fred"))
    told = seen(eve)
    # Fred goes: the space that was to stay would go, which wasn't said.
    assert end(fred, "Fred") == (204, "")
    assert end(eve, "Eve", seen=told) == (409, "changed_meanwhile")
    answer = eve.http.post(
        f"{HERE}/delete", data={"confirm": "eve@example.com", "seen": told}, headers=HTML
    )
    assert (answer.status_code, "Something has changed" in answer.text) == (409, True)
    assert place.tables.one("SELECT count(*) FROM spaces WHERE id = $1", UUID(space)) == 1
    assert end(eve, "Eve", seen=seen(eve)) == (204, "")
    assert place.tables.one("SELECT count(*) FROM spaces WHERE id = $1", UUID(space)) == 0


@pytest.mark.asyncio
async def test_two_at_once_and_owners_who_go_at_once(place: Place) -> None:
    def people() -> tuple[Browser, Browser, str]:
        gil, hal = place.sign_in("Gil"), place.sign_in("Hal")
        place.sign_in("Ivy")
        return gil, hal, place.space(gil, "Torn", Hal="OWNER", Ivy="MEMBER")

    gil, hal, space = await asyncio.to_thread(people)
    # The owners of a space that has a member besides: one of the two stays.
    owners = ((gil, "Gil"), (hal, "Hal"))
    answers = await asyncio.gather(*(asyncio.to_thread(end, *one) for one in owners))
    assert sorted(answers) == [(204, ""), (409, "last_owner")]
    one = "SELECT count(*) FROM members WHERE space_id = $1 AND role = 'OWNER'"
    assert await asyncio.to_thread(place.tables.one, one, UUID(space)) == 1

    # Two tabs of one person.
    ivy = await asyncio.to_thread(place.sign_in, "Ivy")
    answers = await asyncio.gather(*(asyncio.to_thread(end, ivy, "Ivy") for _ in range(3)))
    assert sorted(answers) == [(204, ""), (401, "signed_out"), (401, "signed_out")]


def test_what_fails_on_the_way_leaves_all_of_it(place: Place) -> None:
    jan = place.sign_in("Jan")
    jan.start_session("Whole")
    space = place.space(jan, "Whole too")
    place.tables.script(
        """
        CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF OLD.name = 'Jan' THEN RAISE 'no'; END IF; RETURN OLD; END $$;
        CREATE TRIGGER stumble AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION stumble();
        """
    )
    assert end(jan, "Jan")[0] == 500
    place.tables.script("DROP TRIGGER stumble ON users; DROP FUNCTION stumble")
    assert is_signed_in(jan)
    assert place.tables.one("SELECT count(*) FROM spaces WHERE id = $1", UUID(space)) == 1
    assert place.tables.one("SELECT count(*) FROM sessions WHERE title = 'Whole'") == 1
    assert end(jan, "Jan") == (204, "")


def test_who_knocks_is_forgotten_and_who_was_invited_is_let_in_no_more(
    make_server_in: MakeServer, make_database: Callable[[], str]
) -> None:
    database = make_database()
    server = make_server_in(
        DATABASE_URL=database,
        RATE_LIMIT_FACTOR="100",
        LIVEKIT_URL="off",
        ALLOWED_EMAIL_DOMAINS="example.com",
        INVITED_MAY_SIGN_IN="on",
    )
    place = Place(server, Tables(database))
    kim, lea = place.sign_in("Kim"), place.sign_in("Lea")
    door = kim.start_session("Door", admission="KNOCK")
    assert lea.knock(door)[0] == 202
    assert end(lea, "Lea") == (204, "")
    assert place.tables.one("SELECT count(*) FROM participants WHERE name = 'Lea'") == 0

    # Mia is here by Kim's word alone, who was an owner of their space.
    mia = place.sign_in("Mia")
    space = place.space(kim, "Open", Mia="OWNER")
    place.tables(
        "DELETE FROM members WHERE user_id = $1 AND space_id <> $2", place.user("Mia"), UUID(space)
    )
    place.tables("UPDATE users SET invited = true, email = 'mia@elsewhere.org' WHERE name = 'Mia'")
    assert is_signed_in(mia)
    assert end(kim, "Kim") == (204, "")
    assert not is_signed_in(mia)
    assert place.tables.one("SELECT invited FROM users WHERE name = 'Mia'") is False


@pytest.mark.parametrize("named", ["", "root@example.com"])
def test_somebody_can_always_administer_the_server(
    make_server_in: MakeServer, make_database: Callable[[], str], named: str
) -> None:
    database = make_database()
    more = {"ADMIN_EMAILS": named} if named else {}
    server = make_server_in(DATABASE_URL=database, RATE_LIMIT_FACTOR="100", **more)
    place = Place(server, Tables(database))
    root = place.sign_in("Root")
    place.tables("UPDATE users SET administrator = true")
    text = root.http.get(f"{HERE}/delete").text
    if named:
        assert "address of ADMIN_EMAILS is the next one" in text
        assert end(root, "Root") == (204, "")
        return
    assert "the only person with an account" in text
    other = place.sign_in("Other")
    text = root.http.get(f"{HERE}/delete").text
    assert "the only administrator" in text
    assert 'name="confirm"' not in text
    assert end(root, "Root") == (409, "last_administrator")
    assert is_signed_in(root)
    place.tables("UPDATE users SET administrator = true WHERE name = 'Other'")
    assert end(root, "Root") == (204, "")
    assert end(other, "Other") == (204, ""), "nobody is left who would miss them"


def test_every_reference_to_a_person_is_found_without_reading_a_table(place: Place) -> None:
    """Else who deletes an account waits for all that there ever was."""
    rows = place.tables(
        """
        SELECT c.conrelid::regclass::text AS of, a.attname AS name FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype = 'f' AND c.confrelid = 'users'::regclass AND NOT EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1]
        )
        """
    )
    assert [tuple(row) for row in rows] == []


@pytest.mark.browser
async def test_save_delete_and_be_remembered_by_others(place: Place, browsers: Browsers) -> None:
    """Saves the file and opens it, deletes the account, and is gone from everywhere."""

    def before() -> tuple[Browser, Browser, str]:
        noa, owen = place.sign_in("Noa"), place.sign_in("Owen")
        place.space(owen, "Archive", Noa="MEMBER")
        slug = owen.start_session("Minutes of the year")
        for who in (noa, owen):
            come_and_go(who, slug=slug)
        place.say(slug, "Noa", "We agreed on it ")
        return noa, owen, slug

    noa, owen, slug = await asyncio.to_thread(before)
    page, reader = await browsers.page(), await browsers.page()
    for one, who in ((page, noa), (reader, owen)):
        key = who.http.cookies["sessions_login"]
        cookie = {"name": "sessions_login", "value": key, "url": place.server.url}
        await one.context.add_cookies([cookie])  # type: ignore[list-item]
    room = await page.context.new_page()
    await room.goto(f"{place.server.url}/s/{slug}")
    await room.locator("[data-join=listen]").click()
    await expect(room.locator(".tile")).to_have_count(1)

    await page.goto(f"{place.server.url}/profile")
    await page.get_by_role("link", name="Account").click()
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Save it as a file").click()
    file = json.loads((await (await downloading.value).path()).read_text())
    assert file["person"]["name"] == "Noa"
    assert file["participations"][0]["utterances"][0]["text"] == "We agreed on it 1"

    await page.get_by_role("link", name="Delete my account").click()
    await expect(page.get_by_text("the space “Archive”, without you")).to_be_visible()
    await page.get_by_label("to delete your account").fill("noa@example.org")
    await page.get_by_role("button", name="Delete my account").click()
    await expect(page.get_by_text("Type your e-mail address")).to_be_visible()
    await page.get_by_label("to delete your account").fill("noa@example.com")
    await page.get_by_role("button", name="Delete my account").click()
    await expect(page.get_by_role("status")).to_have_text(
        "Your account is deleted, and you are signed out everywhere."
    )
    await expect(room.get_by_text("You were signed out.").first).to_be_visible()
    await page.goto(f"{place.server.url}/profile")
    await expect(page.get_by_role("textbox", name="Name")).to_be_visible()

    await reader.goto(f"{place.server.url}/s/{slug}/transcript")
    await expect(reader.get_by_text("We agreed on it 1")).to_be_visible()
    await expect(reader.locator(".turn-name").filter(has_text="Noa")).to_be_visible()
    assert not browsers.errors


def test_saving_is_counted(make_server_in: MakeServer) -> None:
    server = make_server_in(LIVEKIT_URL="off", RATE_LIMIT_FACTOR="1")
    who = Browser(server.url).sign_in("Often")
    answers = [who.http.get(f"{HERE}/export") for _ in range(6)]
    assert [one.status_code for one in answers] == [200] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
