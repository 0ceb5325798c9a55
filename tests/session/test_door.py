"""The settings of a session's door at their own address: as a page, as a part of one, as JSON."""

from __future__ import annotations

import re

import pytest

from tests.support.app_server import AppServer
from tests.support.http import Browser, outside
from tests.support.meetings import JSON, Meeting, row_of, sql
from tests.support.visitors import Visitor

HTMX = {"HX-Request": "true", "Accept": "text/html"}
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def ada(site: AppServer) -> Visitor:
    return Browser(site.url).sign_in("Ada Lovelace")


def stored(database: str, slug: str) -> tuple[str, str, bool, str]:
    """Return title, admission, lock and status as the database has them."""
    statement = "SELECT title, admission, locked, status FROM sessions WHERE slug = $1"
    (row,) = sql(database, statement, slug)
    return row["title"], row["admission"], row["locked"], row["status"]


def checked(html: str) -> set[str]:
    """Return what is chosen in the forms."""
    return set(re.findall(r'value="(\w+)" checked', html))


def test_one_address_is_a_page_and_a_part_of_one(ada: Visitor) -> None:
    slug = ada.start_session("Engines & <wheels>", admission="MEMBERS")
    whole = ada.http.get(f"/s/{slug}/settings", headers=PAGE)
    part = ada.http.get(f"/s/{slug}/settings", headers=HTMX)
    assert (whole.status_code, part.status_code) == (200, 200)
    assert "<html" in whole.text
    assert part.text.startswith(f'<div class="settings" id="settings-{slug}" ')
    assert 'value="Engines &amp; &lt;wheels&gt;"' in part.text
    assert checked(whole.text) == checked(part.text) == {"MEMBERS"}
    assert whole.headers["cache-control"] == part.headers["cache-control"] == "no-store"


def test_a_plain_form_leads_back_to_its_page(ada: Visitor, database: str) -> None:
    slug = ada.start_session("Engines")
    address = f"/s/{slug}/settings"
    renamed = ada.http.post(address, data={"title": "  Wheels "}, headers=PAGE)
    assert (renamed.status_code, renamed.headers["location"]) == (303, f"{address}?saved")
    # A box that isn't ticked sends nothing: the field before it says so.
    door = "admission=KNOCK&locked=off&locked=on"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ada.http.post(address, content=door, headers=PAGE | kind).status_code == 303
    page = ada.http.get(f"{address}?saved", headers=PAGE).text
    assert "Saved." in page
    assert checked(page) == {"KNOCK", "on"}
    assert stored(database, slug) == ("Wheels", "KNOCK", True, "CREATED")
    unlocked = ada.http.post(address, data={"locked": "off"}, headers=PAGE)
    assert unlocked.status_code == 303
    assert "Saved." not in ada.http.get(address, headers=PAGE).text
    assert stored(database, slug)[2] is False


def test_a_title_that_somebody_else_has_changed_is_not_overwritten(
    ada: Visitor, database: str
) -> None:
    slug = ada.start_session("Engines")
    address = f"/s/{slug}/settings"
    seen = {"was_title": "Engines"}
    assert ada.host(slug, "settings", title="Wheels", **seen) == (204, "")
    assert ada.host(slug, "settings", title="Wheels", **seen) == (204, ""), "both want the same"
    assert ada.host(slug, "settings", title="Cogs", **seen) == (409, "changed_meanwhile")
    for headers in (PAGE, HTMX):
        refused = ada.http.post(address, data={"title": "Cogs", **seen}, headers=headers)
        assert refused.status_code == 409
        assert "called the session “Wheels” meanwhile" in refused.text
        assert 'name="title" value="Cogs"' in refused.text, "what was typed stays"
        assert 'name="was_title" value="Wheels"' in refused.text
    assert stored(database, slug)[0] == "Wheels"
    again = {"title": "Cogs", "was_title": "Wheels"}
    assert ada.http.post(address, data=again, headers=PAGE).status_code == 303
    assert ada.host(slug, "settings", locked="on", **seen) == (204, ""), "it is about the title"
    assert stored(database, slug)[:3] == ("Cogs", "ANYONE", True)


def test_htmx_gets_the_forms_as_they_are_now(ada: Visitor, database: str) -> None:
    slug = ada.start_session("Engines", admission="KNOCK")
    form = {"title": "é" * 200}
    answer = ada.http.post(f"/s/{slug}/settings", data=form, headers=HTMX)
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert f'value="{"é" * 120}"' in answer.text, "cut, as when a session is started"
    assert "Saved." in answer.text
    assert answer.headers["hx-trigger"] == "sessions-changed"
    assert stored(database, slug) == ("é" * 120, "KNOCK", False, "CREATED"), "and nothing else"


def test_the_modules_of_a_room_get_no_page(ada: Visitor) -> None:
    slug = ada.start_session("Engines")
    assert ada.host(slug, "settings", locked="on") == (204, "")
    assert ada.host(slug, "settings", title=" ") == (422, "invalid")
    assert ada.host(slug, "settings", admission="ALL") == (422, "invalid")


@pytest.mark.parametrize("headers", [PAGE, HTMX])
def test_a_title_is_asked_for_in_words(
    ada: Visitor, database: str, headers: dict[str, str]
) -> None:
    slug = ada.start_session("Engines")
    answer = ada.http.post(f"/s/{slug}/settings", data={"title": " \u200b"}, headers=headers)
    assert answer.status_code == 422
    assert 'role="alert">Type a title.</p>' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert stored(database, slug)[0] == "Engines"


def test_htmx_is_refused_in_a_sentence(ada: Visitor) -> None:
    slug = ada.start_session("Engines")
    for form in ({"admission": "ALL"}, {"locked": "perhaps"}):
        answer = ada.http.post(f"/s/{slug}/settings", data=form, headers=HTMX)
        assert answer.status_code == 422
        assert answer.text.startswith("That isn’t possible.")
        assert "<" not in answer.text
    eve = ada.http.post("/s/zzzz-zzzz-zzzz-zzzz/settings", data={"title": "Mine"}, headers=HTMX)
    assert (eve.status_code, eve.text[:22]) == (404, "There is nothing here.")


def test_only_hosts_find_it(live: Meeting, database: str) -> None:
    """What isn't theirs looks as if it didn't exist, however they ask."""
    before = stored(database, live.slug)
    for who, visitor in live.people.items():
        if who == "host":
            continue
        expected = 401 if who == "anonymous" else 404
        for headers in (PAGE, HTMX, JSON):
            address = f"/s/{live.slug}/settings"
            got = visitor.http.get(address, headers=headers)
            tried = visitor.http.post(address, data={"title": "Mine"}, headers=headers)
            assert (got.status_code, tried.status_code) == (expected, expected), who
            assert before[0] not in got.text + tried.text
        end = visitor.http.post(f"/s/{live.slug}/end", headers=HTMX)
        assert end.status_code == expected, who
    assert stored(database, live.slug) == before


def test_nothing_is_left_to_change_after_the_end(ended: Meeting) -> None:
    host = ended.people["host"]
    for headers in (PAGE, HTMX, JSON):
        answer = host.http.get(f"/s/{ended.slug}/settings", headers=headers)
        tried = host.http.post(f"/s/{ended.slug}/settings", data={"title": "x"}, headers=headers)
        assert (answer.status_code, tried.status_code) == (403, 403)
        assert "ended" in answer.text


def test_no_other_site_and_no_other_method_changes_it(ada: Visitor, site: AppServer) -> None:
    slug = ada.start_session("Engines")
    address = f"/s/{slug}/settings"
    foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    refused = ada.http.post(address, data={"title": "Mine"}, headers=foreign | HTMX)
    assert refused.status_code == 403
    assert refused.text.startswith("This can only be done from our pages.")
    assert outside("POST", site.url + address, data={"title": "Mine"}).status_code == 403
    for method in ("PUT", "PATCH", "DELETE"):
        assert ada.http.request(method, address).status_code == 405
    assert ">Engines</a>" in row_of(ada.http.get("/").text, slug)


def test_ending_leads_to_what_was_said_or_says_where_it_is(ada: Visitor, database: str) -> None:
    plain, part = ada.start_session("Engines"), ada.start_session("Wheels")
    answer = ada.http.post(f"/s/{plain}/end", headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/s/{plain}")
    answer = ada.http.post(f"/s/{part}/end", headers=HTMX)
    assert answer.status_code == 200
    assert f'<a href="/s/{part}" autofocus>Read what was said in “Wheels”</a>' in answer.text
    assert answer.headers["hx-trigger"] == "sessions-changed"
    assert stored(database, plain)[3] == stored(database, part)[3] == "ENDED"


def test_the_list_offers_settings_to_hosts_while_there_are_any(site: AppServer) -> None:
    ada, bob = (Browser(site.url).sign_in(name) for name in ("Ada Lovelace", "Bob Kahn"))
    slug = ada.start_session("Engines")
    link = f'hx-get="/s/{slug}/settings"'
    assert link in row_of(ada.http.get("/").text, slug)
    bob.join(slug)
    assert link not in bob.http.get("/").text
    ada.end(slug)
    assert link not in row_of(ada.http.get("/").text, slug)


def test_sessions_that_have_no_name_are_called_in_their_hosts_language(site: AppServer) -> None:
    ada = Browser(site.url).sign_in("Ada Lovelace")
    ada.http.post("/language", data={"language": "ru", "next": "/"})
    slug = ada.start_session()
    assert ">Встреча: Ada Lovelace</a>" in row_of(ada.http.get("/").text, slug)
    ada.http.post("/language", data={"language": "en", "next": "/"})
