"""Deleting is real: sound goes by its age, with its session, its space and its person."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.audio.kept import JSON, Kept, over, says
from tests.speech.gladia_rooms import WORDS
from tests.support.app_server import AppServer
from tests.support.visitors import Visitor
from tests.support.waiting import until

NOTED = "SELECT count(*) FROM discarded_recordings"


@pytest.fixture
def kept(place: AppServer) -> Kept:
    return Kept(place)


async def said(kept: Kept, who: Visitor) -> Path:
    """Say something, end the session, and return the file that has it."""
    async with kept.page(who) as page:
        await says(page, *WORDS[:3])
    await over(kept)
    [file] = await asyncio.to_thread(kept.files)
    return file


async def goes(kept: Kept, file: Path) -> None:
    """Wait until nothing of a file is left, not even the note that it has to go."""
    await until(lambda: not file.exists() and not file.parent.exists())
    await until(lambda: asyncio.to_thread(lambda: kept.tables.one(NOTED) == 0))


async def test_what_is_old_goes_and_its_words_stay(kept: Kept) -> None:
    file = await said(kept, kept.owner)
    [(recording, _, _)] = await asyncio.to_thread(kept.rows)
    old = "UPDATE recordings SET expires_at = now() - interval '1 second' WHERE id = $1::uuid"
    await asyncio.to_thread(kept.tables, old, recording)
    assert (await asyncio.to_thread(kept.hear, kept.owner, recording)).status_code == 404
    await goes(kept, file)
    text = await asyncio.to_thread(kept.owner.http.get, f"/s/{kept.slug}")
    assert WORDS[0] in text.text
    assert 'data-sound="' not in text.text


async def test_a_session_takes_it_along(kept: Kept) -> None:
    file = await said(kept, kept.owner)
    [(recording, _, _)] = await asyncio.to_thread(kept.rows)
    asked = await asyncio.to_thread(kept.owner.http.get, f"/s/{kept.slug}/delete")
    assert "its sound: 0:0" in asked.text
    answer = await asyncio.to_thread(
        lambda: kept.owner.http.post(f"/s/{kept.slug}/delete", headers=JSON)
    )
    assert answer.status_code == 204
    assert (await asyncio.to_thread(kept.hear, kept.owner, recording)).status_code == 404
    await goes(kept, file)


async def test_a_space_takes_it_along_in_mid_session(kept: Kept) -> None:
    async with kept.page(kept.owner) as page:
        await says(page, *WORDS[:3])
        [file] = await until(lambda: asyncio.to_thread(kept.files))
        name = await asyncio.to_thread(
            kept.tables.one, "SELECT name FROM spaces WHERE id = $1::uuid", kept.space
        )
        other = {"name": "Another"}
        await asyncio.to_thread(lambda: kept.owner.http.post("/spaces", data=other, headers=JSON))
        address, form = f"/spaces/{kept.space}/delete", {"name": name}
        answer = await asyncio.to_thread(
            lambda: kept.owner.http.post(address, data=form, headers=JSON)
        )
        assert answer.status_code == 204
    await goes(kept, file)


async def test_a_person_takes_theirs_along_and_saves_where_it_is(
    place: AppServer, kept: Kept
) -> None:
    bob = await asyncio.to_thread(Visitor(place.url).sign_in, "Bob")
    async with kept.page(bob) as page, kept.page(kept.owner) as other:
        await says(page, *WORDS[:3])
        await says(other, *WORDS[3:6])
    await over(kept, recordings=2)
    files = await asyncio.to_thread(kept.files)
    saved = await asyncio.to_thread(bob.http.get, "/profile/account/export")
    [part] = [one for one in json.loads(saved.text)["participations"] if "recordings" in one]
    [recording] = part["recordings"]
    assert recording["seconds"] > 1
    heard = await asyncio.to_thread(bob.http.get, recording["address"])
    assert (heard.status_code, len(heard.content)) == (200, recording["bytes"])
    [mine] = [file for file in files if file.stem in recording["address"]]
    [others] = [file for file in files if file != mine]
    form = {"confirm": "bob@example.com"}
    answer = await asyncio.to_thread(
        lambda: bob.http.post("/profile/account/delete", data=form, headers=JSON)
    )
    assert answer.status_code == 204
    await until(lambda: not mine.exists())
    assert others.exists()
    assert (await asyncio.to_thread(kept.hear, kept.owner, others.stem)).status_code == 200
