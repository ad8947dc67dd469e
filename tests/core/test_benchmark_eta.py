"""When a benchmark will be done."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.benchmark.eta import EtaEstimator, fit_line

pytestmark = pytest.mark.pure


@given(
    st.lists(st.integers(1, 5000), min_size=5, max_size=50, unique=True),
    st.floats(0, 10),
    st.floats(0.001, 0.1),
)
def test_a_line_is_found_again(lengths: list[int], fixed: float, slope: float) -> None:
    """What lies on a line gives that line."""
    line = fit_line(lengths, [fixed + slope * length for length in lengths])
    assert line == pytest.approx((fixed, slope), rel=1e-3, abs=1e-3)


@given(st.lists(st.tuples(st.floats(1, 5000), st.floats(0, 100)), min_size=1, max_size=50))
def test_neither_part_is_negative(done: list[tuple[float, float]]) -> None:
    """Noise does not make a case take less than nothing."""
    fixed, slope = fit_line([one[0] for one in done], [one[1] for one in done])
    assert fixed >= 0
    assert slope >= 0


def test_long_cases_that_remain_take_longer() -> None:
    """Ten short ones of 100 characters took a second each; ten of 1,000 remain, which take ten seconds each."""
    clock = EtaEstimator(left=30, characters=10 * 100 + 10 * 200 + 10 * 1000)
    clock.start(0.0)
    now = 0.0
    for length in [100, 200] * 10:
        now += length / 100
        clock.record(length, length / 100, now)
    assert clock.eta_s() == pytest.approx(100, rel=0.01)
    assert clock.per_minute() == pytest.approx(20 / 30 * 60)


def test_side_by_side_is_faster() -> None:
    """Of four at a time, each taking two seconds, twenty more take ten seconds."""
    clock = EtaEstimator(left=40, characters=4000)
    clock.start(0.0)
    for number in range(20):
        clock.record(100, 2.0, (number // 4 + 1) * 2.0)
    assert clock.eta_s() == pytest.approx(10)


def test_what_is_not_known_is_none() -> None:
    """Before the first answer there is neither a rate nor an end; a pause starts both anew."""
    clock = EtaEstimator(left=3, characters=30)
    clock.start(0.0)
    assert clock.eta_s() is None
    assert clock.per_minute() is None
    clock.record(10, 1.0, 1.0)
    assert clock.eta_s() == pytest.approx(2)
    clock.start(100.0)
    assert clock.eta_s() is None
