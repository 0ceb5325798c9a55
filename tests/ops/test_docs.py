"""What the documentation promises to be complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
