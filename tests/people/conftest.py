"""OpenID providers, and Sessions that signs in with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import MakeServer
from tests.emulators.openid import (
    METADATA,
    Provider,
)
from tests.support.app_server import AppServer
from tests.support.sign_in import GOOGLE, PUBLIC, claims_of, real_provider


@pytest.fixture(scope="module")
def accounts() -> Iterator[str]:
    """The address of an OpenID provider with accounts."""
    with real_provider() as address:
        yield address


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
