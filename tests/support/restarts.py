"""People who speak while their server is restarted, and what comes of their words."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from typing import Any

import asyncpg

from tests.emulators.wordaudio import vocabulary
from tests.support.app_server import AppServer
from tests.support.talker import Talker
from tests.support.visitors import RoomPage, Visitor
from tests.support.waiting import until


async def restart_while_people_speak(
    server: AppServer, people: int, ends: Iterable[str], seed: int
) -> None:
    """End the server (`stop` or `kill`) and start it again at random moments, and compare.

    Every word must be in the transcript once, whole, and in the order in which its person said it;
    and on every page, which has seen all of it come.
    """
    source = random.Random(seed)
    host = Visitor(server.url).sign_in("Person 0")
    slug = host.start_session()
    names = [f"Person {number}" for number in range(people)]
    guests = [Visitor(server.url).be_guest(slug, name) for name in names[1:]]
    talkers = [
        Talker(one.page(slug), vocabulary(1_000, seed=100 * seed + number), source)
        for number, one in enumerate([host, *guests])
    ]
    for one in talkers:
        await one.start()
    talking = [asyncio.create_task(one.talk()) for one in talkers]
    try:
        for end in ends:
            await asyncio.sleep(source.uniform(0.3, 2.5))
            await asyncio.to_thread(getattr(server, end))
            await asyncio.sleep(source.uniform(0.0, 0.5))
            await asyncio.to_thread(server.start)
        await asyncio.sleep(source.uniform(0.5, 2.0))
    finally:
        for one in talkers:
            one.hush()
        await asyncio.gather(*talking)
    said = {name: one.words for name, one in zip(names, talkers, strict=True)}

    async def stored() -> bool:
        return await _stored(server) == said

    try:
        await until(stored, seconds=60)
    except AssertionError:
        _compare(await _stored(server), said)
        raise
    for one in talkers:
        await one.page.until(lambda: _shown(one.page) == said)  # noqa: B023 - at once
        await one.leave()


def _compare(heard: dict[str, list[str]], said: dict[str, list[str]]) -> None:
    """Tell of each person what is missing, and what is too much or damaged."""
    for name, words in said.items():
        there = heard.get(name, [])
        missing = [word for word in words if word not in there]
        extra = [word for at, word in enumerate(there) if word not in words or word in there[:at]]
        assert (missing, extra) == ([], []), f"{name}: {len(there)} of {len(words)}"
        assert there == words, f"{name}: the order is wrong"


async def _stored(server: AppServer) -> dict[str, list[str]]:
    """Return each person's words as they are in the database, in order."""
    connection = await asyncpg.connect(server.database_url)
    try:
        rows = await connection.fetch(
            "SELECT p.name, string_agg(u.text, ' ' ORDER BY u.seq) AS text"
            " FROM utterances u JOIN participants p USING (identity) GROUP BY p.name"
        )
    finally:
        await connection.close()
    return {row["name"]: row["text"].split() for row in rows}


def _shown(page: RoomPage) -> dict[str, list[str]]:
    """Return each person's words as a page shows them: see static/js/room/transcript.js."""
    finals: dict[str, dict[str, Any]] = {}
    for message in page.messages:
        if message["type"] == "welcome":  # what it may not count on is shown again
            finals = {key: one for key, one in finals.items() if one["seq"] <= message["seq"]}
        elif message["type"] == "utterance" and message["final"]:
            finals[message["id"]] = message
    words: dict[str, list[str]] = {}
    for one in sorted(finals.values(), key=lambda one: one["seq"]):
        words.setdefault(one["name"], []).extend(one["text"].split())
    return words
