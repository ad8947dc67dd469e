"""Models whose trainings differ in their seed alone, together: what a recipe brings, and what is chance of its seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from core.benchmark.step_fields import FIELDS
from core.models.trained import TrainedModel
from core.training.measured import MeasuredModel

# The figures of a group beside accuracy, as `MeasuredModel` names them.
BESIDE = (
    "balanced_accuracy",
    "brier",
    "ece",
    "auroc",
    "e_aurc",
    "latency_p50",
    "input_tokens",
    "output_tokens",
    "cost_per_thousand",
)


@dataclass(frozen=True, slots=True)
class SeedSpread:
    """A figure over seeds: of how many it is known, mean, standard deviation (None for one), and range."""

    seeds: int
    mean: float
    sd: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SeedGroup:
    """Trained models that differ in the seed of their training alone; the newest of each seed counts.

    `seeds` are those of `models`, in their order; `waiting` are models of the group without a benchmark. `accuracy` is
    None without any; `beside` has the other figures by name, and `fields` those of the steps, where they are known.
    """

    what: str
    models: list[str]
    seeds: list[int]
    waiting: list[str]
    accuracy: SeedSpread | None
    beside: dict[str, SeedSpread]
    fields: dict[str, SeedSpread]


def spread(values: Iterable[float | None]) -> SeedSpread | None:
    """Mean and spread of the values that are known; None if none is."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return SeedSpread(len(known), mean(known), stdev(known) if len(known) > 1 else None, min(known), max(known))


def recipe_key(lineage: Sequence[TrainedModel]) -> tuple[str, ...]:
    """What trainings have in common that differ in their seeds alone: student and recipes, whatever their names."""
    recipes = (model.recipe.model_dump_json(exclude={"seed", "first", "student"}) for model in lineage)
    return (lineage[-1].student, *recipes)


def seed_groups(
    lineages: Mapping[str, Sequence[TrainedModel]],
    what: Mapping[str, str],
    measured: Mapping[str, MeasuredModel | None],
) -> list[SeedGroup]:
    """The groups of two seeds or more among the models of `lineages`, which are in the order of their training.

    `what` says in short how each was made, and `measured` has its benchmark, if it has one.
    """
    members: dict[tuple[str, ...], dict[tuple[int, ...], str]] = {}
    for name, lineage in lineages.items():
        seeds = tuple(model.recipe.seed for model in lineage)
        members.setdefault(recipe_key(lineage), {})[seeds] = name
    groups = []
    for by_seed in members.values():
        if len(by_seed) < 2:
            continue
        ordered = [by_seed[seeds] for seeds in sorted(by_seed)]
        known = [figures for name in ordered if (figures := measured.get(name)) is not None]
        groups.append(
            SeedGroup(
                what=what[ordered[0]],
                models=ordered,
                seeds=[lineages[name][-1].recipe.seed for name in ordered],
                waiting=[name for name in ordered if measured.get(name) is None],
                accuracy=spread(figures.accuracy for figures in known),
                beside={
                    name: found
                    for name in BESIDE
                    if (found := spread(getattr(figures, name) for figures in known)) is not None
                },
                fields={
                    field: found
                    for field in FIELDS
                    if (found := spread(_share(figures, field) for figures in known)) is not None
                },
            )
        )
    return groups


def _share(figures: MeasuredModel, field: str) -> float | None:
    return next((score.share for score in figures.fields if score.field == field), None)
