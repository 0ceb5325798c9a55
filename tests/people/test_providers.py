"""Signing in with OpenID providers other than Google, and with several at once."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from httpx2 import Response

from core.settings.providers import PREFIXES
from tests.conftest import MakeServer
from tests.emulators.openid import CLIENT_ID, CLIENT_SECRET, METADATA, TOKEN, Provider
from tests.support.app_server import AppServer
from tests.support.http import Browser, outside
from tests.support.sign_in import (
    GOOGLE,
    assert_explained,
    begin,
    claims_of,
    consent,
    google_sign_in,
    is_signed_in,
    know,
    name_shown,
    real_provider,
    values_in,
)

# The provider's own library warns of itself; in this process, that would be an error.
pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")

STALE = "This sign-in has run out."
OTHER = "The sign-in service isn’t the one that was set up."
UNVERIFIED = "Your e-mail address isn’t verified."
TEAM, LAB, LAX = "/sign-in/oidc", "/sign-in/oidc2", "/sign-in/oidc3"


@pytest.fixture(scope="module")
def more_accounts() -> Iterator[str]:
    """The address of a second real provider, with accounts of its own."""
    with real_provider() as address:
        yield address


@pytest.fixture(scope="module")
def lax_provider() -> Iterator[Provider]:
    """A second provider that can misbehave, whose issuer ends with a slash."""
    with Provider(tail="/") as running:
        yield running


@pytest.fixture
def lax(lax_provider: Provider) -> Iterator[Provider]:
    """The same, for this test."""
    lax_provider.claims = claims_of("lise", "Lise")
    yield lax_provider
    lax_provider.behave()


@pytest.fixture(scope="module")
def others(more_accounts: str, provider: Provider, lax_provider: Provider) -> dict[str, str]:
    """The settings of three providers, of whose addresses the last one's are trusted."""
    client = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
    return {
        "OIDC_ISSUER": more_accounts,
        "OIDC_NAME": "Команда & Co",
        "OIDC_2_ISSUER": provider.issuer,
        "OIDC_3_ISSUER": lax_provider.issuer,
        "OIDC_3_NAME": "Lax",
        "OIDC_3_TRUST_EMAIL": "on",
        **{f"{prefix}_{name}": value for prefix in PREFIXES for name, value in client.items()},
    }


@pytest.fixture(scope="module")
def site(
    make_server_in: MakeServer, accounts: str, database: str, others: dict[str, str]
) -> AppServer:
    """Sessions with Google and those three."""
    google = {"GOOGLE_METADATA_URL": accounts + METADATA, **GOOGLE}
    return make_server_in(DATABASE_URL=database, **google, **others)


def quick(visitor: Browser, path: str = LAB, query: str = "") -> Response:
    """Go the whole way with a provider that consents at once."""
    back = outside("GET", begin(visitor, path=path)).headers["location"]
    return visitor.http.get(back + query)


def test_there_is_a_button_for_each(site: AppServer) -> None:
    page = outside("GET", f"{site.url}/sign-in?next=/s/abc").text
    found = re.findall(r'href="(/sign-in/\w+)\?next=/s/abc".*?<span>(.*?)</span>', page, re.S)
    assert found == [
        ("/sign-in/google", "Continue with Google"),
        (TEAM, "Continue with Команда &amp; Co"),
        (LAB, "Continue with localhost"),
        (LAX, "Continue with Lax"),
    ]
    assert outside("GET", f"{site.url}/sign-in/oidc4").status_code == 404
    assert outside("GET", f"{site.url}/api/auth/callback/oidc4?state=a").status_code == 404


def test_another_provider_signs_in(site: AppServer, more_accounts: str, database: str) -> None:
    know(more_accounts, "vera", name="Vera Rubin")
    visitor = Browser(site.url)
    address = begin(visitor, "/s/abc", path=TEAM)
    asked = dict(parse_qsl(urlsplit(address).query))
    assert address.startswith(more_accounts)
    assert asked["client_id"] == CLIENT_ID
    assert asked["redirect_uri"] == f"{site.url}/api/auth/callback/oidc"
    assert asked["code_challenge_method"] == "S256"
    assert min(len(asked["state"]), len(asked["nonce"])) >= 20
    answer = visitor.http.get(consent(address, "vera"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/s/abc")
    assert name_shown(visitor) == "Vera Rubin"
    found = "SELECT a.provider FROM accounts a WHERE a.subject = 'vera'"
    assert values_in(database, found) == [more_accounts]


def test_the_same_name_at_two_providers_is_two_people(
    site: AppServer, accounts: str, more_accounts: str
) -> None:
    """Neither the subject nor the address makes somebody the same person elsewhere."""
    for where, name in ((accounts, "Jocelyn at Google"), (more_accounts, "Jocelyn in the team")):
        know(where, "jocelyn", name=name)
    first, second = Browser(site.url), Browser(site.url)
    google_sign_in(first, "jocelyn")
    slug = first.start_session("Pulsars")
    second.http.get(consent(begin(second, path=TEAM), "jocelyn"))
    assert name_shown(first) == "Jocelyn at Google"
    assert name_shown(second) == "Jocelyn in the team"
    assert slug not in second.http.get("/").text


# Mix-up: an answer of one provider must not end a sign-in that was begun with another.


@pytest.mark.parametrize(
    ("begun", "answered"), [(TEAM, "google"), ("/sign-in/google", "oidc"), (TEAM, "oidc2")]
)
def test_a_state_belongs_to_the_provider_that_it_was_begun_with(
    site: AppServer, accounts: str, more_accounts: str, begun: str, answered: str
) -> None:
    know(more_accounts, "eve")
    know(accounts, "eve")
    visitor = Browser(site.url)
    back = consent(begin(visitor, path=begun), "eve")
    moved = re.sub(r"/callback/\w+", f"/callback/{answered}", back)
    assert_explained(visitor, visitor.http.get(moved), 400, STALE)
    assert visitor.http.get(back).status_code == 303, "what was begun goes on"


def test_the_answer_says_whose_it_is(site: AppServer, bad_provider: Provider) -> None:
    """RFC 9207: wrong, twice, or left out though it was promised."""
    right, visitor = f"&iss={bad_provider.url}", Browser(site.url)
    for wrong in ("&iss=https://evil.example", f"{right}/", "&iss=", right + right):
        assert_explained(visitor, quick(visitor, query=wrong), 502, OTHER)
    assert quick(Browser(site.url), query=right).status_code == 303

    forget(site, bad_provider)
    promised = bad_provider.metadata() | {"authorization_response_iss_parameter_supported": True}
    bad_provider.instead = {METADATA: (200, json.dumps(promised))}
    assert_explained(visitor, quick(visitor), 502, OTHER)
    assert quick(visitor, query=right).status_code == 303
    forget(site, bad_provider)


def forget(site: AppServer, provider: Provider) -> None:
    """Have Sessions ask for everything anew."""
    provider.instead = {TOKEN: (500, "")}
    quick(Browser(site.url))
    provider.instead = {}


def test_an_issuer_is_compared_to_the_letter(site: AppServer, lax: Provider) -> None:
    visitor = Browser(site.url)
    lax.tail = ""
    answer = visitor.http.get(LAX)
    lax.tail = "/"
    assert_explained(visitor, answer, 502, OTHER)
    assert "its settings for Lax" in answer.text
    assert f"for the issuer '{lax.url}', and OIDC_3_ISSUER for '{lax.url}/'" in site.log
    assert quick(visitor, LAX).status_code == 303
    assert is_signed_in(visitor)


@pytest.fixture
def both(bad_provider: Provider, lax: Provider) -> list[Provider]:
    """The one whose addresses must be verified, and the one whose are trusted."""
    return [bad_provider, lax]


@pytest.mark.parametrize(
    ("verified", "strictly", "trusting"),
    [
        (True, 303, 303),
        (None, 403, 303),
        ("true", 403, 303),
        (False, 403, 403),
        ("false", 403, 403),
        (1, 403, 403),
        ("", 403, 403),
    ],
)
def test_whose_address_counts(
    site: AppServer, both: list[Provider], verified: object, strictly: int, trusting: int
) -> None:
    for one in both:
        one.changed_claims = one.changed_info = {"email_verified": verified}
    answer = quick(Browser(site.url))
    assert answer.status_code == strictly
    if strictly == 403:
        assert UNVERIFIED in answer.text
        assert ("OIDC_2_TRUST_EMAIL=on" in answer.text) == (verified is None)
    assert quick(Browser(site.url), LAX).status_code == trusting


# What providers do in different ways


def test_what_the_id_token_leaves_out_is_asked_for(site: AppServer, bad_provider: Provider) -> None:
    bad_provider.thin = True
    bad_provider.changed_info = claims_of("mallory", "Thin Mallory")
    visitor = Browser(site.url)
    assert quick(visitor).status_code == 303
    assert name_shown(visitor) == "Thin Mallory"


@pytest.mark.parametrize(
    ("info", "status", "title"),
    [
        ({"sub": "somebody-else"}, 502, "localhost can’t be reached."),
        ({"sub": None}, 502, "localhost can’t be reached."),
        ({"email": None}, 403, "Your e-mail address isn’t known."),
        ({"email": 17}, 403, "Your e-mail address isn’t known."),
        ({"email_verified": False}, 403, UNVERIFIED),
    ],
)
def test_what_it_says_then_counts_for_this_person_alone(
    site: AppServer,
    bad_provider: Provider,
    info: dict[str, object],
    status: int,
    title: str,
) -> None:
    bad_provider.thin, bad_provider.changed_info = True, info
    visitor = Browser(site.url)
    assert_explained(visitor, quick(visitor), status, title)


def test_a_verified_address_vouches_for_no_other(site: AppServer, bad_provider: Provider) -> None:
    """The id token has one address without a word on it, UserInfo another one that is verified."""
    bad_provider.changed_claims = {"email": "boss@example.com", "email_verified": None}
    bad_provider.changed_info = {"sub": "two", "email": "own@example.com", "email_verified": True}
    bad_provider.changed_claims["sub"] = "two"
    visitor = Browser(site.url)
    assert quick(visitor).status_code == 303
    found = "SELECT u.email FROM users u JOIN accounts a ON a.user_id = u.id WHERE a.subject='two'"
    assert values_in(site.database_url, found) == ["own@example.com"]


def test_a_provider_may_take_the_secret_in_the_form_only(
    site: AppServer, bad_provider: Provider
) -> None:
    assert quick(Browser(site.url)).status_code == 303
    bad_provider.ways = ["client_secret_post"]
    forget(site, bad_provider)
    assert quick(Browser(site.url)).status_code == 303
    bad_provider.ways = ["client_secret_basic", "client_secret_post"]
    forget(site, bad_provider)
    assert quick(Browser(site.url)).status_code == 303
    shown = [way for way, _ in itertools.groupby(bad_provider.proofs)]
    assert shown[-3:] == ["client_secret_basic", "client_secret_post", "client_secret_basic"]


def test_an_id_token_without_a_signature_is_refused(
    site: AppServer, bad_provider: Provider
) -> None:
    """Also where the provider lists `none` among the ways in which it signs."""
    forget(site, bad_provider)
    listed = bad_provider.metadata() | {"id_token_signing_alg_values_supported": ["RS256", "none"]}
    bad_provider.instead = {METADATA: (200, json.dumps(listed))}
    bad_provider.algorithm = "none"
    visitor = Browser(site.url)
    assert_explained(visitor, quick(visitor), 502, "We couldn’t verify who you are.")
    bad_provider.instead = {}
    forget(site, bad_provider)


def test_what_goes_wrong_names_the_provider_in_russian_too(
    site: AppServer, bad_provider: Provider
) -> None:
    visitor = Browser(site.url, **{"Accept-Language": "ru"})
    page = visitor.http.get("/sign-in").text
    assert "Войти через Команда &amp; Co" in page
    bad_provider.instead = {TOKEN: (500, "")}
    answer = quick(visitor)
    assert answer.status_code == 502
    assert "<h1>Нет связи с провайдером входа: localhost.</h1>" in answer.text
    bad_provider.instead = {}
    bad_provider.changed_claims = bad_provider.changed_info = {"email_verified": None}
    answer = quick(visitor)
    assert "localhost не сообщает, подтверждён ли он." in answer.text
    assert "OIDC_2_TRUST_EMAIL=on" in answer.text
    assert "Google" not in answer.text
