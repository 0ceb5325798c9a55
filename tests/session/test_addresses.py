"""Whom limits per address count."""

from __future__ import annotations

import pytest

from web.addresses import network_of


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("not an address", "unknown"),
        ("", "unknown"),
        ("x" * 5000, "unknown"),
    ],
)
def test_ipv6_addresses_of_one_network_count_as_one(host: str, counted: str) -> None:
    assert network_of(host) == counted
