"""Whoever had the address of a user that was copied from the replaced product is that user.

Only where Google vouches for the address, only a user without an account, and once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.conftest import MakeServer
from tests.emulators.openid import CLIENT_ID, CLIENT_SECRET, METADATA
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.sign_in import GOOGLE, begin, consent, google_sign_in, know, name_shown
from tests.support.tables import Tables

pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer, accounts: str) -> AppServer:
    """Sessions with Google and another provider, which are the same one to this test."""
    oidc = {
        "OIDC_ISSUER": accounts,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
    }
    return make_server_in(GOOGLE_METADATA_URL=accounts + METADATA, **oidc, **GOOGLE)


def copied(place: AppServer, email: str, *, with_account: bool = False) -> str:
    """Have a user with this address who was copied, and whose space has a session."""
    tables, user = Tables(place.database_url), str(uuid4())
    tables(
        """
        WITH made AS (
            INSERT INTO users (id, name, email, hue) VALUES (CAST($1 AS uuid), 'As before', $2, 7)
            RETURNING id
        ), space AS (
            INSERT INTO spaces (name) VALUES ('Copied') RETURNING id
        ), known AS (
            INSERT INTO imported (kind, source, ours)
            SELECT 'user', CAST(id AS text), CAST(id AS text) FROM made
        ), account AS (
            INSERT INTO accounts SELECT 'google', 'of ' || $2, id FROM made WHERE $3
        )
        INSERT INTO members (space_id, user_id, role) SELECT s.id, m.id, 'OWNER'
        FROM made m, space s
        """,
        user,
        email,
        with_account,
    )
    return user


def users_of(place: AppServer, email: str) -> set[str]:
    rows = Tables(place.database_url)(
        "SELECT CAST(id AS text) FROM users WHERE lower(email) = lower($1)", email
    )
    return {row["id"] for row in rows}


def test_the_first_sign_in_with_the_address_is_theirs(place: AppServer, accounts: str) -> None:
    user = copied(place, "Ada@Example.com")
    know(accounts, "ada", name="Ada Lovelace", email="ada@example.com")
    visitor = Browser(place.url)
    assert google_sign_in(visitor, "ada").status_code == 303
    assert name_shown(visitor) == "Ada Lovelace"
    assert users_of(place, "ada@example.com") == {user}
    tables = Tables(place.database_url)
    assert tables.one("SELECT hue FROM users WHERE email = 'ada@example.com'") == 7
    spaces = "SELECT count(*) FROM members WHERE CAST(user_id AS text) = $1"
    assert tables.one(spaces, user) == 1, "they have the space that was theirs, and no other"
    # Somebody else who has the address later is somebody else, and Ada is Ada with another one.
    know(accounts, "impostor", email="ada@example.com")
    assert google_sign_in(Browser(place.url), "impostor").status_code == 303
    assert len(users_of(place, "ada@example.com")) == 2
    know(accounts, "ada", name="Ada Lovelace", email="ada@elsewhere.example")
    assert google_sign_in(visitor, "ada").status_code == 303
    assert users_of(place, "ada@elsewhere.example") == {user}


def test_an_address_that_google_does_not_vouch_for_claims_nobody(
    place: AppServer, accounts: str
) -> None:
    user = copied(place, "grace@example.com")
    know(accounts, "grace", email_verified=False)
    visitor = Browser(place.url)
    assert google_sign_in(visitor, "grace").status_code == 403
    know(accounts, "grace")
    address = begin(visitor, path="/sign-in/oidc")
    assert visitor.http.get(consent(address, "grace")).status_code == 303
    found = users_of(place, "grace@example.com")
    assert len(found) == 2, "another provider says of anybody what it likes"
    assert google_sign_in(Browser(place.url), "grace").status_code == 303
    accounts_of = Tables(place.database_url).one(
        "SELECT count(*) FROM accounts WHERE CAST(user_id AS text) = $1", user
    )
    assert accounts_of == 1


def test_who_has_an_account_is_found_by_that_alone(place: AppServer, accounts: str) -> None:
    user = copied(place, "emmy@example.com", with_account=True)
    know(accounts, "emmy")
    assert google_sign_in(Browser(place.url), "emmy").status_code == 303
    assert len(users_of(place, "emmy@example.com") - {user}) == 1


def test_two_of_one_address_and_one_who_was_not_copied_are_claimed_by_nobody(
    place: AppServer, accounts: str
) -> None:
    copied(place, "twin@example.com")
    copied(place, "TWIN@example.com")
    know(accounts, "twin")
    assert google_sign_in(Browser(place.url), "twin").status_code == 303
    assert len(users_of(place, "twin@example.com")) == 3
    own = copied(place, "own@example.com")
    Tables(place.database_url)("DELETE FROM imported WHERE ours = $1", own)
    know(accounts, "own")
    assert google_sign_in(Browser(place.url), "own").status_code == 303
    assert len(users_of(place, "own@example.com")) == 2


def test_of_two_at_once_one_is_them(place: AppServer, accounts: str) -> None:
    user = copied(place, "race@example.com")
    racers = [f"racer{number}" for number in range(6)]
    for one in racers:
        know(accounts, one, email="race@example.com")
    visitors = [Browser(place.url) for _ in racers]
    ready = [consent(begin(visitor), one) for visitor, one in zip(visitors, racers, strict=True)]
    with ThreadPoolExecutor(len(racers)) as pool:
        answers = list(
            pool.map(lambda pair: pair[0].http.get(pair[1]), zip(visitors, ready, strict=True))
        )
    assert [one.status_code for one in answers] == [303] * len(racers)
    tables = Tables(place.database_url)
    assert len(users_of(place, "race@example.com")) == len(racers)
    assert tables.one("SELECT count(*) FROM accounts WHERE CAST(user_id AS text) = $1", user) == 1


def test_who_was_disabled_stays_out(place: AppServer, accounts: str) -> None:
    user = copied(place, "out@example.com")
    Tables(place.database_url)("UPDATE users SET disabled_at = now() WHERE id = $1::uuid", user)
    know(accounts, "out")
    assert google_sign_in(Browser(place.url), "out").status_code == 403
