"""The image: what goes in is what a start needs, and its scripts call commands that there are."""

from __future__ import annotations

import gettext
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.support import ROOT
from web.command_line import asked

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
# What an image is made without: nothing of it is read when Sessions runs.
LEFT_OUT = {"benchmarks", "docs", "tests"}


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have this process speak to nobody's terminal afterwards."""
    monkeypatch.setenv("LANGUAGE", "en")
    yield
    gettext.textdomain("messages")


def copied() -> set[str]:
    """Return what the Dockerfile takes of this checkout."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.M)
    words = [line.split()[:-1] for line in lines]
    return {one for those in words for one in those if not one.startswith("--")}


def test_every_folder_of_the_code_is_in_the_image_or_left_out_on_purpose() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, encoding="utf-8"
    ).stdout.split("\0")
    folders = {path.split("/")[0] for path in listed if "/" in path and path[0] != "."}
    taken = {path.split("/")[0] for path in copied()}
    assert folders - taken == LEFT_OUT
    assert {
        "app.py",
        "schema.sql",
        "requirements.txt",
        "requirements-speech.txt",
        "LICENSE",
    } <= taken


def test_the_builder_is_given_what_the_image_takes_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    given = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert given == {path.split("/")[0] for path in copied()}


@pytest.mark.parametrize("hook", ["pre-backup", "post-restore"])
def test_a_hook_calls_commands_that_there_are(hook: str) -> None:
    path = ROOT / "deploy" / "hooks" / hook
    called = re.findall(r"^(?:exec )?sessions (.*)$", path.read_text("utf-8"), re.M)
    assert called
    for arguments in called:
        assert asked(arguments.split()).command in {"backup", "restore"}


def test_what_the_image_starts_are_commands_that_there_are() -> None:
    (command,) = re.findall(r'^CMD \["(.*)"\]$', DOCKERFILE, re.M)
    (health,) = re.findall(r'CMD \["sessions", "(.*)"\]$', DOCKERFILE, re.M)
    assert asked([command]).command == "serve"
    assert asked([health]).command == "healthcheck"
