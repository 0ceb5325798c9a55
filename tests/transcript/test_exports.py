"""Transcripts as files: how they are called, in whose time zone, and how they travel.

What is in them: test_export_formats.py.
"""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from starlette.datastructures import Headers
from starlette.responses import Response

from core.transcript.exports import file_name, zone_of
from core.transcript.exports.names import moment
from tests.room.test_chat import say
from tests.support.app_server import AppServer
from tests.support.visitors import Visitor
from web.compression import SEAM, compressed, takes_gzip


async def test_the_chat_is_in_the_files_of_an_ended_session(server: AppServer) -> None:
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    slug = ada.start_session("Planning")
    async with ada.page(slug) as page:
        await say(page, "See you at nine.")
        await page.until(lambda: page.of_type("chat"))
    ada.end(slug)
    text = ada.http.get(f"/s/{slug}/transcript.txt")
    assert "Planning" in text.text
    assert "Ada Lovelace (chat): See you at nine." in text.text
    day = ada.http.get(f"/s/{slug}").text.partition('datetime="')[2][:10]
    assert text.headers["content-disposition"] == (
        f"attachment; filename=\"{day} Planning.txt\"; filename*=UTF-8''{day}%20Planning.txt"
    )
    vtt = ada.http.get(f"/s/{slug}/transcript.vtt")
    assert vtt.headers["content-type"] == "text/vtt; charset=utf-8"
    assert vtt.text.startswith("WEBVTT\n\nNOTE ")


# The reader's time zone


def test_a_time_is_in_the_readers_time_zone_and_says_which() -> None:
    when = datetime(2026, 11, 24, 23, 4, tzinfo=UTC)
    berlin = moment(when.astimezone(zone_of("Europe/Berlin")))
    assert berlin == "2026-11-25 00:04 Europe/Berlin (UTC+01:00)"
    assert moment(when) == "2026-11-24 23:04 UTC"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars/Olympus",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe",
        "Europe/Berlin\n",
        "Europe/Berlin\0",
        "é",
        "x" * 5000,
        "a/b/c/d",
        "zone.tab",
    ],
)
def test_a_zone_that_nobody_knows_is_utc(name: str) -> None:
    assert zone_of(name) is UTC


@pytest.mark.parametrize("name", ["../../etc/passwd", "x" * 5000, "é", "a/b/c/d", "os.path"])
def test_what_is_no_zones_name_is_not_looked_for(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delattr("core.transcript.exports.names.ZoneInfo")
    assert zone_of(name) is UTC


def test_without_a_time_zone_database_it_is_utc_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing(_: str) -> ZoneInfo:
        raise KeyError

    monkeypatch.setattr("core.transcript.exports.names.ZoneInfo", nothing)
    when = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    assert moment(when.astimezone(zone_of("Europe/Berlin"))) == "2026-01-02 03:04 UTC"


# What files are called


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Weekly call", "2026-11-24 Weekly call.txt"),
        ("", "2026-11-24 Transcript.txt"),
        ("../../etc/passwd", "2026-11-24 .. .. etc passwd.txt"),
        ('a\\b:c*d?e"f<g>h|i%j', "2026-11-24 a b c d e f g h i j.txt"),
        ("a\r\nb\0c\u202ed", "2026-11-24 a b c d.txt"),
        ("CON", "2026-11-24 CON.txt"),
        ("Ends. . .", "2026-11-24 Ends.txt"),
        ("Встреча — 例え 👍", "2026-11-24 Встреча — 例え 👍.txt"),
        ("x" * 500, f"2026-11-24 {'x' * 150}.txt"),
        ("例" * 120, f"2026-11-24 {'例' * 50}.txt"),
    ],
)
def test_a_file_is_called_by_day_and_title(title: str, name: str) -> None:
    assert file_name(title, datetime(2026, 11, 24, tzinfo=UTC), "txt", "Transcript") == name


@pytest.mark.parametrize("title", ["Встреча 例え 👍", "Café “déjà; vu”, 'a'=b", "x" * 120])
def test_a_browser_is_told_the_name_in_two_ways(server: AppServer, title: str) -> None:
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    slug = ada.start_session(title)
    ada.end(slug)
    for ending in ("txt", "vtt"):
        header = ada.http.get(f"/s/{slug}/transcript.{ending}").headers["content-disposition"]
        shape = r"attachment; filename=\"([ -~]+)\"; filename\*=UTF-8''([A-Za-z0-9%._~-]+)"
        found = re.fullmatch(shape, header)
        assert found, header
        assert unquote(found[2])[10:] == f" {title}.{ending}"
        assert "%" not in found[1]
        assert found[1].endswith(f".{ending}")


# Compression


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, br", False),
        ("br", False),
        ("", False),
        ("gzipped", False),
    ],
)
def test_only_who_takes_gzip_gets_it(header: str, taken: bool) -> None:
    assert takes_gzip(Headers({"accept-encoding": header})) is taken


async def test_long_transcripts_are_compressed(server: AppServer) -> None:
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    slug = ada.start_session("Planning")
    async with ada.page(slug) as page:
        for n in range(12):
            await say(page, f"{n}: " + "See you at nine. " * 20)
        await page.until(lambda: len(page.of_type("chat")) == 12)
    ada.end(slug)
    for path in (f"/s/{slug}", f"/s/{slug}/transcript.txt", f"/s/{slug}/transcript.vtt"):
        plain = ada.http.get(path, headers={"Accept-Encoding": "identity"})
        small = ada.http.get(path, headers={"Accept-Encoding": "gzip, br"})
        assert "content-encoding" not in plain.headers
        assert small.headers["content-encoding"] == "gzip"
        assert small.content == plain.content.replace(SEAM.encode(), b"")
        assert small.num_bytes_downloaded < len(plain.content) / 2
        for answer in (plain, small):
            assert "Accept-Encoding" in answer.headers["vary"]
            assert answer.headers["cache-control"] == "no-store"


def test_length_tells_nothing_of_what_stands_between_seams() -> None:
    def length(secret: str, guess: str) -> int:
        parts = [f"<p>{secret}</p>", f"<p>{guess}</p>" + "words " * 300]
        return len(
            compressed(Response(SEAM.join(parts)), Headers({"accept-encoding": "gzip"})).body
        )

    secret = "ada.lovelace@example.com"
    right, wrong = secret, "qxz.wvkjfbyh@zmpqkrw.uhg"
    assert len(zlib.compress(f"{secret} {right}".encode())) < len(
        zlib.compress(f"{secret} {wrong}".encode())
    )
    alone = {guess: length("", guess) for guess in (right, wrong)}
    beside = {guess: length(secret, guess) for guess in (right, wrong)}
    assert beside[right] - alone[right] == beside[wrong] - alone[wrong]


def test_the_reader_stands_between_seams(server: AppServer) -> None:
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    slug = ada.start_session("Planning")
    ada.end(slug)
    html = ada.http.get(f"/s/{slug}", headers={"Accept-Encoding": "identity"}).text
    parts = html.split(SEAM)
    before, *between, after = parts[::2]
    reader = " ".join(parts[1::2])
    assert "ada.lovelace@example.com" in reader
    assert "ada.lovelace@example.com" not in " ".join(parts[::2])
    assert "Ada Lovelace’s space" not in " ".join(between)
    assert "Planning" in before
    assert "Planning" in after
    assert "Planning" not in reader
