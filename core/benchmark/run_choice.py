"""Which benchmarks stand for the student and the reference: finished ones before those that ended early."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from core.benchmark.start import KIND
from core.config.task import Task
from core.runs.control import RunError
from core.runs.params import BenchmarkParams, params_of
from core.runs.readable import readable_of_kind
from storage.schema import Run, RunState


def role_of(task: Task, params: BenchmarkParams) -> str:
    """The role of a run with these params: 'reference' or 'student'."""
    return "reference" if params.student or params.model == task.roles.reference else "student"


def standing_benchmarks(benchmarks: Sequence[Run], model: str) -> list[Run]:
    """The benchmarks of a model that are no smoke tests, the one that stands for it first.

    `benchmarks` come newest first. The newest finished one stands for the model: a run that was stopped, failed or is
    still going on has asked only a part.
    """
    own = [(run, params_of(run, BenchmarkParams)) for run in benchmarks]
    candidates = [run for run, params in own if params.model == model and not params.sniff]
    return sorted(candidates, key=lambda run: run.state is not RunState.FINISHED)


def standing_benchmark(connection: sqlite3.Connection, model: str) -> Run:
    """The benchmark that stands for a model; raises RunError if there is none."""
    candidates = standing_benchmarks(readable_of_kind(connection, KIND), model)
    if not candidates:
        raise RunError(f"no benchmark of {model} yet: `sidequest bench run --model {model}` makes one")
    return candidates[0]


def other_modes(connection: sqlite3.Connection, chosen: Run) -> dict[str, Run]:
    """By mode, the finished benchmarks of the same model that stand for it in other modes than `chosen`."""
    params = params_of(chosen, BenchmarkParams)
    others: dict[str, Run] = {}
    for run in standing_benchmarks(readable_of_kind(connection, KIND), params.model):
        mode = params_of(run, BenchmarkParams).mode.value
        if mode != params.mode.value and run.state is RunState.FINISHED:
            others.setdefault(mode, run)
    return others


def select_runs(
    task: Task, benchmarks: Sequence[Run], is_going: Callable[[Run], bool]
) -> tuple[Run | None, Run | None]:
    """Choose which two of the readable `benchmarks`, newest first, to show: the student's, and the reference's.

    The student's run is one that is going on, else the one that stands for the model in that role, else for any model
    but the reference: a finished one, if there is one, then the newest; a smoke test only where there is nothing else.
    The reference's run is the one that the student's is paired with, if there is one, else it is chosen in the same
    way.
    """
    params = {run.id: params_of(run, BenchmarkParams) for run in benchmarks}
    by_id = {run.id: run for run in benchmarks}
    reference_runs = [run for run in benchmarks if role_of(task, params[run.id]) == "reference"]
    student_runs = [run for run in benchmarks if run not in reference_runs]

    def best(candidates: Sequence[Run], model: str) -> Run | None:
        def rank(run: Run) -> tuple[bool, bool, bool, bool, str]:
            is_own = params[run.id].model == model
            return is_going(run), is_own, not params[run.id].sniff, run.state is RunState.FINISHED, run.id

        return max(candidates, key=rank, default=None)

    student = best(student_runs, task.roles.student)
    if student is None:
        return None, best(reference_runs, task.roles.reference)
    paired = by_id.get(params[student.id].reference)
    paired = paired or next((run for run in benchmarks if params[run.id].student == student.id), None)
    return student, paired or best(reference_runs, task.roles.reference)
