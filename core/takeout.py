"""All that is kept about a person as one JSON, written as it is read: it needs no memory for all.

One thing stands on each line, so that it can be read, and found, without a program for JSON.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgspec

from core.database import Database
from core.store import takeout

FORMAT = "sessions-account-1"


async def written(db: Database, user_id: str, server: str, now: datetime) -> AsyncIterator[bytes]:
    """Yield the file of a user, piece by piece: UTF-8.

    `server` is the address of this one, `now` when the file was asked for. Of who is gone it says
    nothing.
    """
    head = {"format": FORMAT, "server": server, "exported_at": now}
    yield _member("about", head, first=True) + _member("person", await takeout.person(db, user_id))
    for name, few in (
        ("accounts", takeout.accounts),
        ("sign_ins", takeout.sign_ins),
        ("api_tokens", takeout.api_tokens),
        ("spaces", takeout.spaces),
    ):
        yield _opened(name) + lines_of(await few(db, user_id), first=True) + b"]"
    for part in takeout.PARTS:
        async for piece in _list(part, takeout.pages_of_part(db, user_id, part)):
            yield piece
    async for piece in _participations(db, user_id):
        yield piece
    yield b"}\n"


async def _participations(db: Database, user_id: str) -> AsyncIterator[bytes]:
    """Yield the sessions that somebody was in, each with what they said and wrote there."""
    yield _opened("participations")
    first = True
    async for page in takeout.participations(db, user_id):
        for one in page:
            identity, has = one.pop("identity"), one.pop("has")
            # Open, so that what was said there goes in.
            yield (b"\n" if first else b",\n") + msgspec.json.encode(one)[:-1]
            first = False
            for share, there in zip(takeout.SHARES, has, strict=True):
                if there:
                    pages = takeout.pages_of_share(db, identity, share)
                    async for piece in _list(share, pages):
                        yield piece
            yield b"}"
    yield b"]"


async def _list(name: str, pages: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    yield _opened(name)
    first = True
    async for page in pages:
        yield lines_of(page, first=first)
        first = False
    yield b"]"


def _member(name: str, value: object, *, first: bool = False) -> bytes:
    return (b"{" if first else b",\n") + b'"%s": ' % name.encode() + msgspec.json.encode(value)


def _opened(name: str) -> bytes:
    return b',\n"%s": [' % name.encode()


def lines_of(rows: list[dict[str, Any]], *, first: bool) -> bytes:
    """Return rows as members of a list, each on its own line."""
    told = b",".join(b"\n" + msgspec.json.encode(_shown(row)) for row in rows)
    return told if first or not rows else b"," + told


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "key"}
