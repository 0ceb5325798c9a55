"""Inputs that are nearly right, which reach further into a parser than noise does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as some

# What parsers stumble over: ends of numbers, nesting, escapes, signs of other formats.
ODD = [
    b"\x00",
    b"\xff",
    b"\xc3",
    b'"',
    b"\\u0000",
    b"\\ud800",
    b"1e999",
    b"1e308",
    b"-1",
    b"NaN",
    b"9007199254740993",
    b"18446744073709551616",
    b"[" * 2000,
    b'{"a":' * 2000,
    b',"x":' + b"[" * 2000,
    b"%00",
    b"%",
    b"&" * 100,
    b"=",
    b"\r\n",
    b"null",
    "\u202e".encode(),
]

# Any JSON, also numbers that no double can hold.
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20),
    lambda inner: (
        some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)


@some.composite
def mutated(draw: Any, samples: Sequence[bytes]) -> bytes:
    """Draw a sample with up to four pieces of it cut, doubled, or replaced."""
    data = draw(some.sampled_from(samples))
    for _ in range(draw(some.integers(0, 4))):
        start = draw(some.integers(0, len(data)))
        stop = min(len(data), start + draw(some.integers(0, 12)))
        piece = draw(
            some.sampled_from(ODD)
            | some.binary(max_size=6)
            | some.just(data[start:stop] * 2)
            | some.just(b"")
        )
        data = data[:start] + piece + data[stop:]
    return bytes(data)
