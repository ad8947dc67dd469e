"""Starting a run that generates: what is asked for is checked here, before anything is spent."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from core.config.project import Project
from core.config.task import EMBEDDED, Task
from core.curriculum.cell import Cell
from core.curriculum.plan import CellPlan, current_plan, enough_elsewhere
from core.generation.slots import CellSlots, allocate_slots
from core.runs.control import RunError
from core.runs.launch import launch, refuse_second
from core.runs.params import GenerateParams, params_of
from core.runs.progress import GenerateProgress, progress_of
from core.runs.readable import readable_runs
from storage import attempts, runs
from storage.schema import Run


def start_generation(project: Project, connection: sqlite3.Connection, params: GenerateParams) -> Run:
    """Start a generating run in a process of its own. Raises RunError with what to do instead."""
    asked = plan_generation(project.task, connection, params)
    slots = [(part.cell.domain, part.cell.level, part.cell.decision, part.first, part.count) for part in asked.cells]
    params = asked.params.model_copy(update={"slots": slots})
    return launch(project, connection, "generate", params.model_dump(mode="json"))


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """What a run is to fill. `cost` is what it may cost, from what the newest run of its kind did; None: unknown."""

    params: GenerateParams
    cells: list[CellSlots]
    cost: float | None

    @property
    def examples(self) -> int:
        """How many examples are to be made."""
        return sum(one.count for one in self.cells)


def plan_generation(task: Task, connection: sqlite3.Connection, params: GenerateParams) -> GenerationPlan:
    """What a run with `params` would do if it began now. Raises RunError with what to do instead."""
    problems = check_params(task, params)
    if problems:
        raise RunError("; ".join(problems))
    refuse_second(connection, "generate")
    if params.revise is not None:
        params = _revising(connection, params)
    cells = selected_cells(task, connection, params)
    next_index = {Cell(*key): index for key, index in attempts.next_slots(connection).items()}
    chosen = allocate_slots(cells, params.n, next_index)
    if not chosen:
        raise RunError(nothing_missing(cells, params))
    each = _cost_of_one(connection, params)
    return GenerationPlan(params, chosen, None if each is None else each * sum(one.count for one in chosen))


def _cost_of_one(connection: sqlite3.Connection, params: GenerateParams) -> float | None:
    """What an accepted example cost in the newest run with this source and judge; those that are embedded are free."""
    if params.source in EMBEDDED["generator"] and params.judge in EMBEDDED["judge"]:
        return 0.0
    for run in readable_runs(runs.newest(connection)):
        if run.kind != "generate":
            continue
        before = params_of(run, GenerateParams)
        if (before.source, before.judge) == (params.source, params.judge):
            each = progress_of(run, GenerateProgress).cost_per_accepted
            if each is not None:
                return each
    return None


def _revising(connection: sqlite3.Connection, params: GenerateParams) -> GenerateParams:
    """`params` for the one slot that revises an attempt; raises RunError if there is no such."""
    key = attempts.resolve(connection, params.revise or "")
    found = attempts.get(connection, key) if key else None
    if found is None:
        raise RunError(f"no attempt {params.revise}: `sidequest qa attempts` shows the newest")
    if found.attempt.candidate is None:
        raise RunError(f"attempt {params.revise} has no candidate that could be revised: {found.attempt.outcome.value}")
    place = found.attempt
    cell = {"domains": [place.domain], "levels": [place.level], "decisions": [place.decision]}
    return params.model_copy(update=cell | {"n": 1, "revise": key})


def reads_hints(source: str) -> bool:
    """Whether the source makes use of what a person advises."""
    return source != "procedural"


def nothing_missing(cells: list[CellPlan], params: GenerateParams) -> str:
    """Why a run would have nothing to do: the cells are filled, or their decisions have enough elsewhere."""
    if all(cell.shelved for cell in cells):
        return "these cells are shelved: take them back first (key 4, or `sidequest plan unshelve`)"
    short = enough_elsewhere(cells)
    if short:
        return f"{', '.join(short)} has enough examples in other cells: raise its target, or reject some of them"
    if params.revise is not None:
        return "the cell of this attempt lacks nothing: reject one of its examples, or raise the quota in the file"
    return "nothing is missing " + ("in these cells" if params.restricted else "in any cell")


def selected_cells(task: Task, connection: sqlite3.Connection, params: GenerateParams) -> list[CellPlan]:
    """The cells that `params` means, with what they lack now."""
    return [
        cell
        for cell in current_plan(task, connection).cells
        if (not params.domains or cell.domain in params.domains)
        and (not params.levels or cell.level in params.levels)
        and (not params.decisions or cell.decision in params.decisions)
    ]


def check_params(task: Task, params: GenerateParams) -> list[str]:
    """What is wrong with `params` for this task, each as a sentence."""
    problems = []
    for role, name in (("generator", params.source), ("judge", params.judge)):
        known = [*EMBEDDED[role], *task.models]
        if name not in known:
            problems.append(f"no {role} {name!r}: use one of {', '.join(known)}, or add [models.{name}] to the file")
    if params.hint and not reads_hints(params.source):
        problems.append("the procedural source reads no hints: choose a model of the project file as the source")
    problems += task.find_unknown_names(params.domains, params.levels, params.decisions)
    if params.budget is not None:
        named = {params.source, params.judge} & set(task.models)
        unpriced = sorted(task.models[name].model for name in named if task.models[name].model not in task.prices)
        problems += [f"a budget needs a price: add [prices.{model!r}] to the file" for model in unpriced]
    return problems
