"""Byte positions and times, whatever the service counted twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.speech.engine import BYTES_PER_SECOND
from core.speech.gladia.timeline import Timeline

CHUNK = 1_600


class CountingService:
    """Counts bytes as Gladia does, and acknowledges with ranges over the whole session."""

    def __init__(self) -> None:
        self.counted = 0

    def take(self, size: int) -> tuple[int, int]:
        start, self.counted = self.counted, self.counted + size
        return start, self.counted


def test_lost_acknowledgments_shift_later_times_back() -> None:
    service, timeline = CountingService(), Timeline()
    timeline.connected(0)
    timeline.sent += 3 * CHUNK
    assert timeline.acknowledged(*service.take(CHUNK)) == CHUNK
    service.take(CHUNK)
    service.take(CHUNK)  # both counted, both acknowledgments lost with the connection
    timeline.connected(CHUNK)
    assert timeline.uncertain == 2 * CHUNK
    timeline.sent += 2 * CHUNK
    assert timeline.acknowledged(*service.take(2 * CHUNK)) == 3 * CHUNK
    assert timeline.shift == 2 * CHUNK
    assert timeline.uncertain == 0
    second = CHUNK / BYTES_PER_SECOND
    assert timeline.seconds(2 * second) == pytest.approx(2 * second)
    assert timeline.seconds(4 * second) == pytest.approx(2 * second)
    assert timeline.seconds(5 * second) == pytest.approx(3 * second)


def test_inclusive_ends_and_ranges_that_begin_anew() -> None:
    timeline = Timeline()
    timeline.connected(0)
    timeline.sent += 2 * CHUNK
    assert timeline.acknowledged(0, CHUNK - 1) == CHUNK
    timeline.connected(CHUNK)
    timeline.sent += 3 * CHUNK
    assert timeline.acknowledged(0, CHUNK) == 2 * CHUNK
    assert timeline.acknowledged(CHUNK, 3 * CHUNK) == 4 * CHUNK
    assert timeline.shift == 0


def test_more_acknowledged_than_sent_is_a_shift_too() -> None:
    timeline = Timeline()
    timeline.connected(0)
    timeline.sent += CHUNK
    assert timeline.acknowledged(0, 3 * CHUNK) == CHUNK
    assert timeline.shift == 2 * CHUNK


@given(
    st.lists(st.tuples(st.integers(1, 8), st.integers(0, 3), st.integers(0, 3)), max_size=12),
)
def test_any_number_of_drops_leaves_positions_and_times_right(
    rounds: list[tuple[int, int, int]],
) -> None:
    """Each round: chunks acknowledged, then counted without acknowledgment, then never come."""
    service, timeline = CountingService(), Timeline()
    acknowledged = 0
    timeline.connected(0)
    for taken, silently, lost in rounds:
        for _ in range(taken):
            timeline.sent += CHUNK
            begin = service.counted
            acknowledged = timeline.acknowledged(*service.take(CHUNK))
            assert acknowledged == timeline.sent
            middle = (begin + CHUNK / 2) / BYTES_PER_SECOND
            fed = (timeline.sent - CHUNK / 2) / BYTES_PER_SECOND
            assert timeline.seconds(middle) == pytest.approx(fed, abs=1e-3)
        for _ in range(silently):
            timeline.sent += CHUNK
            service.take(CHUNK)
        timeline.sent += lost * CHUNK
        timeline.connected(acknowledged)
    assert timeline.shift == sum(silently for _, silently, _ in rounds[:-1]) * CHUNK
