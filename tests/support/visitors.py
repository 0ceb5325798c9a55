"""People as the server meets them over HTTP and /ws."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from core.speech.engine import BYTES_PER_SAMPLE, SAMPLE_RATE
from tests.support.waiting import WAIT_TIMEOUT_S

FRAME = SAMPLE_RATE // 25  # samples; 40 ms, as the page sends
KEPT = 600 * SAMPLE_RATE  # samples that a page keeps to send again


def kept_by(visitor: Visitor) -> dict[str, Any]:
    """Return what a visitor's cookie keeps: anybody can read it, and nobody can change it."""
    cookie = visitor.http.cookies.get("sessions_login")
    kept: dict[str, Any] = json.loads(base64.b64decode(cookie.split(".")[0])) if cookie else {}
    return kept


class Visitor:
    """A browser without a screen: cookies, same-origin requests, forms."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx2.Client(
            base_url=url,
            timeout=WAIT_TIMEOUT_S,
            headers={"Origin": url},
            # No connection is kept open, so that a test need not close its visitors.
            limits=httpx2.Limits(max_keepalive_connections=0),
            verify=False,  # there is no https here, and reading all certificates takes its time
        )

    def sign_in(self, name: str) -> Visitor:
        """Use the development sign-in."""
        email = f"{name.lower().replace(' ', '.')}@example.com"
        answer = self.http.post("/sign-in/dev", data={"name": name, "email": email, "next": "/"})
        assert answer.status_code == 303, answer.text
        return self

    def start_session(self, title: str = "", admission: str = "ANYONE") -> str:
        """Start a session and return its slug. Guests come in unasked unless told otherwise."""
        form = {"title": title, "admission": admission}
        answer = self.http.post("/sessions", data=form)
        assert answer.status_code == 303, answer.text
        return re.fullmatch(r"/s/([a-z0-9-]+)", answer.headers["location"])[1]  # type: ignore[index]

    def be_guest(self, slug: str, name: str) -> Visitor:
        """Give a name at the gate."""
        answer = self.http.post(f"/s/{slug}/guest", data={"name": name})
        assert answer.status_code == 303, answer.text
        return self

    def knock(self, slug: str) -> tuple[int, Any]:
        """Ask to come in, and return the answer's status and JSON."""
        answer = self.http.post(f"/s/{slug}/join", headers={"Accept": "application/json"})
        return answer.status_code, answer.json()

    def host(self, slug: str, what: str, **form: str) -> tuple[int, str]:
        """Do what hosts do, such as `settings`; return the status, and a problem's code if any."""
        headers = {"Accept": "application/json"}
        answer = self.http.post(f"/s/{slug}/{what}", data=form, headers=headers)
        body = answer.json() if answer.content else {}
        return answer.status_code, (body.get("error") or body.get("call") or {}).get("code", "")

    def join(self, slug: str) -> dict[str, Any]:
        """Return the passes to the room."""
        answer = self.http.post(f"/s/{slug}/join", headers={"Accept": "application/json"})
        assert answer.status_code == 200, answer.text
        passes: dict[str, Any] = answer.json()
        return passes

    def end(self, slug: str) -> httpx2.Response:
        """End the session for everybody."""
        return self.http.post(f"/s/{slug}/end")

    def page(self, slug: str = "", client: str | None = None) -> RoomPage:
        """Return a page of the room, not connected yet."""
        return RoomPage(self, slug, client)


class RoomPage:
    """A page in the room: `async with visitor.page(slug) as page`. Keeps all it was sent."""

    def __init__(self, visitor: Visitor, slug: str, client: str | None = None) -> None:
        self.messages: list[dict[str, Any]] = []
        self.closed: tuple[int | None, str] | None = None
        self.index = 0
        self.settled = 0
        self.active: bool | None = None  # what hello tells of that
        self.told_audio = 0  # for how many days its door said that sound is kept
        self.beats = False  # whether hello promises to answer beats; nothing here does
        self.client = client or secrets.token_hex(8)
        self._visitor = visitor
        self._slug = slug
        self._seq = 0
        self._corrected = 0  # the highest number of a correction
        self._spoken = bytearray()
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()

    async def __aenter__(self) -> RoomPage:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.leave()

    @property
    def socket(self) -> ClientConnection:
        """The open socket."""
        assert self._socket is not None
        return self._socket

    def move(self, to: Visitor) -> None:
        """Connect through this visitor from now on, as behind an address of several servers."""
        self._visitor = to

    async def refused(self) -> int | None:
        """Try to connect where no welcome comes, and return the code of the close."""
        self.closed = None
        trying = asyncio.create_task(self.connect())
        await self.until(lambda: self.closed is not None or trying.done())
        if trying.done():
            await trying  # with what went wrong
        trying.cancel()
        await asyncio.wait([trying])
        await self._stop_reading()
        return self.closed[0] if self.closed else None

    async def connect(self) -> None:
        """Join, open the socket, say hello and wait for the welcome."""
        passes = await asyncio.to_thread(self._visitor.join, self._slug)
        transcription = passes["transcription"]
        self.closed = None
        self._socket = await connect(
            transcription["url"],
            subprotocols=[Subprotocol("sessions.v1"), Subprotocol(transcription["token"])],
            origin=self._visitor.url,  # type: ignore[arg-type]
            max_size=None,
            compression=None,
        )
        self._reading = asyncio.create_task(self._read())
        before = len(self.of_type("welcome"))
        lines = [message["id"] for message in self.of_type("chat")]
        seen = {"seq": self._seq, "settled": self.settled, "chat": max(lines, default=0)}
        seen["corrected"] = self._corrected
        hello = {"client": self.client, "active": self.active, "beats": self.beats} | seen
        hello["audio"] = self.told_audio
        await self.send({"type": "hello"} | hello)
        await self.until(lambda: len(self.of_type("welcome")) > before)
        self._seq = min(self._seq, self.welcome["seq"])

    async def leave(self) -> None:
        """Close the socket as a page that is left."""
        if self._socket is not None:
            await self._socket.close()
        await self._stop_reading()

    async def drop(self) -> None:
        """Lose the connection without a goodbye."""
        self.socket.transport.abort()
        await self._stop_reading()

    async def send(self, message: dict[str, Any]) -> None:
        """Send a JSON message."""
        await self.socket.send(json.dumps(message))

    async def mic(self, on: bool) -> None:
        """Tell whether audio comes."""
        await self.send({"type": "mic", "on": on})

    async def speak(self, pcm: bytes, *, speed: float = 0.0) -> None:
        """Send audio at `speed` times real time, or at once with 0."""
        began, first = time.monotonic(), self.index
        self.record(pcm)
        for index in range(first, self.index, FRAME):
            await self.send_spoken(index)
            if speed:
                ahead = (index + FRAME - first) / SAMPLE_RATE / speed - (time.monotonic() - began)
                await asyncio.sleep(max(0.0, ahead))

    def record(self, pcm: bytes) -> None:
        """Say something that isn't sent yet, as while the connection is lost."""
        size = FRAME * BYTES_PER_SAMPLE
        self._spoken += pcm.ljust(-(-len(pcm) // size) * size, b"\0")
        self.index = len(self._spoken) // BYTES_PER_SAMPLE

    async def resend(self, first: int | None = None) -> None:
        """Send what was said from this sample on: what the server wants, unless told otherwise."""
        begin = self.welcome["received"] if first is None else first
        for index in range(max(begin, self.index - KEPT) // FRAME * FRAME, self.index, FRAME):
            await self.send_spoken(index)

    async def send_spoken(self, index: int) -> None:
        """Send the frame at this sample of what was said."""
        begin = index * BYTES_PER_SAMPLE
        await self.send_frame(index, bytes(self._spoken[begin : begin + FRAME * BYTES_PER_SAMPLE]))

    async def send_frame(self, index: int, pcm: bytes) -> None:
        """Send one audio frame."""
        await self.socket.send(index.to_bytes(8, "little") + pcm)

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages of a type."""
        return [message for message in self.messages if message["type"] == kind]

    def forget_after(self, seq: int) -> None:
        """Pretend to have seen the finals up to this one."""
        self._seq = seq

    @property
    def welcome(self) -> dict[str, Any]:
        """Return the latest welcome."""
        return self.of_type("welcome")[-1]

    @property
    def finals(self) -> list[dict[str, Any]]:
        """Return the final utterances in the order they came."""
        return [message for message in self.of_type("utterance") if message["final"]]

    @property
    def shown(self) -> list[tuple[str, str, str]]:
        """Return what the transcript of the page shows: id, speaker's name and words, in order."""
        names = self.welcome["names"]
        lines: dict[tuple[str, int], tuple[float, str, str | None, str]] = {}
        for one in self.messages:
            if one["type"] == "names":
                names = one["names"]
            if one["type"] == "corrected":
                for key in [key for key in lines if key[0] == one["id"]]:
                    del lines[key]
                for part in one["parts"]:
                    key = one["id"], part["part"]
                    lines[key] = part["start"], part["speaker"], part["name"], part["text"]
            if one["type"] == "utterance" and one["final"]:
                lines[one["id"], 0] = one["start"], one["identity"], one["name"], one["text"]
        in_order = sorted(lines.items(), key=lambda line: (line[1][0], line[0]))
        return [
            (f"{id_}.{part}" if part else id_, str(names.get(who, name)), text)
            for (id_, part), (_, who, name, text) in in_order
        ]

    @property
    def text(self) -> str:
        """Return all that was finally said."""
        return " ".join(message["text"] for message in self.finals)

    async def until(self, true: Callable[[], Any], seconds: float = WAIT_TIMEOUT_S) -> None:
        """Wait until something is true of what was sent."""
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(true)
        except TimeoutError:
            last = self.messages[-5:]
            raise AssertionError(f"did not happen; closed: {self.closed}, last: {last}") from None

    async def until_closed(self, seconds: float = WAIT_TIMEOUT_S) -> int | None:
        """Wait until the server closes, and return the code."""
        await self.until(lambda: self.closed is not None, seconds)
        return self.closed[0] if self.closed else None

    async def _read(self) -> None:
        socket = self.socket
        try:
            async for text in socket:
                message = json.loads(text)
                if message.get("seq"):
                    self._seq = max(
                        self._seq,
                        message["seq"] if message["type"] in ("utterance", "corrected") else 0,
                    )
                if message["type"] == "corrected":
                    self._corrected = max(self._corrected, message["number"])
                if message["type"] == "settled":
                    self.settled = max(self.settled, message["index"])
                async with self._news:
                    self.messages.append(message)
                    self._news.notify_all()
        except ConnectionClosed:
            pass
        async with self._news:
            self.closed = (socket.close_code, socket.close_reason or "")
            self._news.notify_all()

    async def _stop_reading(self) -> None:
        if self._reading is not None:
            await self._reading
            self._reading = None
