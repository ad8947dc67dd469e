"""A training run at work: its phases one after another, each from its last checkpoint, each leaving an adapter."""

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
from core.models.model_files import MissingError, locate_model
from core.models.trained import local_models
from core.models.weights import WeightsError
from core.runs.params import TrainParams, params_of
from core.runs.progress import DevFigures, TrainProgress
from core.runs.session import Ending, Session
from core.training.data.rewards import RewardError
from core.training.plan import adapter_folder
from core.training.run import checkpoints
from core.training.run.launcher import supervise
from core.training.run.phase import PhaseSetup, run_phase
from storage import database, listing, runs, training
from storage.examples import Filter
from storage.schema import Example, RunState

_ADVICE = "lower batch, micro_batch, generations or the token limits, quantize with nf4, or take a smaller student"

_KEPT = "what was finished is kept"
# Where so little is free, a file that broke off did so for want of room.
_LITTLE_ROOM = 16_000_000


async def train(session: Session) -> Ending:
    """Train the phases of the run; returns how it ended."""
    return await asyncio.to_thread(_train, session)


def _train(session: Session) -> Ending:
    params = params_of(session.run, TrainParams)
    with closing(database.connect(session.project.database)) as connection:
        ending = Ending(RunState.FINISHED)
        for name, recipe in params.phases.items():
            if (session.project.run_folder(session.run.id) / name / "adapter" / "adapter_model.safetensors").is_file():
                continue
            if recipe.launcher is Launcher.ACCELERATE:
                ending = supervise(session, connection, name, recipe)
            else:
                ending = work_on(session, connection, params, name)
            if ending.state is not RunState.FINISHED:
                return ending
        try:
            made = session.project.run_folder(session.run.id) / params.name / "adapter"
            shutil.copytree(made, adapter_folder(session.project, session.run), dirs_exist_ok=True)
        except OSError as error:
            return explained(error, session.project.folder)
        return ending


def work_on(session: Session, connection: sqlite3.Connection, params: TrainParams, name: str) -> Ending:
    """Train the phase `name` in this process; what can be mended ends the run in words."""
    try:
        phase = phase_of(session.project, connection, session.run.id, params, name)
        begun = checkpoints.newest_checkpoint(phase.folder)
        training.forget_after(connection, session.run.id, name, checkpoints.step_of(begun) if begun else 0)
        return run_phase(session.project, phase, DatabaseReporter(session, connection, name, phase.recipe))
    except Exception as error:  # libraries have types of their own for a full disk, and none
        return explained(error, session.project.run_folder(session.run.id))


def phase_of(project: Project, connection: sqlite3.Connection, run: str, params: TrainParams, name: str) -> PhaseSetup:
    """What the phase `name` of a run is told. Raises MissingError."""
    names = list(params.phases)
    before = project.folder / params.start_from if params.start_from else None
    if (at := names.index(name)) > 0:
        before = project.run_folder(run) / names[at - 1] / "adapter"
    return PhaseSetup(
        name=name,
        recipe=params.phases[name],
        path=locate_model(project.folder, local_models(project.task)[params.student]),
        before=before,
        folder=project.run_folder(run) / name,
        train=examples(connection, "train"),
        dev=examples(connection, "dev"),
        allow_project_code=params.allow_project_code,
    )


def examples(connection: sqlite3.Connection, split: str) -> list[Example]:
    """The accepted examples of a split."""
    return listing.read_examples(
        connection, listing.read_numbers(connection, Filter(status=("accepted",), split=(split,)))
    )


def explained(error: Exception, folder: Path) -> Ending:
    """What has failed while files of `folder` were written, in words, with the way out.

    Raises `error` again if it is none that a person can mend.
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
    if _full(error, folder):
        return Ending(RunState.FAILED, f"No space left on device: {_KEPT}; make room, and resume")
    if isinstance(error, OSError):
        return Ending(RunState.FAILED, f"{error.strerror or error}: {_KEPT}; mend it, and resume")
    raise error


def _full(error: BaseException, folder: Path) -> bool:
    """Whether the disk is full. safetensors says so in words; torch says only that its file is not as it should be."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOSPC
    said = str(error)
    broken = "inline_container" in said or "iostream" in said
    return "No space left" in said or (broken and shutil.disk_usage(folder).free < _LITTLE_ROOM)


class DatabaseReporter:
    """Keeps what a phase tells in the database, and hears there what is asked of it."""

    def __init__(self, session: Session, connection: sqlite3.Connection, name: str, recipe: Recipe) -> None:
        self._session, self._db, self._name, self._recipe = session, connection, name, recipe
        self._took: deque[float] = deque(maxlen=20)

    def log(self, message: str, *, severity: str = "info") -> None:
        """Log a line."""
        runs.log(self._db, self._session.run.id, message, severity=severity)

    def step(self, number: int, figures: dict[str, Any], answers: Sequence[dict[str, Any]]) -> None:
        """Keep the figures of a step, and show how far it is."""
        training.add_step(self._db, self._session.run.id, self._name, number, figures, answers)
        self._took.append(float(figures["seconds"]))
        pace = sum(self._took) / len(self._took)
        shown = ("loss", "reward", "right", "kl", "entropy", "length")
        self._publish(
            phase=self._name,
            algorithm=self._recipe.algorithm.value,
            done=number,
            total=self._recipe.steps,
            per_minute=60 / pace if pace else None,
            eta_s=pace * (self._recipe.steps - number),
            eta_basis=f"the last {len(self._took)} steps",
            **{name: figures.get(name) for name in shown},
        )

    def look(self, number: int, figures: dict[str, Any]) -> None:
        """Keep a look at the dev split."""
        training.add_evaluation(self._db, self._session.run.id, self._name, number, figures)
        dev = DevFigures(
            step=number,
            accuracy=figures["accuracy"],
            low=figures["low"],
            high=figures["high"],
            ece=figures["ece"],
        )
        before = self._session.progress
        begun = {} if before.total is not None else {"done": number, "total": self._recipe.steps}
        self._publish(**begun, phase=self._name, dev=dev)

    def alarm(self, name: str, sentence: str) -> None:
        """Log an alarm."""
        runs.log(self._db, self._session.run.id, sentence, severity="warning", alarm=name, phase=self._name)
        raised = TrainProgress.model_validate(self._session.progress.model_dump()).alarms | {name: sentence}
        self._publish(alarms=raised)

    def _publish(self, **figures: Any) -> None:
        """Put the newest figures into the progress of the run."""
        self._session.progress = self._session.progress.model_copy(update=figures)

    def requested_action(self) -> str | None:
        """What is asked of the run."""
        return self._session.requested_action(self._db)

    def stopping(self) -> bool:
        """Whether the run is to stop."""
        return self._session.stopping

    def accuracies(self) -> dict[int, float]:
        """What the looks so far have shown, by step."""
        looks = training.evaluations(self._db, self._session.run.id, phase=self._name)
        return {one.step: one.figures["accuracy"] or 0.0 for one in looks}
