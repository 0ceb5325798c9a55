"""Speech that may be needed again is kept whole, no longer than that, and within its bounds."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from core.speech.gladia.replay import PIECE, ReplayBuffer
from core.speech.memory import AudioBudget

LIMIT = 20 * PIECE


class NaiveBuffer:
    """Keeps everything; `needed_from` is what must still be there."""

    def __init__(self) -> None:
        self.audio = b""
        self.acknowledged = 0
        self.final_until = 0

    @property
    def needed_from(self) -> int:
        return min(self.acknowledged, self.final_until)


operations = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 3 * PIECE)),
        st.tuples(st.just("acknowledge"), st.integers(0, 30 * PIECE)),
        st.tuples(st.just("settle"), st.integers(0, 30 * PIECE)),
    ),
    max_size=60,
)


@given(operations, st.integers(0, 20), st.data())
@settings(deadline=None)
def test_buffer_holds_what_is_needed_as_far_as_there_is_memory(
    steps: list[tuple[str, int]], pieces_of_others: int, data: st.DataObject
) -> None:
    whole = AudioBudget(LIMIT)
    assert whole.reserve(pieces_of_others * PIECE)
    free = LIMIT - pieces_of_others * PIECE
    buffer, naive = ReplayBuffer(AudioBudget(LIMIT, whole)), NaiveBuffer()
    most_needed = 0
    for step, size in steps:
        if step == "append":
            naive.audio += random.Random(len(naive.audio)).randbytes(size)
            buffer.append(naive.audio[-size:])
        elif step == "acknowledge":
            naive.acknowledged = max(naive.acknowledged, min(size, len(naive.audio)))
            buffer.acknowledge(size)
        else:
            naive.final_until = max(naive.final_until, min(size, len(naive.audio)))
            buffer.mark_final(size)
        most_needed = max(most_needed, len(naive.audio) - naive.needed_from)
        assert buffer.end == len(naive.audio)
        assert buffer.unacknowledged == len(naive.audio) - naive.acknowledged
        assert buffer.end - buffer.start <= free + PIECE, "never more than there is memory"
        assert buffer.tail(0) == naive.audio[buffer.start :]
        if most_needed <= free - PIECE:
            assert naive.needed_from - PIECE < buffer.start <= naive.needed_from
    position = data.draw(st.integers(buffer.start, buffer.end))
    count = data.draw(st.integers(0, 3 * PIECE))
    assert buffer.read(position, count) == naive.audio[position : position + count]
    assert buffer.tail(position) == naive.audio[position:]
    assert buffer.read(0, count) == naive.audio[buffer.start : buffer.start + count]
    buffer.clear()
    assert buffer.tail(0) == b""
    assert whole.reserve(free), "everything was given back"


def test_buffer_frees_what_has_a_final_and_lets_the_oldest_go_for_want_of_memory() -> None:
    memory = AudioBudget(10 * PIECE)
    buffer = ReplayBuffer(memory)
    for _ in range(10):
        buffer.append(bytes(PIECE))
    buffer.acknowledge(8 * PIECE)
    assert buffer.start == 0
    buffer.append(bytes(PIECE))
    assert buffer.start == PIECE
    buffer.mark_final(5 * PIECE)
    assert buffer.start == 5 * PIECE
    assert len(buffer.tail(0)) == 6 * PIECE
    assert memory.reserve(4 * PIECE)
    assert not memory.reserve(1)
    buffer.append(bytes(5 * PIECE))
    assert buffer.start == 10 * PIECE, "also what isn't acknowledged"
    buffer.clear()
    assert buffer.tail(0) == b""
    assert memory.reserve(6 * PIECE)


def test_without_any_memory_a_buffer_goes_on_counting() -> None:
    buffer = ReplayBuffer(AudioBudget(0))
    buffer.append(bytes(3 * PIECE) + b"the end")
    assert (buffer.start, buffer.end) == (3 * PIECE, 3 * PIECE + 7)
    assert buffer.tail(0) == b"the end"
