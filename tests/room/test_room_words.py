"""The room in Russian: what its modules say, not only what the page came with."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.room.test_calm import Line
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.call_page import press_sign_in

pytestmark = pytest.mark.browser

# The Latin words of three letters and more in what people read or hear, shown or not. Devices have
# names of their own.
ENGLISH = """() => {
  const said = [document.title];
  for (const one of document.body.querySelectorAll(':not(script, style, option, noscript)')) {
    said.push(one.ariaLabel, one.title, one.placeholder);
    for (const part of one.childNodes) if (part.nodeType === Node.TEXT_NODE) said.push(part.data);
  }
  return said.join(' ').match(/[a-z’]{3,}/gi);
}"""
# Names, and what has no other word in Russian.
KEPT = {"English", "Ada", "Lovelace", "Sessions", "docs", "deploy", "TLS", "Esc"}
REFUSE = """navigator.mediaDevices.getUserMedia = async () => {
  throw new DOMException('', 'NotAllowedError');
}"""


async def english(page: Page) -> set[str]:
    """The English words of a page."""
    address = set(re.findall(r"[A-Za-z]{3,}", page.url))
    return set(await page.evaluate(ENGLISH) or ()) - KEPT - address


async def test_a_room_in_russian(server: AppServer, browsers: Browsers) -> None:
    page = await browsers.page(locale="ru-RU", viewport={"width": 1280, "height": 720})
    await page.add_init_script(REFUSE)
    await page.clock.install()
    line = Line()
    await page.route_web_socket("**/ws", line.lay)
    await page.goto(server.url)
    await page.get_by_role("textbox", name="Имя").fill("Ada Lovelace")
    await page.get_by_role("textbox", name="Эл. почта").fill("ada@example.com")
    await press_sign_in(page, "Войти", "Пропустить всё")
    await page.locator("[name=title]").fill("План на год")
    await page.locator("form[action='/sessions'] button.primary").click()

    # In the lobby: what joining turns on, and why a device doesn't open.
    join = page.locator("[data-join=wish]")
    await expect(page.locator("[data-lobby-hint]")).to_have_text(
        "Браузер блокирует микрофон. "
        "Нажмите на значок слева от адреса, разрешите микрофон и попробуйте ещё раз."
    )
    await expect(join).to_have_text("Войти и только слушать")
    assert await english(page) == set()
    await join.click()

    # The labels say what is; a button's name is the first word of it.
    await expect(page.locator("[data-mic-text]")).to_have_text("Микрофон выкл.")
    await expect(page.get_by_role("button", name="Микрофон", exact=True)).to_be_visible()
    await expect(page.locator(".tile-name")).to_have_text("Ada Lovelace (вы)")
    await expect(page.get_by_role("button", name="Закрепить: Ada Lovelace")).to_have_count(1)
    await expect(page.locator('.notice[data-topic="video"]')).to_contain_text(
        "Звука и видео нет: сервер видео недоступен. "
    )

    # Keys are where they are, whatever they write.
    await expect(page.locator("[data-connection-text]")).to_have_text(re.compile(r"^\d+:\d\d$"))
    await page.evaluate(
        "document.body.dispatchEvent("
        "new KeyboardEvent('keydown', {key: '\\u0440', code: 'KeyH', bubbles: true}))"
    )
    await page.clock.run_for(1000)
    await expect(page.locator("[data-hand-text]")).to_have_text("Рука поднята")

    # What lasts, in sentences of their own.
    line.tell(
        {
            "type": "speech",
            "identity": line.me,
            "state": "delayed",
            "reason": {"code": "busy", "detail": ""},
            "since": "2026-01-01T10:00:00Z",
        }
    )
    await page.clock.run_for(6000)
    await expect(page.locator('.notice[data-topic="captions"]')).to_have_text(
        "Субтитры запаздывают (Ada Lovelace): все потоки распознавания заняты; навёрстываем."
    )
    await expect(page.locator(".tile.mine .tile-state")).to_have_text("субтитры запаздывают")
    assert await english(page) == set()
