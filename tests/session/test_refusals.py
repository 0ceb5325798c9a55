"""Requests that are refused: bad addresses, wrong methods, other sites, strange forms and hosts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.app_server import AppServer
from tests.support.http import Browser, outside
from tests.support.meetings import JSON
from web.forms import MAX_FIELDS, parse


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
        ("POST", "/health/ready"),
        ("POST", "/up"),
        ("POST", "/metrics"),
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


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "multipart/form-data",
        "multipart/form-data; boundary=a",
        "multipart/form-data; boundary=a; charset=punycode",
        "application/json",
        "text/plain",
        f"{FORM}; charset=idna",
        f"{FORM}; charset=utf-8; charset=undefined",
        f"{FORM}, text/plain",
    ],
)
@pytest.mark.parametrize("path", ["/sessions", "/sign-in/dev", "/s/{slug}/guest"])
def test_what_is_no_form_of_ours_is_not_read(
    site: AppServer, open_session: str, path: str, kind: str | None
) -> None:
    content = b'--a\r\nContent-Disposition: form-data; name="title"\r\n\r\nx\r\n--a--\r\n'
    headers = {"Content-Type": kind} if kind else {}
    browser = Browser(site.url)
    answer = browser.http.post(path.format(slug=open_session), content=content, headers=headers)
    assert answer.status_code == 415
    assert "<h1>We couldn’t read that.</h1>" in answer.text


@pytest.mark.parametrize("kind", [FORM, FORM.upper(), f"{FORM};charset=UTF-8"])
def test_a_form_may_say_that_it_is_in_utf_8(site: AppServer, kind: str) -> None:
    ada = Browser(site.url).sign_in("Ada Lovelace")
    answer = ada.http.post("/sessions", content=b"title=%C3%A9", headers={"Content-Type": kind})
    assert answer.status_code == 303


@pytest.mark.parametrize(
    "content",
    [b"title=%FF", b"title=%zz", b"title=%", "title=é".encode(), b"title=a&b" * (MAX_FIELDS + 1)],
)
def test_a_form_that_cannot_be_read_is_refused(site: AppServer, content: bytes) -> None:
    ada = Browser(site.url).sign_in("Ada Lovelace")
    answer = ada.http.post("/sessions", content=content, headers={"Content-Type": FORM})
    assert answer.status_code == 400


def test_a_strange_form_breaks_nothing(site: AppServer) -> None:
    ada = Browser(site.url).sign_in("Ada Lovelace")
    for content in (b"", b"title=%00", b"&&=&title", b"title=a&title=b"):
        answer = ada.http.post("/sessions", content=content, headers={"Content-Type": FORM})
        assert answer.status_code == 303


@given(st.dictionaries(st.text(), st.text(), max_size=MAX_FIELDS))
def test_what_a_browser_encodes_is_what_was_typed(form: dict[str, str]) -> None:
    assert parse(urlencode(form).encode()) == form


@given(st.binary() | st.text(alphabet="a=&%+;0F\0é").map(str.encode))
def test_no_body_can_do_more_than_be_refused(body: bytes) -> None:
    with suppress(ValueError):
        assert len(parse(body)) <= MAX_FIELDS


@pytest.mark.parametrize("host", ["[", "a b", "", "localhost:port", "x; script-src *", "é"])
def test_a_strange_host_breaks_nothing(site: AppServer, host: str) -> None:
    answer = outside("GET", site.url, headers={"Host": host.encode()})
    assert answer.status_code in {200, 400}
    assert "script-src *" not in answer.headers.get("content-security-policy", "").split("; ")
