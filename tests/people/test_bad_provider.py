"""A provider that misbehaves or is away, and what signing in costs others."""

from __future__ import annotations

import json
import re
import sys
import time

import pytest

from tests.conftest import MakeServer
from tests.emulators.openid import (
    CLIENT_SECRET,
    JWKS,
    METADATA,
    TOKEN,
    Provider,
    new_key,
)
from tests.support.app_server import AppServer
from tests.support.http import Browser, outside
from tests.support.sign_in import GOOGLE, assert_explained, begin, is_signed_in, quick_sign_in

# The provider's own library warns of itself; in this process, that would be an error.
pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")

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


OTHER = "The sign-in service isn’t the one that was set up."


@pytest.mark.parametrize("late", [False, True], ids=["at the start", "on the way back"])
def test_a_provider_that_speaks_for_another_issuer_is_refused(
    make_server: MakeServer, bad_provider: Provider, late: bool
) -> None:
    """Its metadata are where the operator said, but the issuer in them is somebody else."""
    server = make_server(GOOGLE_METADATA_URL=bad_provider.url + METADATA, **GOOGLE)
    metadata = bad_provider.metadata() | {"issuer": "https://accounts.google.com"}
    lying = {METADATA: (200, json.dumps(metadata))}
    visitor = Browser(server.url)
    if late:  # it was honest when the sign-in began, and is asked anew
        back = outside("GET", begin(visitor)).headers["location"]
        bad_provider.instead = {TOKEN: (500, "")}
        quick_sign_in(Browser(server.url))
        bad_provider.instead = lying
        assert_explained(visitor, visitor.http.get(back), 502, OTHER)
    else:
        bad_provider.instead = lying
        assert_explained(visitor, visitor.http.get("/sign-in/google"), 502, OTHER)
    assert "https://accounts.google.com" in server.log
    assert "GOOGLE_METADATA_URL" in server.log
    bad_provider.instead = {}
    assert quick_sign_in(visitor).status_code == 303


def test_an_issuer_may_end_with_a_slash(make_server: MakeServer, bad_provider: Provider) -> None:
    server = make_server(GOOGLE_METADATA_URL=bad_provider.url + METADATA, **GOOGLE)
    metadata = bad_provider.metadata() | {"issuer": bad_provider.url + "/"}
    bad_provider.instead = {METADATA: (200, json.dumps(metadata))}
    bad_provider.changed_claims = {"iss": bad_provider.url + "/"}
    assert quick_sign_in(Browser(server.url)).status_code == 303


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
