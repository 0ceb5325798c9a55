"""Each format of a transcript, opened by what others open it with, whatever was said."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import docx
import jsonschema
import msgspec
import pytest
import srt  # type: ignore[import-untyped]
import webvtt
from docx.document import Document
from markdown_it import MarkdownIt

from core.transcript.exports import FORMATS, Wanted
from tests.conftest import MakeServer
from tests.support import ROOT
from tests.support.app_server import AppServer
from tests.support.talks import Talk
from tests.support.visitors import Visitor
from tests.transcript.test_windows import Meeting, meeting
from web.wording import Wording

__all__ = ["meeting"]
SCHEMA = json.loads((ROOT / "docs/transcript-1.schema.json").read_text())
HOSTILE = "1. *a* _b_ `c` <b>d</b> & [e](f) # | --> {\\an8} $x$ ~~g~~ </w:t> &amp; ]]> \\"
HEBREW = "שלום עולם abc 12!"
RUSSIAN = "Добрый день, коллеги."
EMOJI = "Отлично 👨‍👩‍👧‍👦 👍🏽"
ENDINGS = tuple(FORMATS)


@pytest.fixture(scope="module")
def server(make_server_in: MakeServer) -> AppServer:
    return make_server_in()


@pytest.fixture(scope="module")
def talk(server: AppServer) -> Talk:
    """Of everything one: two at once, four scripts, hostile words, gaps, pauses, corrections."""
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    talk = Talk.begin(server, ada, "Harbour *<&> plans", "Bo _x_", "Ха Хлестаков")
    talk.say("Ada Lovelace", "Good morning. Shall we begin?", 3.0, 4.0)
    talk.say("Bo _x_", "Yes, while you speak.", 4.0, 2.0)
    talk.say("Ха Хлестаков", RUSSIAN, 8.0, language="ru")
    talk.say("Bo _x_", HEBREW, 11.0, language="he")
    talk.say("Ada Lovelace", EMOJI, 14.0, language="ru")
    talk.say("Bo _x_", HOSTILE, 17.0)
    talk.say("Bo _x_", "line\x0bone\r\n\r\n2\n00:00:01,000 --> 00:00:02,000\x07\u202e end", 21.0)
    talk.say("Ada Lovelace", "", 25.0, 10.0, lost=75.0)
    talk.write("Bo _x_", "see --> <here>\n\nand there", 30.0)
    talk.pause(35.0, 40.0)
    hidden = talk.say("Ada Lovelace", "a secret", 41.0)
    talk.correct(hidden, "a secret", 41.0, "Ada Lovelace", hidden=True)
    split = talk.say("Ada Lovelace", "one two", 50.0)
    talk.correct(split, "one", 50.0, "Ada Lovelace")
    talk.correct(split, "two", 52.0, "room-1", part=1)
    talk.call("room-1", None)
    kept, gone = talk.say("Bo _x_", "left", 60.0), talk.say("Bo _x_", "right", 62.0)
    talk.correct(kept, "left right", 60.0, "Bo _x_")
    talk.correct(gone, "right", 62.0, "Bo _x_", joined=kept)
    talk.call("Ха Хлестаков", "Иван")
    talk.say("Ada Lovelace", "Yes.", 125.0, 0.2)
    ada.end(talk.slug)
    return talk


@pytest.fixture(scope="module")
def long(server: AppServer) -> Talk:
    """Three hours of one person, as an engine may have it that finds no silence."""
    talk = Talk.begin(server, Visitor(server.url).sign_in("Ada Lovelace"), "Monologue")
    text = "The harbour needs another pier, and the one that we have is too short. "
    for third in range(3):
        talk.say("Ada Lovelace", text * 400, third * 3600.0, 3600.0)
    talk.host.end(talk.slug)
    return talk


def document(content: bytes) -> Document:
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        assert parts.testzip() is None
        for one in parts.namelist():
            ElementTree.fromstring(parts.read(one))
    return docx.Document(io.BytesIO(content))


def facts(talk: Talk, query: str = "") -> dict[str, Any]:
    told: dict[str, Any] = talk.file("json", query).json()
    jsonschema.Draft202012Validator(SCHEMA).validate(told)
    return told


def spoken(talk: Talk, query: str = "") -> list[str]:
    """Return the lines of the text, behind its head."""
    lines: list[str] = talk.file("txt", query).text.split("\n\n", 1)[1].splitlines()
    return lines


# Text


def test_text_has_everything_in_its_order(talk: Talk) -> None:
    assert spoken(talk) == [
        "[00:00:03] Ada Lovelace: Good morning. Shall we begin?",
        "[00:00:04] Bo _x_: Yes, while you speak.",
        f"[00:00:08] Иван: {RUSSIAN}",
        f"[00:00:11] Bo _x_: \u2068{HEBREW}\u2069",
        f"[00:00:14] Ada Lovelace: {EMOJI}",
        f"[00:00:17] Bo _x_: {HOSTILE}",
        "[00:00:21] Bo _x_: line one 2 00:00:01,000 --> 00:00:02,000 end",
        "[00:00:25] Ada Lovelace: (1 min 15 s could not be transcribed)",
        "[00:00:30] Bo _x_ (chat): see --> <here> and there",
        "[00:00:35] A host: (paused the transcription until 0:40: nothing was transcribed)",
        "[00:00:50] Ada Lovelace: one",
        "[00:00:52] Several people: two",
        "[00:01:00] Bo _x_: left right",
        "[00:02:05] Ada Lovelace: Yes.",
    ]


def test_times_and_chat_are_left_out_where_they_are_not_wanted(talk: Talk) -> None:
    plain = spoken(talk, "?times=0&chat=0")
    assert plain[0] == "Ada Lovelace: Good morning. Shall we begin?"
    assert len(plain) == len(spoken(talk)) - 1
    # As a form has it, whose box is ticked: the last one counts.
    assert spoken(talk, "?times=0&times=1&chat=0&chat=1") == spoken(talk)
    for ending in ("txt", "md"):
        assert "00:00:50" not in talk.file(ending, "?times=0").text
        assert "chat)" not in talk.file(ending, "?chat=0").text
    assert "NOTE 00:00:30" not in talk.file("vtt", "?chat=0").text
    words = " ".join(
        one.text for one in document(talk.file("docx", "?times=0&chat=0").content).paragraphs
    )
    assert "00:00" not in words.replace("00:00:01,000 --> 00:00:02,000", "")
    assert "(chat)" not in words
    told = facts(talk, "?times=0&chat=0")
    lines = told["lines"]
    assert not [one for one in lines if "start" in one or one["kind"] == "chat"]


def test_it_is_in_the_language_of_who_saves_it(talk: Talk) -> None:
    text = talk.file("txt", **{"Accept-Language": "ru"}).text
    assert "Несколько человек: two" in text
    assert "Bo _x_ (чат): " in text


# Markdown


def test_markdown_is_read_as_what_was_said(talk: Talk) -> None:
    markdown = MarkdownIt("gfm-like", {"linkify": False})
    tokens = markdown.parse(talk.file("md").text)
    kinds = {token.type for token in tokens}
    assert kinds == {
        *("heading_open", "heading_close", "inline", "paragraph_open", "paragraph_close")
    }
    inline = [child for token in tokens for child in token.children or []]
    assert {child.type for child in inline} <= {
        *("text", "text_special", "strong_open", "strong_close", "em_open", "em_close")
    }
    shown = [
        "".join(child.content for child in token.children or [])
        for token in tokens
        if token.type == "inline"
    ]
    assert shown[0] == "Harbour *<&> plans"
    assert HOSTILE in shown
    assert shown[2:6] == [
        "Ada Lovelace 00:00:03",
        "Good morning. Shall we begin?",
        "Bo _x_ 00:00:04",
        "Yes, while you speak.",
    ]
    assert shown[-2:] == ["Ada Lovelace 00:02:05", "Yes."]
    assert "a secret" not in " ".join(shown)


# Subtitles


def test_vtt_has_voices_that_may_overlap(talk: Talk) -> None:
    text = talk.file("vtt").text
    found = webvtt.from_string(text).captions
    first, second = found[0], found[1]
    assert (first.voice, first.text) == ("Ada Lovelace", "Good morning. Shall we begin?")
    assert (first.start, first.end) == ("00:00:03.000", "00:00:07.000")
    assert (second.voice, second.start) == ("Bo _x_", "00:00:04.000")
    assert not {one.voice for one in found} - {"Ada Lovelace", "Bo _x_", "Иван", "Several people"}
    assert f"<v Иван><lang ru>{RUSSIAN}</lang></v>" in text
    assert "<lang he>" in text
    assert "<lang en>" not in text  # what the first one spoke goes without saying
    assert "NOTE 00:00:25.000 Ada Lovelace: (1 min 15 s could not be transcribed)\n" in text
    assert "NOTE 00:00:30.000 Bo _x_ (chat): see → <here> and there\n" in text
    assert "NOTE 00:00:35.000 A host: (paused" in text
    starts = [one.start for one in found]
    assert starts == sorted(starts)
    # Nobody could read it in a fifth of a second.
    assert (found[-1].start, found[-1].end) == ("00:02:05.000", "00:02:06.000")


def test_srt_has_names_where_the_speaker_changes(talk: Talk) -> None:
    found = list(srt.parse(talk.file("srt").text))
    assert [one.index for one in found] == list(range(1, len(found) + 1))
    texts = [one.content.replace("\u2060", "").replace("\n", " ") for one in found]
    assert texts[:4] == [
        "Ada Lovelace: Good morning. Shall we begin?",
        "Bo _x_: Yes, while you speak.",
        f"Иван: {RUSSIAN}",
        f"Bo _x_: {HEBREW}",
    ]
    assert HOSTILE.replace("-->", "→") in " ".join(texts)
    assert "<b>" not in " ".join(one.content for one in found)
    assert "Several people: two" in texts
    assert texts[-1] == "Ada Lovelace: Yes."
    assert found[-1].end - found[-1].start == timedelta(seconds=1)
    assert "(chat)" not in " ".join(texts)


@pytest.mark.parametrize("ending", ["vtt", "srt"])
def test_three_hours_of_one_person_are_subtitles_to_read(long: Talk, ending: str) -> None:
    text = long.file(ending).text
    assert text.count("harbour") == 1200
    seconds, lines = [], list[str]()
    if ending == "srt":
        for one in srt.parse(text):
            seconds.append((one.start.total_seconds(), one.end.total_seconds()))
            lines += one.content.splitlines()
        assert lines[0].startswith("Ada Lovelace: ")
        assert text.count("Ada Lovelace") == 1
    else:
        for cue in webvtt.from_string(text).captions:
            seconds.append((cue.start_in_seconds, cue.end_in_seconds))
            lines += cue.text.splitlines()
    assert max(map(len, lines)) <= 42
    assert len(lines) <= 2 * len(seconds)
    assert len(seconds) > 1000
    assert seconds[-1][1] > 3 * 3600 - 10
    for (start, end), (following, _) in pairwise(seconds):
        assert start < end <= following + 1  # whole seconds are what the parser has
        assert end - start <= 8


# JSON


def test_json_is_as_its_schema_says(talk: Talk) -> None:
    told = facts(talk)
    lines = told["lines"]
    assert (told["format"], told["status"], told["complete"]) == (1, "ENDED", True)
    by = {one["id"]: one for one in lines}
    assert [one["start"] for one in lines] == sorted(one["start"] for one in lines)
    assert by["6"]["text"] == HOSTILE
    assert by["8"] | {"lost_s": 75.0, "kind": "gap"} == by["8"]
    assert (by["10"]["text"], by["10"]["corrected"]) == ("one", True)
    assert (by["10.1"]["name"], by["10.1"]["identity"]) == (None, talk.people["Ada Lovelace"])
    assert by["10.1"]["speaker"] == "room-1"
    assert "corrected" not in by["1"]
    assert "9" not in by  # it is hidden
    assert "12" not in by  # it is joined to another
    assert by["pause-0"] | {"name": None, "start": 35.0, "end": 40.0} == by["pause-0"]
    assert by["3"]["name"] == "Иван"
    speakers = told["speakers"]
    assert [one["name"] for one in speakers] == ["Ada Lovelace", "Bo _x_", "Иван", None]
    assert speakers[0]["lines"] == 4


def test_a_program_gets_the_same(talk: Talk) -> None:
    made = talk.host.http.post(
        "/profile/tokens",
        data={"name": "t", "scope": "READ"},
        headers={"Accept": "text/html"},
    )
    secret = made.text.partition("sessions_")[2][:56]
    program = Visitor(talk.server.url)
    program.http.headers["Authorization"] = f"Bearer sessions_{secret}"
    whole = program.http.get(f"/s/{talk.slug}/transcript")
    assert "content-disposition" not in whole.headers
    assert whole.json() == facts(talk)
    for ending in ENDINGS:
        assert program.http.get(f"/s/{talk.slug}/transcript.{ending}").status_code == 200


# Documents


def test_a_document_is_opened_and_says_all(talk: Talk) -> None:
    found = document(talk.file("docx").content)
    assert found.core_properties.title == "Harbour *<&> plans"
    texts = [one.text for one in found.paragraphs]
    assert texts[0] == "Harbour *<&> plans"
    assert found.paragraphs[0].style is not None
    assert found.paragraphs[0].style.name == "Title"
    assert texts[2:6] == [
        "Ada Lovelace 00:00:03",
        "Good morning. Shall we begin?",
        "Bo _x_ 00:00:04",
        "Yes, while you speak.",
    ]
    for text in (HOSTILE, RUSSIAN, HEBREW, EMOJI):
        assert text in texts
    assert "1 min 15 s could not be transcribed" in texts
    assert "a secret" not in " ".join(texts)
    named = next(one for one in found.paragraphs if one.text.startswith("Ada"))
    assert named.runs[0].bold
    assert named.runs[0].font.color.rgb is not None
    hebrew = next(one for one in found.paragraphs if one.text == HEBREW)
    assert hebrew._p.xpath("./w:pPr/w:bidi")
    assert [(one.font.rtl, one.text) for one in hebrew.runs] == [
        (True, "שלום עולם "),
        (None, "abc 12!"),
    ]


# All of them


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_session_is_a_file_as_well(server: AppServer, ending: str) -> None:
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    slug = ada.start_session("Nothing")
    ada.end(slug)
    answer = ada.http.get(f"/s/{slug}/transcript.{ending}")
    assert answer.status_code == 200
    if ending == "docx":
        assert document(answer.content).paragraphs[0].text == "Nothing"
    elif ending == "vtt":
        assert webvtt.from_string(answer.text).captions == []
    elif ending == "srt":
        assert answer.text == ""
    elif ending == "json":
        jsonschema.validate(answer.json(), SCHEMA)
        assert (answer.json()["lines"], answer.json()["speakers"]) == ([], [])
    else:
        assert "Nothing" in answer.text


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_head_tells_of_the_file_and_sends_nothing(talk: Talk, ending: str) -> None:
    path = f"/s/{talk.slug}/transcript.{ending}"
    head, whole = talk.host.http.head(path), talk.host.http.get(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-disposition", "cache-control"):
        assert head.headers[name] == whole.headers[name]
    assert head.headers["content-type"] == FORMATS[ending].media_type
    assert f"Harbour%20%26%20plans.{ending}" in head.headers["content-disposition"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_who_may_not_read_saves_nothing(talk: Talk, server: AppServer, ending: str) -> None:
    path = f"/s/{talk.slug}/transcript.{ending}"
    eve = Visitor(server.url).sign_in("Eve Stranger")
    nobody = Visitor(server.url)
    wanted = {"Accept": "application/json"}
    refused = [one.http.get(path, headers=wanted) for one in (eve, nobody)]
    assert [one.status_code for one in refused] == [403, 403]  # it is over: the page says as much
    assert all("Good morning" not in one.text for one in refused)
    assert talk.host.http.post(path).status_code == 405
    assert eve.http.get(f"/s/nothing-like-that/transcript.{ending}").status_code == 404
    lives = talk.host.start_session("Goes on")
    assert eve.http.get(f"/s/{lives}/transcript.{ending}").status_code == 404


def test_the_owners_of_the_space_read_who_saved_what(talk: Talk) -> None:
    for ending in ENDINGS:
        talk.file(ending)
    noted = talk.tables("SELECT detail FROM space_events WHERE act = 'exported'")
    assert {row[0] for row in noted} == {f"transcript.{ending}" for ending in ENDINGS}


async def test_words_that_are_not_stored_yet_are_in_it(meeting: Meeting) -> None:
    meeting.room.shown = [meeting.said(31, 100.0)]
    for ending, (_, encoder, _) in FORMATS.items():
        writing = encoder(Wanted(meeting.session, Wording(), complete=False))
        told = writing.begin()
        async for lines in meeting.reader.all(meeting.session):
            told += writing.lines(lines)
        told += writing.end()
        if ending == "docx":
            assert "word 31" in [one.text for one in document(told).paragraphs]
        else:
            assert b"word 31" in told
        if ending == "json":
            assert msgspec.json.decode(told)["complete"] is False
