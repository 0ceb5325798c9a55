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
from web.static import lean

LIMIT = 72_000  # bytes of a room, before LiveKit's library
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


def test_scripts_are_kept_until_one_of_them_changes(
    server: AppServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a digest of them all, so that what one imports has it in its address, too."""
    address = render.static("js/room/main.js")
    now = outside("GET", server.url + address)
    assert "immutable" in now.headers["cache-control"]
    # Of the release before or the next one: it is served, and asked for again.
    other = outside("GET", server.url + re.sub("@[0-9a-f]+", "@000000000000", address))
    assert (other.text, other.headers["cache-control"]) == (now.text, "no-cache")

    shutil.copytree(STATIC / "js", tmp_path / "js")
    monkeypatch.setattr(render, "STATIC", tmp_path)
    assert render.static("js/room/main.js") == address, "the same on every server"
    with (tmp_path / "js/lib/dom.js").open("a") as file:
        file.write("// changed\n")
    assert render.static("js/room/main.js") != address


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


def test_lean_scripts_lose_their_documentation_and_keep_their_lines() -> None:
    for path in (STATIC / "js").rglob("*.js"):
        script = path.read_text()
        slim = lean(script)
        assert slim.count("\n") == script.count("\n")
        assert "@param" not in slim
        # Such a pattern in a string would be taken for documentation.
        assert not re.search(r"""['"`][^'"`\n]*/\*\*""", script), path


def test_a_room_is_light(server: AppServer) -> None:
    html = (STATIC.parent / "templates/base.html").read_text()
    html += "".join(
        p.read_text() for p in (STATIC.parent / "templates/session").glob("*room*.html")
    )
    styles = set(re.findall(r"static\('([^']+\.(?:css|svg))'\)", html))
    scripts = _imported(STATIC / "js/room/main.js", set())
    weight = sum(_travels(server, f"/static/{name}") for name in styles | {"icons.svg"})
    weight += sum(_travels(server, f"/static/{p.relative_to(STATIC)}") for p in scripts)
    room = (STATIC.parent / "templates/room/room.html").read_text()
    parts = re.findall(r'include "([^"]+)"', room)
    assert len(parts) > 3
    room += "".join((STATIC.parent / "templates" / part).read_text() for part in parts)
    weight += len(gzip.compress(room.encode()))
    assert len(scripts) > 20
    assert weight <= LIMIT, weight


def test_a_room_names_all_its_scripts_at_once(server: AppServer) -> None:
    """Else a browser finds them in four steps, each as long as the way to the server and back."""
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    html = ada.http.get(f"/s/{ada.start_session()}").text
    named = re.findall(r'<link rel="modulepreload" href="([^"]+)">', html)
    main = STATIC / "js/room/main.js"
    wanted = _imported(main, set()) - {main}
    (entry,) = re.findall(r'src="(/static/js@[0-9a-f]+)/room/main\.js"', html)
    assert sorted(named) == sorted(f"{entry}/{path.relative_to(STATIC / 'js')}" for path in wanted)
    assert {outside("GET", server.url + address).status_code for address in named} == {200}


def _imported(path: Path, known: set[Path]) -> set[Path]:
    known.add(path)
    for name in re.findall(r"from '(\.[^']+)'", path.read_text()):
        other = (path.parent / name).resolve()
        if other not in known:
            _imported(other, known)
    return known


def _travels(server: AppServer, address: str) -> int:
    with httpx2.stream("GET", server.url + address, verify=False) as response:
        return sum(len(chunk) for chunk in response.iter_raw())
