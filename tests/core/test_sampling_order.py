"""The order in which a benchmark asks, and the five of a smoke test."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.benchmark.sampling_order import sampling_order, smoke_test_sample
from storage.schema import Example
from tests.conftest import example

pytestmark = pytest.mark.pure

CELLS = [("market", 1, "VALIDATED"), ("market", 2, "REJECTED"), ("risk", 1, "REFINED")]


def examples_of(cells: list[int], families: list[int]) -> list[Example]:
    """Examples with the ids 0, 1, ...: the cell and the family of each by number."""
    return [
        example(id=f"{i:04}", family=f"f{family}", domain=CELLS[cell][0], level=CELLS[cell][1], decision=CELLS[cell][2])
        for i, (cell, family) in enumerate(zip(cells, families, strict=True))
    ]


drawn_examples = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), max_size=60).map(
    lambda pairs: examples_of([cell for cell, _ in pairs], [family for _, family in pairs])
)


@given(drawn_examples, st.integers(0, 5))
def test_all_are_asked_once_and_families_stay_together(examples: list[Example], seed: int) -> None:
    """The order is a permutation, the same for the same seed, and a family is one block of it."""
    ordered = sampling_order(examples, seed)
    assert sorted(example.id for example in ordered) == [example.id for example in examples]
    assert ordered == sampling_order(list(reversed(examples)), seed)
    blocks = [example.family for i, example in enumerate(ordered) if i == 0 or ordered[i - 1].family != example.family]
    assert len(blocks) == len(set(blocks))


@given(st.integers(1, 40), st.integers(0, 3))
def test_every_beginning_holds_each_cell_in_about_its_share(times: int, seed: int) -> None:
    """Of n families of a cell among N, the first k hold k n / N, give or take two."""
    examples = examples_of([0, 0, 0, 1, 2] * times, list(range(5 * times)))
    shares = {cell: count / len(examples) for cell, count in Counter(example.decision for example in examples).items()}
    ordered = sampling_order(examples, seed)
    for end in range(1, len(ordered) + 1):
        counts = Counter(example.decision for example in ordered[:end])
        assert all(abs(counts[cell] - end * share) <= 2.5 for cell, share in shares.items())


@given(st.integers(0, 200))
def test_a_few_are_of_all_levels_however_many_cells_there_are(seed: int) -> None:
    """Each of 105 cells has one family, so any order of the cells would do for cells alone: levels come first."""
    cells = [(level, domain, decision) for level in range(1, 6) for domain in "abcdefg" for decision in "XYZ"]
    examples = [
        example(id=f"{i:04}", family=f"f{i}", level=level, domain=domain, decision=decision)
        for i, (level, domain, decision) in enumerate(cells)
    ]
    first = sampling_order(examples, seed)[:12]
    assert set(Counter(example.level for example in first)) == {1, 2, 3, 4, 5}
    assert max(Counter(example.level for example in first).values()) <= 4
    assert set(Counter(example.decision for example in sampling_order(examples, seed)[:30])) == {"X", "Y", "Z"}


def test_the_seed_makes_the_order() -> None:
    """Another seed gives another order."""
    examples = examples_of([0] * 30, list(range(30)))
    assert sampling_order(examples, 1) != sampling_order(examples, 2)


def test_a_smoke_test_takes_each_decision() -> None:
    """Five with all three decisions, two of each at the most; fewer if there are fewer."""
    examples = examples_of([0] * 50 + [1] * 5 + [2] * 2, list(range(57)))
    counts = Counter(example.decision for example in smoke_test_sample(examples, 0))
    assert sorted(counts.values()) == [1, 2, 2]
    assert len(smoke_test_sample(examples[:3], 0)) == 3
