"""How much of a machine's or container's memory speech may have."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from core.speech.memory import LEAST, MAX_SPEECH_OF_PAGE, MOST, AudioBudget, speech_memory

MB = 1024 * 1024


@pytest.fixture(autouse=True)
def large_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a machine that isn't the limit."""

    class Memory:
        total = 6 * 1024 * MB

    monkeypatch.setattr(psutil, "virtual_memory", Memory)


def limit(folder: Path, groups: str, **files: str) -> int:
    """Return what is found where Linux says this of control groups; `__` is a slash."""
    (folder / "cgroup").write_text(groups)
    for name, content in files.items():
        path = folder / "groups" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / path.name.replace("_max", ".max").replace("_in", ".limit_in")).write_text(
            content
        )
    return speech_memory(folder / "cgroup", folder / "groups")


def test_of_a_machine_speech_has_an_eighth(tmp_path: Path) -> None:
    assert limit(tmp_path, "0::/\n") == 768 * MB
    assert speech_memory(tmp_path / "none", tmp_path) == 768 * MB, "no Linux"


def test_a_container_s_limit_counts(tmp_path: Path) -> None:
    assert limit(tmp_path, "0::/\n", memory_max=f"{2048 * MB}\n") == 256 * MB
    assert limit(tmp_path, "0::/\n", memory_max="max\n") == 768 * MB


def test_the_smallest_group_around_counts_also_if_it_is_a_parent(tmp_path: Path) -> None:
    found = limit(
        tmp_path,
        "0::/team/sessions\n",
        memory_max="max",
        team__memory_max=str(1024 * MB),
        team__sessions__memory_max=str(4096 * MB),
    )
    assert found == 128 * MB


def test_the_older_control_groups_are_read_too(tmp_path: Path) -> None:
    groups = "11:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n"
    assert limit(tmp_path, groups, memory__memory_in_bytes=str(2048 * MB)) == 256 * MB, (
        "within a container only the root is seen"
    )
    unlimited = str(9_223_372_036_854_771_712)
    assert limit(tmp_path, groups, memory__memory_in_bytes=unlimited) == 768 * MB


def test_there_is_a_least_and_a_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limit(tmp_path, "0::/\n", memory_max=str(128 * MB)) == LEAST
    monkeypatch.setattr(psutil.virtual_memory, "total", 512 * 1024 * MB)
    assert speech_memory(tmp_path / "none", tmp_path) == MOST
    assert LEAST > 2 * MAX_SPEECH_OF_PAGE


def test_a_page_s_share_is_part_of_the_whole() -> None:
    whole = AudioBudget(100)
    ada, bob = AudioBudget(60, whole), AudioBudget(60, whole)
    assert ada.reserve(60)
    assert not ada.reserve(1), "its own share is used up"
    assert not bob.reserve(41), "others have the rest"
    assert bob.reserve(40)
    ada.release(20)
    assert bob.reserve(20)
    assert not whole.reserve(1)
