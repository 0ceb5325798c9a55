"""Gives files to the workers of pytest-xdist, those with browsers to two of them at most.

A page in a call keeps threads for sound and pictures busy, each in real time. One such test takes
half of a small machine; several together, which each worker would come to, have each other wait
until nothing is in time any more.
"""

from __future__ import annotations

from functools import cache

from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from tests.support import ROOT

# One after the other; all other files with browsers, too, in the other lane.
CALLS = (
    "tests/room/test_call",
    "tests/connection/test_page.py",
    "tests/emulators/livekit_calls/",
    "tests/pages/test_every_room.py",
)
BROWSERS = ("Browsers", "firefox_page")  # what such a file names


class Lanes(LoadFileScheduling):  # type: ignore[misc]
    """One worker runs all files of a lane; a file without browsers has one of its own."""

    def _split_scope(self, nodeid: str) -> str:
        return lane(super()._split_scope(nodeid))


@cache
def lane(file: str) -> str:
    """Return the lane of a file, by its path in the project."""
    if file.startswith(CALLS):
        return "calls"
    return "browsers" if file in _browsing() else file


@cache
def _browsing() -> set[str]:
    found = set()
    for path in ROOT.glob("tests/**/test_*.py"):
        file, text = path.relative_to(ROOT).as_posix(), path.read_text("utf-8")
        if not file.startswith(CALLS) and any(one in text for one in BROWSERS):
            found.add(file)
    return found
