"""Search through its door: who finds what, what corrections and deletions change, pages of hits."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from uuid import UUID

import pytest

from tests.search.conftest import Archive, found, shown, status
from tests.support.http import Browser
from tests.support.visitors import Visitor

JSON = {"Accept": "application/json"}


def people(archive: Archive, *names: str) -> list[Visitor]:
    """Sign people in."""
    return [archive.visitor(name) for name in names]


def test_who_isnt_signed_in_is_led_there_and_back(archive: Archive) -> None:
    nobody = Browser(archive.server.url)
    answer = nobody.http.get("/search?q=ferry&from=2026-01-01")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=/search%3Fq%3Dferry%26from%3D2026-01-01"
    assert nobody.http.post("/search").status_code == 405


def test_members_find_what_is_in_their_spaces_and_nobody_else_does(archive: Archive) -> None:
    owner, member, other = people(archive, "Olga", "Mira", "Otto")
    slug = archive.session(owner, "A quixotic plan", ("Olga", "Say xylophone once", "en"))
    archive.session(other, "Elsewhere", ("Otto", "A xylophone of my own", "en"))
    guest = Browser(archive.server.url).be_guest(owner.start_session("Open"), "Guest")
    space = archive.space(slug)
    mine, theirs = ["Say [xylophone] once"], ["A [xylophone] of my own"]
    assert found(owner, "xylophone ") == mine
    assert found(other, "xylophone ") == theirs
    assert found(member, "xylophone ") == []
    assert found(member, "quixotic ") == []
    assert guest.http.get("/search?q=xylophone").status_code == 303
    archive.join(space, "Mira")
    assert found(member, "xylophone ") == mine
    assert found(member, "quixotic ") == ["A [quixotic] plan"]
    assert found(member, "xylophone ", space=space) == mine
    for who, where, expected in (
        (other, space, 404),
        (owner, "00000000-0000-0000-0000-000000000000", 404),
        (owner, "nothing", 404),
        (owner, space, 200),
    ):
        answer = who.http.get("/search", params={"q": "xylophone", "space": where})
        assert answer.status_code == expected
        assert ("Say" in answer.text) == (expected == 200)
    user = archive.tables.one("SELECT id FROM users WHERE name = 'Mira'")
    removed = owner.http.post(f"/spaces/{space}/members/{user}/remove", headers=JSON)
    assert removed.status_code in (200, 204, 303)
    assert found(member, "xylophone ") == []
    assert member.http.get(f"/search?q=xylophone&space={space}").status_code == 404


def test_an_outsider_who_took_part_finds_nothing_of_it(archive: Archive) -> None:
    owner, outsider = people(archive, "Odile", "Oskar")
    slug = archive.session(owner, "Joint", ("Odile", "A zeppelin", "en"))
    archive.tables(
        """
        INSERT INTO participants
            (identity, session_id, user_id, name, hue, role, joined_at, left_at)
        SELECT 'p_oskar', $1, id, name, 1, 'GUEST', now(), now() FROM users WHERE name = 'Oskar'
        """,
        archive.id(slug),
    )
    assert outsider.http.get(f"/s/{slug}").status_code == 200  # may read it
    assert found(outsider, "zeppelin ") == []


@pytest.mark.parametrize("state", ["REMOVED", "DENIED"])
def test_a_member_who_was_removed_from_a_session_finds_nothing_of_it(
    archive: Archive, state: str
) -> None:
    owner, member = people(archive, f"Ola {state}", f"Mo {state}")
    slug = archive.session(owner, "Quarrel of giants", ("Ola", "A velociraptor", "en"))
    archive.join(archive.space(slug), f"Mo {state}")
    assert len(found(member, "velociraptor ")) == 1
    archive.tables(
        """
        INSERT INTO participants
            (identity, session_id, user_id, name, hue, role, state, joined_at, left_at)
        SELECT 'p_' || CAST($2 AS text), $1, id, name, 1, 'MEMBER', $2, now(), now()
        FROM users WHERE name = 'Mo ' || $2
        """,
        archive.id(slug),
        state,
    )
    assert member.http.get(f"/s/{slug}").status_code in (403, 404)
    assert found(member, "velociraptor ") == found(member, "giants ") == []
    assert len(found(owner, "velociraptor ")) == 1


def test_a_hit_leads_to_its_line(archive: Archive) -> None:
    (ada,) = people(archive, "Ada Line")
    slug = archive.session(ada, "Lines", ("Ada", "First walrus", "en"), ("Bob", "Second", "en"))
    archive.say(slug, ("Bob", "Third walrus", "en"))
    archive.correct(slug, 2, "Half", part=0)
    archive.correct(slug, 2, "of a walrus", part=1)
    archive.write(slug, "Ada", "A walrus in the chat")
    page = ada.http.get("/search?q=walrus&order=newest").text
    paths = re.findall(r'href="(/s/[^"]*)"', page)
    base = f"/s/{slug}"
    assert set(paths) == {base} | {
        f"{base}?line={line}#u-{line}" for line in ("1", "2.1", "3", "chat-1")
    }
    assert ada.http.get(f"{base}?line=2.1").status_code == 200
    live = ada.start_session("Goes on")
    archive.tables("UPDATE sessions SET status = 'LIVE', started_at = now() WHERE slug = $1", live)
    archive.say(live, ("Ada", "A live narwhal", "en"))
    page = ada.http.get("/search?q=narwhal").text
    assert f"/s/{live}/transcript?line=1#u-1" in page
    assert "Live now" in page


def test_corrections_are_what_is_found(archive: Archive) -> None:
    (ada,) = people(archive, "Ada Corrects")
    slug = archive.session(
        ada,
        "Corrected",
        ("Ada", "The bugdet is low", "en"),
        ("Bob", "A secret cormorant", "en"),
        ("Bob", "and its joined tail", "en"),
    )
    assert found(ada, "bugdet ") == ["The [bugdet] is low"]
    archive.correct(slug, 1, "The budget is low")
    assert found(ada, "bugdet ") == []
    assert found(ada, "budgets ") == ["The [budget] is low"]
    assert found(ada, "cormorant ", speaker="ada") == []
    archive.correct(slug, 2, "A secret cormorant", speaker=archive.identity(slug, "Ada"))
    assert found(ada, "cormorant ", speaker="ada") == ["A secret [cormorant]"]
    assert found(ada, "cormorant ", speaker="bob") == []
    archive.tables(
        "INSERT INTO speakers (session_id, speaker, name, hue) VALUES ($1, $2, 'Grace Hopper', 1)",
        archive.id(slug),
        archive.identity(slug, "Ada"),
    )
    assert found(ada, "cormorant ", speaker="HOPPER") == ["A secret [cormorant]"]
    assert found(ada, "cormorant ", speaker="ada") == []
    assert "Grace Hopper" in ada.http.get("/search?q=cormorant").text
    archive.correct(slug, 2, "A secret cormorant and its joined tail")
    archive.correct(slug, 3, "and its joined tail", joined=2)
    assert found(ada, "tail ") == ["A secret cormorant and its joined [tail]"]
    archive.correct(slug, 2, "A secret cormorant", hidden=True)
    assert found(ada, "cormorant ") == found(ada, "secret ") == []
    archive.tables("DELETE FROM corrected_lines WHERE session_id = $1", archive.id(slug))
    assert found(ada, "cormorant ") == ["A secret [cormorant]"]
    assert found(ada, "tail ") == ["and its joined [tail]"]
    assert found(ada, "bugdet ") == ["The [bugdet] is low"]


def test_titles_and_chat_are_found_as_they_are_now(archive: Archive) -> None:
    (ada,) = people(archive, "Ada Titles")
    slug = archive.session(ada, "Quarterly ptarmigan", ("Ada", "Nothing of it", "en"))
    archive.write(slug, "Ada", "see https://example.com/ptarmigan-counts")
    assert found(ada, "ptarmigans ") == [
        "Quarterly [ptarmigan]",  # a title before what is said
        "see https://example.com/[ptarmigan]-counts",
    ]
    planned = ada.start_session("Old name of pelicans")
    ada.http.post(f"/s/{planned}/settings", data={"title": "New name of flamingos"}, headers=JSON)
    assert found(ada, "pelicans ") == []
    assert found(ada, "flamingo ") == ["New name of [flamingos]"]
    archive.tables("UPDATE sessions SET status = 'EXPIRED' WHERE slug = $1", planned)
    assert found(ada, "flamingo ") == []


def test_what_is_deleted_leaves_no_rows(archive: Archive) -> None:
    ada = archive.visitor("Ada Deletes")
    kept = archive.session(ada, "Kept kestrel", ("Ada", "A kestrel", "en"))
    gone = archive.session(ada, "Gone kestrel", ("Ada", "Another kestrel", "en"))
    archive.write(gone, "Ada", "kestrel in the chat")
    archive.say(gone, ("Ada", "And a third", "en"))
    archive.translate(gone, 2, "de", "Und ein dritter")
    archive.correct(gone, 1, "Another kestrel, corrected")

    def rows(session: UUID) -> int:
        sql = "SELECT count(*) FROM search_lines WHERE session_id = $1"
        return int(archive.tables.one(sql, session))

    session = archive.id(gone)
    assert rows(session) == 5
    assert ada.http.post(f"/s/{gone}/delete", headers=JSON).status_code == 204
    assert rows(session) == 0
    assert found(ada, "kestrel ") == ["Kept [kestrel]", "A [kestrel]"]

    made = ada.http.post("/spaces", data={"name": "Large"}, headers={"Accept": "text/html"})
    space = made.headers["location"].removeprefix("/spaces/")
    other = archive.session(ada, "Large kestrel", ("Ada", "Third kestrel", "en"))
    assert archive.space(other) == space
    session = archive.id(other)
    assert len(found(ada, "kestrel ")) == 4
    deleted = ada.http.post(f"/spaces/{space}/delete", data={"name": "Large"}, headers=JSON)
    assert deleted.status_code in (200, 204, 303), deleted.text
    assert rows(session) == 0
    assert found(ada, "kestrel ") == ["Kept [kestrel]", "A [kestrel]"]

    session = archive.id(kept)
    ended = ada.http.post("/profile/account/delete", data={"confirm": "ada.deletes@example.com"})
    assert ended.status_code in (204, 303), ended.text
    assert rows(session) == 0


def test_what_people_wrote_is_text_wherever_it_stands(archive: Archive) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)> \"'&amp;"
    owner = archive.visitor("Eve Evil")
    slug = archive.session(owner, f"lemming {evil}"[:120], ("<b>Bob</b>", f"lemming {evil}", "en"))
    archive.write(slug, "<b>Bob</b>", f"lemming {evil}")
    page = owner.http.get("/search", params={"q": f'lemming OR "{evil}', "speaker": ""}).text
    again = owner.http.get("/search", params={"q": "lemming", "speaker": '"><script>'}).text
    plain = owner.http.get("/search?q=lemming").text
    assert plain.count("&lt;script&gt;alert(1)") == 3
    for text in (page, again, plain):
        assert "<script>alert" not in text
        assert '"><script>' not in text
        assert "<img" not in text
        assert "<b>Bob" not in text
    assert sum("script" in one for one in found(owner, "lemming ")) == 3


def test_days_and_spaces_and_speakers_leave_out(archive: Archive) -> None:
    ada = archive.visitor("Ada Filters")
    now = archive.session(
        ada, "Now", ("Ada", "A gannet", "en"), ("Фёдор", "Gannet два", "ru"), ago=0
    )
    old = archive.session(ada, "Old", ("Ada", "An old gannet", "en"), ago=400)
    day = "SELECT CAST((started_at AT TIME ZONE 'UTC') AS date) FROM sessions WHERE slug = $1"
    today, then = (archive.tables.one(day, one).isoformat() for one in (now, old))
    assert len(found(ada, "gannet ")) == 3
    assert found(ada, "gannet ", to=then) == ["An old [gannet]"]
    assert len(found(ada, "gannet ", **{"from": today})) == 2
    assert found(ada, "gannet ", **{"from": then}, to=then) == ["An old [gannet]"]
    assert found(ada, "gannet ", speaker="фЁдор") == ["[Gannet] два"]
    assert found(ada, "gannet ", speaker="ФЕДОР") == ["[Gannet] два"]
    assert found(ada, "gannet ", speaker="nobody") == []
    query = {"q": "gannet", "from": today, "speaker": "nobody"}
    assert "Perhaps with another" in status(ada.http.get("/search", params=query).text)
    for wrong in ({"from": "2026-13-01"}, {"to": "x"}, {"from": "0001-01-01"}, {"offset": "900"}):
        assert ada.http.get("/search", params={"q": "gannet"} | wrong).status_code == 400, wrong
    assert found(ada, "gannet ", **{"from": ""}, offset="-840") == found(ada, "gannet ")


@pytest.mark.parametrize("order", ["best", "newest"])
def test_pages_have_each_hit_once_also_when_more_come_meanwhile(
    archive: Archive, order: str
) -> None:
    ada = archive.visitor(f"Ada Pages {order}")
    for n in range(5):
        said = [("Ada", f"puffin {'puffin ' * (k % 3)}number {n}-{k}", "en") for k in range(11)]
        slug = archive.session(ada, f"Pages {n}", *said, ago=n + 1)
    pages: list[list[str]] = []
    address = f"/search?q=puffin&order={order}"
    for _ in range(9):
        page = ada.http.get(address, headers={"HX-Request": "true"} if pages else {})
        assert page.status_code == 200
        pages.append([one for one in shown(page.text) if "late" not in one])
        archive.say(slug, ("Ada", "a late puffin puffin puffin puffin", "en"))
        more = re.findall(r'rel="next" href="([^"]*)"', page.text)
        if not more:
            break
        address = more[0].replace("&amp;", "&")
    early = [one for each in pages for one in each]
    assert len(early) == len(set(early)) == 55
    assert "That was all." in page.text
    if order == "best":
        counts = [[one.count("[puffin]") for one in each] for each in pages if each]
        assert all(min(one) >= max(after) for one, after in pairwise(counts))
    else:
        numbers = [re.findall(r"number (\d)-", one)[0] for one in early]
        assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    "place",
    [
        "x",
        "!!!!",
        "bnVsbA==",
        "W10=",
        "W251bGwsMSxudWxsLG51bGxd",
        "W251bGwsdHJ1ZSxbIjIwMjYiLCJ4Il0sbnVsbF0=",
        "A" * 5_000,
    ],
)
def test_places_that_cant_be_are_refused(archive: Archive, place: str) -> None:
    ada = archive.visitor("Ada Places")
    assert ada.http.get("/search", params={"q": "puffin", "after": place}).status_code == 400


def test_programs_get_the_same_as_json(archive: Archive) -> None:
    ada = archive.visitor("Ada Programs")
    slug = archive.session(ada, "A title", ("Ada", "One razorbill, two razorbills", "en"))
    made = ada.http.post("/profile/tokens", data={"name": "t", "scope": "READ"}, headers=JSON)
    token = re.search(r"sessions_\w+", made.text)
    assert token
    program = Browser(archive.server.url, Authorization=f"Bearer {token[0]}")
    answer = program.http.get("/search", params={"q": "razorbill"})
    assert answer.status_code == 200
    (hit,) = answer.json()["hits"]
    assert hit["text"] == "One razorbill, two razorbills"
    assert hit["marks"] == [[4, 13], [19, 29]]
    assert hit["url"] == f"{archive.server.url}/s/{slug}?line=1#u-1"
    assert (hit["kind"], hit["session"], hit["title"]) == ("line", slug, "A title")
    assert (hit["speaker"], hit["start"], hit["space"]) == ("Ada", 10.0, archive.space(slug))
    rest = {key: value for key, value in answer.json().items() if key != "hits"}
    assert rest == {
        "count": 1,
        "more_than_count": False,
        "refused": None,
        "still_sorting": False,
        "next": None,
    }
    nothing = program.http.get("/search", params={"q": "-razorbill"}).json()
    assert (nothing["refused"], nothing["hits"]) == ("only_exclusions", [])
    elsewhere = program.http.get("/search", params={"q": "razorbill", "space": slug})
    assert (elsewhere.status_code, elsewhere.json()["error"]["code"]) == (404, "not_found")
    assert json.dumps(answer.json())
    wrong = Browser(archive.server.url, Authorization="Bearer sessions_" + "x" * 40)
    assert wrong.http.get("/search?q=razorbill").status_code == 401
