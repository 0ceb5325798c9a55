"""Places of processes in one DATA_DIR: whose files are whose, also of those that have died."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from core.process.nodes import ABANDONED_AFTER_S, take_place


def age(folder: Path, name: str) -> None:
    """Let files look as if nobody had written them for long."""
    then = time.time() - ABANDONED_AFTER_S - 1
    for file in folder.glob(name):
        os.utime(file, (then, then))


def test_only_files_of_places_that_nobody_has_are_abandoned_and_each_once(tmp_path: Path) -> None:
    one, two, three = (take_place(tmp_path) for _ in range(3))
    assert len({node.name for node in (one, two, three)}) == 3
    for node in (one, two, three):
        node.spool.write_text("{}")
        node.spool.with_name(f"held-{node.spool.name}").write_text("{}")
    assert list(one.abandoned()) == []
    name, spool = three.name, three.spool
    three.leave()
    assert list(one.abandoned()) == [], "its process may come back"
    age(tmp_path, "*unsaved*")
    spools = one.abandoned()
    assert next(spools) == spool
    assert list(two.abandoned()) == [], "one takes it over"
    newcomer = take_place(tmp_path)
    assert newcomer.spool not in (one.spool, two.spool, spool)
    newcomer.leave()
    assert list(spools) == []
    again = take_place(tmp_path)
    assert (again.name, again.spool) == (name, spool), "the place is free again"
    for node in (one, two, again):
        node.leave()


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 16, b"0123456789abcdef\n" * 3])
def test_a_place_whose_name_is_damaged_has_a_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "1").write_bytes(content)
    node = take_place(tmp_path)
    assert re.fullmatch("[0-9a-f]{16}", node.name)
    node.leave()
