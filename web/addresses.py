"""Whom limits per address count: one IPv4 address, or one IPv6 network of a customer."""

from __future__ import annotations

import ipaddress

from starlette.requests import HTTPConnection

# Who has one IPv6 address has the 2^64 of its /64 (RFC 6177), so they count as one.
IPV6_NETWORK = 64
UNKNOWN = "unknown"


def address_of(connection: HTTPConnection) -> str:
    """Return the key under which limits count who is asking."""
    return network_of(connection.client.host) if connection.client else UNKNOWN


def network_of(host: str) -> str:
    """Return an IPv4 address as it is, also one mapped into IPv6; of IPv6 the /64, as `net/64`.

    What is no address comes of a header that somebody made up; all of that counts as one.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, IPV6_NETWORK), strict=False))
