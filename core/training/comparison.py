"""One table after training: the student, and what each phase has made of it, on the same examples."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from core.benchmark.paired import Comparison, compare
from core.benchmark.results import scored_answers
from core.benchmark.sequential_gate import GateVerdict
from core.benchmark.start import KIND
from core.benchmark.start import start_benchmark as start_benchmark
from core.benchmark.summary import BenchmarkSummary, gate_of_answers, parse_answers_again, summarize
from core.config.case import Mode
from core.config.project import Project
from core.models import resolve
from core.models.trained import TrainedModel, lineage, missing_files, trained_models
from core.runs.control import RunError, require_run, run_status
from core.runs.launch import resume
from core.runs.params import LEVEL, MARGIN, TARGET, BenchmarkParams, params_of
from core.runs.readable import readable_of_kind
from storage import predictions
from storage.schema import PredictionOutcome, Run, RunState

Examples = frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """What a benchmark says of a model; rates are fractions, with 95 % intervals, and None where nothing is known.

    `basis` says what Brier and ECE are of: the confidence that is 'stated', or the 'probability' of the decision.
    `verdict` is the gate's, against the reference where that was asked the same.
    """

    benchmark: str
    n: int
    right: int
    accuracy: float | None
    low: float
    high: float
    balanced_accuracy: float | None
    basis: str
    brier: float | None
    brier_low: float | None
    brier_high: float | None
    ece: float | None
    ece_low: float | None
    ece_high: float | None
    outcomes: dict[str, int]
    verdict: GateVerdict


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """A model: `what` it is in short ('base', 'SFT', 'SFT+GRPO'), and the training run that made it ('' for the base).

    Without a benchmark of what the others were asked, in the mode that it was trained in, `measured` is None; `going`
    is then one at work, or `command` makes it (from where `stopped` was left), or `problem` says why none can be made.
    """

    model: str
    what: str
    training: str
    mode: Mode
    parent: str
    measured: MeasuredModel | None = None
    going: str = ""
    stopped: str = ""
    command: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ComparisonPair:
    """The model `second` against `first`: `found.gap` is how far it is ahead."""

    first: str
    second: str
    found: Comparison


@dataclass(frozen=True, slots=True)
class ComparisonTable:
    """The rows, the base first, then as they were trained; and each against the base, what it started from, and the
    row before.

    `examples` is how many examples all of them were asked, `like` a benchmark that asked them; None and '' where there
    is no benchmark yet. `reference` is the benchmark of the reference, '' if it was not asked the same.
    """

    rows: list[ComparisonRow]
    pairs: list[ComparisonPair]
    examples: int | None
    like: str
    reference: str


def comparison_table(project: Project, connection: sqlite3.Connection, chosen: Sequence[Run]) -> ComparisonTable:
    """What came of the training runs `chosen`, and of those that they started from; of all, if none is chosen.

    The examples are those that most of the models were asked, of as many those that were asked last. Raises RunError.
    """
    rows = _rows(project, connection, chosen)
    finished, open_ = _benchmarks(connection, {(row.model, row.mode) for row in rows})
    asked, like = _most(connection, finished)
    outcomes: dict[str, BenchmarkSummary] = {}
    for row in rows:
        for run in finished.get((row.model, row.mode), []):
            if predictions.question_versions(connection, run.id) == asked:
                outcomes[row.model] = summarize(project, connection, run)
                break
    reference = _reference(project, connection, asked)
    told = [
        _told(project, connection, row, outcomes[row.model], reference)
        if row.model in outcomes
        else _untold(connection, row, open_.get((row.model, row.mode), []), asked, like)
        for row in rows
    ]
    pairs = [
        ComparisonPair(first, second, compare(outcomes[first].answers, outcomes[second].answers))
        for first, second in compared_pairs(told)
        if first in outcomes and second in outcomes
    ]
    return ComparisonTable(told, pairs, len(asked) if asked else None, like, reference.id if reference else "")


def compared_pairs(rows: Sequence[ComparisonRow]) -> list[tuple[str, str]]:
    """Which models are compared, the first of each pair the one that is to be beaten; `rows` begin with the base."""
    base = rows[0].model
    return [
        (first, row.model)
        for before, row in pairwise(rows)
        for first in dict.fromkeys([base, row.parent or base, before.model])
    ]


def start_missing(project: Project, connection: sqlite3.Connection, found: ComparisonTable, row: ComparisonRow) -> Run:
    """Start, or resume, the benchmark that `row` of the table `found` lacks; raises RunError."""
    if row.stopped:
        resume(project, connection, row.stopped)
        return require_run(connection, row.stopped)
    params = BenchmarkParams(model=row.model, mode=row.mode, like=found.like, split="" if found.like else "test")
    return start_benchmark(project, connection, params)


# What `in_words` tells, each with its 95 % interval where it has one.
FIGURES = ("right", "balanced", "Brier", "ECE", "confidence", "without answer")


def describe_row(row: ComparisonRow) -> tuple[str, ...]:
    """The figures of a row, as a person reads them; what is not known says so."""
    one = row.measured
    if one is None:
        return ("at work" if row.going else "not measured", *[""] * (len(FIGURES) - 1))
    without = [f"{number} {name}" for name, number in one.outcomes.items() if name != PredictionOutcome.ANSWERED.value]
    rate = "unknown" if one.accuracy is None else f"{100 * one.accuracy:.1f} %"
    return (
        f"{one.right}/{one.n}, {rate} ({100 * one.low:.1f}–{100 * one.high:.1f})",
        "unknown" if one.balanced_accuracy is None else f"{100 * one.balanced_accuracy:.1f} %",
        _score(one.brier, one.brier_low, one.brier_high),
        _score(one.ece, one.ece_low, one.ece_high),
        one.basis,
        ", ".join(without) or "0",
    )


def _score(value: float | None, low: float | None, high: float | None) -> str:
    return "unknown" if value is None or low is None or high is None else f"{value:.3f} ({low:.3f}–{high:.3f})"


def in_short(line: Iterable[TrainedModel]) -> str:
    """What a model is, by the algorithms that led to it: 'SFT+GRPO'."""
    return "+".join(one.recipe.algorithm.value.upper() for one in line)


def _rows(project: Project, connection: sqlite3.Connection, chosen: Sequence[Run]) -> list[ComparisonRow]:
    known = trained_models(project, connection)
    if not known:
        raise RunError("nothing was trained yet: `sidequest train run RECIPE` makes a model")
    wanted = {run.id for run in chosen} or {one.run for one in known.values()}
    of_runs = [one for one in known.values() if one.run in wanted]
    if without := wanted - {one.run for one in of_runs}:
        raise RunError(f"run {min(without)[-6:]} has finished no phase, and made no model")
    if not chosen:
        of_runs = [one for one in of_runs if one.student == of_runs[-1].student]
    students = list(dict.fromkeys(one.student for one in of_runs))
    if len(students) > 1:
        raise RunError(f"these runs trained different students ({', '.join(students)}): compare those of one")
    names = {ancestor.name for one in of_runs for ancestor in lineage(known, one)}
    made = [one for one in known.values() if one.name in names]
    base = ComparisonRow(students[0], "base", "", made[0].recipe.mode, "")
    return [
        base,
        *(
            ComparisonRow(
                one.name,
                in_short(lineage(known, one)),
                one.run,
                one.recipe.mode,
                one.parent,
                problem=missing_files(project, one),
            )
            for one in made
        ),
    ]


Benchmarks = dict[tuple[str, Mode], list[Run]]


def _benchmarks(connection: sqlite3.Connection, wanted: set[tuple[str, Mode]]) -> tuple[Benchmarks, Benchmarks]:
    """The benchmarks of the models in their modes, newest first: those that asked all of it, and the others."""
    finished: Benchmarks = {}
    open_: Benchmarks = {}
    for run in readable_of_kind(connection, KIND):
        params = params_of(run, BenchmarkParams)
        key = (params.model, params.mode)
        if key in wanted and not params.sniff:
            (finished if _whole(connection, run, params) else open_).setdefault(key, []).append(run)
    return finished, open_


def _whole(connection: sqlite3.Connection, run: Run, params: BenchmarkParams) -> bool:
    """Whether a benchmark has asked all that it was to ask: one that was settled before has not."""
    return run.state is RunState.FINISHED and not predictions.unanswered(connection, run.id, params.samples, 0)


def _most(connection: sqlite3.Connection, finished: Benchmarks) -> tuple[Examples | None, str]:
    """What most of the models were asked, and the newest benchmark that asked it."""
    models: Counter[Examples] = Counter()
    newest: dict[Examples, str] = {}
    for of_model in finished.values():
        for asked, run in {
            predictions.question_versions(connection, one.id): one.id for one in reversed(of_model)
        }.items():
            models[asked] += 1
            newest[asked] = max(newest.get(asked, ""), run)
    best = max(models, key=lambda asked: (models[asked], newest[asked]), default=None)
    return best, newest[best] if best else ""


def _reference(project: Project, connection: sqlite3.Connection, asked: Examples | None) -> Run | None:
    """The newest benchmark of the reference that asked the same."""
    name = resolve.resolve_name(project, connection, project.task.roles.reference)
    for run in readable_of_kind(connection, KIND):
        params = params_of(run, BenchmarkParams)
        whole = params.model == name and not params.sniff and _whole(connection, run, params)
        if whole and predictions.question_versions(connection, run.id) == asked:
            return run
    return None


def _told(
    project: Project, connection: sqlite3.Connection, row: ComparisonRow, found: BenchmarkSummary, reference: Run | None
) -> ComparisonRow:
    numbers, sure = found.figures, found.calibration
    basis = "stated" if sure.stated.n else "probability" if sure.probability.n else "none"
    shown = sure.stated if sure.stated.n else sure.probability
    theirs = None
    if reference is not None:
        parse_answers_again(project, connection, reference)
        theirs = scored_answers(connection, reference.id)
    gate = gate_of_answers(
        connection, found.run, reference, found.answers, theirs, target=TARGET, level=LEVEL, margin=MARGIN
    )
    return replace(
        row,
        measured=MeasuredModel(
            benchmark=found.run.id,
            n=numbers.n,
            right=numbers.right,
            accuracy=numbers.accuracy,
            low=numbers.low,
            high=numbers.high,
            balanced_accuracy=numbers.balanced_accuracy,
            basis=basis,
            brier=shown.brier,
            brier_low=shown.brier_low,
            brier_high=shown.brier_high,
            ece=shown.ece,
            ece_low=shown.low,
            ece_high=shown.high,
            outcomes=numbers.outcomes,
            verdict=gate.verdict,
        ),
    )


def _untold(
    connection: sqlite3.Connection, row: ComparisonRow, open_: Sequence[Run], asked: Examples | None, like: str
) -> ComparisonRow:
    """A row without figures, with what is to be done about it; `open_` are the model's benchmarks without an end."""
    for run in open_:
        if asked is not None and predictions.question_versions(connection, run.id) != asked:
            continue
        if not run_status(run).state.ended:
            return replace(row, going=run.id)
        if run.state is not RunState.FINISHED:
            return replace(row, stopped=run.id, command=f"sidequest runs resume {run.id[-6:]}")
    if row.problem:
        return row
    same = f" --like {like[-6:]}" if like else ""
    return replace(row, command=f"sidequest bench run --model {row.model} --mode {row.mode.value}{same}")
