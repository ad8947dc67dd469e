"""The worlds of the procedural source: contrasts, kinds of inference, and what tells nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from core.curriculum.cell import Cell
from core.generation.procedural.bodies import Aside, Role, plan_body
from core.generation.procedural.source import family_size
from core.generation.procedural.worlds import (
    BODIES,
    DECISIONS,
    PARTNERS,
    REFINED,
    REJECTED,
    VALIDATED,
    Inference,
    Shape,
    arrangements,
    build_world,
    random_stream,
)
from tests.bench.near_duplicates import duplicated, lettered, sample
from tests.bench.shortcuts import (
    Row,
    accuracies,
    figure_classifier,
    majority,
    measure,
    relevances,
    rows,
    tone,
    weakest,
)
from tests.core.procedural_examples import candidate_of, example, level_worlds, the_task


@pytest.mark.parametrize("level", [1, 3, 5])
def test_families_are_contrastive_both_ways_within_the_quota_of_a_cell(level: int) -> None:
    quotas = {VALIDATED: 6, REJECTED: 4, REFINED: 2}
    by_evidence: dict[str, set[str]] = {}
    by_hypothesis: dict[str, set[str]] = {}
    for decision, count in quotas.items():
        for slot in range(count):
            written_candidate = candidate_of(example(Cell("financial", level, decision), slot))
            body = repr([(piece.source, piece.content, piece.relevance) for piece in written_candidate.evidence])
            by_evidence.setdefault(body, set()).add(decision)
            by_hypothesis.setdefault(written_candidate.hypothesis, set()).add(decision)
    assert max(map(len, by_evidence.values())) == 3
    assert max(map(len, by_hypothesis.values())) == 3


def test_a_full_family_shows_a_hypothesis_under_all_three_decisions() -> None:
    for seed in range(20):
        observed: dict[str, set[str]] = {}
        for decision in DECISIONS:
            for slot in range(family_size(the_task(), decision)):
                written = example(Cell("customer", 2, decision), slot, seed)
                observed.setdefault(candidate_of(written).hypothesis, set()).add(decision)
        assert set(DECISIONS) in observed.values()


@pytest.mark.parametrize("level", [1, 2, 3])
def test_claims_and_truths_are_spread_alike_over_the_decisions(level: int) -> None:
    claims: dict[str, Counter[tuple[Shape, tuple[int, int]]]] = {name: Counter() for name in DECISIONS}
    truths: dict[str, Counter[tuple[Shape, tuple[int, int]]]] = {name: Counter() for name in DECISIONS}
    total = 6000
    for number in range(total):
        world = build_world(f"family-{number}", "risk", the_task().level(level))
        for decision in DECISIONS:
            body = BODIES[decision][number % 3]
            claims[decision][world.shape, world.states[world.partner(body, decision)]] += 1
            truths[decision][world.shape, world.states[body]] += 1
    for table in (claims, truths):
        for key in table[VALIDATED]:
            shares = [table[name][key] / total for name in DECISIONS]
            assert max(shares) - min(shares) < 0.012, key


@pytest.mark.parametrize("shape", Shape)
def test_partners_share_one_part_where_the_claim_is_refined_and_none_where_it_is_rejected(shape: Shape) -> None:
    for states in arrangements(shape):
        for position, claimed in enumerate(states):
            shared = {
                decision: [
                    one == other for one, other in zip(claimed, states[PARTNERS[decision][position]], strict=True)
                ]
                for decision in (REFINED, REJECTED)
            }
            assert shared[REFINED] == [True, False] if shape.carried else sum(shared[REFINED]) == 1
            assert not shared[REJECTED][0]
            assert shape.carried or not any(shared[REJECTED])


def test_the_first_level_has_one_claim_stated_in_words_and_the_second_some_of_two_parts() -> None:
    first = Counter(world.shape for world in level_worlds(1, 300))
    second = Counter(world.shape for world in level_worlds(2, 600))
    assert set(first) == {Shape.SCOPE, Shape.CONDITION, Shape.TIME, Shape.SIZE, Shape.CAUSE}
    assert set(first) < set(second)
    pairs = sum(count for shape, count in second.items() if not shape.carried)
    assert 0.2 < pairs / 600 < 0.5


def test_from_the_third_level_on_decisions_come_from_eight_kinds_of_inference() -> None:
    for level in (3, 4, 5):
        kinds = {world.inference for world in level_worlds(level, 200)}
        assert kinds == set(Inference) - {Inference.STATED}
    assert {world.inference for world in level_worlds(1, 50) + level_worlds(2, 50)} == {Inference.STATED}


def test_an_intervention_bears_on_what_its_vocabulary_lists_for_it() -> None:
    for world in level_worlds(2, 300) + level_worlds(4, 300):
        if world.shape != Shape.BALANCE:
            names = world.lexicon.interventions[world.intervention]
            assert {metric.name for metric in world.metrics} <= set(names)


def test_what_does_not_count_is_right_no_more_often_than_tells_nothing() -> None:
    """Half of it where a part has two directions; less where it can stay the same, too."""
    agreed: dict[tuple[bool, bool], Counter[bool]] = {}
    for number, world in enumerate(level_worlds(4, 900)):
        body = plan_body(world, number % 4, the_task().level(4), random_stream(number))
        for piece in body.pieces:
            if piece.aside:
                key = (world.shape.carried, piece.aside == Aside.HEARSAY)
                agreed.setdefault(key, Counter())[piece.role == Role.ECHO] += 1
    assert len(agreed) == 4
    for (carried, _), counts in agreed.items():
        low, high = (0.42, 0.55) if carried else (0.3, 0.45)
        assert counts.total() > 200
        assert low < counts[True] / counts.total() < high


def test_figures_that_are_compared_come_from_one_study() -> None:
    apart = 0
    for number in range(400):
        written = candidate_of(example(Cell("technical", 3 + number % 3, DECISIONS[number % 3]), number % 3, number))
        for step in written.steps:
            arms = [f.piece for f in step.findings if f.says.endswith((" with", " without")) and "is" not in f.says]
            sources = {written.evidence[piece - 1].source.rpartition(", ")[0] for piece in arms}
            apart += len(set(arms)) > 1
            assert len(set(arms)) < 2 or len(sources) == 1
    assert apart > 40


def test_a_case_has_a_group_without_or_a_time_before_and_never_both() -> None:
    for number in range(600):
        written = candidate_of(example(Cell("operations", 3 + number % 3, DECISIONS[number % 3]), number % 3, number))
        text = " ".join(f"{piece.source} {piece.content}" for piece in written.evidence)
        controlled = re.search(r"control group|comparison group|by lot|Matched cohort", text)
        assert not (controlled and re.search(r"parallel group|Before-and-after|no control for", text)), text


def test_a_family_has_the_decisions_in_the_proportion_of_the_whole() -> None:
    assert [family_size(the_task(), name) for name in (VALIDATED, REJECTED, REFINED)] == [3, 2, 1]
    families: dict[str, Counter[str]] = {}
    for decision, count in {VALIDATED: 6, REJECTED: 4, REFINED: 2}.items():
        for slot in range(count):
            families.setdefault(example(Cell("risk", 4, decision), slot).family, Counter())[decision] += 1
    assert list(families.values()) == [Counter({VALIDATED: 3, REJECTED: 2, REFINED: 1})] * 2


def test_independent_draws_are_not_near_duplicates() -> None:
    texts = lettered([words for decision, words in sample(the_task(), 2000, 5) if decision == REFINED])
    count, _ = duplicated(texts, the_task().limits.near_duplicate)
    assert len(texts) > 600
    assert count <= 6


@pytest.mark.parametrize("view", [weakest, relevances, tone])
def test_neither_relevance_nor_tone_nor_the_weakest_piece_tells_the_decision(
    view: Callable[[Row], list[float]],
) -> None:
    data = rows(110, 3, only=4)
    figures = np.array([view(row) for row in data])
    assert np.any(figures[:, 0] > 0)
    assert max(accuracies(data, figure_classifier(), figures)) <= majority(data) + 0.05


@pytest.mark.slow
@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_no_side_alone_and_no_trick_tells_the_decision(level: int) -> None:
    data = rows(150, 3, only=level)
    for name, accuracy in measure(data).items():
        assert max(accuracy) <= majority(data) + 0.05, name


@pytest.mark.slow
def test_neither_side_alone_tells_the_decision() -> None:
    data = rows(420, 3)
    for name, accuracy in measure(data).items():
        assert max(accuracy) <= majority(data) + 0.05, name
