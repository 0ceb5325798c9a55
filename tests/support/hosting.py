"""What a host sees of those who are here and of those who knock."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.app_server import AppServer
from tests.support.visitors import RoomPage, Visitor


def guest(place: AppServer, slug: str, name: str = "Bob") -> Visitor:
    return Visitor(place.url).be_guest(slug, name)


def waiting(page: RoomPage) -> list[str]:
    return [one["name"] for one in page.of_type("people")[-1]["waiting"]]


def first_person(page: RoomPage) -> dict[str, Any]:
    told = page.of_type("people")
    found: dict[str, Any] = told[-1]["people"][0] if told else {}
    return found


def identity_of(page: RoomPage, name: str) -> str:
    told = page.of_type("people")[-1]
    found = [one for one in told["people"] + told["waiting"] if one["name"] == name]
    identity: str = found[0]["identity"]
    return identity


async def knocked(host: RoomPage, who: Visitor, slug: str, name: str) -> str:
    """Let somebody knock, and return the identity under which the host sees them."""
    status, answer = await asyncio.to_thread(who.knock, slug)
    assert (status, answer.pop("hosts")) == (202, 1)
    assert answer == {"waiting": True, "session": {"title": "Engines"}}
    await host.until(lambda: host.of_type("people") and name in waiting(host))
    return identity_of(host, name)
