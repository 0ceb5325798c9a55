"""Search finds lines by their translations, as long as these are shown, and leads to them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import asyncpg
import pytest

from core.database import Database
from core.sorting_in import sort_in_older
from core.store import search_waiting
from tests.search.conftest import Archive, found
from tests.support.http import Browser

JSON = {"Accept": "application/json"}


def test_a_line_is_found_by_its_translation_and_read_in_it(archive: Archive) -> None:
    ada, other = archive.visitor("Ada Translated"), archive.visitor("Otto Translated")
    slug = archive.session(
        ada,
        "Harbour",
        ("Ада", "Паромы уходят <b>рано</b>", "ru"),
        ("Ada", "The Kubernetes cluster", "en"),
    )
    archive.translate(slug, 1, "en", "The ferries leave <b>early</b>")
    archive.translate(slug, 1, "de", "Die Fähren fahren früh")
    archive.translate(slug, 2, "de", "Der Kubernetes-Cluster")
    archive.translate(slug, 2, "ru", "Кластер Kubernetes")
    assert found(ada, "ferry ") == ["The [ferries] leave <b>early</b>"]
    assert found(ada, "fähren ") == ["Die [Fähren] fahren früh"]
    assert found(ada, "fähre ") == []  # German has no stems here
    assert found(ada, "кластеров ") == ["[Кластер] Kubernetes"]
    assert found(ada, "паромов ") == ["[Паромы] уходят <b>рано</b>"]
    # As it was said, where that has the words too; and once.
    assert found(ada, "kubernetes ") == ["The [Kubernetes] cluster"]
    assert found(ada, "kubernetes ", order="newest") == ["The [Kubernetes] cluster"]
    assert found(ada, "kubernetes -cluster ") == ["Кластер [Kubernetes]"]
    assert found(ada, "ferry ", speaker="ада") == found(ada, "ferry ")
    assert found(ada, "ferry ", speaker="ada") == []
    assert found(other, "ferry ") == found(other, "fähren ") == []

    page = ada.http.get("/search?q=ferry").text
    assert '<p class="words" dir="auto" lang="en">' in page
    assert "translation: English" in page
    (path,) = set(re.findall(r'href="(/s/[^"]*line=[^"]*)"', page))
    assert path == f"/s/{slug}?line=1&amp;lang=en#u-1"
    read = ada.http.get(path.replace("&amp;", "&")).text
    assert "The ferries leave &lt;b&gt;early&lt;/b&gt;" in read
    archive.tables("UPDATE sessions SET status = 'LIVE', ended_at = NULL WHERE slug = $1", slug)
    assert f"/s/{slug}/transcript?line=1&amp;lang=en#u-1" in ada.http.get("/search?q=ferry").text

    made = ada.http.post("/profile/tokens", data={"name": "t", "scope": "READ"}, headers=JSON)
    (token,) = set(re.findall(r"sessions_\w+", made.text))
    program = Browser(archive.server.url, Authorization=f"Bearer {token}")
    hits = [
        program.http.get("/search", params={"q": q}).json()["hits"][0] for q in ("ferry", "паромов")
    ]
    assert [one["translated"] for one in hits] == ["en", None]
    assert hits[0]["text"] == "The ferries leave <b>early</b>"
    assert hits[0]["marks"] == [[4, 11]]
    assert hits[0]["url"].endswith("/transcript?line=1&lang=en#u-1")


def test_what_corrections_take_from_the_page_search_finds_no_more(archive: Archive) -> None:
    ada = archive.visitor("Ada Retranslates")
    slug = archive.session(ada, "Retold", *[("Ada", f"Строка {n}", "ru") for n in range(1, 6)])
    for seq in range(1, 6):
        archive.translate(slug, seq, "en", f"okapi number {seq}")

    def numbers() -> set[str]:
        return {one[-1] for one in found(ada, "okapi ")}

    assert numbers() == set("12345")
    archive.correct(slug, 1, "Иначе")
    archive.correct(slug, 2, "Строка 2", hidden=True)
    archive.correct(slug, 3, "Строка")
    archive.correct(slug, 3, "3", part=1)
    archive.correct(slug, 5, "Строка 5", joined=4)
    archive.correct(slug, 4, "Строка 4", speaker=archive.identity(slug, "Ada"))  # as it was said
    assert numbers() == {"4"}
    archive.tables("DELETE FROM corrected_lines WHERE session_id = $1", archive.id(slug))
    assert numbers() == set("12345")
    archive.correct(slug, 1, "Иначе")
    archive.translate(slug, 1, "de", "ein Okapi")  # came late
    assert found(ada, "ein okapi ") == []


def test_a_translation_may_be_stored_before_its_line(archive: Archive) -> None:
    ada = archive.visitor("Ada Early")
    slug = archive.session(ada, "Early", ("Ada", "Раз", "ru"))
    archive.translate(slug, 2, "en", "a quagga")
    assert found(ada, "quagga ") == []
    archive.say(slug, ("Ada", "Два", "ru"))
    assert found(ada, "quagga ") == ["a [quagga]"]


@pytest.fixture
async def two(archive: Archive) -> AsyncIterator[tuple[asyncpg.Connection, asyncpg.Connection]]:
    """Two connections, as the writers of two outboxes have."""
    both = [await asyncpg.connect(archive.server.database_url) for _ in range(2)]
    for one in both:
        await one.execute("SET search_path TO sessions")
    yield both[0], both[1]
    for one in both:
        await one.close()


LINE = """
    INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s)
    VALUES ($1, 's', 'u2', 2, $2, 'Два', 20, 25)
"""
TRANSLATION = """
    INSERT INTO translations (session_id, stream, utterance, language, identity, text)
    VALUES ($1, 's', 'u2', 'en', $2, 'a dugong')
"""
CORRECTION = """
    INSERT INTO corrected_lines
        (session_id, seq, part, revision, text, start_s, end_s, speaker, hidden)
    VALUES ($1, 2, 0, 1, 'Два', 20, 25, $2, true)
"""


@pytest.mark.parametrize(
    ("first", "second", "finds"),
    [
        (LINE, TRANSLATION, 1),
        (TRANSLATION, LINE, 1),
        (TRANSLATION, CORRECTION, 0),
        (CORRECTION, TRANSLATION, 0),
    ],
)
async def test_what_is_stored_at_the_same_moment_is_found_as_it_is_read(
    archive: Archive,
    two: tuple[asyncpg.Connection, asyncpg.Connection],
    first: str,
    second: str,
    finds: int,
) -> None:
    ada = await asyncio.to_thread(archive.visitor, "Ada Races")
    slug = await asyncio.to_thread(archive.session, ada, "Race", ("Ada", "Раз", "ru"))
    values = await asyncio.to_thread(archive.id, slug), archive.identity(slug, "Ada")
    one, other = two
    if CORRECTION in (first, second):
        await one.execute(LINE, *values)
    async with one.transaction():
        await one.execute(first, *values)
        waiting = asyncio.create_task(other.execute(second, *values))
        done, _ = await asyncio.wait({waiting}, timeout=0.3)
        assert not done  # until the other is committed
    await waiting
    rows = "SELECT count(*) FROM search_lines WHERE session_id = $1 AND language = 'en'"
    assert await other.fetchval(rows, values[0]) == finds


async def test_translations_of_an_older_release_are_sorted_in(archive: Archive) -> None:
    ada = await asyncio.to_thread(archive.visitor, "Ada Upgrades")
    slug = await asyncio.to_thread(archive.session, ada, "Older", ("Ada", "Раз", "ru"))
    await asyncio.to_thread(archive.translate, slug, 1, "en", "a thylacine")
    for sql in (  # as that release had it
        "DELETE FROM search_lines WHERE language <> ''",
        "ALTER TABLE search_lines DROP COLUMN language",
        "ALTER TABLE search_lines ADD PRIMARY KEY (session_id, kind, seq, part)",
        "DROP TRIGGER search_translated ON translations",
    ):
        await asyncio.to_thread(archive.tables, sql)
    db = Database(archive.server.database_url)
    await db.connect()  # as a process of this release that starts
    space = await asyncio.to_thread(archive.space, slug)
    assert await search_waiting.any_of(db, [space])
    await sort_in_older(db)
    assert await asyncio.to_thread(found, ada, "thylacine ") == ["a [thylacine]"]
    await asyncio.to_thread(archive.say, slug, ("Ada", "Два", "ru"))
    await asyncio.to_thread(archive.translate, slug, 2, "en", "another thylacine")
    assert len(await asyncio.to_thread(found, ada, "thylacine ")) == 2
    await db.disconnect()
    again = Database(archive.server.database_url)
    await again.connect()  # once
    assert not await search_waiting.is_any_left(again)
    await again.disconnect()
