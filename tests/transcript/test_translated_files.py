"""Files of a transcript in another language: the choice of it, and both languages side by side."""

from __future__ import annotations

import io
import json
import re

import docx
import jsonschema
import pytest
from markdown_it import MarkdownIt

from core.transcript.exports import FORMATS
from tests.conftest import MakeServer
from tests.support import ROOT
from tests.support.talks import Talk
from tests.support.visitors import Visitor

HOSTILE = "# <b>не</b> *так* | > --> & ]]>"
BOTH = "?lang=de&both=1"


@pytest.fixture(scope="module")
def talk(make_server_in: MakeServer) -> Talk:
    """Two lines that were translated, one of them hostile, and one that wasn't."""
    server = make_server_in()
    talk = Talk.begin(server, Visitor(server.url).sign_in("Ada"), "Harbour", "Bo")
    for seq, text in enumerate(("Доброе утро.", HOSTILE), 1):
        assert talk.say("Bo", text, seq * 10.0, language="ru") == seq
    talk.say("Ada", "No translation.", 30.0)
    talk.translate(1, "de", "Guten Morgen.")
    talk.translate(2, "de", "nicht *so*")
    talk.translate(1, "he", "בוקר טוב")
    return talk


def test_every_format_offers_the_languages_that_there_are(talk: Talk) -> None:
    page = talk.host.http.get(f"/s/{talk.slug}/transcript?lang=he").text
    (form,) = re.findall(r'<form class="save-panel".*?</form>', page, re.S)
    assert re.findall(r'<option value="(\w*)"( selected)?>', form) == [
        ("", ""),
        ("de", ""),
        ("he", " selected"),
    ]
    for ending in FORMATS:
        assert f'formaction="/s/{talk.slug}/transcript.{ending}"' in form
        said = talk.file(ending, "?lang=&tz=").content
        if ending != "docx":
            assert "Доброе утро." in said.decode()
            assert "Guten Morgen." in talk.file(ending, "?lang=de").text
            assert "Доброе утро." not in talk.file(ending, "?lang=de").text
    other = Talk.begin(talk.server, talk.host, "Plain")
    plain = talk.host.http.get(f"/s/{other.slug}/transcript").text
    assert 'name="both"' not in plain
    assert 'name="lang"' not in plain


def test_both_languages_stand_side_by_side_as_what_they_are(talk: Talk) -> None:
    lines = talk.file("txt", BOTH).text.splitlines()[-5:]
    assert lines == [
        "[00:00:10] Bo: Guten Morgen.",
        "    Доброе утро.",
        "[00:00:20] Bo: nicht *so*",
        f"    {HOSTILE}",
        "[00:00:30] Ada: No translation.",
    ]
    assert "Guten Morgen" not in talk.file("txt", "?both=1").text  # of nothing else

    tokens = MarkdownIt("commonmark").parse(talk.file("md", BOTH).text)
    quoted = [n for n, one in enumerate(tokens) if one.type == "blockquote_open"]
    texts = ["".join(c.content for c in tokens[n + 2].children or []) for n in quoted]
    assert texts == ["Доброе утро.", HOSTILE]

    paragraphs = docx.Document(io.BytesIO(talk.file("docx", BOTH).content)).paragraphs
    said = [one.text for one in paragraphs if one.style and one.style.name == "Original"]
    assert said == ["Доброе утро.", HOSTILE]
    assert any(one.text.endswith("nicht *so*") for one in paragraphs)

    told = json.loads(talk.file("json", BOTH).content)
    jsonschema.validate(told, json.loads((ROOT / "docs/transcript-1.schema.json").read_text()))
    found = [(one["text"], one.get("original"), one["language"]) for one in told["lines"]]
    assert found == [
        ("Guten Morgen.", "Доброе утро.", "de"),
        ("nicht *so*", HOSTILE, "de"),
        ("No translation.", None, "en"),
    ]
    assert "original" not in talk.file("json", "?lang=de").text
    for ending in ("srt", "vtt"):
        assert talk.file(ending, BOTH).text == talk.file(ending, "?lang=de").text
    # Hebrew beside Russian: each line keeps its own direction.
    assert "Bo: \u2068בוקר טוב\u2069\n    Доброе утро." in talk.file("txt", "?lang=he&both=1").text
