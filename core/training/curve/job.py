"""A learning curve at work: cell after cell, each trained from its last checkpoint and measured on dev at its end.

A cell is finished once the figures of its last step are stored, in one transaction; then its files are removed.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from core.benchmark.metrics import figures
from core.benchmark.scored import ScoredAnswer
from core.config.case import Case
from core.config.recipe import Algorithm, Recipe
from core.models.baselines import BagOfWords, LabelledCase, Majority, label_counts
from core.models.model_files import locate_model
from core.models.trained import local_models
from core.runs.params import CurveParams, params_of
from core.runs.session import Ending, Session
from core.training.curve.cells import PlannedCell, cell_recipe, planned_cells
from core.training.curve.reporter import CellReporter
from core.training.curve.results import finished_cells
from core.training.curve.start import accepted, dev_examples
from core.training.curve.subsets import fingerprint, nested_order, subset
from core.training.data.fresh import fresh_examples
from core.training.data.soft_targets import Votes, group_votes
from core.training.run import checkpoints
from core.training.run.job import failure_ending
from core.training.run.phase import run_phase
from core.training.run.setup import PhaseSetup
from storage import blind_reviews, database, splits, training
from storage.examples import Filter
from storage.schema import Example, PredictionOutcome, RunState


@dataclass(frozen=True)
class CurveData:
    """What all cells share: the examples to learn from by seed, as families in order; dev; and blind votes."""

    orders: dict[int, list[list[Example]]]
    dev: list[Example]
    votes: Votes

    def pin_rationale(self, recipe: Recipe) -> Recipe:
        """The recipe with its rationale chosen by all examples, so that it is the same at each size."""
        if recipe.rationale != "auto" or recipe.algorithm is Algorithm.CLASSIFY:
            return recipe
        examples = (example for order in self.orders.values() for members in order for example in members)
        return recipe.model_copy(update={"rationale": "steps" if all(one.steps for one in examples) else "full"})


async def measure_curve(session: Session) -> Ending:
    """Train and measure the cells of the run that are not finished; returns how it ended."""
    return await asyncio.to_thread(_measure_curve, session)


def _measure_curve(session: Session) -> Ending:
    params = params_of(session.run, CurveParams)
    with closing(database.connect(session.project.database)) as connection:
        try:
            data = _read_data(session, connection, params)
            if data is None:
                return Ending(
                    RunState.FAILED,
                    "the accepted examples of train or dev have changed since the curve was begun, so that its cells "
                    "could not be compared: what was measured is kept; start another curve",
                )
            return _measure_cells(session, connection, params, data)
        except Exception as error:  # as of any training: faults that a person can mend end it with a sentence
            return failure_ending(error, session.project.run_folder(session.run.id))


def _read_data(session: Session, connection: sqlite3.Connection, params: CurveParams) -> CurveData | None:
    """The examples of the curve; None if they are others than those that it was begun with."""
    dev = dev_examples(connection, params.dev)
    train = accepted(connection, "train") if params.fresh is None else []
    if fingerprint([*train, *dev]) != params.examples:
        return None
    held_out = {row.family for row in splits.family_cells(connection, Filter(split=("dev", "test")))}
    task = session.project.task
    orders = {
        seed: nested_order(train if params.fresh is None else fresh_examples(task, params.fresh, seed, held_out), seed)
        for seed in params.seeds
    }
    return CurveData(orders, dev, group_votes(blind_reviews.read_votes(connection)))


def _measure_cells(session: Session, connection: sqlite3.Connection, params: CurveParams, data: CurveData) -> Ending:
    cells = planned_cells(params)
    finished = finished_cells(connection, session.run.id, cells)
    for cell in cells:
        if cell in finished:
            _remove_files(session, cell)  # of a worker that was killed before it did
            continue
        if not session.wait(connection):
            return Ending(RunState.STOPPED, "stopped on request between two cells; resume continues it")
        examples = subset(data.orders[cell.seed], cell.size)
        reporter = CellReporter(session, connection, cells, cell, len(examples))
        if cell.recipe not in params.recipes:
            reporter.evaluation(cell.steps, baseline_figures(session.project.task.labels, examples, data.dev))
            continue
        ending = _train_cell(session, connection, params, data, cell, examples, reporter)
        if ending.state is not RunState.FINISHED:
            return ending
        _remove_files(session, cell)
        _free_memory()
    return Ending(RunState.FINISHED)


def _train_cell(
    session: Session,
    connection: sqlite3.Connection,
    params: CurveParams,
    data: CurveData,
    cell: PlannedCell,
    examples: Sequence[Example],
    reporter: CellReporter,
) -> Ending:
    """Train one cell as any phase, from its last checkpoint."""
    project = session.project
    recipe = cell_recipe(data.pin_rationale(params.recipes[cell.recipe]), cell, len(data.dev))
    phase = PhaseSetup(
        name=cell.name,
        recipe=recipe,
        path=locate_model(project.folder, local_models(project.task)[params.students[cell.recipe]]),
        start_adapter=None,
        folder=project.run_folder(session.run.id) / cell.name,
        train=examples,
        dev=data.dev,
        votes=data.votes if recipe.scores_labels else {},
    )
    checkpoint = checkpoints.newest_checkpoint(phase.folder)
    training.forget_after(connection, session.run.id, cell.name, checkpoints.step_of(checkpoint) if checkpoint else 0)
    ending = run_phase(project, phase, reporter)
    if ending.state is RunState.FINISHED and cell not in finished_cells(connection, session.run.id, [cell]):
        return Ending(
            RunState.FAILED,
            f"{cell.title}: none of the dev examples can be read by this recipe, so that nothing was measured: "
            "raise max_prompt_tokens, or set the rationale to what they have",
        )
    return ending


def baseline_figures(labels: Sequence[str], train: Sequence[Example], dev: Sequence[Example]) -> dict[str, Any]:
    """What bag-of-words gets right on `dev` after `train`; of one decision alone it learns to decide always that."""
    labelled = [LabelledCase(_case(example), example.decision) for example in train]
    counts = label_counts(labelled)
    model = BagOfWords(labels, labelled) if len(counts) > 1 else Majority(labels, counts)
    decided = model.decide([_case(example) for example in dev])
    numbers = figures(
        [
            ScoredAnswer(
                example.id,
                example.decision,
                example.domain,
                example.level,
                example.family,
                PredictionOutcome.ANSWERED,
                decision,
                probabilities=probabilities,
            )
            for example, (decision, probabilities) in zip(dev, decided, strict=True)
        ],
        labels,
    )
    return {name: getattr(numbers, name) for name in ("n", "right", "accuracy", "low", "high")}


def _case(example: Example) -> Case:
    return Case(example.id, example.hypothesis, tuple(example.evidence))


def _remove_files(session: Session, cell: PlannedCell) -> None:
    """Remove checkpoints and adapter of a finished cell: its figures are what it was trained for."""
    shutil.rmtree(session.project.run_folder(session.run.id) / cell.name, ignore_errors=True)


def _free_memory() -> None:
    """Give back what the last cell held, before the next one opens its student."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
