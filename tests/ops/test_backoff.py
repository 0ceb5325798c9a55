"""Exponential backoff: pauses double to a bound, begin again, and are shortened at random."""

from __future__ import annotations

import random

import pytest

from core.backoff import Backoff


def test_backoff_doubles_to_its_bound_and_begins_again() -> None:
    random.seed(5)
    backoff = Backoff(0.25, 8.0, least=0.0)
    for bound in (0.25, 0.5, 1, 2, 4, 8, 8, 8):
        assert 0 <= backoff.next() <= bound
    waits = [backoff.next() for _ in range(300)]
    assert 3 < sum(waits) / len(waits) < 5
    assert max(waits) <= 8
    backoff.reset()
    assert backoff.next() <= 0.25


def test_nothing_is_shortened_unasked_for() -> None:
    backoff = Backoff(0.5, 5.0)
    assert [backoff.next() for _ in range(6)] == [0.5, 1, 2, 4, 5, 5]
    backoff.reset()
    assert [backoff.next() for _ in range(2)] == [0.5, 1]
    assert backoff.shortened(30) == 30


def test_at_least_a_share_of_each_is_waited() -> None:
    random.seed(5)
    backoff = Backoff(1, 15, least=0.5)
    for bound in (1, 2, 4, 8, 15, 15):
        assert bound / 2 <= backoff.next() <= bound
    others = [backoff.shortened(30) for _ in range(300)]
    assert min(others) == pytest.approx(15, abs=0.5)
    assert max(others) == pytest.approx(30, abs=0.5)


def test_a_first_pause_beyond_the_bound_is_the_bound() -> None:
    backoff = Backoff(10, 4)
    assert [backoff.next(), backoff.next()] == [4, 4]
