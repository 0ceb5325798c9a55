"""Somebody who uploads recordings, as the page's script and as a browser without scripts do it."""

from __future__ import annotations

import io
import re
import secrets
import wave
from pathlib import Path
from typing import Any

import httpx2

from core.speech.engine import SAMPLE_RATE
from tests.support.app_server import AppServer
from tests.support.tables import Tables
from tests.support.visitors import Visitor
from tests.support.waiting import wait_until

JSON = {"Accept": "application/json"}
PIECE = {**JSON, "Content-Type": "application/octet-stream"}
HTML = {"Accept": "text/html"}


def wav(*channels: bytes, rate: int = SAMPLE_RATE) -> bytes:
    """Return PCM16 of channels, which have the same length, as a WAV file."""
    samples = [
        b"".join(one[at : at + 2] for one in channels) for at in range(0, len(channels[0]), 2)
    ]
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(len(channels))
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(b"".join(samples) if len(channels) > 1 else channels[0])
    return file.getvalue()


def hum(seconds: float) -> bytes:
    """Return PCM16 in which nobody says anything."""
    return bytes(int(seconds * SAMPLE_RATE) * 2)


class Uploader:
    """A member of a space, and the upload they are at."""

    def __init__(self, place: AppServer, name: str = "") -> None:
        self.place = place
        self.tables = Tables(place.database_url)
        self.visitor = Visitor(place.url).sign_in(name or f"Ada {secrets.token_hex(4)}")
        self.http = self.visitor.http
        self.upload = ""

    @property
    def space(self) -> str:
        page = self.http.get("/", headers=HTML).text
        found = re.search(r'name="space" value="([0-9a-f-]{36})"', page)
        assert found is not None
        return found[1]

    def make(self, **form: str) -> str:
        answer = self.http.post(f"/spaces/{self.space}/uploads", data=form, headers=JSON)
        assert answer.status_code == 201, answer.text
        self.upload = answer.json()["upload"]
        return self.upload

    @property
    def path(self) -> str:
        return f"/uploads/{self.upload}"

    @property
    def files(self) -> list[Path]:
        """The files that there are of it on the server's disk."""
        return sorted((self.place.data_dir / "uploads" / self.upload).glob("*"))

    def begin(self, name: str, size: int, modified: int | str = "") -> httpx2.Response:
        form = {"name": name, "size": str(size), "modified": str(modified)}
        return self.http.post(f"{self.path}/begin", data=form, headers=JSON)

    def piece(self, number: int, offset: int | str, data: bytes) -> httpx2.Response:
        address = f"{self.path}/files/{number}?offset={offset}"
        return self.http.post(address, content=data, headers=PIECE)

    def send(self, name: str, data: bytes, modified: int | str = "") -> int:
        """Send a file in pieces, and return its number."""
        begun = self.begin(name, len(data), modified)
        assert begun.status_code == 200, begun.text
        number: int = begun.json()["number"]
        at = begun.json()["received"]
        while at < len(data):
            answer = self.piece(number, at, data[at : at + 4_000_000])
            assert answer.status_code == 200, answer.text
            at = answer.json()["received"]
        return number

    def act(self, what: str, **form: str) -> httpx2.Response:
        return self.http.post(f"{self.path}/{what}", data=form, headers=JSON)

    def start(self, **form: str) -> str:
        """Have it transcribed, and return the session's link."""
        answer = self.act("start", **form)
        assert answer.status_code == 200, answer.text
        slug: str = answer.json()["slug"]
        return slug

    def row(self, what: str = "state") -> Any:
        found = self.tables(f"SELECT {what} FROM uploads WHERE id = $1", self.upload)
        return found[0][0] if found else None

    def wait_for(self, state: str | None) -> None:
        wait_until(lambda: self.row() == state, news=lambda: self.row("state || reason"))

    def lines(self, slug: str) -> list[tuple[str, str]]:
        """Return who said what, in the order of the transcript."""
        found = self.http.get(f"/s/{slug}/transcript.json", headers=JSON).json()
        names = {one["id"]: one["name"] for one in found["speakers"]}
        return [(names[one["speaker"]], one["text"]) for one in found["lines"] if one.get("text")]
