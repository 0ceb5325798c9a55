"""Translations: to the line that they are of, to who reads their language, and kept."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from core.speech.engine import BYTES_PER_SECOND, Recognition, Translation
from core.speech.gladia.protocol import parse_message
from core.speech.gladia.replay import ReplayBuffer
from core.speech.gladia.results import Results
from core.speech.gladia.timeline import Timeline
from core.speech.memory import AudioBudget
from core.speech.reasons import Reason
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence, speak
from tests.speech.gladia_rooms import PAUSE, WORDS, beside, trouble
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.tables import Tables
from tests.support.visitors import RoomPage, Visitor
from tests.support.waiting import until

# On Gladia's wire, to the stream


class Sink:
    """A sink that keeps what it was told, in order."""

    def __init__(self) -> None:
        self.told: list[Recognition | Translation] = []

    def heard(self, recognition: Recognition) -> None:
        self.told.append(recognition)

    def translated(self, translation: Translation) -> None:
        self.told.append(translation)

    def delayed(self, is_delayed: bool, reason: Reason | None = None) -> None:
        raise AssertionError

    def dropped(self, start: float, end: float) -> None:
        raise AssertionError

    def lost(self, reason: Reason, replay_from: int) -> None:
        raise AssertionError

    @property
    def translations(self) -> list[tuple[str, str, str]]:
        return [
            (one.utterance, one.language, one.text)
            for one in self.told
            if isinstance(one, Translation)
        ]


class Service:
    """What Gladia says of a stream that was sent a minute."""

    def __init__(self) -> None:
        self.sink = Sink()
        ring, timeline = ReplayBuffer(AudioBudget(10**7)), Timeline()
        self.results = Results(ring, timeline, self.sink, now=0.0)
        timeline.connected(0)
        ring.append(bytes(60 * BYTES_PER_SECOND))
        timeline.sent = 60 * BYTES_PER_SECOND

    def _say(self, type_: str, data: Any) -> None:
        message = {"session_id": "x", "created_at": "x", "type": type_, "error": None, "data": data}
        self.results.said(parse_message(json.dumps(message).encode()), 0.0)  # type: ignore[arg-type]

    def transcript(
        self, id_: str, start: float, text: str = "hello", *, final: bool = True
    ) -> None:
        self._say("transcript", {"id": id_, "is_final": final, "utterance": said(text, start)})

    def translation(
        self, id_: str, start: float, text: str = " hallo", language: str = "de"
    ) -> None:
        of = {"utterance_id": id_, "utterance": said("hello", start), "original_language": "en"}
        to = {"target_language": language, "translated_utterance": said(text, start)}
        self._say("translation", of | to)

    def failed(self) -> None:
        self._say("translation", None)


def said(text: str, start: float) -> dict[str, Any]:
    times = {"start": start, "end": start + 1.0}
    return {"text": text, "language": "en", "confidence": 1, "channel": 0, "words": [], **times}


def test_a_translation_belongs_to_its_final_however_they_come() -> None:
    service = Service()
    service.translation("1", 0.0)  # before its final, and before any
    service.transcript("1", 0.0, "hel", final=False)
    assert not service.sink.translations
    service.transcript("1", 0.0)
    assert service.sink.translations == [("1", "de", "hallo")]
    service.transcript("2", 2.0)
    service.transcript("3", 4.0, "other")
    service.translation("3", 4.0, " drei")  # out of order
    service.translation("2", 2.0, " zwei")
    service.translation("2", 2.0, " deux", "fr")
    assert service.sink.translations[1:] == [
        ("3", "de", "drei"),
        ("2", "de", "zwei"),
        ("2", "fr", "deux"),
    ]


def test_what_is_of_no_final_is_of_none() -> None:
    service = Service()
    service.transcript("1", 0.0)
    service.translation("unknown", 0.0)
    service.translation("1", 0.0, "")
    service.translation("1", 0.0, " hallo", "klingon")
    service.failed()
    service.transcript("9", 0.0, "hello")  # counted twice, and heard twice: it is reported once
    service.translation("9", 0.0)
    assert not service.sink.translations
    assert service.results.errors == 1
    # Its id is given anew, to something later: a late translation of the first isn't of that.
    service.transcript("1", 5.0, "another")
    service.translation("1", 0.0)
    assert not service.sink.translations
    service.translation("1", 5.0, " noch eins")
    assert service.sink.translations == [("1+1", "de", "noch eins")]


def test_early_ones_are_bounded_and_a_partial_that_stands_for_a_final_has_its_own() -> None:
    service = Service()
    for number in range(40):
        service.translation(f"early-{number}", 3.0)
    service.transcript("early-0", 3.0, "one")
    assert not service.sink.translations, "the oldest went"
    service.transcript("early-39", 3.0, "partial", final=False)
    service.results.close_open()
    assert service.sink.translations == [("early-39", "de", "hallo")]


# From Gladia to the pages of a room


@pytest.fixture(scope="module")
def translating(gladia: GladiaEmulator, make_server_in: MakeServer) -> Iterator[AppServer]:
    yield from beside(gladia, make_server_in, TRANSLATE_TO="de,fr")


async def speaks(page: RoomPage, *words: str) -> None:
    seen = len(page.finals)
    await page.speak(speak(" ".join(words)) + silence(PAUSE))
    await page.until(lambda: len(page.finals) > seen)


async def test_who_reads_a_language_gets_it_and_who_comes_later_all(
    translating: AppServer, gladia: GladiaEmulator
) -> None:
    host = await asyncio.to_thread(Visitor(translating.url).sign_in, "Ada")
    slug = await asyncio.to_thread(host.start_session)
    bob = await asyncio.to_thread(Visitor(translating.url).be_guest, slug, "Bob")
    async with host.page(slug) as ada, bob.page(slug) as german:
        await german.send({"type": "read", "language": "de"})
        await german.send({"type": "read", "language": "nonsense"})
        await german.until(lambda: german.of_type("error"))
        assert german.welcome["session"]["targets"] == ["de", "fr"]
        await ada.mic(True)
        await speaks(ada, *WORDS[:2])
        await german.until(lambda: german.of_type("translation"))
        told = german.of_type("translation")[0]
        final = german.finals[0]
        assert told == {
            "type": "translation",
            "id": final["id"],
            "language": "de",
            "text": f"[de] {final['text']}",
        }
        assert german.messages.index(told) > german.messages.index(final)
        with trouble(fault := gladia.faults.change("translation", lambda _: None, times=2)):
            await speaks(ada, *WORDS[2:4])  # never translated
            await gladia.until(lambda: fault.fired == 2)
        await speaks(ada, *WORDS[4:6])
        await german.until(lambda: len(german.of_type("translation")) == 2)
        assert german.of_type("translation")[1]["id"] == german.finals[2]["id"]
        await german.drop()  # whose hello says nothing: what it reads is told anew
        await german.connect()
        await german.send({"type": "read", "language": "fr"})
        await german.until(
            lambda: [one["language"] for one in german.of_type("translation")].count("fr") == 2
        )
        assert not ada.of_type("translation"), "who reads what was said as it was said"
    kept = """
        SELECT language, text FROM translations t JOIN sessions s ON s.id = t.session_id
        WHERE s.slug = $1 ORDER BY t.id
    """
    tables = Tables(translating.database_url)
    rows = await until(
        lambda: asyncio.to_thread(tables, kept, slug),
    )
    assert sorted(row["language"] for row in rows) == ["de", "de", "fr", "fr"]
    async with host.page(slug) as late:
        await late.send({"type": "read", "language": "de"})
        await late.until(lambda: len(late.of_type("translation")) == 2)


async def test_the_transcript_is_read_in_a_language_and_the_original_is_one_click_away(
    translating: AppServer, gladia: GladiaEmulator
) -> None:
    host = await asyncio.to_thread(Visitor(translating.url).sign_in, "Reader")
    slug = await asyncio.to_thread(host.start_session)
    async with host.page(slug) as page:
        await page.mic(True)
        await speaks(page, *WORDS[:2])
        with trouble(fault := gladia.faults.null_data("translation", times=2)):
            await speaks(page, *WORDS[2:4])
            await gladia.until(lambda: fault.fired == 2)
        await speaks(page, *WORDS[4:6])
    first, second, _ = (one["text"] for one in page.finals)
    tables = Tables(translating.database_url)
    kept = """
        SELECT 1 FROM translations t JOIN utterances u USING (session_id, stream, utterance)
        JOIN sessions s ON s.id = session_id WHERE s.slug = $1
    """

    async def stored() -> bool:
        return len(await asyncio.to_thread(tables, kept, slug)) == 4

    await until(stored)
    # Somebody has corrected the third: what was made of other words isn't shown for it.
    await asyncio.to_thread(
        tables,
        """
        UPDATE translations t SET text = 'von anderem' FROM utterances u, sessions s
        WHERE s.slug = $1 AND u.session_id = s.id AND t.session_id = s.id
        AND (t.stream, t.utterance) = (u.stream, u.utterance) AND u.seq = 3
        """,
        slug,
    )

    async def read(path: str = "") -> str:
        answer = await asyncio.to_thread(host.http.get, f"/s/{slug}/transcript{path}")
        assert answer.status_code == 200
        return answer.text

    plain = await read()
    assert first in plain
    assert "[de]" not in plain
    assert "?lang=de" in plain
    german = await read("?lang=de")
    assert f'lang="de">[de] {first}</p>' in german
    assert f'<p dir="auto" lang="en">{first}</p>' in german, "the original, behind a click"
    assert f'lang="en">{second}</p>' in german, "never translated"
    assert "von anderem" in german
    for odd in ("?lang=xx", "?lang=%00", "?lang=de%22", "?lang=" + "d" * 3000):
        assert first in await read(odd)
        assert "[de]" not in await read(odd)
    assert f"[fr] {first}" in await read("/lines?lang=fr")
    found = await read("/find?q=anderem&lang=de")
    assert json.loads(found)["lines"] == ["3"]
    assert json.loads(await read("/find?q=anderem"))["lines"] == []
    assert f"[de] {first}" in await read(".txt?lang=de")
    assert f"[de] {first}" not in await read(".vtt")
    seq3 = json.loads(await read(".json?lang=fr"))["lines"]
    assert [one["language"] for one in seq3 if one["kind"] == "speech"] == ["fr", "en", "fr"]
    corrected = {"text": "Corrected words", "revision": "0"}
    answer = await asyncio.to_thread(
        host.http.post,
        f"/s/{slug}/transcript/lines/3",
        data=corrected,
        headers={"Accept": "application/json"},
    )
    assert answer.status_code == 200
    german = await read("?lang=de")
    assert "von anderem" not in german
    assert "Corrected words" in german
    assert f"[de] {first}" in german
    kept_of_me = await asyncio.to_thread(host.http.get, "/profile/account/export")
    assert "von anderem" in kept_of_me.text


@pytest.mark.browser
async def test_a_reader_chooses_a_language_and_the_original_is_one_click_away(
    translating: AppServer, browsers: Browsers
) -> None:
    host = await asyncio.to_thread(Visitor(translating.url).sign_in, "Ada Lovelace")
    slug = await asyncio.to_thread(host.start_session)
    bob = await asyncio.to_thread(Visitor(translating.url).be_guest, slug, "Bob")
    context = await browsers.context()
    key = host.http.cookies["sessions_login"]
    await context.add_cookies([{"name": "sessions_login", "value": key, "url": translating.url}])
    page = await context.new_page()
    await page.goto(f"{translating.url}/s/{slug}")
    await page.locator("[data-join=listen]").click()
    async with bob.page(slug) as talking:
        await talking.mic(True)
        await speaks(talking, *WORDS[:2])
        text = talking.finals[0]["text"]
        words = page.locator(".line .words").first
        await expect(words).to_have_text(text)
        # In the settings, of what there is.
        await page.evaluate("document.querySelector('[data-settings]').click()")
        dialog = page.locator("[data-settings-dialog]")
        choice = dialog.locator("[data-read]")
        await expect(choice.locator("option")).to_have_text(["As it was said", "German", "French"])
        await choice.select_option("de")
        await dialog.locator("[data-speak]").select_option("ru")
        await expect(dialog.locator("[data-speak]")).to_have_value("ru")
        await shot(page, "room-languages")
        await dialog.get_by_role("button", name="Done").click()
        await expect(words).to_have_text(f"[de] {text}")
        await expect(words).to_have_attribute("lang", "de")
        # One line, and back.
        turn = page.locator(".line [data-turn]").first
        await turn.click()
        await expect(words).to_have_text(text)
        await expect(words).to_have_attribute("lang", "en")
        await turn.click()
        await expect(words).to_have_text(f"[de] {text}")
        # All of them, and captions over the picture.
        await page.keyboard.press("l")
        await speaks(talking, *WORDS[2:4])
        second = talking.finals[1]["text"]
        caption = page.locator("[data-subtitles] .subtitle-words").last
        await expect(caption).to_have_text(f"[de] {second}")
        await expect(caption).to_have_attribute("lang", "de")
        await shot(page, "room-translated")
        await page.locator("[data-do=original]").click()
        await expect(words).to_have_text(text)
        await page.locator("[data-do=original]").click()
        await expect(words).to_have_text(f"[de] {text}")
        # It is kept in this browser, and told with the next hello.
        await page.reload()
        await page.locator("[data-join=listen]").click()
        await expect(page.locator(".line .words")).to_have_text([f"[de] {text}", f"[de] {second}"])
        await page.evaluate("document.querySelector('[data-settings]').click()")
        await expect(dialog.locator("[data-speak]")).to_have_value("ru")
        # What is hidden, or has other words, isn't there in a translation either.
        await corrects(host, slug, "1/hide", revision="0")
        await corrects(host, slug, "2", revision="0", text="Corrected words")
        await expect(page.locator(".line .words")).to_have_text(["Corrected words"])
        await page.reload()
        await page.locator("[data-join=listen]").click()
        await speaks(talking, *WORDS[4:6])
        third = f"[de] {talking.finals[2]['text']}"
        await expect(page.locator(".line .words")).to_have_text(["Corrected words", third])
        async with bob.page(slug) as late:
            await late.send({"type": "read", "language": "de"})
            await late.until(lambda: late.of_type("translation"))
            assert [one["text"] for one in late.of_type("translation")] == [third]
        await corrects(host, slug, "1/show", revision=str(await revision(host, slug, 1)))
        shown = [f"[de] {text}", "Corrected words", third]
        await expect(page.locator(".line .words")).to_have_text(shown)
        # Who is said to have spoken changes nothing about it, also for who comes later.
        await corrects(host, slug, "3", revision="0", speaker="several")
        await page.reload()
        await page.locator("[data-join=listen]").click()
        await expect(page.locator(".line .words")).to_have_text(shown)
    await context.close()


async def corrects(host: Visitor, slug: str, what: str, **form: str) -> None:
    """Correct a line as soon as it is stored."""
    address, headers = f"/s/{slug}/transcript/lines/{what}", {"Accept": "application/json"}

    async def done() -> bool:
        answer = await asyncio.to_thread(host.http.post, address, data=form, headers=headers)
        assert answer.status_code in (200, 409), answer.text
        return answer.status_code == 200

    await until(done)


async def revision(host: Visitor, slug: str, line: int) -> int:
    address, headers = f"/s/{slug}/transcript/lines/{line}", {"Accept": "application/json"}
    answer = await asyncio.to_thread(host.http.get, address, headers=headers)
    return int(answer.json()["revision"])


async def shot(page: Any, name: str) -> None:
    if shots := os.environ.get("SHOTS"):
        await page.screenshot(path=Path(shots) / f"{name}.png")
