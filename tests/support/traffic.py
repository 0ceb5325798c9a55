"""What a room's page and the server tell each other, as the browser sees it."""

from __future__ import annotations

import json
from typing import Any

from playwright.async_api import Page, WebSocket

from tests.support.waiting import until


class Traffic:
    """What a page's sockets to Sessions carry, in its order."""

    def __init__(self, page: Page) -> None:
        self.said: list[Any] = []  # messages of either side, and the indices of audio frames
        page.on("websocket", self._watch)

    def _watch(self, socket: WebSocket) -> None:
        if socket.url.endswith("/ws"):
            socket.on("framesent", self._note)
            socket.on("framereceived", self._note)

    def _note(self, data: str | bytes) -> None:
        if isinstance(data, str):
            self.said.append(json.loads(data))
        else:
            self.said.append(int.from_bytes(data[:8], "little"))

    def places(self, kind: str) -> list[int]:
        """Return where messages of a type are."""
        return [
            n for n, one in enumerate(self.said) if not isinstance(one, int) and one["type"] == kind
        ]

    def audio_after(self, place: int) -> list[int]:
        return [one for one in self.said[place:] if isinstance(one, int)]

    async def goes_on(self) -> int:
        """Wait until audio comes that is newer than this moment; return where that was."""
        now = len(self.said)
        await until(lambda: self.audio_after(now))
        return now

    async def two_beats(self) -> None:
        """Let 2 to 4 seconds pass."""
        beats = len(self.places("beat"))
        await until(lambda: len(self.places("beat")) >= beats + 4)  # with their answers
