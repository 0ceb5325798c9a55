"""A page's clock: times of what was said, in the order in which it was said."""

from __future__ import annotations

from itertools import permutations

import pytest

from core.speech.clock import PageClock
from core.speech.engine import SAMPLE_RATE

# What one page said, in seconds of its audio: words, a gap in which the line was gone, words.
SAID = [(0.3, 4.0), (6.0, 9.5), (10.0, 31.0), (31.5, 35.0)]


def placed(clock: PageClock, order: tuple[int, ...]) -> list[float]:
    """Return when things began that a page said, as they are told, in the order of its audio."""
    starts = {}
    for one in order:
        first, until = (int(at * SAMPLE_RATE) for at in SAID[one])
        start, end = clock.place(first, until, for_good=True)
        assert 0 <= start <= end
        starts[one] = round(start, 2)
    return [starts[one] for one in sorted(starts)]


@pytest.mark.parametrize("order", list(permutations(range(len(SAID)))))
@pytest.mark.parametrize("came_in", [0.5, 20.0, 36.0, 3600.0])
def test_whatever_comes_first_all_stand_in_the_order_in_which_they_were_said(
    order: tuple[int, ...], came_in: float
) -> None:
    """With 36 s of audio at once, most or all of it may be from before the session started."""
    clock = PageClock()
    clock.arrived(0, 36 * SAMPLE_RATE, came_in)
    starts = placed(clock, order)
    assert starts == sorted(set(starts))


def test_what_was_said_since_the_start_has_its_own_time() -> None:
    clock = PageClock()
    clock.arrived(0, 36 * SAMPLE_RATE, 36.0)
    begins = [first for first, _ in SAID]
    assert placed(clock, (0, 1, 2, 3)) == pytest.approx(begins, abs=0.02)


@pytest.mark.parametrize("came_in", [0.5, 15.0, 3600.0])
def test_what_follows_words_of_an_earlier_process_at_once_stands_behind_them(
    came_in: float,
) -> None:
    before = 10.0  # when those words began; they ended where the page's audio is wanted from
    clock = PageClock(14 * SAMPLE_RATE, before)
    clock.arrived(14 * SAMPLE_RATE, 15 * SAMPLE_RATE, came_in)
    start, _ = clock.place(14 * SAMPLE_RATE, 15 * SAMPLE_RATE, for_good=True)
    assert start > before


MINUTE = 60 * SAMPLE_RATE


def test_what_comes_minutes_late_has_its_own_time_from_the_first_word_on() -> None:
    """A page that tells its clock says all it kept, after a restart that knows nothing of it."""
    clock = PageClock(10 * MINUTE, 599.0)
    clock.told(40 * MINUTE, 2400.0)  # with its pauses, ten minutes of speech took half an hour
    for at in range(10, 40, 5):
        clock.arrived(at * MINUTE, at * MINUTE + 1600, 2400.1)
        start, _ = clock.place(at * MINUTE, at * MINUTE + 1600, for_good=True)
        assert start == pytest.approx(at * 60, abs=1)


def test_a_clock_that_stood_still_is_told_to_have() -> None:
    clock = PageClock()
    clock.told(0, 10.0)
    clock.arrived(0, MINUTE, 70.0)
    clock.told(MINUTE, 3670.0)
    clock.arrived(MINUTE, 2 * MINUTE, 3730.0)
    starts = [clock.place(at, at + 1600, for_good=True)[0] for at in (MINUTE // 2, MINUTE * 3 // 2)]
    assert starts == pytest.approx([40, 3700], abs=1)
