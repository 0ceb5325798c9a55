"""The list's pages, filters and search: what they show while sessions come and go meanwhile."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.meetings import come_and_go, sql
from tests.support.visitors import Visitor

PAGE = 50
TITLES = ("Newest", "100% sure", "a_b", "Über uns", "back\\slash", "Ёлка и лёд")
MAKE = """
    INSERT INTO sessions
        (slug, title, space_id, created_by, created_at, started_at, ended_at, status)
    SELECT 'g' || n || '-' || left(CAST(CAST($1 AS uuid) AS text), 8), 'Older ' || n, $1, $2,
        at, at, at + interval '1 hour', 'ENDED'
    FROM generate_series(1, $3) n, CAST(now() - n * interval '1 day' AS timestamptz) at
"""


def rows(html: str) -> list[str]:
    """Return the titles of a list, from its top."""
    found = re.findall(r'<h3 class="title"><a href="/s/[^"]*">(.*?)</a>', html, re.S)
    return [str(one) for one in found]


def older(html: str) -> str | None:
    """Return where the next page is."""
    found = re.search(r'<a class="button" rel="next" href="([^"]*)"', html)
    return found[1].replace("&amp;", "&") if found else None


def somebody(site: AppServer, database: str, name: str, many: int = 0) -> tuple[Visitor, str]:
    """Return somebody new with so many sessions that are over, and the id of their space."""
    visitor = Browser(site.url).sign_in(name)
    visitor.start_session("Newest")
    found = sql(
        database,
        "SELECT s.space_id, created_by FROM sessions s JOIN users u ON u.id = created_by"
        " WHERE u.name = $1",
        name,
    )
    space, user = found[0]
    sql(database, MAKE, space, user, many)
    return visitor, str(space)


def test_pages_lose_and_repeat_nothing_while_sessions_come_and_go(
    site: AppServer, database: str
) -> None:
    ann, _ = somebody(site, database, "Ann Pages", 2 * PAGE + 20)
    first = ann.http.get("/").text
    assert rows(first) == ["Newest", *(f"Older {n}" for n in range(1, PAGE))]
    where = older(first)
    assert where
    ann.start_session("Come meanwhile")
    sql(database, "DELETE FROM sessions WHERE title IN ('Older 3', 'Older 49', 'Older 60')")
    second = ann.http.get(where).text
    assert rows(second)[0] == f"Older {PAGE}", "no matter what came and went above"
    assert len(rows(second)) == PAGE
    assert "Older 60" not in rows(second)
    third = ann.http.get(older(second) or "").text
    assert rows(third) == [f"Older {n}" for n in range(PAGE + PAGE + 1, 2 * PAGE + 21)]
    assert older(third) is None
    # What htmx puts below the rows, and the list that updates itself after it has.
    part = ann.http.get(where.replace("/?", "/sessions?part=rows&")).text
    assert rows(part) == rows(second)
    assert "<section" not in part
    until = re.search(r'name="until" value="([^"]*)"', part)
    assert until
    again = ann.http.get("/sessions", params={"until": until[1]}).text
    assert rows(again)[:2] == ["Come meanwhile", "Newest"]
    assert rows(again)[-1] == rows(part)[-1], "all that was read on is there still"
    assert len(rows(again)) == 2 + 100 - 3


def test_a_list_that_has_not_changed_is_not_sent_again(site: AppServer) -> None:
    ann = Browser(site.url).sign_in("Ann Unchanged")
    slug = ann.start_session("Quiet")

    def seen() -> str:
        found = re.search(r'name="seen" value="([^"]*)"', ann.http.get("/").text)
        assert found
        return found[1]

    was = seen()
    assert ann.http.get("/sessions", params={"seen": was}).status_code == 204
    come_and_go(ann, slug=slug)
    answer = ann.http.get("/sessions", params={"seen": was})
    assert (answer.status_code, "Nobody here since" in answer.text) == (200, True)
    was = seen()
    ann.end(slug)
    assert ann.http.get("/sessions", params={"seen": was}).status_code == 200


def test_live_ones_come_first_then_planned_ones_then_the_newest(
    site: AppServer, database: str
) -> None:
    ann, space = somebody(site, database, "Ann Filters", 2)
    other, _ = somebody(site, database, "Otto Filters")
    live = ann.start_session("Goes on")
    come_and_go(ann, slug=live)
    soon = datetime.now(UTC) + timedelta(days=1)
    for title, days in (("In a month", 30), ("Tomorrow", 0)):
        at = soon + timedelta(days=days)
        form = {"title": title, "planned": f"{at:%Y-%m-%dT%H:%M}", "plan": "on"}
        assert ann.http.post("/sessions", data=form).status_code == 303
    elsewhere = other.start_session("At Otto’s")
    come_and_go(ann, slug=elsewhere)
    sql(
        database,
        "INSERT INTO members (space_id, user_id, role) SELECT $1, id, 'MEMBER' FROM users"
        " WHERE name = 'Otto Filters'",
        space,
    )
    assert other.http.post("/sessions", data={"space": space, "title": "By Otto"}).is_redirect
    shown = {
        "all": ["Goes on", "Tomorrow", "In a month", "By Otto", "Newest", "Older 1", "Older 2"],
        "live": ["Goes on"],
        "planned": ["Tomorrow", "In a month"],
        "ended": ["Older 1", "Older 2"],
        "mine": ["Goes on", "Tomorrow", "In a month", "Newest", "Older 1", "Older 2"],
        "elsewhere": ["At Otto’s"],
    }
    for name, titles in shown.items():
        assert rows(ann.http.get(f"/?show={name}").text) == titles, name
    assert rows(ann.http.get("/?show=nonsense").text) == shown["all"]
    assert rows(other.http.get("/sessions", params={"space": space}).text) == shown["all"]
    # Who was removed from a session elsewhere has it in no list.
    sql(
        database,
        "UPDATE participants SET state = 'REMOVED' WHERE session_id = "
        "(SELECT id FROM sessions WHERE slug = $1)",
        elsewhere,
    )
    assert rows(ann.http.get("/?show=elsewhere").text) == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("100%", ["100% sure"]),
        ("_", ["a_b"]),
        ("%", ["100% sure"]),
        ("\\", ["back\\slash"]),
        ("Über", ["Über uns"]),
        ("üBER", ["Über uns"]),
        ("ЕЛКА", ["Ёлка и лёд"]),
        ("ЛЁД", ["Ёлка и лёд"]),
        ("  SURE ", ["100% sure"]),
        ("' OR 1=1 --", []),
        ("\x00", sorted(TITLES)),
        ("x" * 1_000, []),
    ],
)
def test_a_search_takes_every_character_for_itself(
    site: AppServer, database: str, words: str, found: list[str]
) -> None:
    name = "Ann Search"
    ann = Browser(site.url).sign_in(name)
    if not rows(ann.http.get("/").text):
        for title in TITLES:
            ann.start_session(title)
    answer = ann.http.get("/", params={"q": words})
    assert answer.status_code == 200
    assert sorted(rows(answer.text)) == sorted(found)


@pytest.mark.parametrize(
    "key", ["1", "2~x~y", "3~1~" + "0" * 32, "2~" + "9" * 30 + "~" + "0" * 32, "~~", "2~0~\x00"]
)
def test_a_key_that_cannot_be_is_refused(site: AppServer, key: str) -> None:
    ann = Browser(site.url).sign_in("Ann Keys")
    assert ann.http.get("/", params={"behind": key}).status_code == 400
    assert ann.http.get("/sessions", params={"until": key}).status_code == 400


def test_a_space_that_is_not_ones_own_has_no_list(site: AppServer, database: str) -> None:
    _, space = somebody(site, database, "Ann Owner")
    eve = Browser(site.url).sign_in("Eve Lister")
    for place in (space, "x", "0" * 32, "\x00"):
        assert eve.http.get("/sessions", params={"space": place}).status_code == 404
        assert eve.http.post("/sessions", data={"space": place}).status_code == 404
    assert sql(database, "SELECT count(*) FROM sessions WHERE space_id = $1", space)[0][0] == 1
