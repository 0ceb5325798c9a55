"""Usage of a space: the page of a month, the file, and the bound that its owners choose."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from core.database import Database
from core.minutes import month_before, today
from core.model import StreamAccount
from core.store import usage
from routes.usage import READ_AT_ONCE, SHOWN, harmless, minutes_of
from tests.spaces.conftest import Place
from tests.support.waiting import wait_until

JSON = {"Accept": "application/json"}
HTML = {"Accept": "text/html"}
THIS = today().replace(day=1)


def shown(place: Place, who: str = "owner", query: str = "") -> str:
    answer = place.people[who].http.get(f"/spaces/{place.space}/usage{query}", headers=HTML)
    assert answer.status_code == 200
    return " ".join(answer.text.split())


def test_a_month_shows_what_its_sessions_took(place: Place) -> None:
    html = shown(place)
    assert "<dt>Minutes transcribed</dt><dd>90.5</dd>" in html
    assert "<dt>Cost</dt><dd>0.90</dd>" in html, "the local engine costs nothing"
    assert "<dt>Minutes left</dt><dd>9.5</dd>" in html
    assert f'<a href="/s/{place.slug}">=1+1 “Ferries”, and more</a>' in html
    assert "<td>90.5</td><td>0.900</td><td>gladia, local</td>" in html
    assert (
        html.count('class="chart-bar"') == ((THIS + timedelta(days=32)).replace(day=1) - THIS).days
    )
    assert 'role="img" aria-labelledby="chart-title chart-desc"' in html
    assert f"{THIS}: 90.5 min" in html
    assert 'rel="prev"' not in html, "there is nothing before"
    assert 'rel="next"' not in html
    assert "Save</button>" in html
    assert "Save</button>" not in shown(place, "member"), "owners choose"
    assert "90,5" in " ".join(
        place.people["owner"]
        .http.get(f"/spaces/{place.space}/usage", headers={"Accept-Language": "ru"})
        .text.split()
    )


def test_what_was_moved_in_is_shown_and_takes_no_minutes(place: Place) -> None:
    place.spend(place.slug, THIS, 60 * 60, usage.PREVIOUS, 0)
    try:
        html = shown(place)
        assert "<dt>Minutes transcribed</dt><dd>150.5</dd>" in html
        assert "<dt>Minutes left</dt><dd>9.5</dd>" in html
    finally:
        place.tables("DELETE FROM space_usage WHERE engine = $1", usage.PREVIOUS)


def test_months_are_walked_and_keep_their_prices(place: Place) -> None:
    before = month_before(THIS)
    place.spend(place.slug, before, 60 * 60, price=0.5)
    html = shown(place)
    assert f'rel="prev" href="/spaces/{place.space}/usage?month={before:%Y-%m}"' in html
    html = shown(place, query=f"?month={before:%Y-%m}")
    assert "<dt>Cost</dt><dd>30.00</dd>" in html
    assert f'rel="next" href="/spaces/{place.space}/usage?month={THIS:%Y-%m}"' in html
    assert "Minutes left" not in html
    assert "Nothing was transcribed in this month." in shown(place, query="?month=2999-12")
    for bad in ("?month=2026-13", "?month=1", "?month=2026-01-01", "?behind=x", "?behind=1~2"):
        address = f"/spaces/{place.space}/usage{bad}"
        assert place.people["owner"].http.get(address).status_code == 400, bad


def test_a_stream_is_counted_once_by_its_days_and_at_its_price(place: Place) -> None:
    slug = place.people["owner"].start_session("Counted")
    me = place.people["owner"].join(slug)["you"]["identity"]
    session = str(place.tables.one("SELECT id FROM sessions WHERE slug = $1", slug))
    midnight = datetime(2025, 3, 1, tzinfo=UTC)
    opened, closed = midnight - timedelta(seconds=40), midnight + timedelta(seconds=20)

    async def store() -> None:
        db = Database(place.server.database_url)
        await db.connect()
        for stream, price in (("a", 0.6), ("a", 0.6), ("b", None)):
            account = StreamAccount(
                session, me, stream, "gladia", opened, closed, 60.0, 0, 0, 0, 0, price=price
            )
            await usage.add(db, account, 1.2)
        await db.disconnect()

    asyncio.run(store())
    rows = place.tables(
        "SELECT day, sent_s, cost FROM space_usage WHERE session_id = $1 ORDER BY day",
        UUID(session),
    )
    found = [(row["day"], round(row["sent_s"], 6), round(row["cost"], 6)) for row in rows]
    assert found == [(date(2025, 2, 28), 80.0, 1.2), (date(2025, 3, 1), 40.0, 0.6)]
    html = shown(place, query="?month=2025-02")
    assert "<dt>Cost</dt><dd>1.20</dd>" in html


def test_what_an_earlier_release_stored_is_counted_at_a_start(place: Place) -> None:
    slug = place.people["owner"].start_session("Older")
    me = place.people["owner"].join(slug)["you"]["identity"]
    add = """
        INSERT INTO streams (session_id, stream, identity, engine, opened_at, closed_at, sent_s,
            frames, partials, finals, errors)
        SELECT id, $2, $3, $4, '2025-05-31 23:59Z', '2025-06-01 00:01Z', 120, 1, 1, 1, 1
        FROM sessions WHERE slug = $1"""
    for stream, engine in (("a", "gladia"), ("b", "local")):
        place.tables(add, slug, stream, me, engine)
    place.server.stop()
    place.server.start()
    wait_until(lambda: not place.tables("SELECT 1 FROM streams WHERE price IS NULL"))
    html = shown(place, query="?month=2025-05")
    assert "<dt>Minutes transcribed</dt><dd>2.0</dd>" in html
    assert "<dt>Cost</dt><dd>0.01</dd>" in html


def test_a_deleted_session_gives_no_minutes_back(place: Place) -> None:
    owner = place.people["owner"]
    slug = owner.start_session("Deleted")
    place.spend(slug, date(2025, 8, 3), 120)
    place.tables("DELETE FROM sessions WHERE slug = $1", slug)
    html = shown(place, query="?month=2025-08")
    assert "A session that was deleted" in html
    assert "<dt>Minutes transcribed</dt><dd>2.0</dd>" in html


def test_many_sessions_come_in_pages_and_in_one_file(place: Place) -> None:
    many = READ_AT_ONCE + 7
    place.tables(
        "WITH made AS (INSERT INTO sessions (slug, title, space_id, created_at)"
        " SELECT 'many-' || n, 'Many ' || n, $1, '2025-10-05'::timestamptz + n * interval '1 s'"
        " FROM generate_series(1, $2) n RETURNING *)"
        " INSERT INTO space_usage SELECT space_id, '2025-10-05', id, 'gladia', 60, 0.01 FROM made",
        UUID(place.space),
        many,
    )
    html, titles = shown(place, query="?month=2025-10"), list[str]()
    while True:
        titles += re.findall(r">Many (\d+)</a>", html)
        found = re.search(r'href="[^"]*?(\?month=2025-10&amp;behind=[^"]+)"', html)
        if found is None or len(titles) > 3 * SHOWN:
            break
        html = shown(place, query=found[1].replace("&amp;", "&"))
    assert titles[: 3 * SHOWN] == [str(n) for n in range(many, many - 3 * SHOWN, -1)]
    assert f"<dd>{many}.0</dd>" in html, "figures are of the whole month on every page"
    answer = place.people["member"].http.get(f"/spaces/{place.space}/usage.csv?month=2025-10")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["title"] for row in rows] == [f"Many {n}" for n in range(many, 0, -1)]


def test_a_file_for_spreadsheets(place: Place) -> None:
    answer = place.people["member"].http.get(f"/spaces/{place.space}/usage.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert f'filename="usage-{THIS:%Y-%m}.csv"' in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(b"\xef\xbb\xbfbegun_utc,title,people,minutes,cost,engine\r\n")
    [row] = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert row["title"] == "'=1+1 “Ferries”, and more"
    assert (row["minutes"], row["cost"], row["engine"]) == ("90.50", "0.9000", "gladia, local")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row["begun_utc"])


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(begin: str) -> None:
    assert harmless(f"{begin}1") == f"'{begin}1"
    assert harmless(f"a{begin}1") == f"a{begin}1"


@pytest.mark.parametrize(
    ("typed", "minutes"),
    [("", None), (" ", None), ("0", 0.0), ("1,5", 1.5), ("1e3", 1000.0), ("1000000", 1e6)],
)
def test_minutes_are_read_as_people_type_them(typed: str, minutes: float | None) -> None:
    assert minutes_of(typed) == (minutes, "")


@pytest.mark.parametrize("typed", ["-1", "nan", "inf", "1000001", "much", "1 000", "١٢" * 20])
def test_what_is_no_number_of_minutes_is_refused(typed: str) -> None:
    assert minutes_of(typed) == (None, "Type a number of minutes, or nothing.")


def test_owners_choose_less_and_take_it_back(place: Place) -> None:
    owner, address = place.people["owner"].http, f"/spaces/{place.space}/minutes"
    told = "SELECT minutes_chosen FROM spaces WHERE id = $1"

    def chosen() -> float | None:
        found: float | None = place.tables.one(told, UUID(place.space))
        return found

    answer = owner.post(address, data={"minutes": "95,5"}, headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/spaces/{place.space}/usage?saved"
    assert chosen() == 95.5
    assert "Owners of the space chose that." in shown(place)
    refused = owner.post(address, data={"minutes": "101"}, headers=HTML)
    assert refused.status_code == 422
    assert "That is more than who runs this server allows: 100 minutes a month." in refused.text
    assert owner.post(address, data={"minutes": "x"}, headers=JSON).status_code == 422
    assert chosen() == 95.5
    fragment = owner.post(address, data={"minutes": ""}, headers={"HX-Request": "true"})
    assert fragment.status_code == 200
    assert fragment.text.lstrip().startswith("<section")
    assert "Saved." in fragment.text
    assert chosen() is None
    assert owner.post(address, data={"minutes": "100"}, headers=JSON).status_code == 204
    assert chosen() == 100
    foreign = owner.post(address, data={"minutes": "1"}, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    owner.post(address, data={"minutes": ""})


def test_a_space_that_is_not_there_looks_like_others(place: Place) -> None:
    for space in (str(uuid4()), "nothing", "0"):
        for path in ("usage", "usage.csv"):
            answer = place.people["owner"].http.get(f"/spaces/{space}/{path}")
            assert answer.status_code == 404


def test_the_list_and_the_transcript_lead_there(place: Place) -> None:
    address = f'href="/spaces/{place.space}/usage"'
    assert address in place.people["member"].http.get("/").text
    assert address not in place.people["other"].http.get("/").text
    add = """
        INSERT INTO streams (session_id, stream, identity, engine, opened_at, closed_at, sent_s,
            frames, partials, finals, errors, price)
        SELECT s.id, 'x', p.identity, 'gladia', now(), now(), 60, 1, 1, 1, 1, 2 FROM sessions s
        JOIN participants p ON p.session_id = s.id AND p.role = 'HOST' WHERE slug = $1"""
    place.tables(add, place.slug)
    html = place.people["owner"].http.get(f"/s/{place.slug}/transcript").text
    assert address in html
    assert "<td>2.000</td>" in html, "at the price of its time"
    assert "of its 100 minutes" in html
