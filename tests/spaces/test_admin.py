"""What administrators see and do: people, spaces, the month of all, and the last errors."""

from __future__ import annotations

import asyncio
import logging
import re
from uuid import UUID

import pytest

from tests.spaces.conftest import Place
from tests.support.http import Browser
from web.logs import Bounded, Printed
from web.recent import KEPT, KEPT_OF_A_KIND, Recent

HTML = {"Accept": "text/html"}
HTMX = {"HX-Request": "true"}


def shown(place: Place, path: str) -> str:
    answer = place.people["administrator"].http.get(path, headers=HTML)
    assert answer.status_code == 200
    return " ".join(answer.text.split())


def test_the_way_there_is_shown_to_administrators_alone(place: Place) -> None:
    assert 'href="/admin"' in place.people["administrator"].http.get("/").text
    for who in ("owner", "anonymous"):
        assert 'href="/admin"' not in place.people[who].http.get("/").text


def test_nothing_of_sessions_is_told(place: Place) -> None:
    pages = "".join(shown(place, path) for path in ("/admin", "/admin/people", "/admin/spaces"))
    for secret in ("Ferries", "Secret title", place.slug, "Guest"):
        assert secret not in pages
    room = place.people["administrator"].http.get(f"/s/{place.slug}/transcript")
    assert room.status_code == 404, "it is theirs who were there"


def test_numbers_and_months_of_all_spaces(place: Place) -> None:
    html = shown(place, "/admin")
    for name in ("Rooms with people", "People in them", "Accounts", "Spaces", "Sessions"):
        assert re.search(rf"<dt>{name}</dt><dd>\d+</dd>", html), name
    assert html.count('class="chart-bar"') == 12
    assert "<td>90</td><td>0.90</td>" in html
    assert "Release 0.1.0, running for" in html

    async def meet() -> str:
        async with place.people["owner"].page(place.slug):
            return await asyncio.to_thread(shown, place, "/admin")

    html = asyncio.run(meet())
    assert "<dt>Rooms with people</dt><dd>1</dd>" in html
    assert "<dt>People in them</dt><dd>1</dd>" in html


def test_last_errors_are_those_of_the_log(place: Place) -> None:
    place.people["owner"].host(place.slug, "mute-all")  # LiveKit isn't there
    html = shown(place, "/admin")
    assert "LiveKit doesn’t answer" in html or "LiveKit doesn&#39;t answer" in html
    assert "core.livekit" in html
    assert "How many of each kind" in html


def test_people_are_found_and_come_in_pages(place: Place) -> None:
    html = shown(place, "/admin/people?q=MEMBER@")
    assert "member@example.com" in html
    assert "owner@example.com" not in html
    assert "Owner’s space" in html, "which they belong to"
    assert shown(place, "/admin/people?q=%25").count("Nobody is found.") == 1
    place.tables(
        "INSERT INTO users (name, email, hue, created_at) SELECT 'Crowd ' || n, n || '@crowd.test',"
        " 1, '2020-01-01'::timestamptz + n * interval '1 s' FROM generate_series(1, 120) n"
    )
    names, path = list[str](), "/admin/people?q=crowd"
    for _ in range(3):
        html = shown(place, path)
        names += re.findall(r"Crowd (\d+)<br>", html)
        found = re.search(r'rel="next" href="([^"]+)"', html)
        path = found[1].replace("&amp;", "&") if found else ""
    assert names == [str(n) for n in range(120, 0, -1)]
    assert not path


def test_who_is_disabled_is_out_within_seconds(place: Place) -> None:
    mallory = Browser(place.server.url).sign_in("Mallory")
    slug = mallory.start_session("Mallory’s")
    space = f"/spaces/{place.tables.one('SELECT space_id FROM sessions WHERE slug = $1', slug)}"
    form = {"for": "link", "uses": "5", "days": "7"}
    assert mallory.http.post(f"{space}/invitations", data=form).status_code in (204, 303)
    still_open = "SELECT count(*) FROM invitations WHERE invited_by = $1 AND revoked_at IS NULL"
    assert place.tables.one(still_open, place.user("Mallory")) == 1
    who = f"/admin/people/{place.user('Mallory')}"
    admin = place.people["administrator"].http

    async def in_the_room() -> int | None:
        async with mallory.page(slug) as page:
            answer = await asyncio.to_thread(admin.post, f"{who}/disable", headers=HTMX)
            assert answer.status_code == 200
            assert answer.text.lstrip().startswith("<tr")
            assert "Disabled: signed out everywhere." in answer.text
            return await page.until_closed()

    assert asyncio.run(in_the_room()) == 4403
    assert mallory.http.get("/sessions").status_code == 303
    form = {"name": "Mallory", "email": "mallory@example.com"}
    assert mallory.http.post("/sign-in/dev", data=form).status_code == 403
    answer = admin.post(f"{who}/enable", headers=HTML)
    assert answer.status_code == 303
    assert "May sign in" in shown(place, answer.headers["location"])
    assert place.tables.one(still_open, place.user("Mallory")) == 0, "for good"
    assert mallory.sign_in("Mallory").http.get("/sessions").status_code == 200


def test_nobody_disables_themselves(place: Place) -> None:
    admin = place.people["administrator"].http
    for headers in (HTML, HTMX):
        answer = admin.post(f"/admin/people/{place.user('Admin')}/disable", headers=headers)
        assert answer.status_code == 422
        assert "You can’t disable yourself" in answer.text
    assert "Yes, disable" not in shown(place, "/admin/people?q=admin@")
    assert admin.get("/admin").status_code == 200


def test_a_foreign_page_acts_for_nobody(place: Place) -> None:
    admin, evil = place.people["administrator"].http, {"Origin": "https://evil.example"}
    for path in (f"people/{place.user('Member')}/disable", f"spaces/{place.space}/minutes"):
        answer = admin.post(f"/admin/{path}", data={"minutes": "0"}, headers=evil)
        assert answer.status_code == 403
    assert place.people["member"].http.get("/sessions").status_code == 200


def test_a_grant_counts_instead_of_what_all_have(place: Place) -> None:
    admin, address = place.people["administrator"].http, f"/admin/spaces/{place.space}/minutes"
    usage = f"/spaces/{place.space}/usage"
    answer = admin.post(address, data={"minutes": "5000"}, headers=HTMX)
    assert "Saved." in answer.text
    assert "At most 5000 minutes" in place.people["member"].http.get(usage).text
    wrong = admin.post(address, data={"minutes": "much"}, headers=HTMX)
    assert wrong.status_code == 422
    assert "Type a number of minutes, or nothing." in wrong.text
    assert admin.post(address, data={"minutes": "much"}, headers=HTML).status_code == 422
    # Owners can't give themselves more than that.
    owner = place.people["owner"].http
    choose = f"/spaces/{place.space}/minutes"
    assert admin.post(address, data={"minutes": "50"}, headers=HTML).status_code == 303
    assert owner.post(choose, data={"minutes": "51"}).status_code == 422
    assert owner.post(choose, data={"minutes": "20"}).status_code == 204
    assert "chosen by its owners" in shown(place, "/admin/spaces?q=Owner")
    assert admin.post(address, data={"minutes": "0"}, headers=HTML).status_code == 303
    assert "At most 0 minutes" in owner.get(usage).text, "whatever was chosen"
    assert admin.post(address, data={"minutes": ""}).status_code == 204
    assert owner.post(choose, data={"minutes": ""}).status_code == 204
    assert "At most 100 minutes" in owner.get(usage).text
    granted = "SELECT minutes_granted FROM spaces WHERE id = $1"
    assert place.tables.one(granted, UUID(place.space)) is None


def test_spaces_come_in_pages_the_most_first(place: Place) -> None:
    place.tables(
        "WITH made AS (INSERT INTO spaces (name) SELECT 'Crowded ' || n FROM generate_series(1, 60)"
        " n RETURNING *) INSERT INTO space_usage SELECT id, current_date, gen_random_uuid(), 'x',"
        " 60 * CAST(substr(name, 9) AS int) / 2, 0 FROM made"
    )
    html = shown(place, "/admin/spaces?q=crowded")
    found = re.search(r'rel="next" href="([^"]+)"', html)
    assert found is not None
    html += shown(place, found[1].replace("&amp;", "&"))
    names = re.findall(r">Crowded (\d+)</th>", html)
    assert names == [str(n) for n in range(60, 0, -1)]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Recent:
    ring = Recent()
    monkeypatch.setattr("web.logs.recent", ring)
    return ring


def test_the_ring_is_bounded_redacted_and_has_room_for_all_kinds(
    ring: Recent, capsys: pytest.CaptureFixture[str]
) -> None:
    log = logging.Logger("core.test")
    handler = Printed()
    handler.addFilter(ring.count)
    handler.addFilter(Bounded())
    log.addHandler(handler)
    log.info("all is well")
    log.warning("a slug abcd-efgh-jkmn-pqrs in\na line")
    try:
        raise ValueError("abcd-efgh-jkmn-pqrs")
    except ValueError:
        log.exception("a job failed")
    assert [one.level for one in ring.troubles()] == ["ERROR", "WARNING"]
    assert [one.text for one in ring.troubles()] == [
        "a job failed (ValueError)",
        "a slug … in\\x0aa line",
    ]
    for n in range(1000):
        log.warning("a flood of %d", n)
    assert len([one for one in ring.troubles() if "flood" in one.text]) == KEPT_OF_A_KIND
    assert ring.troubles()[-1].text.startswith("a slug"), "it isn't hidden by the flood"
    assert dict(ring.counts())["core.test a flood of %d"] == 1000, "also of what isn't printed"
    for n in range(2 * KEPT):
        log.warning(f"kind {n}")
    assert len(ring.troubles()) == KEPT
    assert "abcd-efgh" not in "".join(one.text for one in ring.troubles())
    assert "core.test" in ring.troubles()[0].place
