"""What examples cover: near-duplicates against the slow way, lengths, and the shortcut of the hypothesis."""

from __future__ import annotations

import random
import sqlite3
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Indel

from core.config.project import Project
from core.dataset.coverage import BINS, confidence, lengths, measure_coverage, near_duplicates, pieces, spread
from core.dataset.example_detail import example_detail
from core.dataset.measure import COVERAGE, command
from core.dataset.near_pairs import near_pairs
from core.dataset.neighbours import connected_components, nearest
from core.dataset.query import read_query
from core.dataset.shortcuts import side_alone
from storage import examples, reviews
from storage.database import transaction
from storage.schema import Example, ReviewAction
from storage.search import QueryError
from tests.conftest import HOSTILE, example
from tests.stored import decide

_WORDS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12)


@given(st.lists(_WORDS, max_size=12), st.sampled_from([0.3, 0.5, 0.85, 1.0]))
def test_no_pair_is_missed_and_none_made_up(texts: list[list[str]], threshold: float) -> None:
    slow = {
        (i, j)
        for j in range(len(texts))
        for i in range(j)
        if Indel.normalized_similarity(texts[i], texts[j], score_cutoff=threshold) >= threshold
    }
    assert {(i, j) for i, j, _ in near_pairs(texts, threshold)} == slow


def test_chains_hang_together() -> None:
    assert connected_components([(0, 1), (1, 4), (2, 3)]) == [[0, 1, 4], [2, 3]]
    assert connected_components([]) == []


def store(db: sqlite3.Connection, *several: Example) -> None:
    with transaction(db):
        for new_example in several:
            examples.add(db, new_example)


def test_the_nearest_are_those_of_the_place_most_alike_first(db: sqlite3.Connection) -> None:
    original = example(hypothesis="Prices rise.")
    alike = example(hypothesis="Prices fall.", decision="REJECTED")
    different = example(hypothesis="Something else altogether is claimed of another matter.")
    store(db, original, alike, different, example(hypothesis="Prices rise.", level=2))
    result = nearest(db, original)
    assert [neighbour.row.id for neighbour in result] == [alike.id, different.id]
    assert result[0].similarity > result[1].similarity


def test_all_of_one_example(db: sqlite3.Connection) -> None:
    original = example()
    store(db, original, example(), example(family="other"))
    reviews.edit(db, original.model_copy(update={"hypothesis": "Second."}))
    decide(db, original.id, ReviewAction.ACCEPT)
    result = example_detail(db, original.id)
    assert result is not None
    assert [version.hypothesis for version, _ in result.versions] == [original.hypothesis, "Second."]
    assert (len(result.kin), result.family, len(result.case.log)) == (1, 2, 2)
    assert example_detail(db, "none") is None


def test_figures_of_a_few() -> None:
    examples_made = [
        example(hypothesis=" ".join(["word"] * size), decision=("VALIDATED", "REJECTED")[size % 2], level=1 + size % 2)
        for size in range(1, 40)
    ]
    result = lengths(examples_made, ["VALIDATED", "REJECTED"])
    assert [(row.part, row.decision) for row in result][:2] == [("hypothesis", "VALIDATED"), ("hypothesis", "REJECTED")]
    assert sum(sum(row.bins) for row in result if row.part == "hypothesis") == 39
    assert all(len(row.bins) == BINS for row in result)
    assert pieces(examples_made) == {1: {2: 19}, 2: {2: 20}}
    assert confidence(examples_made, ["VALIDATED"])[1]["VALIDATED"].median == 0.95
    assert lengths([], []) == []
    assert spread([3]).ninetieth == 3


def test_near_duplicates_are_groups_of_one_cell() -> None:
    duplicates = [example() for _ in range(3)]
    different = example(decision="REJECTED")
    groups = near_duplicates([*duplicates, different], 0.85)
    assert [sorted(group.ids) for group in groups] == [sorted(duplicate.id for duplicate in duplicates)]
    assert groups[0].similarity == 1


def test_a_label_in_the_hypothesis_is_seen_and_noise_is_not() -> None:
    rng = random.Random(1)
    labels = [rng.choice(["V", "R"]) for _ in range(200)]
    families = [f"f{number // 2}" for number in range(200)]
    giveaway = side_alone([f"claim {label} {label}x" for label in labels], labels, families)
    assert (giveaway.right, giveaway.exists) == (200, True)
    noise = side_alone([f"claim {rng.choice('abcdefgh')} word" for _ in labels], labels, families)
    assert not noise.exists
    assert noise.low < noise.right / noise.examples < noise.high


@pytest.mark.parametrize("count", [0, 10])
def test_too_few_have_no_score(count: int) -> None:
    assert "needs" in side_alone(["a"] * count, ["V"] * count, ["f"] * count).problem


def test_what_cannot_be_learnt_is_said() -> None:
    labels = ["V", "R"] * 40
    result = side_alone(["?"] * 80, labels, [f"f{number}" for number in range(80)])
    assert "cannot be learnt" in result.problem


def test_a_sample_says_so_and_each_step_adds(project: Project, db: sqlite3.Connection) -> None:
    store(db, *(example(family=f"f{i}", hypothesis=f"Claim {i}.") for i in range(30)))
    steps = list(measure_coverage(project.task, db, sample=20))
    assert [step.doing != "" for step in steps] == [True, True, True, False]
    assert (steps[-1].total, steps[-1].sampled) == (30, 20)
    assert steps[-1].groups == 1
    assert list(measure_coverage(project.task, db, read_query(project.task, db, "level:5")))[-1].total == 0


def test_a_process_of_its_own_measures(project: Project, db: sqlite3.Connection) -> None:
    store(db, *(example(hypothesis=text) for text in HOSTILE))
    completed = subprocess.run(
        command("coverage", project.folder, "level:1"), capture_output=True, text=True, check=True
    )
    last = COVERAGE.validate_json(completed.stdout.splitlines()[-1])
    assert (last.total, last.doing) == (len(HOSTILE), "")
    wrong = subprocess.run(command("coverage", project.folder, "level:x"), capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "no level" in wrong.stderr


def test_names_are_known_in_any_case_and_unknown_ones_are_said(project: Project, db: sqlite3.Connection) -> None:
    store(db, example(domain="Old"))
    result = read_query(project.task, db, "domain:RISK,old -decision:refined level:4-9")
    assert result.domain == ("risk", "Old")
    assert result.without[0].decision == ("REFINED",)
    for query in ("domain:weather", "decision:maybe", "level:9", "-domain:weather"):
        with pytest.raises(QueryError, match="there are"):
            read_query(project.task, db, query)
