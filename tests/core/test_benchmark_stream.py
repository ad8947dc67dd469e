"""A benchmark as it comes in: the same figures as of a finished one, which runs are shown, what one would take."""

from __future__ import annotations

import random
import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.benchmark.answer_stream import (
    PAIRED_KINDS,
    AnswerStream,
    PairKind,
    accuracy_curve,
    in_sampling_order,
    pairs_by_kind,
    select_runs,
)
from core.benchmark.cost_estimate import estimate_benchmark
from core.benchmark.results import score_all, scored_answers
from core.config.case import Mode
from core.config.project import FILE, Project, open_project
from core.runs.control import RunError
from core.runs.params import BenchmarkParams
from core.statistics import wilson
from storage import examples, predictions
from storage.database import transaction
from storage.predictions import PredictionFigures, Target
from storage.schema import PredictionOutcome, Run, Status
from tests.conftest import example
from tests.tui.benchmark_pilot import RIGHT, WRONG, prediction_for, write_benchmark


def heard(key: int, example_: str, decision: str | None, **change: Any) -> PredictionFigures:
    """A prediction of one example."""
    outcome = PredictionOutcome.REFUSED if decision is None else PredictionOutcome.ANSWERED
    plain: dict[str, Any] = {
        "id": key,
        "example": example_,
        "sample": 0,
        "number": 0,
        "outcome": outcome,
        "decision": decision,
        "confidence": 0.8,
    }
    plain |= {"probabilities": None, "seconds": 1.0, "input_tokens": 1, "output_tokens": 1, "cost": None}
    return PredictionFigures(**(plain | change))


def _targets(count: int) -> list[Target]:
    """Examples whose label is YES."""
    return [Target(f"e{at}", "YES", "market", 1, f"e{at}") for at in range(count)]


_ANSWERS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.sampled_from(["YES", "NO", None])), max_size=40)


@given(_ANSWERS, st.sampled_from([1, 3]), st.integers(1, 7))
def test_piece_by_piece_it_is_what_all_at_once_gives(
    drawn: list[tuple[int, int, str | None]], samples: int, piece: int
) -> None:
    """Failures that are asked again and several samples included: each round asks what has no answer yet."""
    told, numbers = list[PredictionFigures](), dict[tuple[int, int], int]()
    for at, sample, decision in drawn:
        place = at, sample % samples
        if numbers.get(place) != -1:
            number = numbers.get(place, 0)
            told.append(heard(len(told) + 1, f"e{at}", decision, sample=place[1], number=number))
            numbers[place] = number + 1 if decision is None else -1
    targets = _targets(5)
    live = AnswerStream("r", samples, targets)
    for start in range(0, len(told), piece):
        live.update(told[start : start + piece])
    asked = [(one.example, one.family) for one in targets]
    assert in_sampling_order(live.answers, asked) == score_all(targets, told)
    assert live.cursor == len(told)


def test_what_is_read_by_cursor_is_what_results_gives(db: sqlite3.Connection) -> None:
    cases = [example(id=f"01J{at:023d}", family=f"f{at}", level=1 + at % 5) for at in range(9)]
    run = write_benchmark(db, cases, "majority", [RIGHT, WRONG, "refused"] * 3)
    live = AnswerStream(run.id, 1, predictions.targets(db, run.id))
    while found := predictions.prediction_figures(db, run.id, after=live.cursor, limit=4):
        live.update(found)
    refused = predictions.read_questions(db, run.id)[2].question
    predictions.add(db, [prediction_for(refused, RIGHT, number=1)])
    live.update(predictions.prediction_figures(db, run.id, after=live.cursor))
    assert in_sampling_order(live.answers, predictions.families(db, run.id)) == scored_answers(db, run.id)
    assert live.answers[refused.example].correct


def test_the_curve_ends_at_the_accuracy_with_its_interval() -> None:
    rng = random.Random(2)
    live = AnswerStream("r", 1, _targets(1001))
    live.update(heard(at + 1, f"e{at}", rng.choice(["YES", "NO"])) for at in range(1001))
    found = accuracy_curve(live.answers.values(), 1001, points=50)
    right = sum(one.correct for one in live.answers.values())
    assert found.counts[-1] == 1001
    assert 50 <= len(found.counts) <= 52
    assert found.accuracy[-1] == pytest.approx(100 * right / 1001)
    assert (found.low[-1] / 100, found.high[-1] / 100) == pytest.approx(wilson(right, 1001))
    assert found.high[-1] - found.low[-1] < found.high[0] - found.low[0]


def test_pairs_by_who_is_right() -> None:
    """What only one of the two was asked is in no pair."""
    student, reference = AnswerStream("s", 1, _targets(6)), AnswerStream("r", 1, _targets(6))
    student.update(heard(at, f"e{at}", decision) for at, decision in enumerate(["YES", "YES", "NO", None, "YES"], 1))
    reference.update(heard(at, f"e{at}", decision) for at, decision in enumerate(["YES", "NO", "YES", "NO"], 1))
    found = {kind: [one.example for one in answers] for kind, answers in pairs_by_kind(student, reference).items()}
    assert found == {
        PairKind.ONLY_REFERENCE: ["e3"],
        PairKind.ONLY_STUDENT: ["e2"],
        PairKind.BOTH_WRONG: ["e4"],
        PairKind.BOTH_RIGHT: ["e1"],
    }
    assert tuple(found) == PAIRED_KINDS
    alone = pairs_by_kind(student, None)
    assert [len(alone[kind]) for kind in (PairKind.WRONG, PairKind.RIGHT)] == [2, 3]


def run_of(number: int, model: str, **params: Any) -> Run:
    """A benchmark run; a higher number is newer."""
    return Run(id=f"r{number}", kind="benchmark", params={"model": model, "mode": "direct", **params})


@pytest.mark.parametrize(
    ("every", "going", "expected"),
    [
        ([], "", (None, None)),
        ([run_of(1, "bag-of-words")], "", (None, "r1")),
        ([run_of(2, "majority"), run_of(1, "smollm2-135m")], "", ("r1", None)),
        ([run_of(2, "majority"), run_of(1, "smollm2-135m")], "r2", ("r2", None)),
        ([run_of(2, "smollm2-135m", sniff=True), run_of(1, "smollm2-135m")], "", ("r1", None)),
        ([run_of(3, "bag-of-words"), run_of(2, "smollm2-135m", reference="r1"), run_of(1, "x")], "", ("r2", "r1")),
        ([run_of(3, "bag-of-words"), run_of(2, "x", student="r1"), run_of(1, "smollm2-135m")], "", ("r1", "r2")),
    ],
)
def test_which_two_are_shown(
    project: Project, every: list[Run], going: str, expected: tuple[str | None, str | None]
) -> None:
    found = select_runs(project.task, every, lambda run: run.id == going)
    assert tuple(run and run.id for run in found) == expected


def test_what_a_benchmark_would_take(project: Project, db: sqlite3.Connection) -> None:
    """The most that the model may write, until a benchmark tells how much it does write; no price, no cost."""
    accepted = [example(id=f"01J{at:023d}", status=Status.ACCEPTED, family=f"f{at}") for at in range(10)]
    with transaction(db):
        for one in accepted:
            examples.add(db, one)
    path = project.folder / FILE
    model = (
        '\n[models.big]\nmodel = "big-1"\nkey_env = ""\nbase_url = "http://127.0.0.1:9/v1"\nmax_output_tokens = 100\n'
    )
    path.write_text(path.read_text(encoding="utf-8") + model, encoding="utf-8")
    project = open_project(project.folder)
    params = BenchmarkParams(model="big", mode=Mode.SCHEMA, samples=3, limit=8)
    found = estimate_benchmark(project, db, params)
    assert (found.examples, found.questions, found.output_tokens, found.at_most) == (8, 24, 2400, True)
    assert 24 * 150 < found.input_tokens < 24 * 1000
    assert found.cost is None
    assert not found.free
    write_benchmark(db, accepted, "big", [RIGHT] * 10)
    path.write_text(path.read_text(encoding="utf-8") + '\n[prices."big-1"]\ninput = 0\noutput = 10\n', encoding="utf-8")
    found = estimate_benchmark(open_project(project.folder), db, params)
    assert (found.output_tokens, found.at_most) == (24 * 20, False)
    assert found.cost == pytest.approx(24 * 20 * 10 / 1_000_000)
    assert estimate_benchmark(project, db, BenchmarkParams(model="majority", mode=Mode.DIRECT)).free
    with pytest.raises(RunError, match="no model 'nobody'"):
        estimate_benchmark(project, db, BenchmarkParams(model="nobody", mode=Mode.DIRECT))
    with pytest.raises(RunError, match="no accepted example is in the split test"):
        estimate_benchmark(project, db, BenchmarkParams(model="big", mode=Mode.SCHEMA, split="test"))
