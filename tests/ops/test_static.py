"""Static files as they travel: compressed, revalidated, and light."""

from __future__ import annotations

import gzip
import re
import shutil
import socket
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from tests.support.app_server import AppServer
from tests.support.http import outside
from tests.support.visitors import Visitor
from tests.support.waiting import WAIT_TIMEOUT_S
from web import render
from web.render import STATIC
from web.words import LANGUAGES

# Bytes of a room, before LiveKit's library, which is 154 kB. 60,000 until pauses, consent and
# titles that two people change at once came, 62,000 until languages and translations did, of which
# each line and caption is read, 63,000 until lines were corrected while they are read; each
# thousand is 2 ms at 4 Mbit/s.
LIMIT = 63_500
APP = bytes(STATIC.parent / "app.py")


def test_scripts_travel_compressed_and_are_asked_for_again(server: AppServer) -> None:
    address = f"{server.url}/static/js/room/main.js"
    first = outside("GET", address)
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["content-type"].startswith("text/javascript")
    assert first.headers["cache-control"] == "no-cache"
    assert "import" in first.text
    again = outside("GET", address, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


def test_who_takes_no_compression_gets_none(server: AppServer) -> None:
    css = f"{server.url}/static/css/tokens.css"
    plain = outside("GET", css, headers={"Accept-Encoding": "br"})
    assert "content-encoding" not in plain.headers
    assert plain.text == (STATIC / "css/tokens.css").read_text()


def test_versioned_addresses_are_kept(server: AppServer) -> None:
    kept = outside("GET", f"{server.url}/static/css/tokens.css?v=1")
    assert "immutable" in kept.headers["cache-control"]


@pytest.mark.parametrize(
    ("entry", "part"),
    [("js/room/main.js", "js/lib/dom.js"), ("css/pages/room.css", "css/tokens.css")],
)
def test_they_are_kept_until_one_of_them_changes(
    server: AppServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, part: str
) -> None:
    """Under a digest of all scripts, or of all style sheets."""
    address = render.static(entry)
    now = outside("GET", server.url + address)
    assert "immutable" in now.headers["cache-control"]
    # Of the release before or the next one: it is served, and asked for again.
    other = outside("GET", server.url + re.sub("@[0-9a-f]+", "@000000000000", address))
    assert (other.text, other.headers["cache-control"]) == (now.text, "no-cache")

    shutil.copytree(STATIC, tmp_path / "static")
    monkeypatch.setattr(render, "STATIC", tmp_path / "static")
    assert render.static(entry) == address, "the same on every server"
    with (tmp_path / "static" / part).open("a") as file:
        file.write("/* changed */\n")
    assert render.static(entry) != address


def raw(server: AppServer, target: bytes) -> tuple[int, bytes]:
    """Ask for a target as it stands, which clients would tidy up; return status and body."""
    request = b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % target
    with socket.create_connection(("localhost", server.port), WAIT_TIMEOUT_S) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


def test_a_target_as_it_stands_is_served(server: AppServer) -> None:
    assert raw(server, b"/static/css/tokens.css") == (200, (STATIC / "css/tokens.css").read_bytes())


@pytest.mark.parametrize(
    "target",
    [
        b"/static/../app.py",
        b"/static/js/../../app.py",
        b"/static/./../app.py",
        b"/static//../app.py",
        b"//static/../app.py",
        b"http://localhost/static/../app.py",
        b"/static/%2e%2e/app.py",
        b"/static/.%2E/app.py",
        b"/static/%2e%2e%2fapp.py",
        b"/static/..%2Fapp.py",
        b"/static%2f..%2fapp.py",
        b"/static/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd",
        b"/static/%252e%252e/app.py",
        b"/static/..\\app.py",
        b"/static/..%5capp.py",
        b"/static/../app.py%00",
        b"/static/../app.py%00.css",
        b"/static/../app.py\0",
        b"/static//etc/passwd",
        b"/static/%2fetc%2fpasswd",
        pytest.param(b"/static/" + APP, id="absolute"),
        pytest.param(b"/static/" + quote(APP, safe="").encode(), id="absolute, encoded"),
        b"/static/..",
        b"/static/",
    ],
)
def test_nothing_outside_is_served(server: AppServer, target: bytes) -> None:
    status, body = raw(server, target)
    # What is no HTTP at all doesn't come as far as a page.
    assert status == (400 if b"\0" in target else 404)
    assert b"def create_app" not in body
    assert b"root:" not in body


def test_an_entry_travels_with_all_it_imports(server: AppServer) -> None:
    address = server.url + render.static("js/room/main.js")
    joined = outside("GET", address)
    assert joined.headers["content-encoding"] == "gzip"
    assert joined.headers["content-type"].startswith("text/javascript")
    assert not re.search(r"^(?:import|export)\b", joined.text, re.MULTILINE)
    assert joined.text.count("const lib$words = (() => {\n") == 1
    plain = outside("GET", address, headers={"Accept-Encoding": "br"})
    assert "content-encoding" not in plain.headers
    assert plain.text == joined.text
    again = outside("GET", address, headers={"If-None-Match": joined.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "immutable" in again.headers["cache-control"]
    assert outside("HEAD", address).headers["etag"] == joined.headers["etag"]


def test_only_entries_are_joined_and_in_known_languages(server: AppServer) -> None:
    folder = server.url + render.static("js/room/main.js").removesuffix("main.js")
    assert "import { find }" in outside("GET", f"{folder}header.js").text
    assert "Впустить: {name}" in outside("GET", f"{folder}main.ru.js").text
    for unknown in ("main.de.js", "header.ru.js", "main.ru.css", "main..js"):
        assert outside("GET", folder + unknown).status_code == 404
    assert outside("GET", f"{server.url}/static/js/room/main.ru.js").status_code == 404


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_room_is_light(server: AppServer, language: str) -> None:
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    html = ada.http.get(f"/s/{ada.start_session()}", headers={"Accept-Language": language}).text
    assert f'<html lang="{language}">' in html
    named = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', html))
    named = {address for address in named if "livekit" not in address}
    kinds = sorted(Path(address.partition("?")[0]).suffix for address in named)
    assert kinds == [".css", ".js", ".svg", ".svg"], "one of each, and two pictures"
    (script,) = (address for address in named if address.endswith(".js"))
    assert script.endswith({"en": "/room/main.js", "ru": "/room/main.ru.js"}[language])
    # A page travels uncompressed, see web/compression.py; it counts as if it didn't.
    parts = {address: _travels(server, address) for address in named}
    parts["html"] = len(gzip.compress(html.encode()))
    assert sum(parts.values()) <= LIMIT, parts


def _travels(server: AppServer, address: str) -> int:
    with httpx2.stream("GET", server.url + address, verify=False) as response:
        assert response.status_code == 200
        return sum(len(chunk) for chunk in response.iter_raw())
