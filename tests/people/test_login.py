"""Signing in and out, against OpenID providers on the wire and from this computer."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
import httpx2
import itsdangerous
import pytest

from tests.conftest import MakeServer
from tests.emulators.openid import (
    CLIENT_ID,
    CLIENT_SECRET,
    JWKS,
    METADATA,
    TOKEN,
    Provider,
    new_key,
)
from tests.support.app_server import AppServer
from tests.support.http import Browser, outside

# The provider's own library warns of itself; in this process, that would be an error.
pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")

CALLBACK = "/api/auth/callback/google"
COOKIE = "sessions_login"
LOGIN_SECRET = "only-for-tests-" * 3
PUBLIC = "https://meet.example.com"
COOKIE_LIMIT = 4096  # bytes of name and value, RFC 6265, section 6.1
GOOGLE = {
    "GOOGLE_CLIENT_ID": CLIENT_ID,
    "GOOGLE_CLIENT_SECRET": CLIENT_SECRET,
    "NEXTAUTH_SECRET": LOGIN_SECRET,
    "SPEECH_ENGINE": "off",
}


@pytest.fixture(scope="module")
def accounts() -> Iterator[str]:
    """The address of an OpenID provider with accounts."""
    with warnings.catch_warnings(record=True):  # it imports parts of Authlib that are going away
        import oidc_provider_mock
    with oidc_provider_mock.run_server_in_thread() as running:
        yield f"http://localhost:{running.server_port}"


@pytest.fixture(scope="module")
def database(make_database: Callable[[], str]) -> str:
    """The address of the database behind `google`."""
    return make_database()


@pytest.fixture(scope="module")
def google(make_server_in: MakeServer, accounts: str, database: str) -> AppServer:
    """Sessions with Google sign-in."""
    return make_server_in(GOOGLE_METADATA_URL=accounts + METADATA, DATABASE_URL=database, **GOOGLE)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """A provider that can misbehave."""
    with Provider() as running:
        running.claims = claims_of("mallory", "Mallory")
        yield running


@pytest.fixture
def bad_provider(provider: Provider) -> Iterator[Provider]:
    """A provider that may be made to misbehave in this test."""
    yield provider
    provider.behave()


@pytest.fixture(scope="module")
def strict(make_server_in: MakeServer, provider: Provider) -> AppServer:
    """Sessions that signs in with the provider that can misbehave."""
    return make_server_in(GOOGLE_METADATA_URL=provider.url + METADATA, **GOOGLE)


@pytest.fixture(scope="module")
def production(make_server_in: MakeServer, provider: Provider) -> AppServer:
    """Sessions in production, behind a proxy that speaks https."""
    return make_server_in(
        NODE_ENV="production",
        HOST="127.0.0.1",
        NEXTAUTH_URL=PUBLIC,
        GOOGLE_METADATA_URL=provider.url + METADATA,
        LIVEKIT_URL="wss://video.example.com",
        LIVEKIT_API_KEY="key",
        LIVEKIT_API_SECRET="s" * 32,
        **GOOGLE,
    )


def claims_of(sub: str, name: str) -> dict[str, object]:
    """What the provider says of a person."""
    email = f"{sub}@example.com"
    return {"sub": sub, "name": name, "email": email, "email_verified": True}


def know(accounts: str, sub: str, **claims: object) -> None:
    """Make or change an account at the provider; None leaves a claim out."""
    all_claims = claims_of(sub, sub.title()) | claims
    told = {name: value for name, value in all_claims.items() if value is not None}
    del told["sub"]
    outside("PUT", f"{accounts}/users/{sub}", json=told).raise_for_status()


def begin(visitor: Browser, target: str = "/") -> str:
    """Press "Continue with Google" and return where that leads."""
    answer = visitor.http.get("/sign-in/google", params={"next": target})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def consent(address: str, sub: str) -> str:
    """Choose an account at the provider and return where the browser is sent back to."""
    answer = outside("POST", address, data={"sub": sub})
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


def google_sign_in(visitor: Browser, sub: str, target: str = "/") -> httpx2.Response:
    """Go the whole way with an account of the provider."""
    return visitor.http.get(consent(begin(visitor, target), sub))


def quick_sign_in(visitor: Browser) -> httpx2.Response:
    """Go the whole way with the provider that consents at once."""
    return visitor.http.get(outside("GET", begin(visitor)).headers["location"])


def is_signed_in(visitor: Browser) -> bool:
    """Whether the start page offers to sign out."""
    return "Sign out" in visitor.http.get("/").text


def assert_explained(visitor: Browser, answer: httpx2.Response, status: int, title: str) -> None:
    """The visitor reads what happened and can try again; nothing is left of the attempt."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert f"<h1>{title}</h1>" in answer.text
    assert 'href="/sign-in"' in answer.text
    assert "Traceback" not in answer.text
    assert COOKIE not in visitor.http.cookies
    assert not is_signed_in(visitor)


def carry(visitor: Browser, cookie: str) -> None:
    """Give a browser another login cookie."""
    visitor.http.cookies.clear()
    visitor.http.cookies.set(COOKIE, cookie, domain="localhost.local")


def cookie_of(answer: httpx2.Response) -> tuple[str, set[str]]:
    """Return the login cookie's value and its attributes in small letters."""
    first, *attributes = answer.headers["set-cookie"].split("; ")
    name, _, value = first.partition("=")
    assert name == COOKIE
    return value, {attribute.lower() for attribute in attributes}


def values_in(database: str, sql: str) -> list[object]:
    """Return the first column of what a query finds."""

    async def fetch() -> list[object]:
        connection = await asyncpg.connect(database)
        rows = await connection.fetch(sql)
        await connection.close()
        return [row[0] for row in rows]

    return asyncio.run(fetch())


def name_shown(visitor: Browser) -> str:
    """Return who the start page says is signed in."""
    found = re.search(r'class="who"[^>]*>([^<]*)<', visitor.http.get("/").text)
    return found[1] if found else ""


# The provider's side of it


def test_what_the_provider_is_asked(google: AppServer) -> None:
    asked = dict(parse_qsl(urlsplit(begin(Browser(google.url), "/s/abc")).query))
    assert asked["response_type"] == "code"
    assert asked["client_id"] == CLIENT_ID
    assert asked["redirect_uri"] == google.url + CALLBACK
    assert set(asked["scope"].split()) == {"openid", "email", "profile"}
    assert asked["code_challenge_method"] == "S256"
    assert re.fullmatch(r"[\w-]{43}", asked["code_challenge"])
    assert len(asked["state"]) >= 20
    assert len(asked["nonce"]) >= 20
    assert "/s/abc" not in asked.values()


def test_every_attempt_has_its_own_secrets(google: AppServer) -> None:
    visitor = Browser(google.url)
    first, second = (dict(parse_qsl(urlsplit(begin(visitor)).query)) for _ in range(2))
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]


def test_the_first_sign_in_makes_a_user_with_a_space(
    google: AppServer, accounts: str, database: str
) -> None:
    know(accounts, "grace", name="Grace Hopper")
    visitor = Browser(google.url)
    answer = google_sign_in(visitor, "grace")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    assert "Grace Hopper" in visitor.http.get("/").text

    assert values_in(
        database,
        "SELECT s.name FROM spaces s JOIN members m ON m.space_id = s.id"
        " JOIN users u ON u.id = m.user_id WHERE u.email = 'grace@example.com'",
    ) == ["Grace Hopper’s space"]


def test_a_user_is_known_by_the_subject_alone(google: AppServer, accounts: str) -> None:
    know(accounts, "edsger", email="edsger@example.com")
    first = Browser(google.url)
    google_sign_in(first, "edsger")
    slug = first.start_session("On the cruelty of it")

    know(accounts, "edsger", email="moved@example.org")
    again = Browser(google.url)
    google_sign_in(again, "edsger")
    assert slug in again.http.get("/").text

    know(accounts, "impostor", email="edsger@example.com")
    other = Browser(google.url)
    google_sign_in(other, "impostor")
    assert is_signed_in(other)
    assert slug not in other.http.get("/").text


def test_a_nameless_account_is_called_by_its_address(google: AppServer, accounts: str) -> None:
    know(accounts, "nobody", name=None)
    visitor = Browser(google.url)
    google_sign_in(visitor, "nobody")
    assert name_shown(visitor) == "nobody"


async def test_who_is_called_otherwise_now_is_so_from_the_next_sign_in_on(
    google: AppServer, accounts: str, database: str
) -> None:
    know(accounts, "ida", name="Ida Rhodes", email="ida@example.com")
    ida, elsewhere = Browser(google.url), Browser(google.url)
    google_sign_in(ida, "ida")
    past = ida.start_session("Before")
    async with ida.page(past) as page:
        await page.send({"type": "chat", "text": "I was here."})
        await page.until(lambda: page.of_type("chat"))
        colour = page.welcome["you"]["hue"]
    ida.end(past)
    transcript = ida.http.get(f"/s/{past}").text.split("<main", 1)[1]
    assert transcript.count("Ida Rhodes") >= 2

    know(accounts, "ida", name="Ida\u202e Hadassah\n Rhodes", email="hadassah@example.org")
    google_sign_in(elsewhere, "ida")
    renamed = "Ida Hadassah Rhodes"
    assert name_shown(elsewhere) == renamed
    assert name_shown(ida) == renamed, "a browser that was signed in all the time shows it, too"
    found = "SELECT email FROM users WHERE name LIKE 'Ida %'"
    assert await asyncio.to_thread(values_in, database, found) == ["hadassah@example.org"]
    me = ida.join(ida.start_session("After"))["you"]
    assert (me["name"], me["hue"]) == (renamed, colour)
    assert ida.http.get(f"/s/{past}").text.split("<main", 1)[1] == transcript


def test_a_sign_in_that_is_refused_or_says_no_name_renames_nobody(
    google: AppServer, accounts: str, database: str
) -> None:
    know(accounts, "kay", name="Kay McNulty")
    visitor = Browser(google.url)
    google_sign_in(visitor, "kay")
    know(accounts, "kay", name="Mallory", email="mallory@example.org", email_verified=False)
    assert google_sign_in(Browser(google.url), "kay").status_code == 403
    assert name_shown(visitor) == "Kay McNulty"
    know(accounts, "kay", name=None, email="kay@example.org")
    google_sign_in(visitor, "kay")
    assert name_shown(visitor) == "Kay McNulty"
    found = "SELECT email FROM users WHERE name = 'Kay McNulty'"
    assert values_in(database, found) == ["kay@example.org"]


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_unverified_address_is_refused(
    google: AppServer, accounts: str, verified: object
) -> None:
    know(accounts, "unverified", email_verified=verified)
    visitor = Browser(google.url)
    answer = google_sign_in(visitor, "unverified")
    assert_explained(visitor, answer, 403, "Your e-mail address isn’t verified.")


def test_who_cancels_is_not_signed_in(google: AppServer) -> None:
    visitor = Browser(google.url)
    back = outside("POST", begin(visitor), data={"action": "deny"}).headers["location"]
    assert_explained(visitor, visitor.http.get(back), 403, "You didn’t sign in.")


STALE = "This sign-in has run out."


def test_a_forged_state_is_refused(google: AppServer, accounts: str) -> None:
    know(accounts, "grace")
    visitor = Browser(google.url)
    back = consent(begin(visitor), "grace")
    answer = visitor.http.get(re.sub(r"state=\w+", "state=forged", back))
    assert_explained(visitor, answer, 400, STALE)


@pytest.mark.parametrize("query", ["", "?code=abc", "?state=abc", "?code=&state="])
def test_a_callback_out_of_the_blue_is_refused(google: AppServer, query: str) -> None:
    visitor = Browser(google.url)
    assert_explained(visitor, visitor.http.get(CALLBACK + query), 400, STALE)


def test_a_sign_in_begun_in_another_browser_is_refused(google: AppServer, accounts: str) -> None:
    know(accounts, "mallory")
    victim = Browser(google.url)
    back = consent(begin(Browser(google.url)), "mallory")
    assert_explained(victim, victim.http.get(back), 400, STALE)


def test_a_callback_works_once(google: AppServer, accounts: str) -> None:
    know(accounts, "grace")
    visitor = Browser(google.url)
    back = consent(begin(visitor), "grace")
    stolen = visitor.http.cookies[COOKIE]
    assert visitor.http.get(back).status_code == 303

    replayed = visitor.http.get(back)
    assert replayed.status_code == 400
    assert is_signed_in(visitor)  # who pressed Back is still signed in

    thief = Browser(google.url)
    carry(thief, stolen)
    assert_explained(thief, thief.http.get(back), 400, STALE)


def test_a_sign_in_runs_out_after_an_hour(google: AppServer, accounts: str) -> None:
    know(accounts, "grace")
    visitor = Browser(google.url)
    back = consent(begin(visitor), "grace")
    signer = itsdangerous.TimestampSigner(LOGIN_SECRET)
    kept = json.loads(base64.b64decode(signer.unsign(visitor.http.cookies[COOKIE])))
    (begun,) = kept.values()
    assert 3500 < begun["exp"] - time.time() <= 3600
    begun["exp"] = time.time() - 1
    carry(visitor, signer.sign(base64.b64encode(json.dumps(kept).encode())).decode())
    assert_explained(visitor, visitor.http.get(back), 400, STALE)


def test_the_cookie_fits_a_browser(google: AppServer, accounts: str) -> None:
    know(accounts, "grace")
    host, guest = Browser(google.url), Browser(google.url)
    google_sign_in(host, "grace")
    for number in range(21):
        guest.be_guest(host.start_session(), f"Guest {number}")
    begin(guest, "/s/" + "x" * 509)
    assert len(f"{COOKIE}={guest.http.cookies[COOKIE]}") <= COOKIE_LIMIT


# The provider misbehaves


UNTRUSTED = "We couldn’t verify who you are."
AWAY = "Google can’t be reached."


def test_the_strict_provider_signs_in(strict: AppServer) -> None:
    visitor = Browser(strict.url)
    assert quick_sign_in(visitor).status_code == 303
    assert is_signed_in(visitor)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"nonce": "another"}, id="wrong nonce"),
        pytest.param({"nonce": None}, id="no nonce"),
        pytest.param({"exp": int(time.time()) - 3600}, id="expired"),
        pytest.param({"exp": None}, id="without end"),
        pytest.param({"iat": int(time.time()) + 3600}, id="from the future"),
        pytest.param({"aud": "another-client"}, id="for another client"),
        pytest.param({"iss": "https://accounts.example.com"}, id="of another issuer"),
        pytest.param({"sub": None}, id="about nobody"),
        pytest.param({"sub": 17}, id="about a number"),
    ],
)
def test_an_untrue_id_token_is_refused(
    strict: AppServer, bad_provider: Provider, changed: dict[str, object]
) -> None:
    bad_provider.changed_claims = changed
    visitor = Browser(strict.url)
    assert_explained(visitor, quick_sign_in(visitor), 502, UNTRUSTED)


def test_a_small_clock_skew_is_forgiven(strict: AppServer, bad_provider: Provider) -> None:
    bad_provider.changed_claims = {"iat": int(time.time()) + 60, "exp": int(time.time()) - 60}
    visitor = Browser(strict.url)
    assert quick_sign_in(visitor).status_code == 303
    assert is_signed_in(visitor)


def test_an_id_token_of_another_key_is_refused(strict: AppServer, bad_provider: Provider) -> None:
    bad_provider.published_key = new_key("first")
    first = Browser(strict.url)
    bad_provider.instead = {TOKEN: (500, "")}
    quick_sign_in(first)  # so that the keys are asked for again
    bad_provider.instead = {}
    visitor = Browser(strict.url)
    assert_explained(visitor, quick_sign_in(visitor), 502, UNTRUSTED)


def test_new_keys_of_the_provider_are_fetched(strict: AppServer, bad_provider: Provider) -> None:
    quick_sign_in(Browser(strict.url))
    bad_provider.signing_key = bad_provider.published_key = new_key("second")
    visitor = Browser(strict.url)
    assert quick_sign_in(visitor).status_code == 303
    assert is_signed_in(visitor)


@pytest.mark.parametrize(
    ("path", "instead"),
    [
        (TOKEN, (500, "down for lunch")),
        (TOKEN, (200, "<html>Welcome</html>")),
        (TOKEN, (200, "[]")),
        (TOKEN, (200, "{}")),
        (TOKEN, (200, '{"access_token": "a", "token_type": "Bearer"}')),
        (TOKEN, (200, '{"access_token": "a", "id_token": "garbage"}')),
        (TOKEN, (200, '{"access_token": "a", "id_token": 5}')),
        (TOKEN, (401, '{"error": "invalid_client", "error_description": "for your eyes only"}')),
        (TOKEN, (400, '{"error": ["what"]}')),
        (JWKS, (503, "")),
        (JWKS, (200, "<html>")),
        (JWKS, (200, "[]")),
        (JWKS, (200, '{"keys": []}')),
        (JWKS, (200, '{"keys": [5]}')),
    ],
)
def test_a_nonsense_answer_is_explained_and_forgotten(
    strict: AppServer, bad_provider: Provider, path: str, instead: tuple[int, str]
) -> None:
    bad_provider.instead = {TOKEN: (500, "")}
    quick_sign_in(Browser(strict.url))  # so that everything is asked for again
    bad_provider.instead = {path: instead}
    visitor = Browser(strict.url)
    answer = quick_sign_in(visitor)
    assert answer.status_code == 502
    assert "for your eyes only" not in answer.text
    title = re.search("<h1>(.*)</h1>", answer.text)
    assert title
    assert_explained(visitor, answer, 502, title[1])
    bad_provider.instead = {}
    assert quick_sign_in(visitor).status_code == 303


def test_a_provider_that_is_away_is_not_remembered_as_away(
    make_server: MakeServer, bad_provider: Provider
) -> None:
    server = make_server(GOOGLE_METADATA_URL=bad_provider.url + METADATA, **GOOGLE)
    visitor = Browser(server.url)
    bad_provider.stop()
    assert_explained(visitor, visitor.http.get("/sign-in/google"), 502, AWAY)
    bad_provider.start()
    for nonsense in ((500, ""), (200, "<html>"), (200, "[]"), (200, "{}")):
        bad_provider.instead = {METADATA: nonsense}
        assert_explained(visitor, visitor.http.get("/sign-in/google"), 502, AWAY)
    bad_provider.instead = {}
    back = outside("GET", begin(visitor)).headers["location"]
    bad_provider.stop()
    assert_explained(visitor, visitor.http.get(back), 502, AWAY)
    bad_provider.start()
    assert quick_sign_in(visitor).status_code == 303
    assert CLIENT_SECRET not in server.log
    assert "code=" not in server.log.replace("code=…", "")


# What it costs others

# Sessions, which logs whenever it reads the certificates of all authorities.
TELLTALE = """
import ssl

def telling(method):
    def told(*arguments, **options):
        print("certificates were read", flush=True)
        return method(*arguments, **options)
    return told

for name in ("load_verify_locations", "set_default_verify_paths"):
    setattr(ssl.SSLContext, name, telling(getattr(ssl.SSLContext, name)))
import app
app.serve()
"""


def test_a_sign_in_does_not_hold_up_those_who_speak(
    make_server: MakeServer, provider: Provider
) -> None:
    settings = GOOGLE | {"GOOGLE_METADATA_URL": provider.url + METADATA}
    server = make_server(command=[sys.executable, "-c", TELLTALE], **settings)
    at_start = server.log.count("certificates were read")
    assert at_start
    assert quick_sign_in(Browser(server.url)).status_code == 303
    assert server.log.count("certificates were read") == at_start


# Where it leads


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
    assert here.http.post("/sign-in/dev", data=form).headers["location"] == "/"
    signed_in = here.http.get("/sign-in", params={"next": target})
    assert signed_in.headers["location"] == "/"

    know(accounts, "grace")
    assert google_sign_in(Browser(google.url), "grace", target).headers["location"] == "/"


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
    value, attributes = cookie_of(begun)
    assert {"httponly", "samesite=lax", "secure"} <= attributes
    asked = dict(parse_qsl(urlsplit(begun.headers["location"]).query))
    assert asked["redirect_uri"] == PUBLIC + CALLBACK

    back = urlsplit(outside("GET", begun.headers["location"]).headers["location"])
    assert f"{back.scheme}://{back.netloc}" == PUBLIC
    finished = browser.get(f"{back.path}?{back.query}", headers={"Cookie": f"{COOKIE}={value}"})
    assert finished.status_code == 303
    value, attributes = cookie_of(finished)
    assert {"httponly", "samesite=lax", "secure"} <= attributes
    home = browser.get("/", headers={"Cookie": f"{COOKIE}={value}"})
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


# On this computer


DEV_FORM = {"name": "Ada", "email": "ada@example.com", "next": "/"}


def dev_sign_in(url: str, **headers: str) -> int:
    """Try the development sign-in and return the status."""
    own = {"Origin": url} | {name.replace("_", "-"): v for name, v in headers.items()}
    offered = "/sign-in/dev" in outside("GET", f"{url}/sign-in", headers=own).text
    answer = outside("POST", f"{url}/sign-in/dev", data=DEV_FORM, headers=own)
    assert offered == (answer.status_code == 303)
    assert ("set-cookie" in answer.headers) == offered
    return answer.status_code


def test_a_name_is_enough_on_this_computer(server: AppServer) -> None:
    assert dev_sign_in(server.url) == 303
    assert (
        dev_sign_in(server.url, Host=f"127.0.0.1:{server.port}", Sec_Fetch_Site="same-origin")
        == 303
    )


def test_the_name_typed_last_counts(server: AppServer) -> None:
    visitor = Browser(server.url)
    for name in ("Betty", "Betty Holberton"):
        visitor.http.post("/sign-in/dev", data={"name": name, "email": "betty@example.com"})
        assert name_shown(visitor) == name


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_For": "203.0.113.9"},
        {"X_Forwarded_For": "127.0.0.1"},
        {"X_Forwarded_For": ""},
        {"X_Forwarded_Host": "localhost"},
        {"X_Real_IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1;host=localhost"},
        {"Via": "1.1 proxy"},
        {"Host": "meet.example.com"},
        {"Host": "localhost.example.com"},
        {"Host": "127.0.0.1.example.com"},
        {"Host": "["},
        {"Host": "0.0.0.0"},
    ],
    ids=str,
)
def test_no_header_makes_a_stranger_local(server: AppServer, headers: dict[str, str]) -> None:
    assert dev_sign_in(server.url, Sec_Fetch_Site="same-origin", **headers) == 404


def own_address() -> str:
    """Return an address of this computer that isn't loopback; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this computer has no network address of its own")
        address: str = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this computer has no network address of its own")
    return address


def test_another_address_is_not_this_computer(make_server: MakeServer) -> None:
    server = make_server(HOST="0.0.0.0")
    assert dev_sign_in(server.url) == 303
    address = f"http://{own_address()}:{server.port}"
    claimed = f"localhost:{server.port}"
    assert dev_sign_in(address) == 404
    assert dev_sign_in(address, Host=claimed, Origin=server.url) == 404


def test_with_google_a_name_is_not_enough(google: AppServer) -> None:
    assert dev_sign_in(google.url) == 404


def test_in_production_a_name_is_never_enough(production: AppServer) -> None:
    for host in ("localhost", "meet.example.com"):
        assert dev_sign_in(production.url, Host=host, Origin=PUBLIC) == 404


def test_google_is_not_offered_without_its_settings(server: AppServer) -> None:
    assert "/sign-in/google" not in outside("GET", server.url).text
    assert outside("GET", f"{server.url}/sign-in/google").status_code == 404
    query = urlencode({"code": "a", "state": "b"})
    assert outside("GET", f"{server.url}{CALLBACK}?{query}").status_code == 404


@pytest.mark.parametrize(
    "form",
    [
        {"name": "", "email": "ada@example.com"},
        {"name": " \u200b\t", "email": "ada@example.com"},
        {"name": "Ada", "email": "ada"},
        {},
    ],
)
def test_an_incomplete_name_is_asked_for_again(server: AppServer, form: dict[str, str]) -> None:
    answer = Browser(server.url).http.post("/sign-in/dev", data=form)
    assert answer.status_code == 422
    assert "/sign-in/dev" in answer.text
    assert "set-cookie" not in answer.headers
