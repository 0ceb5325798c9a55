"""Requests that are refused: bad addresses, wrong methods, other sites, strange forms and hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.app_server import AppServer
from tests.support.http import Browser, outside
from tests.support.meetings import JSON


@pytest.mark.parametrize("slug", ["a", "%00", "%FF", "é", "a%2Fb", "x" * 3000, "' OR 1=1"])
def test_an_address_that_cannot_be_is_not_found(site: AppServer, slug: str) -> None:
    answer = Browser(site.url).http.get(f"/s/{slug}")
    assert answer.status_code == 404
    assert "There is nothing here." in answer.text


@pytest.mark.parametrize("path", ["/nothing", "/s/", "/static/nothing.css", "/.env", "/app.py"])
def test_what_is_not_there_is_told_in_the_form_that_was_asked_for(
    site: AppServer, path: str
) -> None:
    page = Browser(site.url).http.get(path)
    assert page.status_code == 404
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>There is nothing here.</h1>" in page.text
    data = Browser(site.url).http.get(path, headers=JSON)
    assert data.status_code == 404
    assert data.json()["error"]["code"] == "not_found"
    assert set(data.json()["error"]) == {"code", "message"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/"),
        ("PUT", "/sessions"),
        ("GET", "/s/abc/join"),
        ("GET", "/s/abc/end"),
        ("GET", "/s/abc/guest"),
        ("POST", "/s/abc"),
        ("POST", "/health"),
        ("POST", "/static/favicon.svg"),
        ("OPTIONS", "/sessions"),
    ],
)
def test_a_wrong_method_is_refused(site: AppServer, method: str, path: str) -> None:
    answer = Browser(site.url).http.request(method, path)
    assert answer.status_code == 405
    assert "That can’t be done here." in answer.text
    data = Browser(site.url).http.request(method, path, headers=JSON)
    assert (data.status_code, data.json()["error"]["code"]) == (405, "wrong_method")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_other_sites_can_change_nothing(site: AppServer, headers: dict[str, str]) -> None:
    ada = Browser(site.url).sign_in("Ada Lovelace")
    slug = ada.start_session()
    before = ada.http.get("/sessions").text
    for path in ("/sessions", "/sign-out", "/sign-in/dev", f"/s/{slug}/end", f"/s/{slug}/join"):
        page = ada.http.post(path, headers=headers)
        assert page.status_code == 403
        assert "This can only be done from our pages." in page.text
        data = ada.http.post(path, headers=headers | JSON)
        assert (data.status_code, data.json()["error"]["code"]) == (403, "foreign_origin")
    assert ada.http.get("/sessions", headers=headers).text == before


def test_a_change_without_an_origin_is_refused(site: AppServer) -> None:
    answer = outside("POST", f"{site.url}/sessions")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large_a_form_is_refused(site: AppServer, chunked: bool) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(70):
            yield b"x" * 1024

    ada = Browser(site.url).sign_in("Ada Lovelace")
    content = body() if chunked else b"".join(body())
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = ada.http.post("/sessions", content=content, headers=form)
    assert answer.status_code == 413
    assert "<h1>That was too much.</h1>" in answer.text


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=a", b"--a\r\nnonsense"),
        ("multipart/form-data; boundary=a", b"--a\r\n" + b"x" * 3000),
        ("application/x-www-form-urlencoded", b"%FF=%00&&=&title"),
        ("application/json", b'{"title": "a"}'),
        ("text/plain", b"\xff\xfe"),
    ],
)
def test_a_strange_form_breaks_nothing(site: AppServer, kind: str, content: bytes) -> None:
    ada = Browser(site.url).sign_in("Ada Lovelace")
    answer = ada.http.post("/sessions", content=content, headers={"Content-Type": kind})
    assert answer.status_code in {303, 400}


@pytest.mark.parametrize("host", ["[", "a b", "", "localhost:port", "x; script-src *", "é"])
def test_a_strange_host_breaks_nothing(site: AppServer, host: str) -> None:
    answer = outside("GET", site.url, headers={"Host": host.encode()})
    assert answer.status_code in {200, 400}
    assert "script-src *" not in answer.headers.get("content-security-policy", "").split("; ")
