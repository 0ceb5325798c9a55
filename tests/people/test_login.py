"""Signing in and out, against an OpenID provider on the wire."""

from __future__ import annotations

import asyncio
import re
import time
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.emulators.openid import (
    CLIENT_ID,
)
from tests.support.app_server import AppServer
from tests.support.http import Browser, outside
from tests.support.sign_in import (
    CALLBACK,
    COOKIE,
    COOKIE_LIMIT,
    HOST_COOKIE,
    assert_explained,
    begin,
    carry,
    consent,
    google_sign_in,
    is_signed_in,
    know,
    name_shown,
    signed,
    values_in,
)
from tests.support.visitors import kept_by
from web.request import MAX_BEGUN

# The provider's own library warns of itself; in this process, that would be an error.
pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")


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
    assert answer.headers["location"] == "/welcome"
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
    kept = kept_by(visitor)
    (begun,) = kept.values()
    assert 3500 < begun["exp"] - time.time() <= 3600
    begun["exp"] = time.time() - 1
    carry(visitor, signed(kept))
    assert_explained(visitor, visitor.http.get(back), 400, STALE)


def test_the_cookie_fits_a_browser(google: AppServer, accounts: str) -> None:
    know(accounts, "grace")
    host, guest = Browser(google.url), Browser(google.url)
    google_sign_in(host, "grace")
    for number in range(21):
        guest.be_guest(host.start_session(), f"Guest {number}")
    for _ in range(4):
        begin(guest, "/s/" + "x" * 509)
        assert len(f"{HOST_COOKIE}={guest.http.cookies[COOKIE]}") <= COOKIE_LIMIT
    assert len(kept_by(guest)["guests"]) == 20


def test_sign_ins_in_several_tabs_all_work_but_are_bounded(
    google: AppServer, accounts: str
) -> None:
    know(accounts, "grace")
    visitor = Browser(google.url)
    backs = [consent(begin(visitor), "grace") for _ in range(MAX_BEGUN + 1)]
    assert len(kept_by(visitor)) == MAX_BEGUN
    copies = [Browser(google.url) for _ in backs]
    for copy in copies:
        carry(copy, visitor.http.cookies[COOKIE])
    answers = [copy.http.get(back).status_code for copy, back in zip(copies, backs, strict=True)]
    assert answers == [400, *[303] * MAX_BEGUN]


@pytest.mark.parametrize("query", ["error=access_denied", "error=x&state=y", "state=y", ""])
def test_another_site_ends_no_sign_in_that_was_begun(
    google: AppServer, accounts: str, query: str
) -> None:
    know(accounts, "grace")
    visitor = Browser(google.url)
    back = consent(begin(visitor), "grace")
    assert visitor.http.get(f"{CALLBACK}?{query}").status_code in (400, 403)
    assert visitor.http.get(back).status_code == 303
    assert is_signed_in(visitor)
