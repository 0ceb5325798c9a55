"""Signing in with an OpenID provider, step by step, and what shows who is signed in."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import httpx2
import itsdangerous

from core.settings.keys import COOKIE as COOKIE_PURPOSE
from core.settings.keys import derived
from tests.emulators.openid import (
    CLIENT_ID,
    CLIENT_SECRET,
)
from tests.support.http import Browser, outside
from tests.support.visitors import Visitor

CALLBACK = "/api/auth/callback/google"
COOKIE = "sessions_login"
HOST_COOKIE = "__Host-sessions_login"  # under https
LOGIN_SECRET = "only-for-tests-" * 3
COOKIE_KEY = derived(LOGIN_SECRET, purpose=COOKIE_PURPOSE)
PUBLIC = "https://meet.example.com"
COOKIE_LIMIT = 4096  # bytes of name and value, RFC 6265, section 6.1
GOOGLE = {
    "GOOGLE_CLIENT_ID": CLIENT_ID,
    "GOOGLE_CLIENT_SECRET": CLIENT_SECRET,
    "NEXTAUTH_SECRET": LOGIN_SECRET,
    "SPEECH_ENGINE": "off",
}


@contextmanager
def real_provider() -> Iterator[str]:
    """A real OpenID provider with accounts; yields its address."""
    with warnings.catch_warnings(record=True):
        # It imports parts of Authlib that are going away, and says so. Authlib asks for these
        # warnings once, when it is first imported, which another test may have done already.
        warnings.simplefilter("ignore")
        import oidc_provider_mock
    with oidc_provider_mock.run_server_in_thread() as running:
        yield f"http://localhost:{running.server_port}"


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


def begin(visitor: Browser, target: str = "/", path: str = "/sign-in/google") -> str:
    """Press "Continue with Google", or another's button, and return where that leads."""
    answer = visitor.http.get(path, params={"next": target})
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
    """The visitor reads what happened and can try again; nobody is signed in."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert f"<h1>{title}</h1>" in answer.text
    assert 'href="/sign-in"' in answer.text
    assert "Traceback" not in answer.text
    assert not is_signed_in(visitor)


def carry(visitor: Browser, cookie: str) -> None:
    """Give a browser another login cookie."""
    visitor.http.cookies.clear()
    visitor.http.cookies.set(COOKIE, cookie, domain="localhost.local")


def signed(kept: dict[str, object], *, as_before: bool = False) -> str:
    """Return a login cookie's value; `as_before`: of a release that signed with the secret."""
    signer = itsdangerous.TimestampSigner(LOGIN_SECRET if as_before else COOKIE_KEY)
    return signer.sign(base64.b64encode(json.dumps(kept).encode())).decode()


def cookie_of(answer: httpx2.Response, name: str = COOKIE) -> tuple[str, set[str]]:
    """Return the login cookie's value and its attributes in small letters."""
    first, *attributes = answer.headers["set-cookie"].split("; ")
    found, _, value = first.partition("=")
    assert found == name
    return value, {attribute.lower() for attribute in attributes}


def values_in(database: str, sql: str) -> list[object]:
    """Return the first column of what a query finds."""

    async def fetch() -> list[object]:
        connection = await asyncpg.connect(database)
        rows = await connection.fetch(sql)
        await connection.close()
        return [row[0] for row in rows]

    return asyncio.run(fetch())


def name_shown(visitor: Visitor) -> str:
    """Return who the start page says is signed in."""
    found = re.search(r'class="who"[^>]*>([^<]*)<', visitor.http.get("/").text)
    return found[1] if found else ""
