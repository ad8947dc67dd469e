"""Confident learning by value, as the paper defines it, and what holds whatever the probabilities are."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dataset.label_errors import (
    class_thresholds,
    confident_joint,
    confident_label,
    normalized_margin,
    rank_by_margin,
    self_confidence,
    suspected_errors,
)
from core.dataset.out_of_fold import folds_by_family

pytestmark = pytest.mark.pure

# Six examples of two classes; the third and the last have the label of the other class.
LABELS = [0, 0, 0, 1, 1, 1]
ROWS = [(0.9, 0.1), (0.8, 0.2), (0.1, 0.9), (0.2, 0.8), (0.4, 0.6), (0.95, 0.05)]


def test_thresholds_are_the_mean_probability_of_a_label_where_it_is_given() -> None:
    assert class_thresholds(LABELS, ROWS) == pytest.approx([0.6, 1.45 / 3])
    assert class_thresholds([0], [(0.7, 0.3)]) == [0.7, math.inf]
    assert class_thresholds([], []) == []


def test_the_joint_counts_by_given_and_by_confident_label() -> None:
    assert confident_joint(LABELS, ROWS) == [[2, 1], [1, 2]]


def test_a_class_that_the_model_is_seldom_sure_of_has_a_low_threshold() -> None:
    # Equation 1: of the labels that reach their own thresholds the likeliest; 0.45 is much for the second class.
    assert confident_label((0.55, 0.45), [0.8, 0.4]) == 1
    assert confident_label((0.9, 0.45), [0.8, 0.4]) == 0
    assert confident_label((0.5, 0.3), [0.8, 0.4]) is None


def test_the_suspects_are_ranked_by_margin() -> None:
    suspects = suspected_errors(LABELS, ROWS)
    assert [(suspect.position, suspect.likelier) for suspect in suspects] == [(5, 0), (2, 1)]
    assert [suspect.margin for suspect in suspects] == pytest.approx([-0.9, -0.8])
    assert self_confidence(1, ROWS[5]) == 0.05
    assert normalized_margin(0, (0.5, 0.2, 0.3)) == pytest.approx(0.2)
    assert rank_by_margin(LABELS, ROWS) == [5, 2, 4, 1, 3, 0]


_ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.lists(st.integers(1, 100), min_size=3, max_size=3)), min_size=1, max_size=30
)


@given(_ROWS)
def test_suspects_are_the_examples_off_the_diagonal_and_in_the_order_of_the_ranking(
    drawn: list[tuple[int, list[int]]],
) -> None:
    labels = [label for label, _ in drawn]
    rows = [tuple(weight / sum(weights) for weight in weights) for _, weights in drawn]
    joint = confident_joint(labels, rows)
    suspects = suspected_errors(labels, rows)
    off_diagonal = sum(count for i, row in enumerate(joint) for j, count in enumerate(row) if i != j)
    assert len(suspects) == off_diagonal
    assert all(suspect.likelier != labels[suspect.position] for suspect in suspects)
    ranking = rank_by_margin(labels, rows)
    assert sorted(ranking) == list(range(len(labels)))
    margins = [normalized_margin(labels[position], rows[position]) for position in ranking]
    assert margins == sorted(margins)
    assert all(-1 <= suspect.margin <= 1 for suspect in suspects)


@given(st.lists(st.text(), max_size=40))
def test_a_family_has_one_fold_whoever_else_there_is(families: list[str]) -> None:
    folds = folds_by_family(families)
    assert set(folds) <= set(range(5))
    assert folds == [folds_by_family([family])[0] for family in families]
