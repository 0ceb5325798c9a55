"""What pages ask for: files that are kept, nothing that their policy forbids."""

from __future__ import annotations

import re

import pytest

from core.settings import Settings
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.meetings import Meeting
from web.guard import content_security_policy


def test_what_the_pages_ask_for_is_there_and_kept(site: AppServer, live: Meeting) -> None:
    ada = live.people["host"]
    pages = [ada.http.get(path).text for path in ("/", f"/s/{live.slug}")]
    pages.append(Browser(site.url).http.get("/").text)
    files = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', "".join(pages)))
    assert len(files) > 7
    for file in files:
        answer = ada.http.get(file)
        assert answer.status_code == 200, file
        kept = "public, max-age=31536000, immutable"
        assert answer.headers["cache-control"] == kept, file
        assert answer.headers["etag"]


def test_a_file_without_a_version_is_asked_for_again(site: AppServer) -> None:
    browser = Browser(site.url)
    first = browser.http.get("/static/js/room/main.js")
    assert first.headers["cache-control"] == "no-cache"
    assert "javascript" in first.headers["content-type"]
    again = browser.http.get(
        "/static/js/room/main.js", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "../app.py",
        "%2e%2e/app.py",
        "..%2fapp.py",
        "css/%2e%2e/%2e%2e/app.py",
        "%00",
        "css",
        "x" * 300,
        "nothing.js?v=1",
    ],
)
def test_only_static_files_are_served(site: AppServer, path: str) -> None:
    answer = Browser(site.url).http.get(f"/static/{path}")
    assert answer.status_code == 404
    assert "immutable" not in answer.headers["cache-control"]


def test_pages_need_nothing_that_their_policy_forbids(live: Meeting, ended: Meeting) -> None:
    pages = [
        meeting.people[who].http.get(path).text
        for meeting in (live, ended)
        for who in ("anonymous", "host")
        for path in ("/", f"/s/{meeting.slug}", "/nothing")
    ]
    for page in pages:
        assert not re.findall(r"<script(?![^>]* src=)", page)
        assert not re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)
        assert not re.findall(r'(?:src|href|action)="(?!/|#|http://localhost)', page)


def test_a_page_may_connect_to_its_own_socket_and_video_only(site: AppServer) -> None:
    policy = Browser(site.url).http.get("/").headers["content-security-policy"]
    (connect,) = re.findall("connect-src ([^;]*);", policy)
    assert connect.split() == [
        "'self'",
        f"ws://localhost:{site.port}",
        "ws://localhost:7880",
        "http://localhost:7880",
    ]


def test_a_page_may_connect_to_a_livekit_below_a_path() -> None:
    settings = Settings(livekit_url="wss://meet.example.com/livekit")
    policy = content_security_policy(settings, "wss://meet.example.com")
    # Without the path: with it only that very address would be allowed, and not what is below it.
    assert "connect-src 'self' wss://meet.example.com wss://meet.example.com https://" in policy
    assert "/livekit" not in policy
