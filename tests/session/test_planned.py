"""Planned sessions: the form, its bounds, who sees what, and who changes it at once with others."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from core.planning import Mistake, agenda_of, time_of
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.meetings import JSON, come_and_go, row_of, sql
from tests.support.waiting import wait_until

HTML = {"Accept": "text/html"}
HTMX = {"HX-Request": "true"}
NEXT_WEEK = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(days=7)
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def typed(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M}"


@pytest.fixture
def ada(site: AppServer) -> Browser:
    browser = Browser(site.url)
    browser.sign_in("Ada Lovelace")
    return browser


def plan(who: Browser, **form: str) -> str:
    """Plan a session as the form does without JavaScript, and return its slug."""
    answer = who.http.post("/sessions", data={"plan": "on", "title": "Tides"} | form)
    assert answer.status_code == 303, answer.text
    path, _, made = answer.headers["location"].partition("?")
    assert made == "made"
    return re.fullmatch(r"/s/([a-z0-9-]+)/plan", path)[1]  # type: ignore[index]


def stored(database: str, slug: str) -> dict[str, object]:
    (row,) = sql(database, "SELECT * FROM sessions WHERE slug = $1", slug)
    return dict(row)


def seen(who: Browser, slug: str) -> str:
    """Return what state of it the form of somebody shows."""
    page = who.http.get(f"/s/{slug}/plan")
    assert page.status_code == 200
    (was,) = re.findall(r'name="was" value="([^"]*)"', page.text)
    return html.unescape(was)


# Planning


def test_a_session_is_planned_in_ones_own_zone(
    site: AppServer, database: str, ada: Browser
) -> None:
    agenda = "1. Ferries: https://example.com/a?b=1&c=2\r\n\r\n2. \u202e<b>Rest</b>\x07\t!\r\n"
    form = {"agenda": agenda, "recurs": " every  Monday\nat 9\u200f "}
    slug = plan(ada, planned=typed(NEXT_WEEK + timedelta(hours=2)), offset="120", **form)
    row = stored(database, slug)
    assert (row["title"], row["planned_at"]) == ("Tides", NEXT_WEEK)
    kept = "1. Ferries: https://example.com/a?b=1&c=2\n\n2. <b>Rest</b> !"
    assert (row["agenda"], row["recurs"]) == (kept, "every Monday at 9")
    made = ada.http.get(f"/s/{slug}/plan?made").text
    assert f'value="{site.url}/s/{slug}"' in made
    assert f'href="/s/{slug}/session.ics"' in made
    for who in (ada, Browser(site.url)):  # the lobby, and the gate
        page = who.http.get(f"/s/{slug}").text
        assert f'<time datetime="{NEXT_WEEK.isoformat()}">' in page
        assert '<a href="https://example.com/a?b=1&amp;c=2" target="_blank"' in page
        assert "&lt;b&gt;Rest&lt;/b&gt; !" in page
        assert "Repeats: every Monday at 9" in page
        assert f'href="/s/{slug}/session.ics"' in page


def test_the_list_says_when_it_is_and_has_it_for_a_calendar(ada: Browser) -> None:
    slug = plan(ada, planned=typed(NEXT_WEEK))
    row = row_of(ada.http.get("/").text, slug)
    assert f'Planned for <time datetime="{NEXT_WEEK.isoformat()}">' in row
    assert f'href="/s/{slug}/session.ics"' in row
    assert ada.host(slug, "plan", planned="") == (204, "")
    row = row_of(ada.http.get("/").text, slug)
    assert "Not started yet" in row
    assert "session.ics" not in row


def test_without_javascript_a_time_is_in_utc_and_mistakes_come_back(ada: Browser) -> None:
    page = ada.http.get("/sessions/new").text
    assert "in UTC" in page
    long = {"agenda": "x" * 4001, "title": "Kept & shown", "admission": "MEMBERS"}
    answer = ada.http.post("/sessions", data={"plan": "on", "planned": "soon"} | long, headers=HTML)
    assert answer.status_code == 422
    for said in ("Choose a date and a time.", "at most 4000 characters", "Kept &amp; shown"):
        assert said in answer.text
    assert re.search('value="MEMBERS" checked', answer.text)
    assert 'value="soon"' in answer.text
    answer = ada.http.post("/sessions", data={"plan": "on", "planned": ""}, headers=HTMX)
    assert answer.status_code == 422
    assert answer.text.strip() == "Choose a date and a time."


@pytest.mark.parametrize(
    "form",
    [
        {"plan": "on"},
        {"planned": typed(NEXT_WEEK - timedelta(days=14))},
        {"planned": "2026-01-01T00:00"},
        {"planned": "9999-12-31T23:59"},
        {"planned": "9999-12-31T23:59", "offset": "-840"},
        {"planned": "0001-01-01T00:00", "offset": "840"},
        {"planned": "2027-02-30T10:00"},
        {"planned": typed(NEXT_WEEK), "offset": "901"},
        {"planned": typed(NEXT_WEEK), "offset": "Europe/Berlin"},
        {"planned": typed(NEXT_WEEK), "offset": "\u0661"},
        {"planned": "２０２７-01-01T10:00"},
        {"planned": "\x00" * 100},
        {"planned": "'; DROP TABLE sessions"},
        {"agenda": "x" * 4001},
        {"agenda": "é\n" * 2001 + "é"},
    ],
)
def test_what_cant_be_is_refused_and_nothing_is_stored(
    site: AppServer, database: str, ada: Browser, form: dict[str, str]
) -> None:
    count = "SELECT count(*) FROM sessions"
    before = sql(database, count)[0][0]
    answer = ada.http.post("/sessions", data={"title": "Tides"} | form, headers=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    slug = plan(ada, planned=typed(NEXT_WEEK), agenda="Before")
    if "plan" not in form:
        assert ada.host(slug, "plan", **form) == (422, "invalid")
    row = stored(database, slug)
    assert (row["planned_at"], row["agenda"]) == (NEXT_WEEK, "Before")
    assert sql(database, count)[0][0] == before + 1


@pytest.mark.parametrize(
    ("at", "offset", "found"),
    [
        ("", "", None),
        ("2026-11-28T12:00", "", NOW),
        ("2026-11-28T11:55", "", NOW - timedelta(minutes=5)),
        ("2026-11-28T11:54", "", Mistake.PAST),
        ("2026-11-28T13:00", "60", NOW),
        ("2026-11-28T02:30", "-570", NOW),
        ("2028-11-29T12:00", "", datetime(2028, 11, 29, 12, tzinfo=UTC)),
        ("2028-12-01T12:00", "", Mistake.TOO_FAR),
        ("2026-11-28T24:00", "", Mistake.NO_TIME),
        ("2026-11-28", "", Mistake.NO_TIME),
    ],
)
def test_how_a_time_is_read(at: str, offset: str, found: object) -> None:
    assert time_of(at, offset, NOW) == found


def test_a_time_that_stands_there_may_have_passed() -> None:
    old = NOW - timedelta(days=1)
    assert time_of("2026-11-27T12:00", "", NOW) is Mistake.PAST
    assert time_of("2026-11-27T12:00", "", NOW, unless=old) == old


def test_an_agenda_has_lines_and_nothing_that_hides_text() -> None:
    assert agenda_of(" \n\n a\u2066 b\r\nc\vd\x00e\n\n") == "a b\nc\nd e"
    assert agenda_of("x" * 4000) == "x" * 4000
    assert agenda_of("x" * 4001) is Mistake.TOO_LONG


# Who may


def test_strangers_guests_and_members_plan_nothing(site: AppServer, ada: Browser) -> None:
    slug = plan(ada, planned=typed(NEXT_WEEK))
    stranger, guest, other = (Browser(site.url) for _ in range(3))
    guest.be_guest(slug, "Bob")
    other.sign_in("Eve")
    form = {"planned": "", "agenda": "Mine"}
    assert stranger.host(slug, "plan", **form) == (401, "signed_out")
    for who in (guest, other):
        assert who.host(slug, "plan", **form) == (404, "not_found")
        assert who.http.get(f"/s/{slug}/plan").status_code == 404
    assert stranger.http.get("/sessions/new").headers["location"].startswith("/sign-in")
    assert guest.http.post("/sessions", data=form).headers["location"] == "/sign-in"
    foreign = {"Origin": "https://elsewhere.example"}
    assert ada.http.post(f"/s/{slug}/plan", data=form, headers=foreign).status_code == 403
    assert "Mine" not in ada.http.get(f"/s/{slug}").text


def test_a_closed_door_tells_strangers_nothing_ahead(site: AppServer, ada: Browser) -> None:
    slug = plan(ada, planned=typed(NEXT_WEEK), agenda="Secret tides")
    known = Browser(site.url)
    known.be_guest(slug, "Bob")
    stranger, other = Browser(site.url), Browser(site.url)
    other.sign_in("Eve")
    for form, code in [({"locked": "on"}, "locked"), ({"admission": "MEMBERS"}, "members_only")]:
        assert ada.host(slug, "settings", locked="off")[0] == 204
        assert ada.host(slug, "settings", **form)[0] == 204
        for who in (stranger, other):
            page = who.http.get(f"/s/{slug}").text
            assert "Secret tides" not in page
            assert "session.ics" not in page
            answer = who.http.get(f"/s/{slug}/session.ics", headers=JSON)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)
    assert "Secret tides" in ada.http.get(f"/s/{slug}").text


# Changing


def test_a_plan_is_changed_and_taken_back(database: str, ada: Browser) -> None:
    slug = plan(ada, planned=typed(NEXT_WEEK), agenda="Tides", recurs="Mondays", title="Unique")
    assert ada.host(slug, "plan", agenda="Ebb") == (204, "")
    row = stored(database, slug)
    assert (row["planned_at"], row["agenda"], row["recurs"]) == (NEXT_WEEK, "Ebb", "Mondays")
    later = NEXT_WEEK + timedelta(days=1)
    answer = ada.http.post(
        f"/s/{slug}/plan", data={"planned": typed(later), "was": seen(ada, slug)}, headers=HTMX
    )
    assert answer.status_code == 200
    assert answer.headers["hx-trigger"] == "sessions-changed"
    assert f'data-utc="{typed(later)}Z"' in answer.text
    assert stored(database, slug)["planned_at"] == later
    form = ada.http.post(f"/s/{slug}/plan", data={"planned": ""}, headers=HTML)
    assert form.headers["location"] == f"/s/{slug}/plan?saved"
    assert stored(database, slug)["planned_at"] is None
    assert ada.host(slug, "plan", planned=typed(later)) == (204, "")
    told = "SELECT count(*) FROM space_events WHERE act = 'session_planned' AND subject = 'Unique'"
    assert sql(database, told)[0][0] == 2, "the first time, and anew"
    assert ada.host(slug, "plan", planned="") == (204, "")
    assert ada.http.get(f"/s/{slug}/session.ics").status_code == 404
    assert "Planned for" not in ada.http.get(f"/s/{slug}").text


def test_who_changes_it_at_once_with_others_overwrites_nothing_unseen(
    database: str, ada: Browser
) -> None:
    slug = plan(ada, planned=typed(NEXT_WEEK), agenda="First")
    was = seen(ada, slug)
    form = {"planned": typed(NEXT_WEEK), "recurs": ""}
    address = f"/s/{slug}/plan"
    first = ada.http.post(address, data=form | {"agenda": "Theirs", "was": was}, headers=HTML)
    assert first.status_code == 303
    late = form | {"agenda": "Mine", "was": was}
    assert ada.host(slug, "plan", **late) == (409, "changed_meanwhile")
    for headers in (HTML, HTMX):
        second = ada.http.post(address, data=late, headers=headers)
        assert second.status_code == 409
        assert ">Theirs</dd>" in second.text
        assert ">Mine</textarea>" in second.text
        assert stored(database, slug)["agenda"] == "Theirs"
    (now,) = re.findall(r'name="was" value="([^"]*)"', second.text)
    knowing = late | {"was": html.unescape(now)}
    assert ada.http.post(address, data=knowing, headers=HTML).status_code == 303
    assert stored(database, slug)["agenda"] == "Mine"


def test_what_is_over_is_planned_no_more(ada: Browser) -> None:
    slug = plan(ada, planned=typed(NEXT_WEEK))
    ada.end(slug)
    assert ada.host(slug, "plan", agenda="Late") == (403, "ended")
    assert ada.http.get(f"/s/{slug}/plan").status_code == 403
    assert ada.http.get(f"/s/{slug}/session.ics").status_code == 403


# How long a link lives


def test_a_link_lives_until_a_day_after_its_time(
    site: AppServer, database: str, ada: Browser, expired: Callable[[str], bool]
) -> None:
    """Whoever moves time moves all times that the database has."""
    on_time, late, unplanned, looked_at = (
        plan(ada, planned=typed(NEXT_WEEK), title=title)
        for title in ("On time", "Late", "Unplanned", "Looked at")
    )
    come_and_go(ada, slug=looked_at)  # to see whether it works, a week ahead
    by = timedelta(days=7, hours=22)  # NEXT_WEEK counts from when the run began
    slugs = [on_time, late, unplanned, looked_at]
    move(database, slugs, by)
    assert ada.host(unplanned, "plan", planned="") == (204, "")
    move(database, [late], timedelta(hours=3))
    assert expired(late)
    guest = Browser(site.url)
    for slug in (on_time, unplanned, looked_at):
        assert guest.http.get(f"/s/{slug}").status_code == 200
    guest.be_guest(on_time, "Bob").knock(on_time)
    assert "Planned for" in ada.http.get(f"/s/{on_time}").text
    assert stored(database, looked_at)["status"] == "LIVE"
    assert ada.http.get(f"/s/{late}").status_code == 404
    move(database, [looked_at], timedelta(hours=3))
    assert expired(looked_at)
    move(database, [unplanned], timedelta(hours=24, minutes=1))
    assert expired(unplanned)


def move(database: str, slugs: list[str], by: timedelta) -> None:
    """Have so much time pass for these sessions."""
    sql(
        database,
        "UPDATE sessions SET created_at = created_at - $2::interval,"
        " planned_at = planned_at - $2::interval, started_at = started_at - $2::interval,"
        " replanned_at = replanned_at - $2::interval WHERE slug = ANY($1)",
        slugs,
        by,
    )
    sql(
        database,
        "UPDATE participants SET left_at = left_at - $2::interval,"
        " joined_at = joined_at - $2::interval WHERE session_id IN"
        " (SELECT id FROM sessions WHERE slug = ANY($1))",
        slugs,
        by,
    )


@pytest.fixture
def expired(site: AppServer, database: str) -> Callable[[str], bool]:
    """Wait until what happens by itself has happened, and tell whether a session is over."""
    host = Browser(site.url).sign_in("Grace Hopper")

    def over(slug: str) -> bool:
        old = host.start_session("Old")
        sql(
            database,
            "UPDATE sessions SET created_at = now() - interval '2 days' WHERE slug = $1",
            old,
        )
        for _ in range(2):  # the second round began after all that was set before the first ended
            wait_until(lambda: stored(database, old)["status"] == "EXPIRED")
            sql(database, "UPDATE sessions SET status = 'CREATED' WHERE slug = $1", old)
        return stored(database, slug)["status"] in ("EXPIRED", "ENDED")

    return over
