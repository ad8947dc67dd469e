"""Axes: 0 is on them, they are not longer than they must, and no hair's breadth becomes a cliff."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.axis import axis_of

pytestmark = pytest.mark.pure

values = st.lists(st.floats(-1e6, 1e6), max_size=20)


@pytest.mark.parametrize(
    ("points", "least", "low", "high", "labels"),
    [
        ([0.49995, 0.49994], 0.5, 0.0, 0.5, ["0", "0.25", "0.5"]),
        ([-0.75, -0.75], 0.5, -0.8, 0.0, ["−0.8", "−0.4", "0"]),
        ([2.539, 0.3], 0.5, 0.0, 3.0, ["0", "1.5", "3"]),
        ([-0.4, 1.1], 0.5, -0.5, 1.5, ["−0.5", "0", "1.5"]),
        ([0.01], 0.2, 0.0, 0.2, ["0", "0.1", "0.2"]),
        ([-0.01], 0.2, -0.2, 0.0, ["−0.2", "−0.1", "0"]),
        ([], 1.0, 0.0, 1.0, ["0", "0.5", "1"]),
        ([math.nan, math.inf, 0.3], 0.2, 0.0, 0.3, ["0", "0.15", "0.3"]),
    ],
)
def test_ranges_by_hand(points: list[float], least: float, low: float, high: float, labels: list[str]) -> None:
    axis = axis_of(points, least)
    assert (axis.low, axis.high) == pytest.approx((low, high))
    assert axis.labels == labels


@given(values, st.floats(1e-3, 1e3))
def test_all_points_and_zero_are_on_an_axis_that_is_long_enough(points: list[float], least: float) -> None:
    axis = axis_of(points, least)
    ends = [0.0, *points]
    slack = 1e-6 * (axis.high - axis.low)
    assert axis.low <= min(ends) + slack
    assert axis.high >= max(ends) - slack
    span = max(max(ends) - min(ends), least)
    assert least * (1 - 1e-6) <= axis.high - axis.low <= 2.5 * span
    assert axis.ticks == sorted(axis.ticks)
    assert all(len(label) <= 9 for label in axis.labels)
