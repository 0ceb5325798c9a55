"""Transcripts as files: what is in them, and that hostile text can't break out."""

from __future__ import annotations

from datetime import UTC, datetime

from core.exports import Line, as_text, as_vtt
from tests.app_server import AppServer
from tests.test_chat import say
from tests.visitors import Visitor

ADA = Line("Ada Lovelace", "At nine,\nnot at eight?", 3725.25, 3727.5)
CHAT = Line("Bob", "see --> <here>\n\nand there", 3730, None)


def test_text_is_one_line_per_utterance() -> None:
    when = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    assert as_text("Planning", when, [ADA, CHAT]) == (
        "Planning\n2026-01-02 03:04 UTC\n\n"
        "[01:02:05] Ada Lovelace: At nine, not at eight?\n"
        "[01:02:10] Bob (chat): see --> <here> and there\n"
    )


def test_vtt_has_a_voice_per_cue_and_the_chat_as_comments() -> None:
    assert as_vtt([ADA, CHAT]) == (
        "WEBVTT\n\n"
        "01:02:05.250 --> 01:02:07.500\n<v Ada Lovelace>At nine, not at eight?</v>\n\n"
        "NOTE 01:02:10.000 Bob (chat): see → <here> and there\n"
    )


def test_vtt_escapes_names_and_words_and_shows_short_cues() -> None:
    cue = as_vtt([Line("<b>&", "1 < 2 --> 3", 1.0, 1.0)]).split("\n")[2:4]
    assert cue == ["00:00:01.000 --> 00:00:01.500", "<v &lt;b&gt;&amp;>1 &lt; 2 --&gt; 3</v>"]


async def test_the_chat_is_in_the_files_of_an_ended_session(server: AppServer) -> None:
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    slug = ada.start_session("Planning")
    async with ada.page(slug) as page:
        await say(page, "See you at nine.")
        await page.until(lambda: page.of_type("chat"))
    ada.end(slug)
    text = ada.http.get(f"/s/{slug}/transcript.txt")
    assert "Planning" in text.text
    assert "Ada Lovelace (chat): See you at nine." in text.text
    assert text.headers["content-disposition"] == f'attachment; filename="session-{slug}.txt"'
    vtt = ada.http.get(f"/s/{slug}/transcript.vtt")
    assert vtt.headers["content-type"] == "text/vtt; charset=utf-8"
    assert vtt.text.startswith("WEBVTT\n\nNOTE ")
