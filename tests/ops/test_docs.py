"""What the documentation promises to be complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages import pofile

from core.settings import VARIABLES
from tests.support import ROOT, configuration

PAGES = ("docs/configuration.md", "docs/configuration.ru.md")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", [name for variable in VARIABLES for name in variable.names])
def test_the_configuration_names_every_variable(name: str, page: str) -> None:
    assert f"`{name}`" in (ROOT / page).read_text("utf-8")


@pytest.mark.parametrize(
    ("path", "content"),
    [pytest.param(*one, id=one[0].name) for one in configuration.outputs()],
)
def test_what_is_said_of_the_settings_is_what_the_code_has(path: Path, content: str) -> None:
    assert path.read_text("utf-8") == content, "run `make docs`"


@pytest.mark.parametrize(("page", "own"), [("docs/deploy.md", True), ("docs/deploy.ru.md", False)])
def test_what_check_is_said_to_say_is_what_it_says(page: str, own: bool) -> None:
    with (ROOT / "locale/ru/LC_MESSAGES/sessions.po").open("rb") as file:
        messages = [one for one in pofile.read_po(file) if isinstance(one.id, str)]
    known = [str(one.id if own else one.string) for one in messages]
    section = (ROOT / page).read_text("utf-8").rpartition("\n## ")[2]
    told = re.findall(r"^\| .+? \| (.+?) \|", section, re.M)
    sentences = [one for one in told[1:] if one[0].isupper()]
    assert len(sentences) >= 6
    for one in sentences:
        assert any(each.startswith(one) for each in known), one


def test_the_readme_is_short_and_leads_to_the_rest() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 90
    for page in (PAGES[0], "docs/deploy.md", "docs/deploy.ru.md", "docs/performance.md"):
        assert f"({page})" in text


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
