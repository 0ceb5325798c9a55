"""The main job in Russian: somebody new starts a meeting, speaks and reads it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from core.speech.engine import BYTES_PER_SECOND
from tests.room.test_room import FINALS, LEAD, LIVE, PARTIALS, all_finals, finals
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.call_page import press_sign_in
from tests.support.speech_samples import BECKETT, beckett, wav_bytes, words_in_order

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of a man who says a few sentences, for a fake microphone."""
    path = tmp_path_factory.mktemp("audio") / "reading.wav"
    path.write_bytes(wav_bytes(bytes(LEAD * BYTES_PER_SECOND) + beckett()))
    return path


async def test_a_newcomer_meets_speaks_and_reads_in_russian(
    server: AppServer, browsers: Browsers, reading: Path
) -> None:
    page = await browsers.page(microphone=reading, loop=False, locale="ru-RU")
    await page.goto(server.url)
    await page.get_by_role("textbox", name="Имя").fill("Аня Ёлкина")
    await page.get_by_role("textbox", name="Эл. почта").fill("anya@example.com")
    await press_sign_in(page, "Войти", "Пропустить всё")
    await page.get_by_role("textbox", name="О чём встреча").fill("Планы на год")
    await page.get_by_role("button", name="Начать встречу").click()
    await expect(page.get_by_role("heading", name="Планы на год")).to_be_visible()
    await page.get_by_role("button", name="Войти с микрофоном").click()
    await expect(page.locator("[data-connection-text]")).to_have_text(LIVE)
    await expect(page.locator("[data-mic-text]")).to_have_text("Микрофон вкл.")

    # A guest with a browser in English is in the same meeting, and reads the same words.
    guest = await browsers.page(locale="en-GB")
    await guest.goto(page.url)
    await guest.get_by_role("textbox", name="Your name").fill("Bob")
    await guest.get_by_role("button", name="Continue as a guest").click()
    await guest.get_by_role("button", name="Join and listen only").click()
    await page.get_by_role("button", name=re.compile("^Впустить")).first.click()
    await expect(guest.locator("[data-connection-text]")).to_have_text(LIVE)
    last = re.compile("better", re.IGNORECASE)  # it was heard as Fale better, too
    for one in (page, guest):
        await expect(one.locator(FINALS).filter(has_text=last)).to_be_visible()
    await page.keyboard.press("m")
    await expect(page.locator("[data-mic-text]")).to_have_text("Микрофон выкл.")
    await expect(guest.locator(PARTIALS)).to_have_count(0)
    said = await all_finals(page, guest)
    assert words_in_order(BECKETT, " ".join(said)) >= 0.75, said
    assert await finals(guest) == said

    await page.get_by_role("button", name="Завершить для всех").first.click()
    await page.locator("[data-end-confirm]").click()
    await expect(page.get_by_role("link", name="Все встречи")).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", "ru")
    await expect(page.get_by_role("button", name="Копировать")).to_be_visible()
    kept = await page.locator("#transcript .words").all_inner_texts()
    assert kept[: len(said)] == said
    assert len(kept) <= len(said) + 1  # a busy machine may hear in the last sound one more word
    await page.get_by_role("link", name="Все встречи").click()
    await expect(page.get_by_role("link", name="Планы на год", exact=True)).to_be_visible()
    assert browsers.errors == []
