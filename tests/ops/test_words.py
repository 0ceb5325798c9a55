"""The words people read: every one in both languages, none left over."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support import ROOT
from tests.support.words import DOMAINS, TRANSLATED, Domain, mistakes, outputs, po_path, updated
from web.words import accepted


def test_catalogues_are_in_step_with_the_code() -> None:
    # Nothing new that isn't in them, nothing that nobody says any more, compiled as they are.
    stale = [path.relative_to(ROOT) for path, content in outputs() if path.read_bytes() != content]
    assert not stale, "`make words` writes these anew"


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.name)
def test_everything_is_translated(domain: Domain, language: str) -> None:
    wrong = [
        f"{message.id!r} {mistake}"
        for message in updated(domain, language)
        if message.id
        for mistake in mistakes(message)
    ]
    assert not wrong, f"in {po_path(domain, language).relative_to(ROOT)}"


CARRY_WORDS = {"Words", "StartError", "DatabaseStartError", "SettingsError", "InvalidError"}


def test_what_the_core_says_is_marked() -> None:
    # Else it is in no catalogue, and nobody would notice: it is English in every language.
    calls = [
        (path, node)
        for folder in ("core", "web")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id in CARRY_WORDS
    ]
    assert len(calls) > 50
    for path, call in calls:
        text = call.args[0]
        place = f"{path.relative_to(ROOT)}:{call.lineno}"
        assert not isinstance(text, ast.JoinedStr), f"{place}: values go beside the text"
        if isinstance(text, ast.Constant):  # values alone need no translation
            assert not re.search(r"[A-Za-z]", re.sub(r"%\(\w+\)s", "", str(text.value))), place


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7", "ru"),
        ("en-GB,en;q=0.9,ru;q=0.8", "en"),
        ("de,fr;q=0.8", "en"),
        ("de,ru;q=0.3", "ru"),
        ("en;q=0.2, RU ; q=0.5", "ru"),
        ("ru;q=0", "en"),
        ("ru;q=nonsense", "en"),
        ("ru;q=7", "en"),
        ("", "en"),
        ("*", "en"),
        (",;,=;q", "en"),
        ("xx," * 1000 + "ru", "en"),
    ],
)
def test_what_a_browser_asks_for(header: str, expected: str) -> None:
    assert accepted(header) == expected
