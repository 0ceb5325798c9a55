"""The pages to sign in with, where there is more than a name to give: see test_every_page."""

from __future__ import annotations

import asyncio
import time

import pytest
from playwright.async_api import expect

from core.settings.providers import PREFIXES
from core.signed_links import account_link, owner_link
from tests.conftest import MakeServer
from tests.people.test_one_time_links import ALONE, SECRET
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.sign_in import GOOGLE
from tests.support.tables import Tables
from tests.support.walk import LANGUAGES, LONG_NAME, Walk

pytestmark = pytest.mark.browser

NAMES = ("Авторизация команды", LONG_NAME, "Keycloak")


@pytest.fixture(scope="module")
def many(make_server_in: MakeServer) -> str:
    """The address of a Sessions with as many providers as there can be."""
    others: dict[str, str] = {}
    for prefix, name in zip(PREFIXES, NAMES, strict=True):
        client = {"CLIENT_ID": "id", "CLIENT_SECRET": "secret", "NAME": name}
        client["ISSUER"] = f"https://{prefix.lower()}.example.com"
        others |= {f"{prefix}_{part}": value for part, value in client.items()}
    return make_server_in(**GOOGLE, **others).url


@pytest.fixture(scope="module")
def alone(make_server_in: MakeServer) -> AppServer:
    """Sessions in production, without a provider."""
    return make_server_in(**ALONE)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_signing_in(many: str, alone: AppServer, browsers: Browsers, language: str) -> None:
    chosen = await Walk.begin(browsers, language, many)
    await chosen.goto("/", "landing-with-providers")
    await chosen.goto("/sign-in", "sign-in-with-providers")

    owner = await Walk.begin(browsers, language, alone.url)
    page, tables = owner.page, Tables(alone.database_url)
    await asyncio.to_thread(tables, "DELETE FROM users")
    await owner.goto("/", "landing-without-a-provider")
    await owner.goto("/sign-in", "sign-in-without-a-provider")
    link = owner_link(SECRET, "", time.time())
    await owner.goto(link, "first-account")
    await page.locator("#owner-name").fill(LONG_NAME)
    await page.locator("#owner-email").fill("ada@other.test")
    await page.locator("#owner-email").evaluate(
        "one => { one.form.noValidate = true; one.value = 'ada'; }"
    )
    await page.locator("main form .button").click()
    await expect(page.locator("#owner-problem")).to_be_visible()
    await owner.look("first-account-refused")
    await page.locator("#owner-email").fill("ada@example.com")
    await page.locator("main form .button").click()
    await expect(page.locator(".who")).to_have_text(LONG_NAME)
    user = await asyncio.to_thread(tables.one, "SELECT id FROM users")
    await page.context.clear_cookies()
    await owner.goto(link, "link-used")
    await owner.goto(account_link(SECRET, "", str(user), time.time()), "link-of-an-account")
    await page.locator("main form .button").click()
    await expect(page.locator(".who")).to_have_text(LONG_NAME)
    assert not chosen.wrong + owner.wrong, "\n".join(chosen.wrong + owner.wrong)
    assert not browsers.errors
