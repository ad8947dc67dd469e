"""One of several processes that train together: `accelerate launch -m core.entry.train_rank RUN PHASE`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from core.config.project import Project, open_project
from core.models.device import choose_device
from core.runs.params import TrainParams, params_of
from core.runs.session import Ending, Session
from core.training import distributed
from core.training.run import checkpoints
from core.training.run.job import DatabaseReporter, failure_ending, phase_setup
from core.training.run.launcher import write_ending
from core.training.run.phase import run_phase
from core.training.run.setup import PhaseSetup
from storage import database, runs, training


class SilentReporter:
    """Reports nothing: the first process reports for all."""

    def log(self, message: str, *, severity: str = "info") -> None:
        """Nothing."""

    def step(self, number: int, figures: dict[str, Any], answers: Sequence[dict[str, Any]]) -> None:
        """Nothing."""

    def evaluation(self, number: int, figures: dict[str, Any]) -> None:
        """Nothing."""

    def alarm(self, name: str, sentence: str) -> None:
        """Nothing."""

    def requested_action(self) -> str | None:
        """None: the first process reads the requests."""
        return None

    def stopping(self) -> bool:
        """Never: all processes stop together, after a step."""
        return False

    def dev_accuracies(self) -> dict[int, float]:
        """None: the first process has them."""
        return {}


def main(run_id: str, name: str, folder: Path) -> int:
    """Train the phase together with the other processes; returns the exit status."""
    from accelerate import PartialState

    distributed.end_with_parent()
    project = open_project(folder)
    rank = int(os.environ.get("RANK", "0"))
    try:
        PartialState(cpu=choose_device() == "cpu")
        ending = _first(project, run_id, name) if rank == 0 else _other(project)
    except Exception as error:
        ending = failure_ending(error, project.run_folder(run_id))
        write_ending(project.run_folder(run_id) / name, rank, ending)
        # The other processes may wait for this one for ever: it must not wait for them at its end.
        sys.stderr.flush()
        os._exit(1)
    write_ending(project.run_folder(run_id) / name, rank, ending)
    return 0


def _first(project: Project, run_id: str, name: str) -> Ending:
    """The first process reads the training data, shares it with the others, and reports for all."""
    with closing(database.connect(project.database)) as connection:
        run = runs.get(connection, run_id)
        if run is None:
            raise RuntimeError(f"no run {run_id}")
        phase = phase_setup(project, connection, run_id, params_of(run, TrainParams), name)
        checkpoint = checkpoints.newest_checkpoint(phase.folder)
        training.forget_after(connection, run_id, name, checkpoints.step_of(checkpoint) if checkpoint else 0)
        with Session(project, connection, run) as session:
            return run_phase(
                project, distributed.broadcast(phase), DatabaseReporter(session, connection, name, phase.recipe)
            )


def _other(project: Project) -> Ending:
    phase: PhaseSetup = distributed.broadcast(None)  # type: ignore[assignment]  # it is the first one's
    return run_phase(project, phase, SilentReporter())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path.cwd()))
