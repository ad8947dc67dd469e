"""A training run at work: its phases in turn, each from its last checkpoint, each leaving an adapter."""

from __future__ import annotations

import asyncio
import errno
import shutil
import sqlite3
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from core.config.project import Project
from core.config.recipe import Launcher, Recipe
from core.config.task import Task
from core.models.model_files import locate_model
from core.models.packages import MissingError
from core.models.trained import local_models
from core.models.weights import WeightsError, is_trained
from core.runs.params import TrainParams, params_of
from core.runs.progress import DevFigures, TrainProgress
from core.runs.session import Ending, Session
from core.training.data.fresh import fresh_count, fresh_examples
from core.training.data.rewards import RewardError
from core.training.data.soft_targets import group_votes
from core.training.plan import adapter_folder
from core.training.run import checkpoints
from core.training.run.launcher import supervise
from core.training.run.phase import run_phase
from core.training.run.setup import PhaseSetup
from storage import blind_reviews, database, listing, runs, splits, training
from storage.examples import Filter
from storage.schema import Example, RunState

_ADVICE = "lower batch, micro_batch, generations or the token limits, quantize with nf4, or take a smaller student"

_KEPT = "what was finished is kept"
# With less free space than this, an incomplete file is taken for a full disk.
_LITTLE_ROOM = 16_000_000


async def train(session: Session) -> Ending:
    """Train the phases of the run; returns how it ended."""
    return await asyncio.to_thread(_train, session)


def _train(session: Session) -> Ending:
    params = params_of(session.run, TrainParams)
    with closing(database.connect(session.project.database)) as connection:
        ending = Ending(RunState.FINISHED)
        for name, recipe in params.phases.items():
            if is_trained(session.project.run_folder(session.run.id) / name / "adapter"):
                continue
            if recipe.launcher is Launcher.ACCELERATE:
                ending = supervise(session, connection, name, recipe)
            else:
                ending = train_phase(session, connection, params, name)
            if ending.state is not RunState.FINISHED:
                return ending
        try:
            new_adapter = session.project.run_folder(session.run.id) / params.name / "adapter"
            shutil.copytree(new_adapter, adapter_folder(session.project, session.run), dirs_exist_ok=True)
        except OSError as error:
            return failure_ending(error, session.project.folder)
        return ending


def train_phase(session: Session, connection: sqlite3.Connection, params: TrainParams, name: str) -> Ending:
    """Train the phase `name` in this process; faults that a person can fix end the run with a sentence."""
    try:
        phase = phase_setup(session.project, connection, session.run.id, params, name)
        checkpoint = checkpoints.newest_checkpoint(phase.folder)
        training.forget_after(connection, session.run.id, name, checkpoints.step_of(checkpoint) if checkpoint else 0)
        return run_phase(session.project, phase, DatabaseReporter(session, connection, name, phase.recipe))
    except Exception as error:  # libraries raise various types for a full disk
        return failure_ending(error, session.project.run_folder(session.run.id))


def phase_setup(
    project: Project, connection: sqlite3.Connection, run: str, params: TrainParams, name: str
) -> PhaseSetup:
    """The setup of the phase `name` of a run. Raises MissingError."""
    names = list(params.phases)
    start_adapter = project.folder / params.start_from if params.start_from else None
    if (index := names.index(name)) > 0:
        start_adapter = project.run_folder(run) / names[index - 1] / "adapter"
    return PhaseSetup(
        name=name,
        recipe=params.phases[name],
        path=locate_model(project.folder, local_models(project.task)[params.student]),
        start_adapter=start_adapter,
        folder=project.run_folder(run) / name,
        train=examples_to_learn(project.task, connection, params.phases[name]),
        dev=accepted_examples(connection, "dev"),
        votes=group_votes(blind_reviews.read_votes(connection)) if params.phases[name].scores_labels else {},
        allow_project_code=params.allow_project_code,
    )


def examples_to_learn(task: Task, connection: sqlite3.Connection, recipe: Recipe) -> list[Example]:
    """What a recipe learns from: the accepted examples of the train split, or fresh ones."""
    if not recipe.fresh:
        return accepted_examples(connection, "train")
    held_out = {row.family for row in splits.family_cells(connection, Filter(split=("dev", "test")))}
    return fresh_examples(task, fresh_count(recipe), recipe.seed, held_out)


def accepted_examples(connection: sqlite3.Connection, split: str) -> list[Example]:
    """The accepted examples of a split."""
    return listing.read_examples(
        connection, listing.read_numbers(connection, Filter(status=("accepted",), split=(split,)))
    )


def failure_ending(error: Exception, folder: Path) -> Ending:
    """The failed ending for an `error` that occurred while files in `folder` were written, in words, with a remedy.

    Raises `error` again if it is none that a person can fix.
    """
    from core.models.decoding import out_of_memory
    from core.training.run.callback import NotANumberError
    from core.training.trainers.vllm import ServerError

    if isinstance(error, WeightsError | MissingError | RewardError | ServerError):
        return Ending(RunState.FAILED, str(error))
    if out_of_memory(error):
        return Ending(RunState.FAILED, f"out of memory: {_ADVICE}; resume goes on from the last checkpoint")
    if isinstance(error, NotANumberError):
        return Ending(RunState.FAILED, f"{error}: lower learning_rate, and resume from the last checkpoint")
    if _is_disk_full(error, folder):
        return Ending(RunState.FAILED, f"No space left on device: {_KEPT}; make room, and resume")
    if isinstance(error, OSError):
        return Ending(RunState.FAILED, f"{error.strerror or error}: {_KEPT}; mend it, and resume")
    raise error


def _is_disk_full(error: BaseException, folder: Path) -> bool:
    """Whether the disk is full. safetensors says so in words; torch says only that its file is not as it should be."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOSPC
    message = str(error)
    is_broken = "inline_container" in message or "iostream" in message
    return "No space left" in message or (is_broken and shutil.disk_usage(folder).free < _LITTLE_ROOM)


class DatabaseReporter:
    """Stores what a phase reports in the database, and reads the requests of others from it."""

    def __init__(self, session: Session, connection: sqlite3.Connection, name: str, recipe: Recipe) -> None:
        self._session, self._db, self._name, self._recipe = session, connection, name, recipe
        self._took: deque[float] = deque(maxlen=20)

    def log(self, message: str, *, severity: str = "info") -> None:
        """Log a line."""
        runs.log(self._db, self._session.run.id, message, severity=severity)

    def step(self, number: int, figures: dict[str, Any], answers: Sequence[dict[str, Any]]) -> None:
        """Store the figures of a step, and update the progress."""
        training.add_step(self._db, self._session.run.id, self._name, number, figures, answers)
        self._took.append(float(figures["seconds"]))
        pace = sum(self._took) / len(self._took)
        shown_figures = ("loss", "reward", "right", "kl", "entropy", "length")
        self._publish(
            phase=self._name,
            algorithm=self._recipe.algorithm.value,
            done=number,
            total=self._recipe.steps,
            per_minute=60 / pace if pace else None,
            eta_s=pace * (self._recipe.steps - number),
            eta_basis=f"the last {len(self._took)} steps",
            **{name: figures.get(name) for name in shown_figures},
        )

    def evaluation(self, number: int, figures: dict[str, Any]) -> None:
        """Store an evaluation on the dev split, and update the progress."""
        training.add_evaluation(self._db, self._session.run.id, self._name, number, figures)
        dev = DevFigures(
            step=number,
            accuracy=figures["accuracy"],
            low=figures["low"],
            high=figures["high"],
            ece=figures["ece"],
        )
        progress = self._session.progress
        first_figures = {} if progress.total is not None else {"done": number, "total": self._recipe.steps}
        self._publish(**first_figures, phase=self._name, dev=dev)

    def alarm(self, name: str, sentence: str) -> None:
        """Log an alarm."""
        runs.log(self._db, self._session.run.id, sentence, severity="warning", alarm=name, phase=self._name)
        raised = TrainProgress.model_validate(self._session.progress.model_dump()).alarms | {name: sentence}
        self._publish(alarms=raised)

    def _publish(self, **figures: Any) -> None:
        """Update the progress of the run with the newest figures."""
        self._session.progress = self._session.progress.model_copy(update=figures)

    def requested_action(self) -> str | None:
        """The request of others to the run."""
        return self._session.requested_action(self._db)

    def stopping(self) -> bool:
        """Whether the run should stop."""
        return self._session.stopping

    def dev_accuracies(self) -> dict[int, float]:
        """The accuracies of the evaluations so far, by step."""
        evaluations = training.evaluations(self._db, self._session.run.id, phase=self._name)
        return {evaluation.step: evaluation.figures["accuracy"] or 0.0 for evaluation in evaluations}
