"""What the documentation promises to be complete."""

from __future__ import annotations

import pytest

from core.settings import VARIABLES
from tests.support import ROOT


@pytest.mark.parametrize("name", [name for variable in VARIABLES for name in variable.names])
def test_the_readme_names_every_variable(name: str) -> None:
    assert f"`{name}`" in (ROOT / "README.md").read_text()
