"""Speech that may be needed again is kept on disk, whole, encrypted and no longer than that."""

from __future__ import annotations

import os
import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.speech.gladia.replay import PIECE, SMALL, AudioSpool, ReplayBuffer

CHUNK = 1_600


@contextmanager
def opened(spool: AudioSpool) -> Iterator[AudioSpool]:
    spool.open()
    try:
        yield spool
    finally:
        spool.close()


class NaiveBuffer:
    """Keeps everything; `needed_from` is what must still be there."""

    def __init__(self) -> None:
        self.audio = b""
        self.acknowledged = 0
        self.settled = 0

    @property
    def needed_from(self) -> int:
        return min(self.acknowledged, self.settled)


operations = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 300)),
        st.tuples(st.just("acknowledge"), st.integers(0, 3_000)),
        st.tuples(st.just("settle"), st.integers(0, 3_000)),
    ),
    max_size=60,
)


@given(operations, st.data())
@settings(deadline=None)
def test_buffer_holds_what_is_needed_within_its_bound(
    steps: list[tuple[str, int]], data: st.DataObject
) -> None:
    limit, slack, piece = 1_000, 200, 70
    with opened(AudioSpool(piece=piece)) as spool:
        buffer, naive = ReplayBuffer(spool, limit, slack), NaiveBuffer()
        for step, size in steps:
            if step == "append":
                naive.audio += random.Random(len(naive.audio)).randbytes(size)
                buffer.append(naive.audio[-size:])
            elif step == "acknowledge":
                naive.acknowledged = max(naive.acknowledged, min(size, len(naive.audio)))
                buffer.acknowledge(size)
            else:
                naive.settled = max(naive.settled, min(size, len(naive.audio)))
                buffer.settle(size)
            assert buffer.end == len(naive.audio)
            assert buffer.start <= naive.acknowledged
            assert buffer.start <= max(naive.needed_from, buffer.end - limit)
            assert buffer.start > min(naive.needed_from, naive.acknowledged) - 2 * piece
            assert buffer.overfull == (buffer.end - naive.acknowledged > limit + slack)
            if not buffer.overfull:
                longest = max((count for name, count in steps if name == "append"), default=0)
                assert buffer.end - buffer.start <= limit + slack + longest + piece
            assert buffer.tail(0) == naive.audio[buffer.start :]
        position = data.draw(st.integers(buffer.start, buffer.end))
        count = data.draw(st.integers(0, 2_000))
        assert buffer.read(position, count) == naive.audio[position : position + count]
        assert buffer.tail(position) == naive.audio[position:]
        assert buffer.read(0, count) == naive.audio[buffer.start : buffer.start + count]


def test_buffer_frees_what_has_a_final_and_bounds_the_rest() -> None:
    with opened(AudioSpool(piece=CHUNK)) as spool:
        buffer = ReplayBuffer(spool, limit=10 * CHUNK, slack=2 * CHUNK)
        for _ in range(12):
            buffer.append(bytes(CHUNK))
        buffer.acknowledge(12 * CHUNK)
        assert buffer.start == 0
        buffer.append(bytes(CHUNK))
        assert buffer.start == 3 * CHUNK
        buffer.settle(5 * CHUNK)
        assert buffer.start == 5 * CHUNK
        assert len(buffer.tail(0)) == 8 * CHUNK
        assert spool.kept == 8
        buffer.clear()
        assert buffer.tail(0) == b""
        assert spool.kept == 0


# The spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[AudioSpool]:
    with opened(AudioSpool(tmp_path)) as spool:
        yield spool


def audio(seed: int) -> bytearray:
    return bytearray(random.Random(seed).randbytes(PIECE))


def file_of(spool: AudioSpool) -> int:
    assert spool._file is not None
    return spool._file.fileno()


def test_pieces_come_back_whole_whatever_was_freed_between(spool: AudioSpool) -> None:
    rng, kept = random.Random(7), dict[int | bytes, bytes]()
    for number in range(300):
        piece = audio(number)
        kept[spool.put(piece)] = bytes(piece)
        if rng.random() < 0.6:
            gone = rng.choice(list(kept))
            spool.free(gone)
            del kept[gone]
        assert spool.kept == len(kept)
    assert {one: spool.get(one) for one in kept} == kept
    assert os.fstat(file_of(spool)).st_size < 300 * PIECE, "freed places are used again"


def test_the_disk_holds_no_name_and_nothing_readable(spool: AudioSpool, tmp_path: Path) -> None:
    spool.put(bytearray(PIECE))
    once = os.pread(file_of(spool), PIECE, 0)
    spool.free(0)
    spool.put(bytearray(PIECE))
    again = os.pread(file_of(spool), PIECE, 0)
    assert list(tmp_path.iterdir()) == []
    assert bytes(100) not in once
    assert once != again, "the same sound never looks the same"


def test_what_the_disk_damaged_is_silence_and_counted_once(
    spool: AudioSpool, caplog: pytest.LogCaptureFixture
) -> None:
    buffer = ReplayBuffer(spool)
    buffer.append(bytes(audio(1) + audio(2)) + b"end")
    os.pwrite(file_of(spool), b"damage", 20)
    for _ in range(2):
        assert buffer.tail(0) == bytes(PIECE) + bytes(audio(2)) + b"end"
        assert buffer.damaged == [(0, PIECE)]
    assert caplog.text.count("kept speech can't be read again") == 1
    buffer.clear()
    assert spool.kept == 0


def test_a_file_with_nothing_in_it_gives_its_space_back(spool: AudioSpool) -> None:
    kept = [spool.put(audio(number)) for number in range(2 * SMALL // PIECE)]
    seen = os.pread(file_of(spool), PIECE, 0)
    for one in kept[1:]:
        spool.free(one)
    assert os.fstat(file_of(spool)).st_size > SMALL
    assert spool.get(kept[0]) == bytes(audio(0))
    spool.free(kept[0])
    assert os.fstat(file_of(spool)).st_size == 0
    again = spool.put(audio(0))
    assert spool.get(again) == bytes(audio(0))
    assert os.pread(file_of(spool), PIECE, 0) != seen, "the same sound never looks the same"


def test_a_full_disk_costs_no_word(spool: AudioSpool, caplog: pytest.LogCaptureFixture) -> None:
    buffer = ReplayBuffer(spool)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    said = bytes(audio(1) + audio(2) + audio(3) + audio(4))
    buffer.append(said[:PIECE])
    resource.setrlimit(resource.RLIMIT_FSIZE, (PIECE + 100, hard))
    try:
        buffer.append(said[PIECE : 3 * PIECE])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    buffer.append(said[3 * PIECE :])
    assert buffer.tail(0) == said
    told = [record.message for record in caplog.records]
    assert len(told) == 2, told
    assert "stays in memory" in told[0]
    assert told[1] == "speech is kept on disk again"
    buffer.acknowledge(len(said))
    buffer.settle(len(said))
    assert (buffer.tail(0), spool.kept) == (b"", 0)


def test_without_a_folder_to_write_in_speech_stays_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    spool = AudioSpool(tmp_path / "file" / "folder")
    spool.open()
    buffer = ReplayBuffer(spool)
    buffer.append(bytes(audio(1) + audio(2)))
    assert buffer.tail(0) == bytes(audio(1) + audio(2))
    assert "Not a directory" in caplog.text
