"""`[task]` of the project file: how the steps of an example decide, and how a student writes them down."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from storage.schema import Holds, Step

_FIELDS = frozenset({"part", "grounds", "found", "claimed", "holds"})


def _step_format(text: str) -> str:
    if "\n" in text:
        raise ValueError("a step is one line")
    _check_fields(text, _FIELDS, required=_FIELDS)
    return text


def _ground_format(text: str) -> str:
    _check_fields(text, frozenset({"source", "says"}), required=frozenset({"says"}))
    return text


def _counts_format(text: str) -> str:
    _check_fields(text, frozenset({"source", "why"}), required=frozenset({"source"}))
    return text


def _check_fields(text: str, allowed: frozenset[str], *, required: frozenset[str]) -> None:
    """Raise ValueError unless the fields in braces are `required`, and of the `allowed` ones, each once."""
    names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    listed = ", ".join(f"{{{name}}}" for name in sorted(allowed))
    if unknown := sorted(set(names) - allowed):
        raise ValueError(f"no field {{{unknown[0]}}}: there are {listed}")
    if missing := sorted(required - set(names)):
        raise ValueError(f"the field {{{missing[0]}}} is missing")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"the field {{{repeated[0]}}} is there twice")


class _StepsTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class StepRule(_StepsTable):
    """How steps decide. Each is the name of a decision."""

    all: str = Field(description="The decision where every step holds.")
    none: str = Field(description="The decision where no step holds.")
    some: str = Field(description="The decision where some hold and some do not.")
    open: str | None = Field(
        default=None, description="The decision where a step is left open by the evidence; unset: there is none."
    )

    @property
    def decisions(self) -> dict[str, str]:
        """The decisions that are named, by field."""
        return {name: value for name, value in self.model_dump().items() if value is not None}

    def decide(self, steps: Sequence[Step]) -> str | None:
        """The decision that `steps` lead to; None without steps, and where one is open and nothing is said of it."""
        return self.decide_holds([step.holds for step in steps])

    def decide_holds(self, holds: Sequence[Holds]) -> str | None:
        """The decision where the steps hold as listed."""
        if not holds:
            return None
        if Holds.OPEN in holds:
            return self.open
        kinds = set(holds)
        return self.some if len(kinds) > 1 else self.all if Holds.YES in kinds else self.none


class StepWording(_StepsTable):
    """How a student writes a step, in one line. What is compared stands side by side: that is what small models learn
    (Prystawski et al. 2023)."""

    step: Annotated[str, AfterValidator(_step_format)] = Field(
        default="{part}: {grounds}{found}, claimed {claimed}, {holds}.",
        description="A step: {part}, {grounds} (findings that disagree, or several), {found}, {claimed}, {holds}.",
    )
    ground: Annotated[str, AfterValidator(_ground_format)] = Field(
        default="{source} {says}; ",
        description="Each finding, where there are several, in the order of the pieces: {source}, {says}.",
    )
    counts: Annotated[str, AfterValidator(_counts_format)] = Field(
        default="{source} counts by {why}; ",
        description="Behind findings that disagree: the {source} of the one that counts, and {why}.",
    )
    yes: str = Field(default="right", min_length=1, description="Written where a step holds.")
    no: str = Field(default="wrong", min_length=1, description="Written where it does not.")
    open: str = Field(default="open", min_length=1, description="Written where the evidence leaves it open.")

    def word(self, holds: Holds) -> str:
        """The word for whether a step holds."""
        return {Holds.YES: self.yes, Holds.NO: self.no, Holds.OPEN: self.open}[holds]


DEFAULT_WORDING = StepWording()


class TaskSteps(_StepsTable):
    """`[task]`: steps of the task."""

    rule: StepRule | None = Field(default=None, description="How steps decide; unset: they only inform.")
    wording: StepWording = Field(default=DEFAULT_WORDING, description="How a student writes a step.")
