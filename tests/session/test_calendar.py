"""Calendar files: what `icalendar` reads in them, whatever people have written."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ics import Event, calendar_file
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.meetings import sql
from tests.support.visitors import Visitor

AT = datetime(2026, 12, 7, 9, tzinfo=UTC)
NOW = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)
LINK = "https://meet.example.com/s/abcd-efgh-jkmn-pqrs"
EVIL = "Tides\r\nEND:VEVENT\r\nBEGIN:VALARM\r\nACTION:AUDIO\nATTACH;X=1:https://evil.example"


def file_of(title: str, description: str = "") -> bytes:
    event = Event("1@sessions", 3, NOW - timedelta(hours=1), AT, title, description, LINK)
    return calendar_file(event, NOW)


def read(file: bytes) -> Any:
    """Read a file as a calendar does: one calendar with one event, and nothing within that."""
    calendar = icalendar.Calendar.from_ical(file)
    (event,) = calendar.subcomponents
    assert (calendar.name, event.name) == ("VCALENDAR", "VEVENT")
    assert (calendar["version"], event.subcomponents, event.errors) == ("2.0", [], [])
    return event


def assert_lines(file: bytes) -> None:
    """Each line ends as it must, has 75 octets at most, and whole characters."""
    assert file.endswith(b"END:VCALENDAR\r\n")
    lines = file.removesuffix(b"\r\n").split(b"\r\n")
    assert not [line for line in lines if b"\r" in line or b"\n" in line]
    assert max(map(len, lines)) <= 75
    for line in lines:
        line.decode()


def test_all_that_a_calendar_wants_to_know() -> None:
    event = read(file_of("Tides", "every Monday\n\n1. Ferries"))
    assert event["uid"] == "1@sessions"
    assert event["dtstart"].dt == AT
    assert event["duration"].dt == timedelta(hours=1)
    assert event["dtstamp"].dt == NOW
    assert event["last-modified"].dt == NOW - timedelta(hours=1)
    assert (event["sequence"], event["summary"], event["url"]) == (3, "Tides", LINK)
    assert (event["location"], event["description"]) == (LINK, "every Monday\n\n1. Ferries")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (r"a, b; c \ d \n e", r"a, b; c \ d \n e"),
        (EVIL, EVIL.replace("\r\n", "\n")),
        ("a\x00\x07\x7f\x85b\u2028c", "a\nb\nc"),
        ("👩🏽‍🚀" * 60, "👩🏽‍🚀" * 60),
        ("é" * 4000, "é" * 4000),
        ("דנה לוי, محمد", "דנה לוי, محمد"),
    ],
)
def test_words_are_words(written: str, shown: str) -> None:
    file = file_of(written, written)
    assert_lines(file)
    event = read(file)
    assert (event["summary"], event["description"]) == (shown, shown)
    assert set(event) == {
        *("UID", "DTSTAMP", "LAST-MODIFIED", "SEQUENCE", "DTSTART", "DURATION"),
        *("SUMMARY", "DESCRIPTION", "LOCATION", "URL"),
    }


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_no_text_begins_a_line_of_its_own(text: str) -> None:
    file = file_of(text, text)
    assert_lines(file)
    names = re.findall(rb"^([A-Z-]+)[:;]", file.replace(b"\r\n ", b""), re.MULTILINE)
    assert names == re.findall(rb"^([A-Z-]+)[:;]", file_of("x", "x"), re.MULTILINE)


def test_a_calendar_gets_the_session_and_its_changes(site: AppServer, database: str) -> None:
    ada = Browser(site.url).sign_in("Ada Lovelace")
    at = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(days=7)
    form = {"planned": f"{at:%Y-%m-%dT%H:%M}", "title": EVIL, "agenda": EVIL, "recurs": "Mondays"}
    slug = ada.http.post("/sessions", data=form).headers["location"].split("/")[2]
    answer = Browser(site.url).http.get(f"/s/{slug}/session.ics")  # whoever has the link
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="session.ics"'
    assert answer.headers["cache-control"] == "no-store"
    assert_lines(answer.content)
    link = f"{site.url}/s/{slug}"
    first = read(answer.content)
    assert first["dtstart"].dt == at
    assert first["summary"] == " ".join(EVIL.split())
    assert first["description"] == "Mondays\n\n" + EVIL.replace("\r\n", "\n") + f"\n\n{link}"
    assert (first["url"], first["sequence"]) == (link, 0)
    moved(ada, slug, at + timedelta(days=1))
    sql(database, "UPDATE sessions SET replanned_at = replanned_at + interval '9 seconds'")
    second = read(ada.http.get(f"/s/{slug}/session.ics").content)
    assert second["uid"] == first["uid"]
    assert second["sequence"] > first["sequence"]
    assert second["dtstart"].dt == at + timedelta(days=1)
    assert second["dtstamp"].dt >= first["dtstamp"].dt


def moved(host: Visitor, slug: str, at: datetime) -> None:
    assert host.host(slug, "plan", planned=f"{at:%Y-%m-%dT%H:%M}") == (204, "")
