"""The newest figures of a run as its worker writes them, a model for each kind. Unknown figures are None."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from core.runs.params import UnreadableRunError, validate_stored
from storage.schema import Run


class RunProgress(BaseModel):
    """The progress of any run: `done` units of `total`. Fields that later versions wrote are ignored."""

    model_config = ConfigDict(extra="ignore")

    done: int = 0
    total: int | None = None
    eta_s: float | None = None
    eta_basis: str = ""
    per_minute: float | None = Field(default=None, description="Units done in a minute, as of late.")


class GenerateProgress(RunProgress):
    """Slots, attempts and cost of a generating run; the cost in the currency of the price table."""

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


class RepairProgress(RunProgress):
    """Examples and cost of a repair: `written` anew, `agreed` to by the judge, `failed` or not needed any more."""

    written: int = 0
    agreed: int = 0
    failed: int = 0
    cost: float | None = None
    budget: float | None = None


class FillProgress(RunProgress):
    """Examples and cost of a filling of steps: `written`, `refused` with the count of each reason, and `skipped`, since
    they were edited meanwhile."""

    written: int = 0
    refused: int = 0
    skipped: int = 0
    reasons: dict[str, int] = {}
    cost: float | None = None
    budget: float | None = None


class KeptFigures(BaseModel):
    """All figures of a finished benchmark, as `core.benchmark.figures_cache` dumps them, with the parser's version."""

    reader: int
    figures: dict[str, Any]


class BenchmarkProgress(RunProgress):
    """Examples, answers and cost of a benchmark: `right` of `n`, `accuracy` with its 95 % interval as fractions."""

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
    """The newest evaluation on the dev split, after `step` steps; fractions."""

    step: int
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    ece: float | None = None


class TrainProgress(RunProgress):
    """Steps of the current phase, its newest figures, and all alarms so far by name."""

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


class CurveProgress(RunProgress):
    """Cells of a learning curve: the one at work with its steps, and what the last finished one got right on dev."""

    cell: str = ""
    step: int = 0
    steps: int = 0
    last: str = ""
    right: int = 0
    n: int = 0


class ExportProgress(RunProgress):
    """The current step of an export, and the SHA-256 of each file of weights that it has written."""

    step: str = ""
    output: str = ""
    files: dict[str, str] = {}


G = TypeVar("G", bound=RunProgress)

_MODELS: dict[str, type[RunProgress]] = {
    "generate": GenerateProgress,
    "repair": RepairProgress,
    "fill": FillProgress,
    "benchmark": BenchmarkProgress,
    "train": TrainProgress,
    "curve": CurveProgress,
    "export": ExportProgress,
}


def progress_of(run: Run, model: type[G]) -> G:
    """The progress of `run` as `model`; raises UnreadableRunError with the field that is wrong."""
    if run.unreadable:
        raise UnreadableRunError(f"run {run.id[-6:]} cannot be read: {run.unreadable}")
    return validate_stored(run, model, run.progress, "progress")


def parse_progress(run: Run) -> RunProgress:
    """The progress of a run of any kind; an unknown kind has only `done` and `total`. Raises UnreadableRunError."""
    return progress_of(run, _MODELS.get(run.kind, RunProgress))
