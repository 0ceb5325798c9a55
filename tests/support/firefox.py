"""Firefox for tests, by WebDriver BiDi: Playwright drives only a Firefox of its own.

The few commands that journeys here need: open an address, run a script, press keys and click.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.support.waiting import WAIT_TIMEOUT_S, until

_NAMES = ("firefox-esr", "firefox")
_PREFERENCES: dict[str, bool | int] = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.disabledForTesting": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}
_LISTENS = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")


def find_firefox() -> str | None:
    """The Firefox to use; None where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class FirefoxPage:
    """The one page of a Firefox with an empty profile and fake devices."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = count(1)
        self._context = ""

    async def begin(self) -> None:
        """Begin the session; called once, first."""
        await self._do("session.new", capabilities={})
        tree = await self._do("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]

    async def before_each_page(self, script: str) -> None:
        """Run a script in each page from now on, before its own."""
        await self._do("script.addPreloadScript", functionDeclaration=f"() => {{ {script} }}")

    async def goto(self, url: str) -> None:
        """Open an address and wait until it has loaded."""
        await self._do("browsingContext.navigate", url=url, wait="complete", context=self._context)

    async def run(self, expression: str) -> Any:
        """Return the value of an expression: text, a number or a truth."""
        answer = await self._do(
            "script.evaluate",
            expression=expression,
            target={"context": self._context},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    async def becomes(self, expression: str) -> None:
        """Wait until an expression is true, also over the loading of another page."""

        async def true() -> bool:
            try:
                return bool(await self.run(f"Boolean({expression})"))
            except RuntimeError:
                return False  # between two pages there is nothing to ask

        await until(true, news=lambda: expression)

    async def click(self, selector: str) -> None:
        """Click the middle of an element once it can be clicked, as a mouse does."""
        place = f"document.querySelector({json.dumps(selector)})"
        await self.becomes(f"{place}?.checkVisibility() && !{place}.disabled")
        await self.run(f"{place}.scrollIntoView({{block: 'nearest', behavior: 'instant'}})")
        middle = await self.run(
            f"(r => `${{r.x + r.width / 2}} ${{r.y + r.height / 2}}`)"
            f"({place}.getBoundingClientRect())"
        )
        x, y = (round(float(one)) for one in middle.split())
        move = {"type": "pointerMove", "x": x, "y": y}
        presses = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        await self._perform({"type": "pointer", "id": "mouse", "actions": [move, *presses]})

    async def type(self, text: str) -> None:
        """Press one key after the other, wherever the focus is."""
        keys = [{"type": kind, "value": one} for one in text for kind in ("keyDown", "keyUp")]
        await self._perform({"type": "key", "id": "keyboard", "actions": keys})

    async def _perform(self, source: dict[str, Any]) -> None:
        await self._do("input.performActions", context=self._context, actions=[source])

    async def _do(self, method: str, **params: Any) -> Any:
        number = next(self._ids)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        async for text in self._socket:
            answer = json.loads(text)
            if answer.get("id") != number:
                continue  # an event
            if answer["type"] == "error":
                raise RuntimeError(answer["message"])
            return answer["result"]
        raise ConnectionError(method)


WAYS_ON = ("/sessions", "/welcome/done")  # from a sign-in; the second one the first time


async def sign_in_and_start(page: FirefoxPage, url: str) -> None:
    """Do what a first-time visitor does: afterwards the page is the lobby of a new session."""
    await page.goto(url)
    await page.click('[name="name"]')
    await page.type("Ada Lovelace")
    await page.click('[name="email"]')
    await page.type("ada@example.com\ue007")
    start, skip = (f"document.querySelector('form[action=\"{to}\"] button')" for to in WAYS_ON)
    await page.becomes(f"{start} || {skip}")
    await page.run(f"{skip}?.click()")
    await page.becomes("document.querySelector('form[action=\"/sessions\"]')")
    await page.run("document.querySelector('form[action=\"/sessions\"] button').click()")
    await page.becomes("location.pathname.startsWith('/s/') && document.querySelector('#room')")


@asynccontextmanager
async def firefox_page(executable: str, profile: Path) -> AsyncIterator[FirefoxPage]:
    """Start a Firefox whose profile is this empty folder; it ends with the block."""
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in _PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines))
    process = await asyncio.create_subprocess_exec(
        executable,
        *("--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WAIT_TIMEOUT_S):
            address = await _address(process)
        async with connect(f"{address}/session", compression=None, max_size=None) as socket:
            page = FirefoxPage(socket)
            await page.begin()
            yield page
    finally:
        process.terminate()
        await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr
    async for line in process.stderr:
        if found := _LISTENS.search(line):
            return found[1].decode()
    raise ConnectionError("Firefox ended before it listened")
