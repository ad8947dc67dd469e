"""Confidence fitted on dev: by value, and what no data may do to it."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.case import Mode
from core.models.confidence import PlattScale, at_temperature, fit_platt, fit_temperature
from core.models.student_format import StudentFormat

LABELS = ["YES", "NO", "PART"]


def penalty(scale: PlattScale, probabilities: list[float], right: list[bool]) -> float:
    """What `fit_platt` makes small: the loss of the answers, and the distance from a probability left as it is."""
    loss = -sum(
        math.log(scale(probability) if is_right else 1 - scale(probability))
        for probability, is_right in zip(probabilities, right, strict=True)
    )
    return loss + 4.0 / 2 * (scale.slope - 1) ** 2 + 4.0 / 4 / 2 * scale.offset**2


def drawn(slope: float, offset: float, number: int) -> tuple[list[float], list[bool]]:
    """Probabilities, and answers that are right as often as this scale says."""
    rng = random.Random(7)
    probabilities = [rng.uniform(0.05, 0.99) for _ in range(number)]
    return probabilities, [rng.random() < PlattScale(slope, offset)(probability) for probability in probabilities]


def test_the_scale_that_made_the_answers_is_found() -> None:
    scale = fit_platt(*drawn(0.6, 0.8, 4000))
    assert (scale.slope, scale.offset) == pytest.approx((0.6, 0.8), abs=0.12)


@given(st.lists(st.tuples(st.floats(0.02, 0.98), st.booleans()), min_size=1, max_size=40))
def test_no_neighbour_is_better(pairs: list[tuple[float, bool]]) -> None:
    probabilities, right = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    scale = fit_platt(probabilities, right)
    if scale.slope == 0.0:  # held at 0: a lower probability never means more right answers
        return
    best = penalty(scale, probabilities, right)
    for change in (0.01, -0.01):
        assert penalty(PlattScale(scale.slope + change, scale.offset), probabilities, right) >= best - 1e-6
        assert penalty(PlattScale(scale.slope, scale.offset + change), probabilities, right) >= best - 1e-6


def test_a_handful_of_right_answers_does_not_make_sure_of_everything() -> None:
    scale = fit_platt([0.6, 0.7, 0.8], [True, True, True])
    assert 0.6 < scale(0.6) < 0.9
    untouched = fit_platt([], [])
    assert (untouched.slope, untouched.offset) == (1.0, 0.0)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_the_order_of_answers_stays(first: float, second: float) -> None:
    scale = fit_platt(*drawn(0.6, 0.8, 60))
    low, high = sorted((first, second))
    assert 0.0 <= scale(low) <= scale(high) <= 1.0


def test_a_lower_probability_is_never_surer_even_where_dev_says_so() -> None:
    scale = fit_platt([0.1] * 20 + [0.9] * 20, [True] * 20 + [False] * 20)
    assert scale.slope == 0.0
    assert scale(0.1) == scale(0.9)


def test_a_temperature_by_hand() -> None:
    softened = at_temperature({"YES": 0.8, "NO": 0.2}, 2.0)
    assert softened["YES"] == pytest.approx(math.sqrt(0.8) / (math.sqrt(0.8) + math.sqrt(0.2)))
    assert at_temperature({"YES": 0.8, "NO": 0.2}, 1.0) == pytest.approx({"YES": 0.8, "NO": 0.2})
    assert sum(at_temperature({"YES": 1.0, "NO": 0.0}, 3.0).values()) == pytest.approx(1.0)


def test_what_is_too_sure_is_softened() -> None:
    distribution = {"YES": 0.98, "NO": 0.01, "PART": 0.01}
    assert fit_temperature([distribution] * 10, ["YES"] * 7 + ["NO"] * 3) > 1.5
    assert fit_temperature([{"YES": 0.5, "NO": 0.3, "PART": 0.2}] * 10, ["YES"] * 10) < 0.7
    assert fit_temperature([], []) == 1.0


def test_a_model_that_was_not_fitted_keeps_its_probabilities_to_the_last_digit() -> None:
    tiny = {"YES": 1 - 3e-9, "NO": 3e-9, "PART": 0.0}
    assert at_temperature(tiny, 1.0) == tiny


def test_the_zero_of_an_answer_that_contradicts_itself_is_no_probability_to_fit() -> None:
    sure = {"YES": 0.9, "NO": 0.05, "PART": 0.05}
    zero = {"YES": 0.0, "NO": 0.5, "PART": 0.5}
    plain = StudentFormat(rationale="steps").fitted([sure] * 8, ["YES"] * 8, ["YES"] * 6 + ["NO"] * 2)
    labels = ["YES"] * 6 + ["NO"] * 2 + ["YES"] * 5
    assert StudentFormat(rationale="steps").fitted([sure] * 8 + [zero] * 5, ["YES"] * 13, labels) == plain


@pytest.mark.parametrize(
    ("mode", "rationale", "stated"),
    [(Mode.REASON, "full", True), (Mode.REASON, "steps", False), (Mode.DIRECT, "full", False)],
)
def test_only_prose_states_a_confidence(mode: Mode, rationale: str, stated: bool) -> None:
    """A direct student of examples without steps has probabilities, and no words to be sure in."""
    assert StudentFormat.model_validate({"mode": mode, "rationale": rationale}).states_confidence is stated


def test_a_format_is_fitted_by_its_mode() -> None:
    sure = {"YES": 0.9, "NO": 0.05, "PART": 0.05}
    distributions = [sure] * 20 + [None]
    decisions = ["YES"] * 20 + [None]
    labels = ["YES"] * 12 + ["NO"] * 8 + ["NO"]
    words = StudentFormat(rationale="steps").fitted(distributions, decisions, labels)
    assert PlattScale(words.slope, words.offset)(0.9) == pytest.approx(0.6, abs=0.08)
    assert words.temperature == 1.0
    direct = StudentFormat(mode=Mode.DIRECT).fitted(distributions, decisions, labels)
    assert at_temperature(sure, direct.temperature)["YES"] == pytest.approx(0.6, abs=0.08)
    assert (direct.slope, direct.offset) == (1.0, 0.0)
