"""The page's modules that need no browser, by Node's own test runner: tests/page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from tests.support import ROOT

# The first that takes a file with imports for a module by itself, as browsers do.
OLDEST = (20, 19)


def node() -> str:
    """The path of Node, or the end of the test: skipped, failed in CI."""
    path = shutil.which("node")
    version = subprocess.check_output([path, "--version"], text=True) if path else "v0.0"
    found = re.match(r"v(\d+)\.(\d+)", version)
    if path and found and (int(found[1]), int(found[2])) >= OLDEST:
        return path
    reason = "no Node {}.{} or newer".format(*OLDEST)
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason)


def test_modules_without_a_browser() -> None:
    files = sorted(map(str, (ROOT / "tests" / "page").glob("*.test.mjs")))
    assert files
    ran = subprocess.run(
        [node(), "--test", *files], capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"^\D+ pass [1-9]", ran.stdout, re.MULTILINE), ran.stdout


def test_what_buttons_do_is_done() -> None:
    """A name in `data-do` that no part of the room takes would throw when it is clicked."""
    templates = "".join(p.read_text() for p in (ROOT / "templates/room").glob("*.html"))
    modules = "".join(p.read_text() for p in (ROOT / "static/js/room").glob("*.js"))
    named = set(re.findall(r'data-do="([^"]*)"', templates))
    done = set(re.findall(r"\bactions\.on\('([^']+)'", modules))
    assert named
    assert named <= done
    # What no button of a template does is posted by a part, or offered by a notice.
    posted = set(re.findall(r"(?:\.post\(|\bact: (?:/\*\* @type \S+ \*/ \()?)'([^']+)'", modules))
    offered = {"open-microphone", "open-camera"}  # `open-${device}`
    assert done - named <= posted | offered
