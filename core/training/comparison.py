"""One table after training: the student, and the model that each phase made of it, on the same examples."""

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
    """The benchmark of a model; rates are fractions with 95 % intervals, and None where nothing is known.

    `basis` says what Brier and ECE are computed from: the 'stated' confidence, or the 'probability' of the decision.
    `verdict` is the gate's, against the reference if that was asked the same questions.
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
    """A model: `what` names it in short ('base', 'SFT+GRPO'), `training` is the run that made it ('' for the base).

    `measured` is None without a benchmark of the same questions as the others, in the mode that the model was trained
    in. Then `going` is a benchmark at work, or `command` makes one (continuing `stopped`), or `problem` says why none
    can be made.
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
    """The rows, the base first, then the models as they were trained; and the pairs that are compared.

    Each model is compared with the base, its parent, and the row before. `examples` is the number of examples that all
    of them were asked, `like` a benchmark that asked them; None and '' while there is no benchmark. `reference` is the
    benchmark of the reference, '' if it was not asked the same.
    """

    rows: list[ComparisonRow]
    pairs: list[ComparisonPair]
    examples: int | None
    like: str
    reference: str


def comparison_table(project: Project, connection: sqlite3.Connection, chosen: Sequence[Run]) -> ComparisonTable:
    """The table of the training runs `chosen`, with those that they started from; of all runs, if none is chosen.

    The examples are those that most of the models were asked; of several such sets, the one that was asked last. Raises
    RunError.
    """
    rows = _rows(project, connection, chosen)
    finished, unfinished = _benchmarks(connection, {(row.model, row.mode) for row in rows})
    questions, like = _most_asked(connection, finished)
    summaries: dict[str, BenchmarkSummary] = {}
    for row in rows:
        for run in finished.get((row.model, row.mode), []):
            if predictions.question_versions(connection, run.id) == questions:
                summaries[row.model] = summarize(project, connection, run)
                break
    reference = _reference(project, connection, questions)
    table_rows = [
        _measured_row(project, connection, row, summaries[row.model], reference)
        if row.model in summaries
        else _unmeasured_row(connection, row, unfinished.get((row.model, row.mode), []), questions, like)
        for row in rows
    ]
    pairs = [
        ComparisonPair(first, second, compare(summaries[first].answers, summaries[second].answers))
        for first, second in compared_pairs(table_rows)
        if first in summaries and second in summaries
    ]
    return ComparisonTable(
        table_rows, pairs, len(questions) if questions else None, like, reference.id if reference else ""
    )


def compared_pairs(rows: Sequence[ComparisonRow]) -> list[tuple[str, str]]:
    """The models to compare, the one to beat first in each pair; `rows` begin with the base."""
    base = rows[0].model
    return [
        (first, row.model)
        for previous, row in pairwise(rows)
        for first in dict.fromkeys([base, row.parent or base, previous.model])
    ]


def start_missing(project: Project, connection: sqlite3.Connection, table: ComparisonTable, row: ComparisonRow) -> Run:
    """Start, or resume, the benchmark that `row` of the `table` lacks; raises RunError."""
    if row.stopped:
        resume(project, connection, row.stopped)
        return require_run(connection, row.stopped)
    params = BenchmarkParams(model=row.model, mode=row.mode, like=table.like, split="" if table.like else "test")
    return start_benchmark(project, connection, params)


# The columns of `describe_row`, each with its 95 % interval where it has one.
FIGURES = ("right", "balanced", "Brier", "ECE", "confidence", "without answer")


def describe_row(row: ComparisonRow) -> tuple[str, ...]:
    """The figures of a row for a person; unknown figures say so."""
    measured = row.measured
    if measured is None:
        return ("at work" if row.going else "not measured", *[""] * (len(FIGURES) - 1))
    without = [
        f"{number} {name}" for name, number in measured.outcomes.items() if name != PredictionOutcome.ANSWERED.value
    ]
    rate = "unknown" if measured.accuracy is None else f"{100 * measured.accuracy:.1f} %"
    return (
        f"{measured.right}/{measured.n}, {rate} ({100 * measured.low:.1f}–{100 * measured.high:.1f})",
        "unknown" if measured.balanced_accuracy is None else f"{100 * measured.balanced_accuracy:.1f} %",
        _score(measured.brier, measured.brier_low, measured.brier_high),
        _score(measured.ece, measured.ece_low, measured.ece_high),
        measured.basis,
        ", ".join(without) or "0",
    )


def _score(value: float | None, low: float | None, high: float | None) -> str:
    return "unknown" if value is None or low is None or high is None else f"{value:.3f} ({low:.3f}–{high:.3f})"


def describe_lineage(line: Iterable[TrainedModel]) -> str:
    """A model by the algorithms that led to it: 'SFT+GRPO'."""
    return "+".join(model.recipe.algorithm.value.upper() for model in line)


def _rows(project: Project, connection: sqlite3.Connection, chosen: Sequence[Run]) -> list[ComparisonRow]:
    models = trained_models(project, connection)
    if not models:
        raise RunError("nothing was trained yet: `sidequest train run RECIPE` makes a model")
    run_ids = {run.id for run in chosen} or {model.run for model in models.values()}
    of_runs = [model for model in models.values() if model.run in run_ids]
    if missing_runs := run_ids - {model.run for model in of_runs}:
        raise RunError(f"run {min(missing_runs)[-6:]} has finished no phase, and made no model")
    if not chosen:
        of_runs = [model for model in of_runs if model.student == of_runs[-1].student]
    students = list(dict.fromkeys(model.student for model in of_runs))
    if len(students) > 1:
        raise RunError(f"these runs trained different students ({', '.join(students)}): compare those of one")
    names = {ancestor.name for model in of_runs for ancestor in lineage(models, model)}
    shown_models = [model for model in models.values() if model.name in names]
    base = ComparisonRow(students[0], "base", "", shown_models[0].recipe.mode, "")
    return [
        base,
        *(
            ComparisonRow(
                model.name,
                describe_lineage(lineage(models, model)),
                model.run,
                model.recipe.mode,
                model.parent,
                problem=missing_files(project, model),
            )
            for model in shown_models
        ),
    ]


Benchmarks = dict[tuple[str, Mode], list[Run]]


def _benchmarks(connection: sqlite3.Connection, models: set[tuple[str, Mode]]) -> tuple[Benchmarks, Benchmarks]:
    """The benchmarks of the models in their modes, newest first: complete ones, and all others."""
    finished: Benchmarks = {}
    unfinished: Benchmarks = {}
    for run in readable_of_kind(connection, KIND):
        params = params_of(run, BenchmarkParams)
        key = (params.model, params.mode)
        if key in models and not params.sniff:
            (finished if _is_complete(connection, run, params) else unfinished).setdefault(key, []).append(run)
    return finished, unfinished


def _is_complete(connection: sqlite3.Connection, run: Run, params: BenchmarkParams) -> bool:
    """Whether a benchmark asked everything; one that stopped early because it was settled did not."""
    return run.state is RunState.FINISHED and not predictions.unanswered(connection, run.id, params.samples, 0)


def _most_asked(connection: sqlite3.Connection, finished: Benchmarks) -> tuple[Examples | None, str]:
    """The questions that most of the models were asked, and the newest benchmark that asked them."""
    models: Counter[Examples] = Counter()
    newest: dict[Examples, str] = {}
    for of_model in finished.values():
        for questions, run in {
            predictions.question_versions(connection, run_of_model.id): run_of_model.id
            for run_of_model in reversed(of_model)
        }.items():
            models[questions] += 1
            newest[questions] = max(newest.get(questions, ""), run)
    best = max(models, key=lambda questions: (models[questions], newest[questions]), default=None)
    return best, newest[best] if best else ""


def _reference(project: Project, connection: sqlite3.Connection, questions: Examples | None) -> Run | None:
    """The newest benchmark of the reference that asked the same questions."""
    name = resolve.resolve_name(project, connection, project.task.roles.reference)
    for run in readable_of_kind(connection, KIND):
        params = params_of(run, BenchmarkParams)
        is_complete = params.model == name and not params.sniff and _is_complete(connection, run, params)
        if is_complete and predictions.question_versions(connection, run.id) == questions:
            return run
    return None


def _measured_row(
    project: Project,
    connection: sqlite3.Connection,
    row: ComparisonRow,
    summary: BenchmarkSummary,
    reference: Run | None,
) -> ComparisonRow:
    numbers, calibration = summary.figures, summary.calibration
    basis = "stated" if calibration.stated.n else "probability" if calibration.probability.n else "none"
    scores = calibration.stated if calibration.stated.n else calibration.probability
    reference_answers = None
    if reference is not None:
        parse_answers_again(project, connection, reference)
        reference_answers = scored_answers(connection, reference.id)
    gate = gate_of_answers(
        connection,
        summary.run,
        reference,
        summary.answers,
        reference_answers,
        target=TARGET,
        level=LEVEL,
        margin=MARGIN,
    )
    return replace(
        row,
        measured=MeasuredModel(
            benchmark=summary.run.id,
            n=numbers.n,
            right=numbers.right,
            accuracy=numbers.accuracy,
            low=numbers.low,
            high=numbers.high,
            balanced_accuracy=numbers.balanced_accuracy,
            basis=basis,
            brier=scores.brier,
            brier_low=scores.brier_low,
            brier_high=scores.brier_high,
            ece=scores.ece,
            ece_low=scores.low,
            ece_high=scores.high,
            outcomes=numbers.outcomes,
            verdict=gate.verdict,
        ),
    )


def _unmeasured_row(
    connection: sqlite3.Connection, row: ComparisonRow, unfinished: Sequence[Run], questions: Examples | None, like: str
) -> ComparisonRow:
    """A row without figures, with what to do about it; `unfinished` are the model's incomplete benchmarks."""
    for run in unfinished:
        if questions is not None and predictions.question_versions(connection, run.id) != questions:
            continue
        if not run_status(run).state.ended:
            return replace(row, going=run.id)
        if run.state is not RunState.FINISHED:
            return replace(row, stopped=run.id, command=f"sidequest runs resume {run.id[-6:]}")
    if row.problem:
        return row
    like_option = f" --like {like[-6:]}" if like else ""
    return replace(row, command=f"sidequest bench run --model {row.model} --mode {row.mode.value}{like_option}")
