"""Names that search offers: of who is to be found, to who may, the most frequent first."""

from __future__ import annotations

import html
import re

from tests.search.conftest import Archive
from tests.support.http import Browser
from tests.support.visitors import Visitor


def offered(visitor: Visitor, path: str = "/search", **query: str) -> list[str]:
    """Return the names that a page offers, or that a fragment has, in their order."""
    answer = visitor.http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    (names,) = re.findall(r"<datalist[^>]*>(.*?)</datalist>", answer.text, re.S) or [answer.text]
    return [html.unescape(one) for one in re.findall(r'<option value="([^"]*)"', names)]


def typed(visitor: Visitor, name: str, **query: str) -> list[str]:
    return offered(visitor, "/search/speakers", speaker=name, **query)


def test_who_may_read_a_session_is_offered_who_spoke_in_it(archive: Archive) -> None:
    ada, eve = archive.visitor("Ada Names"), archive.visitor("Eve Names")
    evil = '"><b>Bo'
    first = archive.session(ada, "One", ("Ada", "a", "en"), ("Фёдор", "b", "ru"), (evil, "c", "en"))
    archive.session(ada, "Two", ("Фёдор", "d", "ru"), ("Renamed", "e", "en"))
    gone = archive.session(ada, "Three", ("Secret", "f", "en"))
    archive.session(eve, "Elsewhere", ("Stranger", "g", "en"))
    for name, joined in (("Silent", True), ("Knocked", False)):
        archive.tables(
            """
            INSERT INTO participants (identity, session_id, name, hue, role, state, joined_at)
            VALUES ($1, $2, $3, 1, 'GUEST', 'WAITING', CASE WHEN $4 THEN now() END)
            """,
            f"p_{name}",
            archive.id(first),
            name,
            joined,
        )
    archive.tables(
        "INSERT INTO speakers (session_id, speaker, name, hue)"
        " SELECT session_id, identity, 'Grace Hopper', 1 FROM participants WHERE name = 'Renamed'"
    )
    space = archive.space(first)
    assert offered(ada) == ["Фёдор", evil, "Ada", "Grace Hopper", "Secret"]
    assert evil not in ada.http.get("/search").text
    assert offered(eve) == ["Stranger"]
    assert typed(ada, "") == offered(ada)
    assert typed(ada, "ФЕДО") == ["Фёдор"]
    assert typed(ada, "hopper") == ["Grace Hopper"]
    assert typed(ada, "renamed") == typed(ada, "sil") == typed(ada, "kno") == []
    assert typed(ada, "stranger") == typed(eve, "ada") == []
    assert typed(eve, "%") == typed(eve, "\x00nobody") == []
    for path in ("/search", "/search/speakers"):
        for where in (space, "nothing"):
            answer = eve.http.get(path, params={"space": where})
            assert answer.status_code == 404
            assert "Ada" not in answer.text
    assert offered(ada, space=space) == offered(ada)

    # A member of the space whom a host has removed from one of its sessions.
    archive.join(space, "Eve Names")
    assert set(offered(eve)) == {*offered(ada), "Stranger"}
    assert offered(eve, space=space) == offered(ada)
    archive.tables(
        """
        INSERT INTO participants
            (identity, session_id, user_id, name, hue, role, state, joined_at)
        SELECT 'p_eve', $1, id, name, 1, 'MEMBER', 'REMOVED', now()
        FROM users WHERE name = 'Eve Names'
        """,
        archive.id(gone),
    )
    assert "Secret" not in offered(eve)
    assert typed(eve, "secret") == []
    archive.tables("DELETE FROM members WHERE space_id = $1::uuid", space)
    assert offered(eve) == ["Stranger"]
    assert typed(eve, "ada") == []

    nobody = Browser(archive.server.url)
    answer = nobody.http.get("/search/speakers?speaker=ada")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/search")
    assert nobody.http.post("/search/speakers").status_code == 405
