"""The newest figures of a run as its worker writes them, a model for each kind. What is not known is None."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from core.runs.params import UnreadableRunError, validate_stored
from storage.schema import Run


class RunProgress(BaseModel):
    """How far a run is: `done` units of `total`, and what later versions may have written beside."""

    model_config = ConfigDict(extra="ignore")

    done: int = 0
    total: int | None = None
    eta_s: float | None = None
    eta_basis: str = ""
    per_minute: float | None = Field(default=None, description="Units done in a minute, as of late.")


class GenerateProgress(RunProgress):
    """Slots, attempts and money of a generating run; money in the currency of the price table."""

    attempts: int = 0
    accepted: int = 0
    rejected: int = 0
    unjudged: int = 0
    given_up: int = 0
    in_flight: int = 0
    cost: float | None = None
    cost_per_accepted: float | None = None
    budget: float | None = None
    reasons: dict[str, int] = {}
    outcomes: dict[str, int] = {}


class KeptFigures(BaseModel):
    """All figures of a benchmark that is over, as `core.benchmark.figures_cache` dumps them, and by which parser."""

    reader: int
    figures: dict[str, Any]


class BenchmarkProgress(RunProgress):
    """Examples, answers and money of a benchmark: `right` of `n`, `accuracy` with its 95 % interval as fractions."""

    n: int = 0
    right: int = 0
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    outcomes: dict[str, int] = {}
    cost: float | None = None
    budget: float | None = None
    settled: str | None = None
    kept: KeptFigures | None = None


class DevFigures(BaseModel):
    """What the newest evaluation on the dev split has shown, after `step` steps; fractions."""

    step: int
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    ece: float | None = None


class TrainProgress(RunProgress):
    """Steps of the phase at work, its newest figures, and all alarms so far by name."""

    phase: str = ""
    algorithm: str = ""
    loss: float | None = None
    reward: float | None = None
    right: float | None = None
    kl: float | None = None
    entropy: float | None = None
    length: float | None = None
    dev: DevFigures | None = None
    alarms: dict[str, str] = {}


class ExportProgress(RunProgress):
    """What an export does now, and the SHA-256 of each file of weights that it has written."""

    step: str = ""
    output: str = ""
    files: dict[str, str] = {}


G = TypeVar("G", bound=RunProgress)

_MODELS: dict[str, type[RunProgress]] = {
    "generate": GenerateProgress,
    "benchmark": BenchmarkProgress,
    "train": TrainProgress,
    "export": ExportProgress,
}


def progress_of(run: Run, model: type[G]) -> G:
    """The progress of `run` as `model`; raises UnreadableRunError with the field that is wrong."""
    if run.unreadable:
        raise UnreadableRunError(f"run {run.id[-6:]} cannot be read: {run.unreadable}")
    return validate_stored(run, model, run.progress, "progress")


def parse_progress(run: Run) -> RunProgress:
    """The progress of a run of any kind, of which an unknown one has only how far it is. Raises UnreadableRunError."""
    return progress_of(run, _MODELS.get(run.kind, RunProgress))
