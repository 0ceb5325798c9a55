"""Characters that nobody types: in addresses, cookies, tokens and webhooks. Never our mistake."""

from __future__ import annotations

import base64
import json
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from core.settings.keys import TOKEN, derived
from tests.conftest import MakeServer
from tests.emulators.livekit.tokens import webhook_token
from tests.support import ROOT
from tests.support.app_server import AppServer
from tests.support.http import Browser, outside
from tests.support.sign_in import LOGIN_SECRET, carry, signed
from tests.support.socket_client import SocketClient
from tests.support.visitors import Visitor

# The same each time, and few: what is looked for is one character in one place.
FEW = settings(
    derandomize=True,
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NUL, LONG = "\0", "p_" + "x" * 3000
ODD = some.sampled_from([NUL, "p_\0", "\ud800", "%", "é", "..", " ", LONG, "\x7f", "{identity}"])
TEXT = ODD | some.text(max_size=12)
PATHS = sorted(set(re.findall(r' Route\(\s*"([^"]+)"', (ROOT / "app.py").read_text())))
METHODS = some.sampled_from(["GET", "POST"])
KEY, SECRET = "devkey", "secret"  # of LiveKit, as it is in development


@dataclass
class Place:
    """A server, a host of a session there, and the session."""

    server: AppServer
    host: Visitor
    slug: str


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer) -> Place:
    server = make_server_in(
        NEXTAUTH_SECRET=LOGIN_SECRET, TRANSCRIPTION_JWT_SECRET=LOGIN_SECRET, RATE_LIMIT_FACTOR="100"
    )
    host = Browser(server.url).sign_in("Ada Lovelace")
    return Place(server, host, host.start_session("Engines", "KNOCK"))


def quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass").replace(".", "%2E")


@FEW
@example("/s/{slug}/people/{identity}/admit", "POST", NUL, None)
@example("/s/{slug}/people/{identity}/deny", "POST", NUL, None)
@example("/s/{slug}/people/{identity}/mute", "POST", NUL, None)
@example("/s/{slug}/people/{identity}/remove", "POST", NUL, None)
@example("/s/{slug}/people/{identity}/host", "POST", NUL, None)
@example("/s/{slug}/people/{identity}/lower-hand", "POST", "p_\0", None)
@given(some.sampled_from(PATHS), METHODS, TEXT, some.none() | TEXT)
def test_no_address_is_our_mistake(
    place: Place, path: str, method: str, odd: str, slug: str | None
) -> None:
    """`slug`: None for the session's own."""
    if path.endswith(("/end", "/end-all", "/delete", "/sign-out")):
        return
    own = path.replace("{slug}", place.slug if slug is None else quoted(slug))
    address = own.replace("{identity}", quoted(odd)) + f"?next={quoted(odd)}&state={quoted(odd)}"
    form = {"title": odd.encode(errors="replace").decode()} if method == "POST" else None
    answer = place.host.http.request(method, address, data=form)
    assert answer.status_code < 500, address
    if "{identity}" in path and method == "POST":
        assert answer.status_code in {401, 404}, address


# What we have signed ourselves: who has the secret can do more than that, but an older release or a
# neighbour with the same secret may have signed it, too.

VALUES = TEXT | some.none() | some.integers() | some.lists(some.text(max_size=3), max_size=2)


@FEW
@example({"login": "\ud800", "guests": {"": NUL}}, NUL)
@example({"login": NUL, "_state_google_": {"exp": "x", "data": {}}}, [])
@given(some.dictionaries(some.sampled_from(["login", "guests", "x"]), VALUES, max_size=3), VALUES)
def test_no_cookie_is_our_mistake(place: Place, kept: dict[str, Any], guest: object) -> None:
    browser = Browser(place.server.url)
    cookie = signed(kept | {"guests": {place.slug: guest}} if len(kept) % 2 else kept)
    for path in ("/", f"/s/{place.slug}"):
        carry(browser, cookie)
        assert browser.http.get(path).status_code < 500, (path, kept)
    carry(browser, cookie)
    assert browser.http.post(f"/s/{place.slug}/join").status_code < 500


async def test_no_token_is_our_mistake(place: Place) -> None:
    client = SocketClient(place.server)
    token = place.host.join(place.slug)["transcription"]["token"]
    good = jwt.decode(token, options={"verify_signature": False})
    odd_values: list[Any] = [NUL, "p_\0", "\ud800", "é", "", LONG[:500], 7, None, [], {"a": 1}]
    for name in ("sub", "sid", "sessionId", "sessionSlug", "identity", "name"):
        for value in odd_values:
            odd = jwt.encode(good | {name: value}, derived(LOGIN_SECRET, TOKEN), "HS256")
            status, _ = await client.attempt(odd)
            assert status in {101, 401, 404}, (name, value)
            if status == 101:
                await client.opened[-1].close()


# LiveKit's webhooks


def tell(place: Place, event: dict[str, Any]) -> int:
    body = json.dumps(event).encode()
    headers = {
        "Content-Type": "application/webhook+json",
        "Authorization": webhook_token(body, KEY, SECRET),
    }
    url = f"{place.server.url}/hooks/livekit"
    return outside("POST", url, content=body, headers=headers).status_code


def event_of(place: Place, kind: str, **more: Any) -> dict[str, Any]:
    event = {
        "event": kind,
        "id": base64.b32encode(str(time.monotonic_ns()).encode()).decode(),
        "createdAt": str(int(time.time())),
        "room": {"name": place.slug},
        "participant": {"identity": "p_1"},
    }
    return event | more


KINDS = ["participant_joined", "participant_left", "room_finished", "room_started"]
pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("odd", "status"),
    [
        ({"id": "EV_\0"}, 400),
        ({"id": "x" * 201}, 400),
        ({"createdAt": "9223372036854775807"}, 400),
        ({"createdAt": "-9223372036854775808"}, 400),
        ({"room": {"name": "\0"}}, 204),
        ({"participant": {"identity": "p_\0"}}, 204),
        ({"participant": {"identity": "x" * 5000}}, 204),
        ({}, 204),
    ],
)
def test_an_odd_webhook_is_refused_or_nobodys(
    place: Place, kind: str, odd: dict[str, Any], status: int
) -> None:
    assert tell(place, event_of(place, kind, **odd)) == status


@FEW
@given(
    some.sampled_from(KINDS),
    some.dictionaries(some.sampled_from(["id", "createdAt", "event"]), TEXT | some.integers()),
    TEXT,
    some.none() | TEXT,
)
def test_no_webhook_is_our_mistake(
    place: Place, kind: str, odd: dict[str, Any], identity: str, room: str | None
) -> None:
    event = event_of(place, kind, participant={"identity": identity})
    if room is not None:
        event["room"] = {"name": room}
    assert tell(place, event | odd) in {204, 400, 401}
