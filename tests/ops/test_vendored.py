"""What of others is served to browsers is what they published, byte by byte."""

from __future__ import annotations

from tests.support.vendored import FOLDER, ORIGINS, digest, vendored


def test_every_vendored_file_has_an_origin_and_no_other_is_there() -> None:
    there = {one.name for one in FOLDER.iterdir()} - {ORIGINS.name}
    assert there == {one.name for one in vendored()}


def test_vendored_files_have_the_digests_of_their_origins() -> None:
    changed = [
        one.name for one in vendored() if digest((FOLDER / one.name).read_bytes()) != one.sha256
    ]
    assert changed == []
