"""Starting a generating run: the request is checked here, before anything is spent."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from core.config.project import Project
from core.config.task import EMBEDDED, Task
from core.curriculum.cell import Cell
from core.curriculum.plan import CellPlan, current_plan, enough_elsewhere
from core.generation.procedural.worlds import Inference, inferences
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
    plan = plan_generation(project.task, connection, params)
    slots = [(part.cell.domain, part.cell.level, part.cell.decision, part.first, part.count) for part in plan.cells]
    params = plan.params.model_copy(update={"slots": slots})
    return launch(project, connection, "generate", params.model_dump(mode="json"))


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """What a run will fill. `cost` is an estimate from the newest run of its kind; None: unknown."""

    params: GenerateParams
    cells: list[CellSlots]
    cost: float | None

    @property
    def examples(self) -> int:
        """How many examples the run will make."""
        return sum(cell_slots.count for cell_slots in self.cells)


def plan_generation(task: Task, connection: sqlite3.Connection, params: GenerateParams) -> GenerationPlan:
    """What a run with `params` would do if it began now. Raises RunError that says what to do instead."""
    problems = check_params(task, params)
    if problems:
        raise RunError("; ".join(problems))
    refuse_second(connection, "generate")
    if params.revise is not None:
        params = _revising(connection, params)
    cells = selected_cells(task, connection, params)
    next_index = {Cell(*key): index for key, index in attempts.next_slots(connection).items()}
    allocated = allocate_slots(cells, params.n, next_index)
    if not allocated:
        raise RunError(nothing_missing(cells, params))
    cost_per_example = _cost_per_example(connection, params)
    return GenerationPlan(
        params,
        allocated,
        None if cost_per_example is None else cost_per_example * sum(cell_slots.count for cell_slots in allocated),
    )


def _cost_per_example(connection: sqlite3.Connection, params: GenerateParams) -> float | None:
    """The cost of an accepted example in the newest run with this source and judge; embedded ones are free."""
    if params.source in EMBEDDED["generator"] and params.judge in EMBEDDED["judge"]:
        return 0.0
    for run in readable_runs(runs.newest(connection)):
        if run.kind != "generate":
            continue
        earlier = params_of(run, GenerateParams)
        if (earlier.source, earlier.judge) == (params.source, params.judge):
            cost = progress_of(run, GenerateProgress).cost_per_accepted
            if cost is not None:
                return cost
    return None


def _revising(connection: sqlite3.Connection, params: GenerateParams) -> GenerateParams:
    """`params` for the one slot that revises an attempt; raises RunError if there is no such attempt."""
    key = attempts.resolve(connection, params.revise or "")
    judged = attempts.get(connection, key) if key else None
    if judged is None:
        raise RunError(f"no attempt {params.revise}: `sidequest qa attempts` shows the newest")
    if judged.attempt.candidate is None:
        raise RunError(
            f"attempt {params.revise} has no candidate that could be revised: {judged.attempt.outcome.value}"
        )
    attempt = judged.attempt
    cell = {"domains": [attempt.domain], "levels": [attempt.level], "decisions": [attempt.decision]}
    return params.model_copy(update=cell | {"n": 1, "revise": key})


def _check_inference(task: Task, params: GenerateParams) -> list[str]:
    """Why the chosen levels have no cases of the kind of inference that is asked for; empty if they have."""
    kinds = [kind.value for kind in Inference]
    if params.inference not in kinds:
        return [f"no kind of inference {params.inference!r}: there are {', '.join(kinds)}"]
    if params.source != "procedural":
        return ["only the procedural source knows kinds of inference: choose it, or leave the kind open"]
    fitting = [level.level for level in task.levels if params.inference in inferences(level)]
    chosen = params.levels or [level.level for level in task.levels]
    unfit = [str(level) for level in chosen if level not in fitting]
    if not unfit:
        return []
    instead = f"choose of {', '.join(map(str, fitting))}" if fitting else "leave the kind open"
    return [f"level {', '.join(unfit)} has no cases of {params.inference}: {instead}"]


def reads_hints(source: str) -> bool:
    """Whether the source uses a person's hint."""
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
    """The cells that `params` selects, with what is missing in them now."""
    return [
        cell
        for cell in current_plan(task, connection).cells
        if (not params.domains or cell.domain in params.domains)
        and (not params.levels or cell.level in params.levels)
        and (not params.decisions or cell.decision in params.decisions)
    ]


def check_params(task: Task, params: GenerateParams) -> list[str]:
    """The problems of `params` for this task, each as a sentence."""
    problems = []
    for role, name in (("generator", params.source), ("judge", params.judge)):
        choices = [*EMBEDDED[role], *task.models]
        if name not in choices:
            problems.append(f"no {role} {name!r}: use one of {', '.join(choices)}, or add [models.{name}] to the file")
    if params.hint and not reads_hints(params.source):
        problems.append("the procedural source reads no hints: choose a model of the project file as the source")
    if params.inference:
        problems += _check_inference(task, params)
    problems += task.find_unknown_names(params.domains, params.levels, params.decisions)
    if params.budget is not None:
        named = {params.source, params.judge} & set(task.models)
        unpriced = sorted(task.models[name].model for name in named if task.models[name].model not in task.prices)
        problems += [f"a budget needs a price: add [prices.{model!r}] to the file" for model in unpriced]
    return problems
