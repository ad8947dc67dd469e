"""One table after training: the student, and the model that each phase made of it, on the same examples."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from core.benchmark.paired import ALPHA, Comparison, compare
from core.benchmark.results import scored_answers
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
from core.statistics import holm
from core.training.measured import MeasuredModel, measured_model
from core.training.seed_groups import SeedGroup, seed_groups
from storage import predictions
from storage.schema import Run, RunState

Examples = frozenset[tuple[str, int]]


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
    """The model `second` against `first`: `found.gap` is how far it is ahead.

    `found.corrected` is p after Holm's method over all pairs of the table, and `found.differs` whether that is below
    5 %.
    """

    first: str
    second: str
    found: Comparison


@dataclass(frozen=True, slots=True)
class ComparisonTable:
    """The rows, the base first, then the models as they were trained; and the pairs that are compared.

    Each model is compared with the base, its parent, and the row before unless that differs in its seed alone. `groups`
    has the models that differ in their seed alone, with mean and spread. `examples` is the number of examples that all
    of them were asked, `like` a benchmark that asked them; None and '' while there is no benchmark. `reference` is the
    benchmark of the reference, '' if it was not asked the same.
    """

    rows: list[ComparisonRow]
    pairs: list[ComparisonPair]
    examples: int | None
    like: str
    reference: str
    groups: list[SeedGroup] = field(default_factory=list)


def comparison_table(project: Project, connection: sqlite3.Connection, chosen: Sequence[Run]) -> ComparisonTable:
    """The table of the training runs `chosen`, with those that they started from; of all runs, if none is chosen.

    The examples are those that most of the models were asked; of several such sets, the one that was asked last. Raises
    RunError.
    """
    rows, lineages = _rows(project, connection, chosen)
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
    groups = seed_groups(
        lineages, {row.model: row.what for row in rows}, {row.model: row.measured for row in table_rows}
    )
    pairs = [
        ComparisonPair(first, second, compare(summaries[first].answers, summaries[second].answers))
        for first, second in compared_pairs(table_rows, groups)
        if first in summaries and second in summaries
    ]
    return ComparisonTable(
        table_rows,
        correct_pairs(pairs),
        len(questions) if questions else None,
        like,
        reference.id if reference else "",
        groups,
    )


def compared_pairs(rows: Sequence[ComparisonRow], groups: Sequence[SeedGroup] = ()) -> list[tuple[str, str]]:
    """The models to compare, the one to beat first in each pair; `rows` begin with the base.

    What differs in the seed alone is no pair: `groups` say how far those are apart.
    """
    base = rows[0].model
    return [
        (first, row.model)
        for previous, row in pairwise(rows)
        for first in dict.fromkeys([base, row.parent or base, previous.model])
        if not any({first, row.model} <= {*group.models} for group in groups)
    ]


def correct_pairs(pairs: Sequence[ComparisonPair]) -> list[ComparisonPair]:
    """The pairs with their p corrected by Holm's method over all of them."""
    corrected = holm([pair.found.p for pair in pairs])
    return [
        replace(pair, found=replace(pair.found, corrected=p, differs=p < ALPHA))
        for pair, p in zip(pairs, corrected, strict=True)
    ]


def start_missing(project: Project, connection: sqlite3.Connection, table: ComparisonTable, row: ComparisonRow) -> Run:
    """Start, or resume, the benchmark that `row` of the `table` lacks; raises RunError."""
    if row.stopped:
        resume(project, connection, row.stopped)
        return require_run(connection, row.stopped)
    params = BenchmarkParams(model=row.model, mode=row.mode, like=table.like, split="" if table.like else "test")
    return start_benchmark(project, connection, params)


def describe_lineage(line: Iterable[TrainedModel]) -> str:
    """A model by the algorithms that led to it: 'SFT+GRPO'."""
    return "+".join(model.recipe.algorithm.value.upper() for model in line)


def _rows(
    project: Project, connection: sqlite3.Connection, chosen: Sequence[Run]
) -> tuple[list[ComparisonRow], dict[str, list[TrainedModel]]]:
    """The rows without figures, and of each trained model those that led to it."""
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
    lineages = {model.name: lineage(models, model) for model in shown_models}
    rows = [
        base,
        *(
            ComparisonRow(
                model.name,
                describe_lineage(lineages[model.name]),
                model.run,
                model.recipe.mode,
                model.parent,
                problem=missing_files(project, model),
            )
            for model in shown_models
        ),
    ]
    return rows, lineages


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
    return replace(row, measured=measured_model(summary, gate.verdict))


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
