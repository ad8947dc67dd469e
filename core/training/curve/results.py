"""What a learning curve has measured so far: by recipe and size, over seeds, with the fitted curve of each recipe."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from core.runs.control import run_status
from core.runs.params import TARGET, CurveParams, params_of
from core.statistics import wilson
from core.training.curve.cells import BASELINE, PlannedCell, planned_cells
from core.training.curve.fit import BandPoint, CurveCell, Forecast, fit_curve, too_few
from storage import training
from storage.schema import Run
from storage.training import Figures

# The fitted curve is given at so many sizes, and reaches to twice the largest one.
BAND_POINTS, BAND_REACH = 24, 2.0


@dataclass(frozen=True, slots=True)
class SizeResult:
    """The cells of a recipe at one size. `right` of `n` dev examples over all seeds together.

    `mean` is the mean accuracy over the finished seeds, `spread` their standard deviation (None for one), `low` and
    `high` the range; `wilson_low` and `wilson_high` the 95 % interval of one seed's cell at the mean, by its number of
    dev examples alone. `examples` is the mean number that was learned from.
    """

    size: int
    seeds: int
    examples: float
    right: int
    n: int
    mean: float
    spread: float | None
    low: float
    high: float
    wilson_low: float
    wilson_high: float
    seconds: float


@dataclass(frozen=True, slots=True)
class RecipeCurve:
    """The curve of a recipe: its sizes that have a finished cell, the forecast, and the band, empty without a fit."""

    recipe: str
    cells: list[CurveCell]
    sizes: list[SizeResult]
    forecast: Forecast
    band: list[BandPoint]


@dataclass(frozen=True, slots=True)
class CurveResults:
    """A learning curve so far: `done` of `total` cells; the baseline's curve first, then those of the recipes."""

    run: str
    state: str
    reason: str
    done: int
    total: int
    target: float
    fresh: int | None
    recipes: list[RecipeCurve]


def finished_cells(
    connection: sqlite3.Connection, run: str, cells: Sequence[PlannedCell]
) -> dict[PlannedCell, Figures]:
    """Those of `cells` that are finished, with what they measured on dev after their last step."""
    looks = {(look.phase, look.step): look.figures for look in training.evaluations(connection, run)}
    return {cell: looks[cell.name, cell.steps] for cell in cells if (cell.name, cell.steps) in looks}


def curve_results(connection: sqlite3.Connection, run: Run, target: float = TARGET) -> CurveResults:
    """The results of a learning curve so far, with what `target` (an accuracy, 0 to 1) takes by them."""
    params = params_of(run, CurveParams)
    cells = planned_cells(params)
    finished = finished_cells(connection, run.id, cells)
    curves = [_recipe_curve(name, finished, target) for name in (BASELINE, *params.recipes)]
    return CurveResults(
        run.id, run_status(run).state.value, run.reason, len(finished), len(cells), target, params.fresh, curves
    )


def _recipe_curve(recipe: str, finished: dict[PlannedCell, Figures], target: float) -> RecipeCurve:
    figures = {cell: measured for cell, measured in finished.items() if cell.recipe == recipe}
    cells = [
        CurveCell(cell.size, cell.seed, measured["examples"], measured["right"], measured["n"])
        for cell, measured in figures.items()
    ]
    sizes = [
        _size_result(size, {cell: measured for cell, measured in figures.items() if cell.size == size})
        for size in sorted({cell.size for cell in cells})
    ]
    fitted = fit_curve(cells)
    if fitted is None:
        return RecipeCurve(recipe, cells, sizes, too_few(target, len(sizes)), [])
    smallest = min(cell.examples for cell in cells)
    ratio = (BAND_REACH * fitted.largest / smallest) ** (1 / (BAND_POINTS - 1))
    grid = sorted({round(smallest * ratio**position) for position in range(BAND_POINTS)})
    return RecipeCurve(recipe, cells, sizes, fitted.forecast(target), fitted.band(grid))


def _size_result(size: int, figures: dict[PlannedCell, Figures]) -> SizeResult:
    rates = [measured["right"] / measured["n"] for measured in figures.values()]
    right = sum(measured["right"] for measured in figures.values())
    n = sum(measured["n"] for measured in figures.values())
    low, high = wilson(right / len(rates), n / len(rates))
    return SizeResult(
        size=size,
        seeds=len(rates),
        examples=mean(measured["examples"] for measured in figures.values()),
        right=right,
        n=n,
        mean=mean(rates),
        spread=stdev(rates) if len(rates) > 1 else None,
        low=min(rates),
        high=max(rates),
        wilson_low=low,
        wilson_high=high,
        seconds=mean(measured["cell_seconds"] for measured in figures.values()),
    )


def format_size(row: SizeResult) -> str:
    """'81.0 % ± 2.1 (78.6–82.4, 3 seeds)'; with one seed, its 95 % interval."""
    if row.spread is None:
        return f"{100 * row.mean:.1f} % ({100 * row.wilson_low:.1f}–{100 * row.wilson_high:.1f}, 1 seed)"
    return (
        f"{100 * row.mean:.1f} % ± {100 * row.spread:.1f} ({100 * row.low:.1f}–{100 * row.high:.1f}, {row.seeds} seeds)"
    )


def curve_document(results: CurveResults) -> dict[str, Any]:
    """A learning curve as `--json` prints it."""
    return {
        "run": results.run,
        "state": results.state,
        "reason": results.reason,
        "done": results.done,
        "total": results.total,
        "target": results.target,
        "fresh": results.fresh,
        "recipes": [
            {
                "recipe": curve.recipe,
                "baseline": curve.recipe == BASELINE,
                "cells": [cell._asdict() for cell in curve.cells],
                "sizes": curve.sizes,
                "forecast": curve.forecast,
                "band": curve.band,
            }
            for curve in results.recipes
        ],
    }
