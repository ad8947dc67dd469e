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
)
from core.benchmark.cost_estimate import estimate_benchmark
from core.benchmark.results import score_all, scored_answers
from core.benchmark.run_choice import other_modes, select_runs, standing_benchmark, standing_benchmarks
from core.config.case import Mode
from core.config.project import FILE, Project, open_project
from core.runs.control import RunError
from core.runs.params import BenchmarkParams
from core.statistics import wilson
from storage import examples, predictions, runs
from storage.database import transaction
from storage.predictions import PredictionFigures, Target
from storage.schema import PredictionOutcome, Run, RunState, Status
from tests.conftest import example
from tests.tui.benchmark_pilot import RIGHT, WRONG, prediction_for, write_benchmark


def prediction_figures(key: int, example_: str, decision: str | None, **change: Any) -> PredictionFigures:
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
    return [Target(f"e{i}", "YES", "market", 1, f"e{i}") for i in range(count)]


_ANSWERS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.sampled_from(["YES", "NO", None])), max_size=40)


@given(_ANSWERS, st.sampled_from([1, 3]), st.integers(1, 7))
def test_piece_by_piece_it_is_what_all_at_once_gives(
    drawn: list[tuple[int, int, str | None]], samples: int, piece: int
) -> None:
    """Failures that are asked again and several samples included: each round asks what has no answer yet."""
    predictions, numbers = list[PredictionFigures](), dict[tuple[int, int], int]()
    for index, sample, decision in drawn:
        key = index, sample % samples
        if numbers.get(key) != -1:
            number = numbers.get(key, 0)
            predictions.append(
                prediction_figures(len(predictions) + 1, f"e{index}", decision, sample=key[1], number=number)
            )
            numbers[key] = number + 1 if decision is None else -1
    targets = _targets(5)
    live = AnswerStream("r", samples, targets)
    for start in range(0, len(predictions), piece):
        live.update(predictions[start : start + piece])
    order = [(target.example, target.family) for target in targets]
    assert in_sampling_order(live.answers, order) == score_all(targets, predictions)
    assert live.cursor == len(predictions)


def test_what_is_read_by_cursor_is_what_results_gives(db: sqlite3.Connection) -> None:
    cases = [example(id=f"01J{i:023d}", family=f"f{i}", level=1 + i % 5) for i in range(9)]
    run = write_benchmark(db, cases, "majority", [RIGHT, WRONG, "refused"] * 3)
    live = AnswerStream(run.id, 1, predictions.targets(db, run.id))
    while page := predictions.prediction_figures(db, run.id, after=live.cursor, limit=4):
        live.update(page)
    refused = predictions.read_questions(db, run.id)[2].question
    predictions.add(db, [prediction_for(refused, RIGHT, number=1)])
    live.update(predictions.prediction_figures(db, run.id, after=live.cursor))
    assert in_sampling_order(live.answers, predictions.families(db, run.id)) == scored_answers(db, run.id)
    assert live.answers[refused.example].correct


def test_the_curve_ends_at_the_accuracy_with_its_interval() -> None:
    rng = random.Random(2)
    live = AnswerStream("r", 1, _targets(1001))
    live.update(prediction_figures(i + 1, f"e{i}", rng.choice(["YES", "NO"])) for i in range(1001))
    curve = accuracy_curve(live.answers.values(), 1001, points=50)
    right = sum(answer.correct for answer in live.answers.values())
    assert curve.counts[-1] == 1001
    assert 50 <= len(curve.counts) <= 52
    assert curve.accuracy[-1] == pytest.approx(100 * right / 1001)
    assert (curve.low[-1] / 100, curve.high[-1] / 100) == pytest.approx(wilson(right, 1001))
    assert curve.high[-1] - curve.low[-1] < curve.high[0] - curve.low[0]


def test_pairs_by_who_is_right() -> None:
    """What only one of the two was asked is in no pair."""
    student, reference = AnswerStream("s", 1, _targets(6)), AnswerStream("r", 1, _targets(6))
    student.update(
        prediction_figures(i, f"e{i}", decision) for i, decision in enumerate(["YES", "YES", "NO", None, "YES"], 1)
    )
    reference.update(
        prediction_figures(i, f"e{i}", decision) for i, decision in enumerate(["YES", "NO", "YES", "NO"], 1)
    )
    by_kind = {
        kind: [answer.example for answer in answers] for kind, answers in pairs_by_kind(student, reference).items()
    }
    assert by_kind == {
        PairKind.ONLY_REFERENCE: ["e3"],
        PairKind.ONLY_STUDENT: ["e2"],
        PairKind.BOTH_WRONG: ["e4"],
        PairKind.BOTH_RIGHT: ["e1"],
    }
    assert tuple(by_kind) == PAIRED_KINDS
    alone = pairs_by_kind(student, None)
    assert [len(alone[kind]) for kind in (PairKind.WRONG, PairKind.RIGHT)] == [2, 3]


def run_of(number: int, model: str, **params: Any) -> Run:
    """A benchmark run; a higher number is newer."""
    return Run(id=f"r{number}", kind="benchmark", params={"model": model, "mode": "direct"} | params)


@pytest.mark.parametrize(
    ("benchmarks", "going", "expected"),
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
    project: Project, benchmarks: list[Run], going: str, expected: tuple[str | None, str | None]
) -> None:
    chosen = select_runs(project.task, benchmarks, lambda run: run.id == going)
    assert tuple(run and run.id for run in chosen) == expected


def test_a_finished_run_stands_before_one_that_was_stopped(project: Project, db: sqlite3.Connection) -> None:
    """The newer run was stopped at its start: gate, report and screen speak of the one that has asked everything."""
    finished, smoke, stopped, other = (
        run_of(1, "smollm2-135m").model_copy(update={"state": RunState.FINISHED}),
        run_of(2, "smollm2-135m", sniff=True).model_copy(update={"state": RunState.FINISHED}),
        run_of(4, "smollm2-135m").model_copy(update={"state": RunState.STOPPED}),
        run_of(3, "smollm2-135m", mode="reason").model_copy(update={"state": RunState.FINISHED}),
    )
    newest_first = [stopped, smoke, finished]
    assert [run.id for run in standing_benchmarks(newest_first, "smollm2-135m")] == ["r1", "r4"]
    assert standing_benchmarks(newest_first, "majority") == []
    chosen, _ = select_runs(project.task, newest_first, lambda _: False)
    assert chosen == finished
    going, _ = select_runs(project.task, newest_first, lambda run: run.id == "r4")
    assert going == stopped
    with pytest.raises(RunError, match="no benchmark of smollm2-135m yet: `sidequest bench run --model smollm2-135m`"):
        standing_benchmark(db, "smollm2-135m")
    with transaction(db):
        for run in (finished, smoke, stopped):
            runs.write(db, run)
    assert standing_benchmark(db, "smollm2-135m").id == "r1"
    assert other_modes(db, finished) == {}
    with transaction(db):
        runs.write(db, other)
    assert standing_benchmark(db, "smollm2-135m").id == "r3"
    assert {mode: run.id for mode, run in other_modes(db, other).items()} == {"direct": "r1"}


def test_what_a_benchmark_would_take(project: Project, db: sqlite3.Connection) -> None:
    """The most that the model may write, until a benchmark tells how much it does write; no price, no cost."""
    accepted = [example(id=f"01J{i:023d}", status=Status.ACCEPTED, family=f"f{i}") for i in range(10)]
    with transaction(db):
        for accepted_example in accepted:
            examples.add(db, accepted_example)
    path = project.folder / FILE
    model = (
        '\n[models.big]\nmodel = "big-1"\nkey_env = ""\nbase_url = "http://127.0.0.1:9/v1"\nmax_output_tokens = 100\n'
    )
    path.write_text(path.read_text(encoding="utf-8") + model, encoding="utf-8")
    project = open_project(project.folder)
    params = BenchmarkParams(model="big", mode=Mode.SCHEMA, samples=3, limit=8)
    estimate = estimate_benchmark(project, db, params)
    assert (estimate.examples, estimate.questions, estimate.output_tokens, estimate.at_most) == (8, 24, 2400, True)
    assert 24 * 150 < estimate.input_tokens < 24 * 1000
    assert estimate.cost is None
    assert not estimate.free
    write_benchmark(db, accepted, "big", [RIGHT] * 10)
    path.write_text(path.read_text(encoding="utf-8") + '\n[prices."big-1"]\ninput = 0\noutput = 10\n', encoding="utf-8")
    estimate = estimate_benchmark(open_project(project.folder), db, params)
    assert (estimate.output_tokens, estimate.at_most) == (24 * 20, False)
    assert estimate.cost == pytest.approx(24 * 20 * 10 / 1_000_000)
    assert estimate_benchmark(project, db, BenchmarkParams(model="majority", mode=Mode.DIRECT)).free
    with pytest.raises(RunError, match="no model 'nobody'"):
        estimate_benchmark(project, db, BenchmarkParams(model="nobody", mode=Mode.DIRECT))
    with pytest.raises(RunError, match="no accepted example is in the split test"):
        estimate_benchmark(project, db, BenchmarkParams(model="big", mode=Mode.SCHEMA, split="test"))
