"""The log of a space: what owners read of what was done, and for how long."""

from __future__ import annotations

import re
from uuid import UUID

from core.store.space_events import ACTS, KEPT_DAYS
from routes.space_events import WORDS
from tests.conftest import MakeServer
from tests.spaces.conftest import Place
from tests.support.http import Browser
from tests.support.waiting import wait_until

HTML = {"Accept": "text/html"}


def told(place: Place, path: str = "") -> list[str]:
    """Return the lines of the log as its owner reads them."""
    html = place.people["owner"].http.get(path or f"/spaces/{place.space}/events").text
    rows = re.findall(r'event-who">([^<]*)</span> <span class="event-what">([^<]*)<', html)
    return [f"{who}: {what}" for who, what in rows]


def test_every_act_has_words() -> None:
    assert set(WORDS) == set(ACTS)


def test_owners_read_who_did_what(place: Place) -> None:
    owner, member = place.people["owner"], place.people["member"]
    form = {"for": "email", "email": "zoe@example.com", "days": "1"}
    assert owner.http.post(f"/spaces/{place.space}/invitations", data=form).status_code == 204
    which = place.tables.one("SELECT id FROM invitations WHERE space_id = $1", UUID(place.space))
    revoked = owner.http.post(f"/spaces/{place.space}/invitations/{which}/revoke")
    assert revoked.status_code == 204
    for _ in range(2):  # the second one within an hour is no news
        assert member.http.get(f"/spaces/{place.space}/usage.csv?month=2026-11").status_code == 200
        assert member.http.get(f"/s/{place.slug}/transcript.txt").status_code == 200
    assert place.people["guest"].http.get(f"/s/{place.slug}/transcript.txt").status_code == 404
    owner.http.post(f"/spaces/{place.space}/minutes", data={"minutes": "50"})
    owner.http.post(f"/spaces/{place.space}/minutes", data={"minutes": ""})
    lines = told(place)
    assert lines[:6] == [
        "Owner: Chose no bound of minutes a month",
        "Owner: Chose 50 minutes a month",
        "Member: Saved “=1+1 “Ferries”, and more” as a file: transcript.txt",
        "Member: Saved usage and cost as a file: usage-2026-11.csv",
        "Owner: Revoked the invitation of zoe@example.com",
        "Owner: Invited zoe@example.com",
    ]


def test_it_comes_in_pages_and_says_names_as_they_were(place: Place) -> None:
    add = (
        "INSERT INTO space_events (space_id, actor_name, act, subject)"
        " SELECT $1, '<b>Once', 'removed', 'Nobody ' || n FROM generate_series(1, 120) n"
    )
    place.tables(add, UUID(place.space))
    found, path = list[str](), f"/spaces/{place.space}/events"
    for _ in range(3):
        html = place.people["owner"].http.get(path).text
        found += re.findall(r"Removed Nobody (\d+)<", html)
        more = re.search(r'rel="next" href="([^"]+)"', html)
        path = more[1] if more else path
    assert found == [str(n) for n in range(120, 0, -1)]
    assert "<b>Once" not in html
    assert "&lt;b&gt;Once" in place.people["owner"].http.get(f"/spaces/{place.space}/events").text


def test_it_is_kept_for_so_long(make_server: MakeServer, place: Place) -> None:
    age = (
        "INSERT INTO space_events (space_id, actor_name, act, subject, at) VALUES"
        " ($1, 'X', 'removed', 'Old', now() - $2 * interval '1 day' - interval '1 hour'),"
        " ($1, 'X', 'removed', 'Young', now() - $2 * interval '1 day' + interval '1 hour')"
    )
    place.tables(age, UUID(place.space), KEPT_DAYS)
    make_server(DATABASE_URL=place.server.environment["DATABASE_URL"])  # which looks at its start
    count = "SELECT count(*) FROM space_events WHERE subject = $1"

    wait_until(lambda: place.tables.one(count, "Old") == 0)
    assert place.tables.one(count, "Young") == 1


def test_who_is_no_owner_reads_nothing(place: Place) -> None:
    for who in ("member", "other", "administrator"):
        assert place.people[who].http.get(f"/spaces/{place.space}/events").status_code == 404
    answer = Browser(place.server.url).http.get(f"/spaces/{place.space}/events", headers=HTML)
    assert answer.status_code == 303
