"""The cells of a learning curve: which recipe learns from how many examples, with which seed, and in how many steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.config.case import Mode
from core.config.recipe import Algorithm, Recipe
from core.runs.params import CurveParams

KIND = "curve"
# Measured first: it takes seconds, and what it gets right takes no understanding.
BASELINE = "bag-of-words"


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """One training of a curve; the baseline takes no `steps`."""

    recipe: str
    size: int
    seed: int
    steps: int

    @property
    def name(self) -> str:
        """Names its folder and its records: unique in the run."""
        return f"{self.recipe}-{self.size}-s{self.seed}"

    @property
    def title(self) -> str:
        """The cell for a person."""
        return f"{self.recipe}, {self.size:,} examples, seed {self.seed}"


def planned_cells(params: CurveParams) -> list[PlannedCell]:
    """All cells in the order in which they are measured: seed by seed, so that each seed makes a whole curve."""
    return [
        PlannedCell(name, size, seed, 0 if recipe is None else cell_steps(params, recipe, size))
        for name, recipe in {BASELINE: None, **params.recipes}.items()
        for seed in params.seeds
        for size in params.sizes
    ]


def cell_steps(params: CurveParams, recipe: Recipe, size: int) -> int:
    """The steps of a recipe on `size` examples: fresh ones are each seen once."""
    if params.fresh is not None:
        return max(1, -(-size // recipe.batch))
    if params.scale_steps:
        return max(1, round(recipe.steps * size / max(params.sizes)))
    return recipe.steps


def cell_recipe(recipe: Recipe, cell: PlannedCell, dev: int) -> Recipe:
    """The recipe as a cell trains it: it looks at all `dev` examples, at its end alone unless a ladder climbs by looks.

    It is not ended early, since cells are measured on the examples by which it would be.
    """
    climbs = recipe.curriculum.order == "ladder"
    return recipe.model_copy(
        update={
            "seed": cell.seed,
            "steps": cell.steps,
            "fresh": False,
            "patience": None,
            "evaluate_on": dev,
            "evaluate_every": recipe.evaluate_every if climbs else cell.steps,
        }
    )


def quick_first(recipes: Mapping[str, Recipe]) -> dict[str, Recipe]:
    """The recipes by how long their kind takes: classifiers, students that decide, those that write their steps."""
    return dict(sorted(recipes.items(), key=lambda item: _slowness(item[1])))


def _slowness(recipe: Recipe) -> int:
    if recipe.algorithm is Algorithm.CLASSIFY:
        return 0
    return 1 if recipe.mode is Mode.DIRECT else 2
