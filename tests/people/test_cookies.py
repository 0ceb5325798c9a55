"""Where a sign-in leads, and the cookie that it sets."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

import pytest

from core.settings import Settings
from tests.support.app_server import AppServer
from tests.support.http import Browser, outside
from tests.support.sign_in import (
    CALLBACK,
    COOKIE,
    HOST_COOKIE,
    LOGIN_SECRET,
    PUBLIC,
    carry,
    consent,
    cookie_of,
    google_sign_in,
    is_signed_in,
    know,
    signed,
)
from tests.support.visitors import kept_by

# The provider's own library warns of itself; in this process, that would be an error.
pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")
# Where it leads


OURS = ("/", "/welcome")  # after the first sign-in, and after others
UNSAFE = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "/\t/evil.example/",
    "/\n/evil.example/",
    "/\r\nSet-Cookie: a=b",
    " //evil.example/",
    "javascript:alert(1)",
    "evil.example",
    "/s/\u202egnp.exe",
    "/" + "x" * 600,
    "",
]


@pytest.mark.parametrize("target", UNSAFE)
def test_no_foreign_page_follows_a_sign_in(
    server: AppServer, google: AppServer, accounts: str, target: str
) -> None:
    here = Browser(server.url)
    form = {"name": "Ada", "email": "ada@example.com", "next": target}
    assert here.http.post("/sign-in/dev", data=form).headers["location"] in OURS
    signed_in = here.http.get("/sign-in", params={"next": target})
    assert signed_in.headers["location"] == "/"

    know(accounts, "grace")
    assert google_sign_in(Browser(google.url), "grace", target).headers["location"] in OURS


@pytest.mark.parametrize("target", ["/s/abcd-efgh-jkmn-pqrs", "/sessions?a=b&c=%2F%2Fd"])
def test_a_sign_in_leads_back_to_where_it_began(
    server: AppServer, google: AppServer, accounts: str, target: str
) -> None:
    here = Browser(server.url)
    form = {"name": "Ada", "email": "ada@example.com", "next": target}
    assert here.http.post("/sign-in/dev", data=form).headers["location"] == target

    know(accounts, "grace")
    visitor = Browser(google.url)
    offered = visitor.http.get("/sign-in", params={"next": target}).text
    (link,) = re.findall('href="(/sign-in/google[^"]*)"', offered)
    back = consent(visitor.http.get(link).headers["location"], "grace")
    assert visitor.http.get(back).headers["location"] == target


def test_a_sign_in_under_another_name_moves_to_the_public_one(google: AppServer) -> None:
    elsewhere = google.url.replace("localhost", "127.0.0.1")
    moved = outside("GET", f"{elsewhere}/sign-in/google", params={"next": "/s/abc"})
    assert moved.status_code == 303
    address = urlsplit(moved.headers["location"])
    assert f"{address.scheme}://{address.netloc}" == google.url
    assert dict(parse_qsl(address.query))["next"] == "/s/abc"
    assert "set-cookie" not in moved.headers


def test_a_proxy_that_hides_the_public_name_makes_no_loop(google: AppServer) -> None:
    inner = google.url.replace("localhost", "127.0.0.1")
    moved = outside("GET", f"{inner}/sign-in/google").headers["location"]
    again = outside("GET", f"{inner}{urlsplit(moved).path}?{urlsplit(moved).query}")
    asked = dict(parse_qsl(urlsplit(again.headers["location"]).query))
    assert asked["redirect_uri"] == google.url + CALLBACK


# Cookies


def test_the_cookie_is_kept_from_scripts_and_other_sites(server: AppServer) -> None:
    answer = Browser(server.url).http.post(
        "/sign-in/dev", data={"name": "Ada", "email": "ada@example.com"}
    )
    _, attributes = cookie_of(answer)
    assert {"httponly", "samesite=lax", "path=/"} <= attributes
    assert "secure" not in attributes  # browsers would not send it back over http


def test_the_cookie_is_secure_under_https(production: AppServer) -> None:
    proxied = {"Host": "meet.example.com", "X-Forwarded-Proto": "https"}
    browser = Browser(production.url, PUBLIC, **proxied).http
    begun = browser.get("/sign-in/google")
    value, attributes = cookie_of(begun, HOST_COOKIE)
    assert {"httponly", "samesite=lax", "secure", "path=/"} <= attributes
    assert not any(one.startswith("domain") for one in attributes)
    asked = dict(parse_qsl(urlsplit(begun.headers["location"]).query))
    assert asked["redirect_uri"] == PUBLIC + CALLBACK

    back = urlsplit(outside("GET", begun.headers["location"]).headers["location"])
    assert f"{back.scheme}://{back.netloc}" == PUBLIC
    finished = browser.get(
        f"{back.path}?{back.query}", headers={"Cookie": f"{HOST_COOKIE}={value}"}
    )
    assert finished.status_code == 303
    value, attributes = cookie_of(finished, HOST_COOKIE)
    assert {"httponly", "samesite=lax", "secure", "path=/"} <= attributes
    assert not any(one.startswith("domain") for one in attributes)
    home = browser.get("/", headers={"Cookie": f"{HOST_COOKIE}={value}"})
    assert "Mallory" in home.text
    assert home.headers["strict-transport-security"]


def test_every_sign_in_has_a_new_login(server: AppServer) -> None:
    visitor = Browser(server.url).sign_in("Ada Lovelace")
    before = visitor.http.cookies[COOKIE]
    visitor.sign_in("Ada Lovelace")
    assert visitor.http.cookies[COOKIE] != before
    old = Browser(server.url)
    carry(old, before)
    assert not is_signed_in(old)


def test_what_was_known_of_a_browser_before_is_not_kept(server: AppServer) -> None:
    slug = Browser(server.url).sign_in("Ada Lovelace").start_session()
    browser = Browser(server.url).be_guest(slug, "Somebody")
    guest = browser.join(slug)["you"]["identity"]
    browser.sign_in("Grace Hopper")
    assert browser.join(slug)["you"]["identity"] != guest
    browser.http.post("/sign-out")
    assert browser.http.post(f"/s/{slug}/join").status_code == 401


def test_a_stolen_cookie_is_dead_after_signing_out(server: AppServer) -> None:
    visitor = Browser(server.url).sign_in("Ada Lovelace")
    thief = Browser(server.url)
    carry(thief, visitor.http.cookies[COOKIE])
    assert is_signed_in(thief)
    answer = visitor.http.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert COOKIE not in visitor.http.cookies
    assert not is_signed_in(thief)


def test_a_changed_cookie_signs_nobody_in(server: AppServer) -> None:
    visitor = Browser(server.url).sign_in("Ada Lovelace")
    value = visitor.http.cookies[COOKIE]
    for changed in (value[:-1], "A" + value, value.replace(".", "", 1), "", "null", "é"):
        other = outside("GET", server.url, headers={"Cookie": f"{COOKIE}={changed}".encode()})
        assert other.status_code == 200
        assert "Sign out" not in other.text


def test_a_cookie_of_before_is_taken_once_and_rewritten(
    google: AppServer, production: AppServer, accounts: str
) -> None:
    know(accounts, "grace")
    visitor = Browser(google.url)
    google_sign_in(visitor, "grace")
    login = kept_by(visitor)["login"]
    old = Browser(google.url)
    carry(old, signed({"login": login}, as_before=True))
    assert "set-cookie" not in old.http.get("/static/favicon.svg").headers, "files are for all"
    assert is_signed_in(old)
    assert kept_by(old) == {"login": login}
    assert old.http.cookies[COOKIE] != signed({"login": login}, as_before=True)
    assert is_signed_in(old)

    # Under https it gets the name that no neighbour can set, and the old name is taken away.
    proxied = {"Host": "meet.example.com", "X-Forwarded-Proto": "https"}
    browser = Browser(production.url, PUBLIC, **proxied).http
    before = signed({"guests": {}}, as_before=True)
    answer = browser.get("/", headers={"Cookie": f"{COOKIE}={before}"})
    written = answer.headers.get_list("set-cookie")
    assert [one.partition("=")[0] for one in written] == [HOST_COOKIE, COOKIE]
    assert "Max-Age=0" in written[1]
    # A neighbour's cookie of today, under the old name, is none.
    planted = signed({"guests": {}})
    answer = browser.get("/", headers={"Cookie": f"{COOKIE}={planted}"})
    assert "set-cookie" not in answer.headers


def test_a_token_is_no_cookie_and_a_cookie_no_token(server: AppServer) -> None:
    """One secret may serve both: each is signed with a key of its own that is derived from it."""
    settings = Settings(login_secret=LOGIN_SECRET, transcription_secret=LOGIN_SECRET)
    keys = {settings.cookie_key, settings.token_key, LOGIN_SECRET}
    assert len(keys) == 3
    assert all(len(key) >= 32 for key in keys)
    own = Settings(login_secret=LOGIN_SECRET, transcription_secret="another" * 6)
    assert own.token_key == "another" * 6, "a secret of its own is used as it is"


def test_signing_out_clears_what_the_browser_kept_of_our_pages(server: AppServer) -> None:
    answer = Browser(server.url).sign_in("Ada Lovelace").http.post("/sign-out")
    assert answer.headers["clear-site-data"] == '"cache"'


@pytest.mark.parametrize(
    "host", ["x; script-src *", "x/y", "x y", "a@b", "x:port", "[", "[::1", "ä", 'x"y', "x:123456"]
)
def test_a_host_that_can_be_none_is_refused_and_copied_nowhere(
    server: AppServer, host: str
) -> None:
    for path in ("/", "/sign-in", "/static/favicon.svg"):
        answer = outside("GET", server.url + path, headers={"Host": host.encode()})
        assert answer.status_code == 400
        assert host not in answer.headers.get("content-security-policy", "")
        assert host not in answer.text


@pytest.mark.parametrize("host", ["localhost:8000", "my_pc.local", "[::1]:8000", "127.0.0.1"])
def test_a_host_as_there_are_is_taken(server: AppServer, host: str) -> None:
    answer = outside("GET", server.url, headers={"Host": host})
    assert answer.status_code == 200
    assert f"ws://{host}" in answer.headers["content-security-policy"]
