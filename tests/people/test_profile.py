"""The profile: what somebody is called here, and how pages look to them."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.async_api import expect

from core.look import CAPTIONS
from core.text import display_name
from routes.profile import NAME_LENGTHS
from tests.room.test_keys import listening
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.http import Browser
from tests.support.sign_in import google_sign_in, know, name_shown
from tests.support.visitors import Visitor

Visitors = Callable[[], Visitor]
pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")

HTML = {"Accept": "text/html"}


def rename(who: Visitor, was: str, name: str) -> httpx2.Response:
    return who.http.post("/profile/name", data={"was": was, "name": name}, headers=HTML)


def test_the_masthead_leads_there(visitor: Visitors) -> None:
    ada = visitor().sign_in("Ada Lovelace")
    assert 'href="/profile"' in ada.http.get("/").text
    shown = ada.http.get("/profile")
    assert shown.status_code == 200
    assert "ada.lovelace@example.com" in shown.text


def test_nobody_known_is_sent_to_sign_in_and_back(visitor: Visitors) -> None:
    answer = visitor().http.get("/profile")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/profile")
    for what in ("name", "look"):
        assert visitor().http.post(f"/profile/{what}").status_code == 401
        foreign = (
            visitor()
            .sign_in("Fay")
            .http.post(f"/profile/{what}", headers={"Origin": "https://evil.example"})
        )
        assert foreign.status_code == 403


def test_a_chosen_name_outlives_what_the_provider_says(google: AppServer, accounts: str) -> None:
    know(accounts, "nora", name="Nora Provider")
    nora = Browser(google.url)
    google_sign_in(nora, "nora")
    saved = rename(nora, "Nora Provider", "  Nora   Chosen ")
    assert saved.headers["location"] == "/profile?saved=name"
    assert "Saved." in nora.http.get("/profile?saved=name").text
    know(accounts, "nora", name="Nora Married", email="nora.married@example.com")
    google_sign_in(nora, "nora")
    assert name_shown(nora) == "Nora Chosen"
    assert "nora.married@example.com" in nora.http.get("/profile").text, "the address follows"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "A",
        " A ",
        "A" * 41,
        "x" * 30_000,
        "\u202e\u2066\u200b\x00\x07",
        "\u0301\u0301",
        "\ufe0f\ufe0f",
    ],
    ids=["none", "one", "one-and-spaces", "long", "huge", "controls", "accents", "selectors"],
)
def test_what_is_no_name_is_refused_beside_the_form(visitor: Visitors, name: str) -> None:
    bo = visitor().sign_in("Bo Short")
    refused = rename(bo, "Bo Short", name)
    assert refused.status_code == 422
    assert "Type a name of 2 to 40 characters." in refused.text
    assert len(refused.text) < 20_000, "what was typed comes back within bounds"
    assert name_shown(bo) == "Bo Short"


def test_two_windows_lose_nothing(visitor: Visitors) -> None:
    one = visitor().sign_in("Cleo First")
    assert rename(one, "Cleo First", "Cleo <Second>").status_code == 303
    late = rename(one, "Cleo First", "Cleo Third")
    text = html.unescape(late.text)
    assert late.status_code == 409
    assert "you have become “Cleo <Second>”" in text
    assert 'value="Cleo Third"' in text
    assert 'name="was" value="Cleo <Second>"' in text
    assert html.unescape(name_shown(one)) == "Cleo <Second>"
    assert rename(one, "Cleo <Second>", "Cleo Third").status_code == 303


@given(st.text(max_size=60))
def test_a_display_name_is_seen_and_reorders_nothing(text: str) -> None:
    name = display_name(text, *NAME_LENGTHS)
    if name is not None:
        assert NAME_LENGTHS[0] <= len(name) <= NAME_LENGTHS[1]
        assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") for c in name)
        assert name == " ".join(name.split()), "one line, without spaces at its ends"
        assert any(unicodedata.category(c)[0] in "LNPS" for c in name)
        assert display_name(name, *NAME_LENGTHS) == name


def look(who: Visitor, **form: str) -> int:
    return who.http.post("/profile/look", data=form).status_code


def test_colours_are_the_same_in_every_browser_of_a_person(visitor: Visitors) -> None:
    here, there = visitor().sign_in("Dina"), visitor().sign_in("Dina")
    slug = here.start_session()
    assert "data-theme" not in there.http.get("/").text
    assert look(here, theme="DARK") == 204
    for path in ("/", "/profile", f"/s/{slug}", "/s/nothing-here"):
        shown = there.http.get(path).text
        assert '<html lang="en" data-theme="dark">' in shown, path
        assert re.findall(r'name="theme-color"([^>]*)>', shown) == [' content="#161310"']
    assert "data-theme" not in visitor().http.get("/").text, "nobody else's"
    assert look(here, theme="") == 204
    assert "data-theme" not in there.http.get("/").text


def test_the_language_is_ones_own_or_the_browsers(visitor: Visitors) -> None:
    here, there = visitor().sign_in("Elli"), visitor().sign_in("Elli")
    russian = {"Accept-Language": "ru"}
    assert look(here, language="en") == 204
    assert '<html lang="en"' in there.http.get("/", headers=russian).text
    assert look(here, language="") == 204
    for browser in (here, there):
        assert '<html lang="ru"' in browser.http.get("/", headers=russian).text
        assert '<html lang="en"' in browser.http.get("/").text


@pytest.mark.parametrize(
    "form",
    [
        {"theme": "PINK"},
        {"theme": "DARK\x00"},
        {"language": "xx"},
        {"caption-size": "gigantic"},
        {"caption-lines": "1000"},
        {"theme": "DARK", "caption-paper": ""},
    ],
    ids=str,
)
def test_a_look_that_there_is_not_is_refused_whole(visitor: Visitors, form: dict[str, str]) -> None:
    fritz = visitor().sign_in("Fritz")
    assert look(fritz, **form) == 422
    shown = fritz.http.get("/profile").text
    assert "data-theme" not in shown
    assert "data-kept" not in shown


def test_the_page_offers_what_the_server_takes(visitor: Visitors) -> None:
    shown = visitor().sign_in("Gus").http.get("/profile").text
    for name, values in CAPTIONS.items():
        block = re.search(rf'<select[^>]*name="caption-{name}".*?</select>', shown, re.DOTALL)
        assert block is not None
        assert set(re.findall(r'value="(\w+)"', block[0])) == set(values)
        assert re.findall(r'value="(\w+)" selected', block[0]) == [values[0]]


@pytest.mark.browser
async def test_captions_follow_their_reader_to_another_browser(
    server: AppServer, browsers: Browsers
) -> None:
    page = await browsers.page()
    await listening(page, server.url, "Follower Reader")
    await page.get_by_role("button", name="Settings", exact=True).click()
    async with page.expect_response("**/profile/look") as told:
        await page.get_by_label("Size of the text").select_option("huge")
    assert (await told.value).status == 204
    # What the server didn't hear is sent again, and counts here until then.
    await page.route("**/profile/look", lambda route: route.abort())
    async with page.expect_event("requestfailed"):
        await page.get_by_label("Colours").select_option("yellow")
    await page.unroute("**/profile/look")
    async with page.expect_response("**/profile/look") as told:
        await page.reload()
    assert (await told.value).status == 204
    await expect(page.locator("#room")).to_have_attribute("data-caption-colours", "yellow")

    other = await browsers.page()
    await listening(other, server.url, "Follower Reader")
    room = other.locator("#room")
    await expect(room).to_have_attribute("data-caption-size", "huge")
    await expect(room).to_have_attribute("data-caption-colours", "yellow")
    await expect(room).to_have_attribute("data-caption-lines", "4")
    await other.goto(f"{server.url}/profile")
    await expect(other.get_by_label("Size of the text")).to_have_value("huge")
