"""The parameters of a run, a model for each kind: written when it starts, and enough to resume it."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.config.case import Mode
from core.config.recipe import Recipe
from core.config.task import Task
from core.runs.control import RunError
from storage.schema import Run

# The gate's defaults: the accuracy that is good enough, and how sure a verdict is.
TARGET = 0.85
LEVEL = 0.95
# The judge of a filling whose steps are checked by code alone.
NO_JUDGE = "none"
# A reference that is surely less than this ahead leaves nothing to be gained by training towards it.
MARGIN = 0.05


class UnreadableRunError(RunError):
    """A stored run cannot be read, because it was damaged or written by a later version; the message says where."""


class GenerateParams(BaseModel):
    """What a generating run does. Empty lists do not restrict the cells; `n` None fills all of them.

    `revise` is a rejected attempt to begin with, in its own cell; `hint` is advice for the source. `inference` is the
    kind of inference that the cases are to need; '' leaves it open.
    """

    model_config = ConfigDict(extra="forbid")

    source: str
    judge: str
    n: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**53)
    domains: list[str] = []
    levels: list[int] = []
    decisions: list[str] = []
    budget: Decimal | None = Field(default=None, ge=0)
    flaws: float = Field(default=0.0, ge=0, le=1)
    attempts_per_minute: float | None = Field(default=None, gt=0)
    hint: str = Field(default="", max_length=2000)
    inference: str = ""
    revise: str | None = None
    # What was missing when the run started: domain, level, decision, first slot and number of slots of each cell.
    slots: list[tuple[str, int, str, int, int]] = []

    @property
    def restricted(self) -> bool:
        """Whether only some cells are selected."""
        return bool(self.domains or self.levels or self.decisions)

    @classmethod
    def of(cls, task: Task) -> GenerateParams:
        """The defaults from the project file."""
        return cls(
            source=task.roles.generator,
            judge=task.roles.judge,
            budget=task.limits.budget,
            flaws=task.limits.planted_flaws,
            attempts_per_minute=task.limits.attempts_per_minute,
        )


class RepairParams(BaseModel):
    """What a repair does: `source` writes the stale fields of these examples anew, and `judge` reads the result.

    Each example is given with the version that is to be repaired; a later edit makes the repair needless.
    """

    model_config = ConfigDict(extra="forbid")

    source: str
    judge: str
    budget: Decimal | None = Field(default=None, ge=0)
    examples: list[tuple[str, int]] = Field(min_length=1)


class FillParams(BaseModel):
    """What a filling of steps does: `source` writes the steps of these examples, and `judge` reads them.

    `source` 'procedural' writes those of its own examples alone; with `judge` 'none', code alone checks them. Each
    example is given with its version; one that is edited later is skipped. The steps are stored as edits of
    `reviewer`.
    """

    model_config = ConfigDict(extra="forbid")

    source: str
    judge: str
    budget: Decimal | None = Field(default=None, ge=0)
    reviewer: str = ""
    examples: list[tuple[str, int]] = Field(min_length=1)


class BenchmarkParams(BaseModel):
    """What a benchmark does: which model it asks, how, and about which examples.

    One of `split`, `where` (a query; of accepted examples, unless it names a status) and `file` selects the examples.
    `like` is a run whose questions are asked again unchanged, with its samples and seed; the fields that select
    examples are then that run's own. `reference` is the run of the reference, if this is the student's, and `student`
    the other way round: the gate compares the pairs. `number` counts how often failures were asked again. With
    `allow_leaks`, examples are asked even if another split has the same.
    """

    model_config = ConfigDict(extra="forbid")

    model: str
    mode: Mode
    split: str = ""
    where: str = ""
    file: str = ""
    mapping: str = ""
    like: str = ""
    limit: int | None = Field(default=None, ge=1)
    sniff: bool = False
    samples: int = Field(default=1, ge=1, le=99)
    seed: int = Field(default=0, ge=0, lt=2**53)
    stop_when_settled: bool = False
    reference: str = ""
    student: str = ""
    target: float = Field(default=TARGET, gt=0, lt=1)
    level: float = Field(default=LEVEL, gt=0.5, lt=1)
    margin: float = Field(default=MARGIN, gt=0, lt=1)
    budget: Decimal | None = Field(default=None, ge=0)
    allow_leaks: bool = False
    number: int = Field(default=0, ge=0)


class TrainParams(BaseModel):
    """What a training run does: the recipes of its phases, as they were in the project file, in their order."""

    model_config = ConfigDict(extra="forbid")

    name: str
    phases: dict[str, Recipe]
    student: str
    start_from: str = ""
    # Whether the person lets the recipe's own rewards run.
    allow_project_code: bool = False

    @property
    def recipe(self) -> Recipe:
        """The recipe of the last phase."""
        return self.phases[self.name]


class CurveParams(BaseModel):
    """What a learning curve does: the recipes in the order in which they are trained, as they were in the project file.

    Each is trained from its student in `students`, once for each of `sizes` and `seeds`, in as many steps as it says,
    or with `scale_steps` in as many passes over its examples. They learn from the accepted examples of the train split,
    or from `fresh` new procedural ones for each seed, and are measured on at most `dev` examples of the dev split.
    `examples` tells these examples from any others.
    """

    model_config = ConfigDict(extra="forbid")

    recipes: dict[str, Recipe]
    students: dict[str, str]
    sizes: list[int] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    fresh: int | None = Field(default=None, ge=1)
    dev: int | None = Field(default=None, ge=1)
    scale_steps: bool = False
    examples: str = ""


class ModelFormat(StrEnum):
    """What an export writes."""

    ADAPTER = "adapter"  # the LoRA adapter alone, to be put on its base
    MERGED = "merged"  # whole weights as safetensors, the adapter merged into the unquantized base
    GGUF = "gguf"  # the same in one file, for llama.cpp
    ONNX = "onnx"  # a classifier in one file, for onnxruntime


class ExportParams(BaseModel):
    """What an export of a trained model does; `model` is the permanent name, `output` an absolute path."""

    model_config = ConfigDict(extra="forbid")

    model: str
    format: ModelFormat
    output: Path
    licence: str = ""
    overwrite: bool = False


RunParams = GenerateParams | RepairParams | FillParams | BenchmarkParams | TrainParams | CurveParams | ExportParams
P = TypeVar("P", bound=BaseModel)

_MODELS: dict[str, type[RunParams]] = {
    "generate": GenerateParams,
    "repair": RepairParams,
    "fill": FillParams,
    "benchmark": BenchmarkParams,
    "train": TrainParams,
    "curve": CurveParams,
    "export": ExportParams,
}


def params_of(run: Run, model: type[P]) -> P:
    """The params of `run` as `model`; raises UnreadableRunError with the field that is wrong."""
    if run.unreadable:
        raise UnreadableRunError(f"run {run.id[-6:]} cannot be read: {run.unreadable}")
    return validate_stored(run, model, run.params, "params")


def parse_params(run: Run) -> RunParams:
    """The params of a run of any kind; raises UnreadableRunError, also for a kind that this version does not know."""
    if not run.unreadable and run.kind not in _MODELS:
        raise UnreadableRunError(f"run {run.id[-6:]} cannot be read: this version knows no kind {run.kind}")
    return params_of(run, _MODELS.get(run.kind, GenerateParams))


def validate_stored(run: Run, model: type[P], stored: object, column: str) -> P:
    """Validate `stored` as `model`; raises UnreadableRunError that names the run and the field of the `column`."""
    try:
        return model.model_validate(stored)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join([column, *map(str, first["loc"])])
        raise UnreadableRunError(f"run {run.id[-6:]} cannot be read: {field}: {first['msg']}") from None
