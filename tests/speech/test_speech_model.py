"""From the command that fetches a speech model to words on a page: all as an operator does it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import asyncpg
import pytest

from core.checks import speech
from core.checks.outcome import Outcome
from core.settings import Settings
from core.speech.engine import BYTES_PER_SECOND
from tests.conftest import MakeServer
from tests.ops.test_command_line import app
from tests.support.speech_models import whisper_base
from tests.support.speech_samples import RUSSIAN, russian, words_in_order
from tests.support.visitors import Visitor

NAME = "whisper-base"


class Mirror(SimpleHTTPRequestHandler):
    """A mirror of models whose first answer with a large file breaks off."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append((self.path, wanted))
        content = Path(self.translate_path(self.path)).read_bytes()
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cut = len(content) // 3 if len(content) > 10_000_000 and not wanted else len(content)
        self.wfile.write(content[start:cut])

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Log nothing."""


@pytest.fixture
def mirror() -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    asked: list[tuple[str, str | None]] = []
    handler = type("Told", (Mirror,), {"asked": asked})
    folder = str(whisper_base().parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder)) as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


def test_a_model_that_is_fetched_writes_russian_in_the_room(
    mirror: tuple[str, list[tuple[str, str | None]]], tmp_path: Path, make_server: MakeServer
) -> None:
    address, asked = mirror
    data = tmp_path / "data"
    told = {"DATA_DIR": str(data), "SPEECH_MODEL_URL": address}
    code, said = app(tmp_path, "speech-model", **told)
    assert code == 0
    assert f"{NAME}               145 MB  MIT" in said
    assert "fetched" not in said
    before = looked_at(data)
    assert before.state == "failed"
    assert before.todo == f"Fetch it: python app.py speech-model {NAME}"

    code, said = app(tmp_path, f"speech-model {NAME}", **told)
    assert code == 0, said
    assert "100 % of 145 MB: model.bin" in said
    assert f"Set SPEECH_MODEL={NAME}" in said
    assert [wanted is not None for path, wanted in asked if path.endswith("bin")] == [False, True]
    code, said = app(tmp_path, "speech-model", LANG="ru_RU.UTF-8", **told)
    assert "около 100 языков" in said
    assert "скачана" in said
    after = looked_at(data)
    assert (after.state, after.facts["model"]) == ("ok", NAME)

    server = make_server(data, SPEECH_ENGINE="local", SPEECH_MODEL=NAME)
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    slug = ada.start_session("По-русски")
    asyncio.run(speak_russian(server.database_url, ada, slug))


async def speak_russian(database_url: str, ada: Visitor, slug: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "UPDATE sessions.sessions SET languages = '{ru}' WHERE slug = $1", slug
    )
    await connection.close()
    async with ada.page(slug) as page:
        await page.mic(True)
        await page.speak(russian() + bytes(2 * BYTES_PER_SECOND))
        await page.mic(False)
        await page.until(lambda: words_in_order(RUSSIAN, page.text) >= 0.6)
        assert {one["language"] for one in page.finals} == {"ru"}


def looked_at(data: Path) -> Outcome:
    """Return what `check` and /setup say of it."""
    settings = Settings(speech_engine="local", speech_model=NAME, data_dir=data)
    (outcome,) = asyncio.run(speech.look(settings))
    return outcome


def test_a_command_that_can_t_fetch_says_why_and_ends_with_1(tmp_path: Path) -> None:
    told = {"DATA_DIR": str(tmp_path), "SPEECH_MODEL_URL": "http://198.51.100.7"}
    code, said = app(tmp_path, "speech-model whisper-giant", **told)
    assert code == 1
    assert "No model is called whisper-giant" in said
    code, said = app(tmp_path, "speech-model gigaam-v3", LANG="ru_RU.UTF-8", **told)
    assert code == 1
    assert "Модель не скачана: скачивается только по https" in said
    assert not (tmp_path / "speech" / "gigaam-v3").exists()
