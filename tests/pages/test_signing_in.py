"""The pages to sign in with, where there is more than a name to give: see test_every_page."""

from __future__ import annotations

import pytest

from core.settings.providers import PREFIXES
from tests.conftest import MakeServer
from tests.support.browser import Browsers
from tests.support.sign_in import GOOGLE
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


@pytest.mark.parametrize("language", LANGUAGES)
async def test_signing_in(many: str, browsers: Browsers, language: str) -> None:
    walk = await Walk.begin(browsers, language, many)
    await walk.goto("/", "landing-with-providers")
    await walk.goto("/sign-in", "sign-in-with-providers")
    assert not walk.wrong, "\n".join(walk.wrong)
    assert not browsers.errors
