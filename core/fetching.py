"""Fetches a picture from the address that a provider gives for it, and from nowhere inside.

Whoever signs in may have any address stand there, at providers that let them choose it, and this
server reaches what they don't: its own network, a cloud's metadata, PostgreSQL. So only https at
its usual port is spoken, and only to addresses that are everybody's. A name is looked up once, and
what was looked at is connected to: were it looked up again to connect, a name whose answers change
from one question to the next would lead inside after all. Each redirect is looked at as well.

The provider itself may be anywhere, as the operator named it: a picture of its own server, by its
own scheme and port, is fetched from there.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Literal

import httpx2

from core.picture import MAX_FILE, PictureError

WITHIN_S = 5.0  # for all of it: looking up, redirects, the picture
MAX_LENGTH = 1000  # characters of an address, as the table has it
MAX_REDIRECTS = 3
MAX_TRIED = 3  # addresses of a name, one after the other
HTTPS = 443
OK, REDIRECTS = 200, (301, 302, 303, 307, 308)

# `address`: it may not be fetched from there. `away`: it isn't there. `slow`: it took too long.
Trouble = Literal["address", "away", "slow"]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[list[Address]]]

# Within these is an address of IPv4, which may be one of inside: NAT64, 6to4 and Teredo.
_CARRIERS = [ipaddress.ip_network(one) for one in ("64:ff9b::/96", "2002::/16", "2001::/32")]


class FetchError(Exception):
    """There is no picture to be had; `trouble` says why."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble)
        self.trouble: Trouble = trouble


def offered(claim: object, own: str | None) -> str | None:
    """Return what a provider says of where a picture is, if it is an address to keep.

    `own` is the address of the provider itself.
    """
    if not isinstance(claim, str) or not 0 < len(claim) <= MAX_LENGTH:
        return None
    if not (claim.isascii() and claim.isprintable()):
        return None
    try:
        _checked(claim, own)
    except FetchError:
        return None
    return claim


async def fetched(
    address: str,
    own: str | None,
    *,
    resolve: Resolve | None = None,
    verify: ssl.SSLContext | None = None,
) -> bytes:
    """Return the file at an address, which isn't looked at yet. Raises FetchError, PictureError.

    `own` is the address of the provider, where anything may be. `resolve` looks names up, and
    `verify` knows certificates: else as the system does.
    """
    try:
        async with asyncio.timeout(WITHIN_S):
            if verify is None:
                verify = await asyncio.to_thread(_certificates)
            async with httpx2.AsyncClient(
                verify=verify,
                trust_env=False,  # a proxy would look names up itself
                timeout=WITHIN_S,
                headers={"Accept": "image/*", "Accept-Encoding": "identity"},
            ) as client:
                for _ in range(1 + MAX_REDIRECTS):
                    url, is_own = _checked(address, own)
                    answer = await _asked(client, url, resolve or resolved, is_own=is_own)
                    if isinstance(answer, bytes):
                        return answer
                    address = answer
    except (TimeoutError, httpx2.TimeoutException):
        raise FetchError("slow") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError):
        raise FetchError("away") from None
    raise FetchError("away")  # it leads from one address to another for ever


def is_everybodys(address: Address) -> bool:
    """Whether an address is one of the public network, and none that carries another in it."""
    if isinstance(address, ipaddress.IPv6Address) and any(address in one for one in _CARRIERS):
        return False
    return address.is_global and not address.is_multicast


async def resolved(host: str, port: int) -> list[Address]:
    """Return the addresses of a name, or the one that it is."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]


@cache
def _certificates() -> ssl.SSLContext:
    """Return what is known of certificates: to read them takes 25 ms, once."""
    return httpx2.create_ssl_context()


def _checked(address: str, own: str | None) -> tuple[httpx2.URL, bool]:
    """Return an address that may be asked, and whether it is the provider's. Raises FetchError."""
    try:
        url = httpx2.URL(address)
        is_own = own is not None and _origin(url) == _origin(httpx2.URL(own))
    except httpx2.InvalidURL:
        raise FetchError("address") from None
    usual = url.scheme == "https" and url.port in (None, HTTPS)
    if not url.host or url.userinfo or not (usual or is_own):
        raise FetchError("address")
    return url, is_own


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port  # a usual port is None


async def _asked(
    client: httpx2.AsyncClient, url: httpx2.URL, resolve: Resolve, *, is_own: bool
) -> bytes | str:
    """Return what is at an address, or where that leads. Raises FetchError, and as httpx does."""
    host = url.raw_host.decode()
    port = url.port or (HTTPS if url.scheme == "https" else 80)
    found = await resolve(host, port)
    # All of them: who has one of outside among those of inside isn't to be reached by chance.
    if not (is_own or all(is_everybodys(one) for one in found)):
        raise FetchError("address")
    for one in found[:MAX_TRIED]:
        there = url.copy_with(host=str(one))
        try:
            return await _from(client, there, url)
        except httpx2.ConnectError:
            continue
    raise FetchError("away")


async def _from(client: httpx2.AsyncClient, there: httpx2.URL, url: httpx2.URL) -> bytes | str:
    """Ask the server at an address for what another name of it stands for: see `_asked`."""
    async with client.stream(
        "GET",
        there,
        headers={"Host": url.netloc.decode()},
        extensions={"sni_hostname": url.raw_host.decode()},  # whose certificate it must show
    ) as answer:
        if answer.status_code in REDIRECTS and "location" in answer.headers:
            return str(url.join(answer.headers["location"]))
        if answer.status_code != OK or "content-encoding" in answer.headers:
            raise FetchError("away")
        file = bytearray()
        async for piece in answer.aiter_raw():
            file += piece
            if len(file) > MAX_FILE:
                raise PictureError("large")
        return bytes(file)
