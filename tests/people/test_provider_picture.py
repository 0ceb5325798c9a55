"""A provider's picture as an offer: taken at a click, and fetched from nowhere inside."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from core import fetching
from core.fetching import Address, FetchError, fetched, is_everybodys, offered
from core.picture import MAX_FILE, PictureError
from tests.emulators.openid import Provider
from tests.people.test_avatar import drawn, kept, shown
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.sign_in import claims_of, quick_sign_in
from tests.support.tables import Tables
from tests.support.tls import behind_tls

pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")
HTML = {"Accept": "text/html"}
TAKE = "/profile/picture/provider"
OFFER = "Use the picture of your Google account"
PUBLIC = "https://pictures.example.com/me.png"


def arrive(site: AppServer, provider: Provider, picture: object) -> Browser:
    """Sign in as somebody of whom the provider says where a picture is."""
    provider.claims = claims_of("noether", "Emmy Noether") | {"picture": picture}
    visitor = Browser(site.url)
    assert quick_sign_in(visitor).status_code == 303
    return visitor


def take(who: Browser) -> httpx2.Response:
    return who.http.post(TAKE, headers=HTML)


def test_it_is_taken_at_a_click_and_can_be_another_later(
    strict: AppServer, bad_provider: Provider
) -> None:
    bad_provider.files["/me.png"] = (200, {}, drawn())
    emmy = arrive(strict, bad_provider, f"{bad_provider.url}/me.png")
    assert OFFER in emmy.http.get("/welcome/picture").text
    assert OFFER in emmy.http.get("/profile").text
    assert shown(emmy) is None, "nothing is fetched before they say so"
    answer = emmy.http.post(f"{TAKE}?welcome", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/welcome/picture")
    assert kept(strict, emmy).size == (256, 256)
    answer = take(emmy)
    assert (answer.status_code, answer.headers["location"]) == (303, "/profile?saved=picture")
    # By a redirect, and at the next sign-in it is elsewhere.
    bad_provider.files["/moved"] = (302, {"Location": "/me.png"}, b"")
    emmy = arrive(strict, bad_provider, f"{bad_provider.url}/moved")
    assert emmy.http.post(TAKE).status_code == 204
    emmy = arrive(strict, bad_provider, None)
    assert OFFER not in emmy.http.get("/profile").text
    assert take(emmy).status_code == 404
    assert shown(emmy), "what was taken stays"
    assert Browser(strict.url).http.post(TAKE).status_code == 401
    foreign = emmy.http.post(TAKE, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403


@pytest.mark.parametrize(
    "picture",
    [
        "http://pictures.example.com/me.png",
        "ftp://pictures.example.com/me.png",
        "https://pictures.example.com:8443/me.png",
        "https://somebody@pictures.example.com/me.png",
        "https:///me.png",
        "/me.png",
        "data:image/png;base64,AAAA",
        "file:///etc/passwd",
        f"https://pictures.example.com/{'x' * 1000}",
        "https://pictures.example.com/\n",
        "https://pictures.example.com/ü",
        "https://[::1/",
        "",
        7,
        ["https://pictures.example.com/me.png"],
    ],
)
def test_what_is_no_such_address_is_no_offer(picture: object) -> None:
    assert offered(PUBLIC, None) == PUBLIC
    assert offered(picture, "https://accounts.example.com") is None


def test_no_offer_is_shown_and_kept_of_what_is_none(
    strict: AppServer, bad_provider: Provider
) -> None:
    emmy = arrive(strict, bad_provider, "http://pictures.example.com/me.png")
    assert OFFER not in emmy.http.get("/profile").text
    assert take(emmy).status_code == 404
    tables = Tables(strict.database_url)
    assert tables.one("SELECT count(*) FROM accounts WHERE picture IS NOT NULL") == 0


INSIDE = "https://127.0.0.1/me.png"


@pytest.mark.parametrize(
    ("picture", "file", "status"),
    [
        (INSIDE, None, 422),
        ("https://localhost/me.png", None, 422),
        ("https://[::1]/me.png", None, 422),
        ("https://0/me.png", None, 422),
        ("https://169.254.169.254/latest/meta-data/", None, 422),
        ("https://no-such-host.invalid/me.png", None, 502),
        ("", (302, {"Location": INSIDE}, b""), 422),
        ("", (302, {"Location": "http://pictures.example.com/"}, b""), 422),
        ("", (302, {"Location": "/me.png"}, b""), 502),  # to itself, for ever
        ("", (404, {}, b"nothing"), 502),
        ("", (200, {"Content-Encoding": "gzip"}, drawn()), 502),
        (
            "",
            (200, {"Content-Type": "image/png"}, b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
            415,
        ),
        ("", (200, {"Content-Type": "image/png"}, b"<html>no picture</html>"), 415),
        ("", (200, {}, b""), 422),
        ("", (200, {}, drawn()[:90]), 422),
        ("", (200, {}, bytes(MAX_FILE + 1)), 413),
    ],
)
def test_what_cannot_be_had_is_refused_and_says_so(
    strict: AppServer,
    bad_provider: Provider,
    picture: str,
    file: tuple[int, dict[str, str], bytes] | None,
    status: int,
) -> None:
    if file:
        bad_provider.files["/me.png"] = file
    emmy = arrive(strict, bad_provider, picture or f"{bad_provider.url}/me.png")
    before = shown(emmy)
    answer = take(emmy)
    assert (answer.status_code, 'id="picture-problem"' in answer.text) == (status, True)
    assert emmy.http.post(TAKE).status_code == status
    assert shown(emmy) == before


@pytest.mark.parametrize(
    "inside",
    [
        *("127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0::1"),
    ],
)
def test_addresses_of_inside_are_known(inside: str) -> None:
    assert not is_everybodys(ipaddress.ip_address(inside))


def test_addresses_of_outside_are_known() -> None:
    for outside in ("8.8.8.8", "142.250.1.1", "2a00:1450:4001:80e::2001"):
        assert is_everybodys(ipaddress.ip_address(outside))


class Names:
    """Looks names up, each time with the next answer."""

    def __init__(self, *answers: str) -> None:
        self.answers = [*answers]
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(f"{host}:{port}")
        return [ipaddress.ip_address(one) for one in self.answers.pop(0).split()]


async def test_a_name_is_looked_up_once_and_with_all_its_addresses() -> None:
    """Who answers with an address of outside first and one of inside then gets no second turn."""
    for answers in (["10.0.0.1"], ["8.8.8.8 10.0.0.1"], ["::ffff:10.0.0.1"]):
        names = Names(*answers, "10.0.0.1")
        with pytest.raises(FetchError) as refused:
            await fetched(PUBLIC, None, resolve=names)
        assert refused.value.trouble == "address"
        assert names.asked == ["pictures.example.com:443"]


async def test_what_was_looked_at_is_connected_to_and_its_certificate_counts(
    provider: Provider, tmp_path: Path
) -> None:
    provider.files["/me.png"] = (200, {}, b"picture")
    authority = tmp_path / "authority.pem"
    async with behind_tls(provider.url, authority) as url:
        known = ssl.create_default_context(cafile=str(authority))
        port = url.rpartition(":")[2]
        names = Names("127.0.0.1", "10.0.0.1")
        assert await fetched(f"{url}/me.png", url, resolve=names, verify=known) == b"picture"
        assert names.asked == [f"localhost:{port}"]
        # Nobody else's name, although the same address is behind it.
        other = f"https://other.example:{port}"
        with pytest.raises(FetchError) as refused:
            names = Names("127.0.0.1")
            await fetched(f"{other}/me.png", other, resolve=names, verify=known)
        assert refused.value.trouble == "away"


async def test_what_is_too_large_is_let_go_while_it_comes(provider: Provider) -> None:
    provider.files["/me.png"] = (200, {}, bytes(MAX_FILE + 1))
    with pytest.raises(PictureError) as large:
        await fetched(f"{provider.url}/me.png", provider.url)
    assert large.value.flaw == "large"


async def test_it_has_so_many_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "WITHIN_S", 0.2)
    gone = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():  # a byte at a time: no single wait is long
            writer.write(b"x")
            await asyncio.sleep(0.02)
        with suppress(OSError):
            await writer.wait_closed()
        gone.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(FetchError) as late:
            await fetched(f"{url}/me.png", url)
        assert late.value.trouble == "slow"
        await gone.wait()
