"""Signing in with a name alone: in development, on this computer."""

from __future__ import annotations

import socket
from urllib.parse import urlencode

import pytest

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser, outside
from tests.support.sign_in import CALLBACK, PUBLIC, name_shown

# The provider's own library warns of itself; in this process, that would be an error.
pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")

DEV_FORM = {"name": "Ada", "email": "ada@example.com", "next": "/"}


def dev_sign_in(url: str, **headers: str) -> int:
    """Try the development sign-in and return the status."""
    own = {"Origin": url} | {name.replace("_", "-"): v for name, v in headers.items()}
    offered = "/sign-in/dev" in outside("GET", f"{url}/sign-in", headers=own).text
    answer = outside("POST", f"{url}/sign-in/dev", data=DEV_FORM, headers=own)
    assert offered == (answer.status_code == 303)
    assert ("set-cookie" in answer.headers) == offered
    return answer.status_code


def test_a_name_is_enough_on_this_computer(server: AppServer) -> None:
    assert dev_sign_in(server.url) == 303
    assert (
        dev_sign_in(server.url, Host=f"127.0.0.1:{server.port}", Sec_Fetch_Site="same-origin")
        == 303
    )


def test_the_name_typed_last_counts(server: AppServer) -> None:
    visitor = Browser(server.url)
    for name in ("Betty", "Betty Holberton"):
        visitor.http.post("/sign-in/dev", data={"name": name, "email": "betty@example.com"})
        assert name_shown(visitor) == name


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_For": "203.0.113.9"},
        {"X_Forwarded_For": "127.0.0.1"},
        {"X_Forwarded_For": ""},
        {"X_Forwarded_Host": "localhost"},
        {"X_Real_IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1;host=localhost"},
        {"Via": "1.1 proxy"},
        {"Host": "meet.example.com"},
        {"Host": "localhost.example.com"},
        {"Host": "127.0.0.1.example.com"},
        {"Host": "0.0.0.0"},
    ],
    ids=str,
)
def test_no_header_makes_a_stranger_local(server: AppServer, headers: dict[str, str]) -> None:
    assert dev_sign_in(server.url, Sec_Fetch_Site="same-origin", **headers) == 404


def own_address() -> str:
    """Return an address of this computer that isn't loopback; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this computer has no network address of its own")
        address: str = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this computer has no network address of its own")
    return address


def test_another_address_is_not_this_computer(make_server: MakeServer) -> None:
    server = make_server(HOST="0.0.0.0")
    assert dev_sign_in(server.url) == 303
    address = f"http://{own_address()}:{server.port}"
    claimed = f"localhost:{server.port}"
    assert dev_sign_in(address) == 404
    assert dev_sign_in(address, Host=claimed, Origin=server.url) == 404


def test_with_google_a_name_is_not_enough(google: AppServer) -> None:
    assert dev_sign_in(google.url) == 404


def test_in_production_a_name_is_never_enough(production: AppServer) -> None:
    for host in ("localhost", "meet.example.com"):
        assert dev_sign_in(production.url, Host=host, Origin=PUBLIC) == 404


def test_google_is_not_offered_without_its_settings(server: AppServer) -> None:
    assert "/sign-in/google" not in outside("GET", server.url).text
    assert outside("GET", f"{server.url}/sign-in/google").status_code == 404
    query = urlencode({"code": "a", "state": "b"})
    assert outside("GET", f"{server.url}{CALLBACK}?{query}").status_code == 404


@pytest.mark.parametrize(
    "form",
    [
        {"name": "", "email": "ada@example.com"},
        {"name": " \u200b\t", "email": "ada@example.com"},
        {"name": "Ada", "email": "ada"},
        {},
    ],
)
def test_an_incomplete_name_is_asked_for_again(server: AppServer, form: dict[str, str]) -> None:
    answer = Browser(server.url).http.post("/sign-in/dev", data=form)
    assert answer.status_code == 422
    assert "/sign-in/dev" in answer.text
    assert "set-cookie" not in answer.headers
