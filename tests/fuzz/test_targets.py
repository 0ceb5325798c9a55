"""Every target for a moment, always with the same inputs."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.fuzz.targets import TARGETS

EXAMPLES = 40
MORE = {"frames": 120}  # what matters there are several frames and where they are cut


@pytest.mark.parametrize("name", TARGETS)
def test_what_must_hold_for_any_input(name: str) -> None:
    settings(
        max_examples=MORE.get(name, EXAMPLES),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )(TARGETS[name])()
