"""Whose accounts may sign in, where the operator names them."""

from __future__ import annotations

import asyncio

import pytest

from core.settings.accounts import Accounts
from tests.conftest import MakeServer
from tests.emulators.openid import METADATA
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.meetings import JSON, sql
from tests.support.sign_in import (
    GOOGLE,
    assert_explained,
    carry,
    google_sign_in,
    is_signed_in,
    know,
    values_in,
)

pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")
TITLE = "Your account can’t sign in here."


@pytest.mark.parametrize(
    ("emails", "domains", "email", "organisation", "may"),
    [
        ([], [], "eve@anywhere.test", None, True),
        (["ada@example.com"], [], "Ada@Example.com", None, True),
        (["ada@example.com"], [], "eve@example.com", None, False),
        (["ada@example.com"], [], "ada@example.com", "other.test", True),
        ([], ["example.com"], "eve@EXAMPLE.com", None, True),
        ([], ["example.com"], "eve@example.com", "example.com", True),
        ([], ["example.com"], "eve@example.com", "Example.com", True),
        ([], ["example.com"], "eve@example.com", "other.test", False),
        ([], ["example.com"], "eve@example.com", "", False),
        ([], ["example.com"], "eve@example.com", ["example.com"], False),
        ([], ["example.com"], "eve@other.test", "example.com", False),
        ([], ["example.com"], "eve@sub.example.com", None, False),
        ([], ["example.com"], "eve@badexample.com", None, False),
        ([], ["example.com"], "example.com", None, False),
        ([], ["example.com"], "eve@example.com@other.test", None, False),
        (["ada@example.com"], ["other.test"], "eve@other.test", None, True),
    ],
)
def test_whose_account_may_sign_in(
    emails: list[str], domains: list[str], email: str, organisation: object, may: bool
) -> None:
    accounts = Accounts(frozenset(emails), frozenset(domains))
    assert accounts.allow(email, organisation) is may


@pytest.fixture(scope="module")
def chosen(make_server_in: MakeServer, accounts: str, database: str) -> AppServer:
    """Sessions on the database of `google`, for the accounts of example.com and one more."""
    return make_server_in(
        GOOGLE_METADATA_URL=accounts + METADATA,
        DATABASE_URL=database,
        ALLOWED_EMAILS="Mary@Other.test",
        ALLOWED_EMAIL_DOMAINS=" @example.com , ",
        **GOOGLE,
    )


@pytest.mark.parametrize(
    ("sub", "claims"),
    [
        ("ada-a", {}),
        ("grace-a", {"hd": "example.com"}),
        ("mary-a", {"email": "mary@other.test"}),
    ],
)
def test_an_account_that_is_named_signs_in(
    chosen: AppServer, accounts: str, sub: str, claims: dict[str, object]
) -> None:
    know(accounts, sub, **claims)
    visitor = Browser(chosen.url)
    answer = google_sign_in(visitor, sub)
    assert answer.status_code == 303, answer.text
    assert is_signed_in(visitor)


@pytest.mark.parametrize(
    ("sub", "claims"),
    [("eve-a", {"email": "eve@other.test"}), ("bob-a", {"hd": "other.test"})],
)
def test_an_account_that_may_not_is_told_whom_to_ask(
    chosen: AppServer, accounts: str, database: str, sub: str, claims: dict[str, object]
) -> None:
    know(accounts, sub, **claims)
    visitor = Browser(chosen.url)
    answer = google_sign_in(visitor, sub)
    assert_explained(visitor, answer, 403, TITLE)
    assert "Ask whoever runs it" in answer.text
    email = claims.get("email", f"{sub}@example.com")
    assert email not in values_in(database, "SELECT email FROM users")
    assert str(email) not in chosen.log


def test_who_was_signed_in_before_is_signed_out_and_stays_a_guest(
    google: AppServer, chosen: AppServer, accounts: str, database: str
) -> None:
    know(accounts, "ada-b")
    know(accounts, "eve-b", email="eve@other.test")
    ada, eve = Browser(google.url), Browser(google.url)
    google_sign_in(ada, "ada-b")
    slug = ada.start_session("Engines", "ANYONE")
    eve.be_guest(slug, "Eve")
    as_guest = eve.http.cookies["sessions_login"]
    google_sign_in(eve, "eve-b")
    old = eve.page(slug)

    async def lost() -> int | None:
        await old.connect()
        moved = Browser(chosen.url)
        carry(moved, eve.http.cookies["sessions_login"])
        await asyncio.to_thread(start_refused, moved)
        return await old.until_closed()

    def start_refused(moved: Browser) -> None:
        assert moved.http.post("/sessions").headers["location"] == "/sign-in"
        assert not is_signed_in(moved)

    before = sql(database, "SELECT count(*) FROM logins")[0][0]
    assert asyncio.run(lost()) is not None, "by the other server, which sees the key gone"
    assert sql(database, "SELECT count(*) FROM logins")[0][0] == before - 1

    # A key that isn't allowed is nobody's at a session's door, too; a guest's is what it was.
    google_sign_in(eve, "eve-b")
    login = Browser(chosen.url)
    carry(login, eve.http.cookies["sessions_login"])
    answer = login.http.post(f"/s/{slug}/join", headers=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unknown_visitor")
    guest = Browser(chosen.url)
    carry(guest, as_guest)
    assert guest.http.get(f"/s/{slug}").status_code == 200
    member = Browser(chosen.url)
    carry(member, ada.http.cookies["sessions_login"])
    assert is_signed_in(member)
    assert member.join(slug)["you"]["role"] == "HOST"


def test_the_development_sign_in_asks_the_same_list(make_server: MakeServer) -> None:
    server = make_server(ALLOWED_EMAILS="ada@example.com")
    assert "Sign out" in Browser(server.url).sign_in("Ada").http.get("/").text
    form = {"name": "Eve", "email": "eve@example.com"}
    answer = Browser(server.url).http.post("/sign-in/dev", data=form)
    assert answer.status_code == 403
    assert TITLE in answer.text
