"""The start page and the list of sessions: what they show, and to whom."""

from __future__ import annotations

import re

import pytest

from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.meetings import come_and_go, row_of, sql


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
    assert html.index(live) < html.index(ended) < html.index(created), "live, then the newest"
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


def test_a_start_leads_into_the_room_also_for_htmx(site: AppServer) -> None:
    ada = Browser(site.url).sign_in("Ada Lovelace")
    htmx = {"HX-Request": "true"}
    started = ada.http.post("/sessions", data={"title": "Notes"}, headers=htmx)
    assert started.status_code == 204
    assert "Notes" in ada.http.get(started.headers["hx-redirect"]).text
    stranger = Browser(site.url).http.post("/sessions", data={"title": "Notes"}, headers=htmx)
    assert (stranger.status_code, stranger.headers["hx-redirect"]) == (401, "/sign-in")


def test_a_list_shows_only_ones_own(site: AppServer) -> None:
    ada = Browser(site.url).sign_in("Ada Lovelace")
    slug = ada.start_session("Private matter")
    other = Browser(site.url).sign_in("Eve")
    assert "Private matter" not in other.http.get("/").text
    other.http.get(f"/s/{slug}")  # having looked at it is not having been there
    assert "Private matter" not in other.http.get("/").text
    assert "Private matter" not in other.http.get("/?show=elsewhere").text
    come_and_go(other, slug=slug)
    assert "Private matter" not in other.http.get("/").text, "it is of another space"
    assert "Private matter" in other.http.get("/?show=elsewhere").text
    assert "Private matter" not in ada.http.get("/?show=elsewhere").text
