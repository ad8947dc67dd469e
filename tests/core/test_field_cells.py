"""Where a field of the steps goes wrong: slices by level, parts and kind of inference, and what to make more of."""

from __future__ import annotations

import pytest

from core.benchmark.field_cells import FieldCell, WeakSpot, slice_field, weak_spot, weakest_slice
from core.benchmark.field_report import FieldReport, describe_fields
from core.benchmark.step_fields import FieldScore
from core.statistics import wilson

pytestmark = pytest.mark.pure


def cell(field: str, level: int, parts: int, inference: str, right: int, n: int) -> FieldCell:
    return FieldCell(field, level, parts, inference, right, n)


def report(*cells: FieldCell) -> FieldReport:
    scores = []
    for field in dict.fromkeys(entry.field for entry in cells):
        right = sum(entry.right for entry in cells if entry.field == field)
        n = sum(entry.n for entry in cells if entry.field == field)
        scores.append(FieldScore(field, n, right, *wilson(right, n)))
    return FieldReport(100, 100, 0, scores, [], {}, {}, list(cells))


def test_a_field_is_counted_by_level_parts_and_kind() -> None:
    cells = [
        cell("found", 1, 1, "stated", 10, 10),
        cell("found", 3, 1, "trend", 4, 10),
        cell("found", 3, 2, "trend", 2, 10),
        cell("found", 3, 2, "", 5, 5),
        cell("claimed", 3, 2, "", 0, 9),
    ]
    slices = slice_field(cells, "found")
    assert {level: (part.right, part.n) for level, part in slices.by_level.items()} == {1: (10, 10), 3: (11, 25)}
    assert {parts: (part.right, part.n) for parts, part in slices.by_parts.items()} == {1: (14, 20), 2: (7, 15)}
    kinds = {kind: (part.right, part.n) for kind, part in slices.by_inference.items()}
    assert kinds == {"stated": (10, 10), "trend": (6, 20)}


def test_only_a_slice_surely_below_the_rest_is_named() -> None:
    surely = slice_field([cell("found", 1, 1, "", 60, 60), cell("found", 1, 2, "", 30, 60)], "found")
    weakest = weakest_slice(surely)
    assert weakest is not None
    assert weakest[:2] == ("parts", 2)
    by_chance = slice_field([cell("found", 1, 1, "", 3, 3), cell("found", 1, 2, "", 2, 3)], "found")
    assert weakest_slice(by_chance) is None
    # Better than the rest is no weakness.
    better = slice_field([cell("found", level, 1, "", 20 + 20 * (level == 9), 40) for level in (1, 2, 3, 9)], "found")
    assert weakest_slice(better) is None


@pytest.mark.parametrize(
    ("field", "cells", "end"),
    [
        ("claimed", [(1, 1, "", 99, 100), (1, 2, "", 81, 100)], "but misreads claims of two parts (81 % right)."),
        ("found", [(1, 1, "", 99, 100), (1, 2, "", 80, 100)], "the evidence in claims of two parts (80 % right)."),
        ("found", [(1, 1, "", 99, 100), (4, 1, "", 50, 100)], "misreads the evidence at level 4 (50 % right)."),
        ("found", [(3, 1, "chain", 90, 90), (3, 1, "trend", 40, 90)], "the evidence in cases of trend (44 % right)."),
        ("found", [(3, 1, "", 997, 1000)], "misreads the evidence (over 99 % right)."),
    ],
)  # fmt: skip
def test_the_sentence_names_what_goes_wrong_and_where(
    field: str, cells: list[tuple[int, int, str, int, int]], end: str
) -> None:
    fine = cell("concludes", 1, 1, "", 200, 200)
    sentence = describe_fields(report(fine, *(cell(field, *entry) for entry in cells)))
    assert sentence.startswith("It concludes from its own steps (100 %), but misreads ")
    assert sentence.endswith(end)


def test_the_sentence_says_so_where_nothing_is_wrong() -> None:
    assert (
        describe_fields(report(cell("found", 1, 1, "", 5, 5))) == "Every field of its steps is right, in 100 answers."
    )


def test_the_weak_spot_is_where_it_is_most_surely_wrong() -> None:
    cells = [
        cell("found", 1, 1, "stated", 2, 3),  # few cases decide nothing
        cell("found", 3, 1, "trend", 30, 40),
        cell("found", 3, 2, "chain", 38, 40),
        cell("found", 4, 2, "chain", 39, 40),
        cell("claimed", 2, 1, "stated", 0, 40),
    ]
    assert weak_spot(cells, "found") == WeakSpot("found", 3, "trend", 30, 40)
    assert weak_spot(cells, "claimed") == WeakSpot("claimed", 2, "", 0, 40)
    assert weak_spot([cell("found", 1, 1, "stated", 3, 3)], "found") is None
    assert weak_spot(cells, "holds") is None
    # A kind that is not known is not asked for.
    assert weak_spot([cell("found", 3, 1, "", 1, 9), cell("found", 3, 1, "trend", 8, 9)], "found") == WeakSpot(
        "found", 3, "", 9, 18
    )
