"""Whose language pages are in: what somebody chose, else what their browser asks for."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx2
import pytest

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import outside
from tests.support.visitors import Visitor

RUSSIAN = {"Accept-Language": "ru-RU,ru;q=0.9,en;q=0.8"}
Visitors = Callable[[], Visitor]


def language_of(answer: httpx2.Response) -> str:
    """Return what a page says that it is written in."""
    found = re.search(r'<html lang="(\w+)">', answer.text)
    assert found
    assert answer.headers["content-language"] == found[1]
    assert "accept-language" in answer.headers["vary"].lower()
    return found[1]


def choose(visitor: Visitor, code: str, target: str = "/") -> httpx2.Response:
    """Choose a language at the top of a page."""
    return visitor.http.post("/language", data={"language": code, "next": target})


def test_a_browser_gets_what_it_asks_for(server: AppServer) -> None:
    assert language_of(outside("GET", server.url)) == "en"
    assert language_of(outside("GET", server.url, headers=RUSSIAN)) == "ru"
    # Also what nobody wrote a page for.
    assert language_of(outside("GET", f"{server.url}/nowhere", headers=RUSSIAN)) == "ru"
    refused = outside("POST", f"{server.url}/sign-out", headers=RUSSIAN)
    assert (refused.status_code, language_of(refused)) == (403, "ru")


def test_a_guest_chooses_for_this_browser(visitor: Visitors) -> None:
    guest = visitor()
    chosen = choose(guest, "ru", "/sign-in?next=/s/abc")
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/sign-in?next=/s/abc")
    assert "httponly" in chosen.headers["set-cookie"].lower()
    assert language_of(guest.http.get("/")) == "ru"
    choose(guest, "en")
    assert language_of(guest.http.get("/", headers=RUSSIAN)) == "en"


def test_who_is_signed_in_chooses_for_all_browsers(visitor: Visitors) -> None:
    here, there = visitor().sign_in("Vera"), visitor().sign_in("Vera")
    choose(here, "ru")
    assert language_of(there.http.get("/")) == "ru"
    # The choice of a person counts more than the one a guest made in the same browser.
    other = visitor()
    choose(other, "en")
    assert language_of(other.sign_in("Vera").http.get("/")) == "ru"


@pytest.mark.parametrize("code", ["", "de", "ru\n", "../ru", "x" * 5000])
def test_nothing_else_can_be_chosen(visitor: Visitors, code: str) -> None:
    guest = visitor()
    refused = choose(guest, code)
    assert refused.status_code == 303
    assert "set-cookie" not in refused.headers
    assert (
        language_of(guest.http.get("/", headers={"Cookie": f"sessions_language={code[:9]!r}"}))
        == "en"
    )


def test_who_was_on_the_way_somewhere_still_gets_there(visitor: Visitors) -> None:
    guest = visitor()
    html = guest.http.get("/sign-in", params={"next": "/s/abc", "code": "s3cret"}).text
    form = re.search(
        r'action="/language">\s*<input type="hidden" name="next" value="([^"]*)"', html
    )
    assert form
    back = choose(guest, "ru", form[1]).headers["location"]
    assert back == "/sign-in?next=%2Fs%2Fabc", "and nothing else of the address"
    assert 'name="next" value="/s/abc"' in guest.http.get(back).text


def test_it_leads_to_no_other_site(visitor: Visitors) -> None:
    assert choose(visitor(), "ru", "https://elsewhere.example/").headers["location"] == "/"


def test_nobody_chooses_all_the_time(make_server: MakeServer) -> None:
    eager = Visitor(make_server(RATE_LIMIT_FACTOR="1", SPEECH_ENGINE="off").url)
    answers = [choose(eager, "ru").status_code for _ in range(32)]
    assert answers[:30] == [303] * 30
    assert answers[-1] == 429
    assert eager.http.get("/language").status_code == 405


def test_no_other_site_can_choose(server: AppServer) -> None:
    refused = outside("POST", f"{server.url}/language", data={"language": "ru"})
    assert refused.status_code == 403
