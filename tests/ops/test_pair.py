"""The benchmark of two relays tells what it can of a disturbed round, and stumbles over none."""

from __future__ import annotations

import math

import pytest

from benchmarks.pair import median, ratios
from benchmarks.rig import Latency, Measurement, Window

LATENCY = Latency(0, 0, 0, 0, 0, 0, 0, [])


def measured(*cpu_seconds: float, frames: int = 1000, captions: int = 100) -> Measurement:
    """Return a run whose three windows took so much CPU for so many frames and captions."""
    first, second, third = (
        Window(
            seconds=3,
            cpu_seconds=spent,
            own_cpu=0,
            waited=0,
            own_waited=0,
            sent=frames,
            received=frames,
            lost=0,
            transcripts=captions,
            deliveries=captions,
            undelivered=0,
            rss_kb=0,
            stalls=0,
            stalled_ms=0,
            audio=LATENCY,
            caption=LATENCY,
            lateness=LATENCY,
        )
        for spent in cpu_seconds
    )
    return Measurement(True, 1, 1, 0, 0, 0, 0, 0, 0, 0, (first, second, third))


def test_all_the_work_a_frame_and_a_lone_caption_are_compared() -> None:
    assert ratios(measured(1, 3, 1), measured(2, 4, 4)) == (0.75, 0.5, 0.25)


def test_who_did_half_the_work_in_that_time_is_not_called_cheaper() -> None:
    assert ratios(measured(1, 1, 1, frames=500, captions=50), measured(1, 1, 1)) == (2, 2, 2)


@pytest.mark.parametrize("nothing", [measured(0, 0, 0), measured(1, 1, 1, frames=0, captions=0)])
def test_a_disturbed_window_has_no_ratio_and_stops_nothing(nothing: Measurement) -> None:
    usual = measured(1, 1, 1)
    assert all(math.isnan(one) for one in ratios(nothing, usual) + ratios(usual, nothing))
    assert median([math.nan, 0.9, 1.1, math.nan]) == pytest.approx(1.0)
    assert math.isnan(median([math.nan]))
