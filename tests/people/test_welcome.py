"""The steps after the first sign-in: who is led there, what each does, and how short the way is."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from uuid import uuid4

import httpx2
import pytest
from PIL import Image
from playwright.async_api import expect

from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.call_page import LIVE
from tests.support.tables import Tables
from tests.support.visitors import Visitor

Visitors = Callable[[], Visitor]
HTML = {"Accept": "text/html"}
SPACES = """
    SELECT s.name FROM spaces s JOIN members m ON m.space_id = s.id JOIN users u ON u.id = m.user_id
    WHERE u.email = $1"""


@pytest.fixture
def tables(server: AppServer) -> Tables:
    return Tables(server.database_url)


def sign_in(who: Visitor, name: str, target: str = "/") -> str:
    """Sign in by the development form, and return where that leads."""
    email = f"{name.lower().replace(' ', '.')}@example.com"
    form = {"name": name, "email": email, "next": target}
    return str(who.http.post("/sign-in/dev", data=form).headers["location"])


def post(who: Visitor, step: str, **form: str) -> httpx2.Response:
    return who.http.post(f"/welcome/{step}", data=form, headers=HTML)


@pytest.fixture
def new(visitor: Visitors) -> Iterator[tuple[Visitor, str]]:
    """Somebody who has just signed in for the first time, and their name."""
    who, name = visitor(), f"New {uuid4().hex[:8]}"
    assert sign_in(who, name) == "/welcome"
    yield who, name


def test_only_the_first_way_to_the_start_page_leads_through_the_steps(
    visitor: Visitors, new: tuple[Visitor, str]
) -> None:
    who, name = new
    slug = visitor().sign_in("Host of it").start_session()
    assert sign_in(visitor(), f"Hurried {uuid4().hex[:8]}", f"/s/{slug}") == f"/s/{slug}"
    assert sign_in(who, name) == "/welcome", "they are offered until done or skipped"
    assert post(who, "done").headers["location"] == "/"
    assert sign_in(who, name) == "/"
    assert who.http.get("/welcome").headers["location"] == "/"


def test_each_step_leads_to_the_next(new: tuple[Visitor, str], tables: Tables) -> None:
    who, name = new
    email = f"{name.lower().replace(' ', '.')}@example.com"
    first = who.http.get("/welcome").text
    assert "Step 1 of 3" in first
    assert f'value="{name}"' in first
    renamed = post(who, "name", was=name, name="Ada Byron")
    assert renamed.headers["location"] == "/welcome/space"
    shown = html.unescape(who.http.get("/welcome/space").text)
    assert 'name="name"' in shown and 'value="Ada Byron’s space"' in shown, "it follows the name"
    called = post(who, "space", was="Ada Byron’s space", name="Ferries <Ltd>")
    assert called.headers["location"] == "/welcome/picture"
    assert tables(SPACES, email)[0]["name"] == "Ferries <Ltd>"
    picture = BytesIO()
    Image.new("RGB", (300, 200), "teal").save(picture, "PNG")
    file = {"picture": ("me.png", picture.getvalue())}
    kept = who.http.post("/profile/picture?welcome", files=file, headers=HTML)
    assert kept.headers["location"] == "/welcome/picture"
    assert re.search(r'src="/avatars/[0-9a-f-]{36}\.webp"', who.http.get("/welcome/picture").text)
    assert post(who, "done").headers["location"] == "/"


def test_what_is_wrong_is_said_in_its_step(new: tuple[Visitor, str], tables: Tables) -> None:
    who, name = new
    nameless = post(who, "name", was=name, name="\u202e\u2066")
    assert (nameless.status_code, "Type a name of 2 to 40" in nameless.text) == (422, True)
    older = post(who, "name", was="Somebody else", name="Ada Byron")
    assert (older.status_code, f"“{name}”" in older.text) == (409, True)
    spaceless = post(who, "space", was=f"{name}’s space", name=" \u200b ")
    assert (spaceless.status_code, "Type a name for the space." in spaceless.text) == (422, True)
    late = post(who, "space", was="Another", name="Mine")
    assert (late.status_code, f"“{name}’s space”" in html.unescape(late.text)) == (409, True)
    file = {"picture": ("me.svg", b"<svg/>")}
    picture = who.http.post("/profile/picture?welcome", files=file, headers=HTML)
    assert picture.status_code == 415
    assert "Step 3 of 3" in picture.text and "That is no picture" in picture.text


def test_a_space_of_several_is_named_by_nobody_here(
    visitor: Visitors, new: tuple[Visitor, str], tables: Tables
) -> None:
    """Also who came by an invitation has no step for a space, as they are no owner of one."""
    who, name = new
    visitor().sign_in("Second Member")
    tables(
        """INSERT INTO members (space_id, user_id, role)
        SELECT m.space_id, o.id, 'MEMBER' FROM members m JOIN users u ON u.id = m.user_id, users o
        WHERE u.name = $1 AND o.name = 'Second Member'""",
        name,
    )
    assert "Step 1 of 2" in who.http.get("/welcome").text
    assert who.http.get("/welcome/space").headers["location"] == "/welcome/picture"
    post(who, "space", was=f"{name}’s space", name="Taken over")
    assert not tables("SELECT 1 FROM spaces WHERE name = 'Taken over'")


def test_nobody_known_has_no_steps(visitor: Visitors, new: tuple[Visitor, str]) -> None:
    for step in ("", "/space", "/picture"):
        there = visitor().http.get(f"/welcome{step}")
        assert there.headers["location"] == f"/sign-in?next=/welcome{step}"
    for step in ("name", "space", "done"):
        assert post(visitor(), step).status_code == 401
        foreign = new[0].http.post(f"/welcome/{step}", headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403


@pytest.mark.browser
async def test_from_the_first_sign_in_to_the_first_session_in_seven_clicks(
    server: AppServer, browsers: Browsers
) -> None:
    """Under a minute: two fields to fill, and each click leads on at once."""
    page = await browsers.page()
    clicks = 0

    async def click(role: str, name: str) -> None:
        nonlocal clicks
        clicks += 1
        await page.get_by_role(role, name=name, exact=True).click()  # type: ignore[arg-type]

    name = f"Zoe {uuid4().hex[:8]}"
    await page.goto(server.url)
    await page.get_by_role("textbox", name="Name").fill(name)
    await page.get_by_role("textbox", name="E-mail").fill(f"{uuid4().hex}@example.com")
    await click("button", "Sign in")
    await expect(page.get_by_role("textbox", name="Name")).to_have_value(name)
    await click("button", "Go on")
    await expect(page.get_by_role("textbox", name="Name of the space")).to_have_value(
        f"{name}’s space"
    )
    await click("link", "Skip this step")
    await expect(page.get_by_label("A picture of you")).to_be_visible()
    await click("button", "Go on without one")
    await click("button", "Start a session")
    await page.wait_for_url(re.compile(r"/s/"))
    await click("button", "Join and listen only")
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    assert clicks <= 7
    assert browsers.errors == []
