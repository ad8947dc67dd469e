"""Starts a learning curve, after its requirements were checked."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from core.benchmark.sampling_order import sampling_order
from core.config.project import Project
from core.config.recipe import Launcher, Recipe
from core.generation.procedural.source import check_task
from core.runs.control import RunError
from core.runs.launch import launch, refuse_second
from core.runs.params import CurveParams
from core.training.curve.cells import BASELINE, KIND, quick_first
from core.training.curve.subsets import curve_sizes, fingerprint
from core.training.data.fresh import MOST
from core.training.data.stale import count_stale, stale_note
from core.training.estimate.recipe_estimate import refuse
from core.training.plan import plan_phases, require_extra
from storage import listing
from storage.examples import Filter
from storage.schema import Example, Run

SIZES, SEEDS = 5, 3


def start_curve(
    project: Project,
    connection: sqlite3.Connection,
    names: Sequence[str] = (),
    *,
    sizes: int = SIZES,
    seeds: int = SEEDS,
    fresh: int | None = None,
    dev: int | None = None,
    scale_steps: bool = False,
) -> Run:
    """Start a learning curve of the recipes `names`, of all that learn from examples if none is named. Raises RunError.

    `sizes` and `seeds` are their numbers. With `fresh`, up to so many new procedural examples are learned from, else up
    to all accepted ones of the train split. `dev` bounds the examples to measure on.
    """
    params = check_curve(
        project, connection, names, sizes=sizes, seeds=seeds, fresh=fresh, dev=dev, scale_steps=scale_steps
    )
    return launch(project, connection, KIND, params.model_dump(mode="json"))


def check_curve(
    project: Project,
    connection: sqlite3.Connection,
    names: Sequence[str],
    *,
    sizes: int,
    seeds: int,
    fresh: int | None,
    dev: int | None,
    scale_steps: bool,
) -> CurveParams:
    """The parameters of a learning curve; raises RunError that says why it cannot be started."""
    recipes, students = _recipes(project, connection, names, fresh)
    train = [] if fresh is not None else accepted(connection, "train")
    if fresh is None and not train:
        raise RunError(
            "no accepted example is in the split train: accept some, then `sidequest splits assign --yes`; or "
            "`--fresh 640` has new ones drawn, for the task that ships"
        )
    if fresh is not None:
        _check_fresh(project, fresh)
    watched = dev_examples(connection, dev)
    if not watched:
        raise RunError("no accepted example is in the split dev, which a curve is measured on: assign some to it")
    refuse_second(connection, KIND)
    return CurveParams(
        recipes=recipes,
        students=students,
        sizes=curve_sizes(fresh or len(train), sizes, len(project.task.labels)),
        seeds=list(range(seeds)),
        fresh=fresh,
        dev=dev,
        scale_steps=scale_steps,
        examples=fingerprint([*train, *watched]),
    )


def accepted(connection: sqlite3.Connection, split: str) -> list[Example]:
    """The accepted examples of a split."""
    numbers = listing.read_numbers(connection, Filter(status=("accepted",), split=(split,)))
    return listing.read_examples(connection, numbers)


def dev_examples(connection: sqlite3.Connection, limit: int | None) -> list[Example]:
    """The examples of the dev split that cells are measured on, always the same: at most `limit`."""
    return sampling_order(accepted(connection, "dev"), 0)[:limit]


def _recipes(
    project: Project, connection: sqlite3.Connection, names: Sequence[str], fresh: int | None
) -> tuple[dict[str, Recipe], dict[str, str]]:
    """The recipes to train, quick kinds first, and the student of each."""
    everything = project.task.train
    suitable = [name for name, recipe in everything.items() if not _unsuitable(name, recipe)]
    # Where none is named, those that draw fresh examples wait for --fresh, unless there are no others.
    learn_here = [name for name in suitable if fresh is not None or not everything[name].fresh]
    chosen = list(names) or learn_here or suitable
    recipes, students = {}, {}
    for name in dict.fromkeys(chosen):
        plan = plan_phases(project, name)
        require_extra()
        if problem := _unsuitable(name, plan.recipe):
            raise RunError(problem)
        if plan.recipe.fresh and fresh is None:
            raise RunError(f"[train.{name}] draws fresh examples: say up to how many, for example `--fresh 640`")
        if fresh is None:
            stale = count_stale(project, connection, plan.recipe)
            if stale and stale == len(accepted(connection, "train")):
                raise RunError(f"{name}: nothing is left to learn from: {stale_note(stale)}")
        refuse(project, connection, plan)
        recipes[name], students[name] = plan.recipe, plan.student
    return quick_first(recipes), students


def _unsuitable(name: str, recipe: Recipe) -> str:
    """Why a recipe has no learning curve, as a sentence; '' if it has one."""
    if name == BASELINE:
        return f"[train.{name}] has the name of the baseline that each curve begins with: give it another"
    if recipe.algorithm.by_rewards:
        return (
            f"{name} learns by rewards ({recipe.algorithm.value}): a curve is of recipes that learn from examples "
            "(sft, classify)"
        )
    if recipe.launcher is not Launcher.PYTHON:
        return f'{name}: a curve trains its cells in one process: set launcher = "python" for it'
    return ""


def _check_fresh(project: Project, number: int) -> None:
    try:
        check_task(project.task)
    except ValueError as error:
        raise RunError(f"--fresh: {error}") from None
    if number > MOST:
        raise RunError(f"--fresh: at most {MOST:,} examples, whose tokens are all in memory")
