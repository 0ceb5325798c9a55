"""One's spaces: made, named, the one that one works in, and the page of one."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.store.spaces import MAX_OWNED, NAME_LENGTH, own_spaces
from core.text import one_line
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.tables import Tables
from tests.support.visitors import Visitor

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def database(make_database: Callable[[], str]) -> str:
    return make_database()


@pytest.fixture(scope="module")
def server(make_server_in: MakeServer, database: str) -> AppServer:
    return make_server_in(DATABASE_URL=database)


@pytest.fixture(scope="module")
def tables(server: AppServer, database: str) -> Tables:
    return Tables(database)


def current(browser: Visitor) -> str:
    """Return the name of the space that the top of a page shows."""
    found = re.search(r'class="space-menu-name">([^<]*)<', browser.http.get("/").text)
    return found[1] if found else ""


def make(browser: Visitor, name: str) -> str:
    """Make a space and return its address."""
    answer = browser.http.post("/spaces", data={"name": name}, headers=HTML)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_a_new_space_is_worked_in_and_another_is_switched_to(
    server: AppServer, tables: Tables
) -> None:
    ada = Browser(server.url).sign_in("Ada Switch")
    assert current(ada) == "Ada Switch’s space"
    first = re.findall(r'formaction="/spaces/([0-9a-f-]+)/switch"', ada.http.get("/").text)
    address = make(ada, "  Ferries\u202e & \n more ")
    assert current(ada) == "Ferries &amp; more"
    slug = ada.start_session("In the new one")
    of = "SELECT p.name FROM sessions s JOIN spaces p ON p.id = s.space_id WHERE s.slug = $1"
    assert tables.one(of, slug) == "Ferries & more"
    html = ada.http.get(address).text
    assert "<h1>Ferries &amp; more</h1>" in html
    assert "(you)" in html
    answer = ada.http.post(f"/spaces/{first[0]}/switch", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    # It is kept: another browser of the same person shows it, too.
    assert current(Browser(server.url).sign_in("Ada Switch")) == "Ada Switch’s space"
    assert tables.one(of, ada.start_session("In the first one")) == "Ada Switch’s space"
    html = ada.http.get("/spaces").text
    assert html.count("You are an owner") == 2
    assert html.count("You work here") == 1


def test_what_others_do_can_not_be_seen_nor_worked_in(server: AppServer, tables: Tables) -> None:
    ada, eve = (Browser(server.url).sign_in(name) for name in ("Ada Private", "Eve Private"))
    address = make(ada, "Secret ferries")
    for path in (address, "/spaces/nothing", f"/spaces/{'0' * 32}"):
        assert eve.http.get(path, headers=HTML).status_code == 404
        assert eve.http.post(f"{path}/switch").status_code == 404
        assert Browser(server.url).http.post(f"{path}/switch", headers=JSON).status_code == 401
    assert current(eve) == "Eve Private’s space"
    assert "Secret ferries" not in eve.http.get("/spaces").text
    evil = {"Origin": "https://evil.example"}
    before = tables.one("SELECT count(*) FROM spaces")
    assert ada.http.post(f"{address}/switch", headers=evil).status_code == 403
    assert ada.http.post("/spaces", data={"name": "X"}, headers=evil).status_code == 403
    assert tables.one("SELECT count(*) FROM spaces") == before


def test_a_space_has_a_name(server: AppServer, tables: Tables) -> None:
    ada = Browser(server.url).sign_in("Ada Names")
    before = tables.one("SELECT count(*) FROM spaces")
    for name in ("", " \t\n", "\u202e\u200b\u2800", "\x00"):
        answer = ada.http.post("/spaces", data={"name": name}, headers=HTML)
        assert answer.status_code == 422
        assert "Give the space a name." in answer.text
        assert ada.http.post("/spaces", data={"name": name}, headers=JSON).status_code == 422
    huge = ada.http.post("/spaces", data={"name": "x" * 1_000_000}, headers=HTML)
    assert huge.status_code == 413
    assert tables.one("SELECT count(*) FROM spaces") == before
    make(ada, "Ж" * 300)
    assert current(ada) == "Ж" * NAME_LENGTH


def test_nobody_owns_more_than_so_many(server: AppServer, tables: Tables) -> None:
    ada = Browser(server.url).sign_in("Ada Many")
    tables(
        "WITH made AS (INSERT INTO spaces (name) SELECT 'Many ' || n FROM generate_series(2, $1) n"
        " RETURNING id) INSERT INTO members (space_id, user_id, role)"
        " SELECT made.id, u.id, 'OWNER' FROM made, users u WHERE u.name = 'Ada Many'",
        MAX_OWNED,
    )
    answer = ada.http.post("/spaces", data={"name": "One more"}, headers=HTML)
    assert answer.status_code == 409
    assert "Leave or delete one that you no longer need" in answer.text
    assert 'value="One more"' in answer.text, "what was typed isn't lost"
    answer = ada.http.post("/spaces", data={"name": "One more"}, headers=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "spaces_full")


@given(st.text())
def test_any_text_is_no_name_or_a_good_one(text: str) -> None:
    name = one_line(text, NAME_LENGTH)
    assert len(name) <= NAME_LENGTH
    assert name == name.strip()
    assert name.isprintable() or not name
    assert one_line(name, NAME_LENGTH) == name, "saved again it stays the same"


@given(st.lists(st.uuids(), unique=True, max_size=5), st.uuids() | st.none())
def test_whoever_has_a_space_works_in_one(ids: list[object], chosen: object) -> None:
    rows = [{"id": str(one), "name": "X", "role": "MEMBER"} for one in ids]
    own = own_spaces(rows, str(chosen) if chosen else None)
    assert (own.current is None) is not bool(ids)
    if chosen in ids:
        assert own.current is not None
        assert own.current.id == str(chosen)
    elif own.current:
        assert own.current == own.all[0]
