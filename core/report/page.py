"""Renders a report as HTML: one page without scripts or network access, in which no stored text acts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from core.benchmark.metrics import NO_ANSWER, BenchmarkFigures
from core.benchmark.start import benchmark_title
from core.curriculum.plan import CellPlan
from core.exchange.atomic_write import atomic_write
from core.exchange.markdown import visible
from core.report import pictures
from core.report.contents import NEWEST, Contents, ReportedTraining
from core.report.pictures import Point, Range
from core.review.agreement import conclusion
from core.statistics import wilson
from core.training.curve.results import RecipeCurve, format_size
from storage.training import TrainingStep

REPORT_FILE = "report.html"
# Marks a file as a report: a report may replace an earlier one, and no other file.
GENERATOR_TAG = '<meta name="generator" content="Sidequest report">'
# The characters that stay although they cannot be seen: other controls and bidi marks act on their surroundings. The
# last one joins the parts of an emoji.
ALLOWED = "\n\t\u200d"
# The figures of training that have a chart, and their titles.
CURVE_TITLES = {
    "loss": "loss",
    "reward": "reward",
    "right": "share of answers that are right",
    "kl": "KL from where RL began",
    "entropy": "entropy",
    "length": "tokens of an answer",
    "confidence_sd": "spread of the confidence",
}


def write_report(contents: Contents, target: Path, *, overwrite: bool = False) -> Path:
    """Write the report to `target`, completely or not at all; returns its path.

    Replaces an earlier report, but another file only with `overwrite`. Raises TargetError, UnwrittenError.
    """
    with atomic_write(target, overwrite=overwrite or _is_report(target)) as path:
        path.write_text(render_html(contents), encoding="utf-8")
    return target.resolve()


def render_html(contents: Contents) -> str:
    """The whole page. All text is escaped, invisible characters get a mark, and None reads 'unknown'."""
    folder = resources.files("core.report")
    style = folder.joinpath("report.css").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_finalize, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {
        "ranges": pictures.range_chart,
        "reliability": pictures.reliability_chart,
        "stock": pictures.quota_chart,
        "rate": _format_rate,
        "of": _format_share,
        "percent": pictures.format_percent,
        "points": _format_points,
        "number": _format_number,
        "title": benchmark_title,
        "conclusion": conclusion,
        "columns": _confusion_columns,
        "parts": _slice_ranges,
        "phases": _phases,
        "learning": _learning_chart,
        "size": format_size,
        "places": _cells_by_place,
        "most_points": pictures.MAX_POINTS,
        "newest": NEWEST,
    }
    template = environment.from_string(folder.joinpath("report.html.jinja").read_text(encoding="utf-8"))
    return template.render(
        it=contents,
        task=contents.project.task,
        levels=[f"level {level.level}" for level in contents.project.task.levels],
        domains=_domains(contents),
        mark=Markup(GENERATOR_TAG),  # noqa: S704  a constant of ours
        # The page may use this one style sheet only, by the hash of its content.
        style=Markup(style),  # noqa: S704  a file of ours
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        version=version("sidequest"),
    )


def _finalize(value: Any) -> Any:
    if value is None:
        return "unknown"
    return visible(value, ALLOWED) if isinstance(value, str) and not isinstance(value, Markup) else value


def _is_report(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return GENERATOR_TAG in file.read(2000)
    except (OSError, UnicodeDecodeError):
        return False


def _format_points(fraction: float | None) -> str:
    return "unknown" if fraction is None else f"{100 * fraction:+.1f}".replace("-", "−")


def _format_number(value: float | None, digits: int = 3) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}"


def _format_rate(right: int, n: int, low: float, high: float) -> str:
    """'17 of 20, 85.0 % (64.0–94.8)'; without trials it is unknown."""
    return f"{right:,} of {n:,}, {100 * right / n:.1f} % ({100 * low:.1f}–{100 * high:.1f})" if n else "unknown"


def _format_share(right: int, n: int) -> str:
    return _format_rate(right, n, *wilson(right, n))


def _cells_by_place(cells: Sequence[CellPlan]) -> list[tuple[tuple[str, int], list[CellPlan]]]:
    """The cells of each domain and level; `cells` must be in that order."""
    return [(place, list(group)) for place, group in groupby(cells, lambda cell: (cell.domain, cell.level))]


def _domains(contents: Contents) -> list[str]:
    """The domains of the task, then those that it no longer has."""
    in_task = [domain.name for domain in contents.project.task.domains]
    return list(dict.fromkeys([*in_task, *(cell.domain for cell in contents.matrix.cells)]))


def _confusion_columns(figures: BenchmarkFigures) -> list[str]:
    """The decisions of a confusion matrix in their order; no answer comes last."""
    decisions = dict.fromkeys(decision for row in figures.confusion.values() for decision in row)
    return [*(decision for decision in decisions if decision != NO_ANSWER), NO_ANSWER]


def _slice_ranges(figures: BenchmarkFigures) -> list[Range]:
    """The accuracy by level and by domain, for a chart."""
    levels = [Range(f"level {level}", part.rate, part.low, part.high) for level, part in figures.by_level.items()]
    return levels + [Range(domain, part.rate, part.low, part.high) for domain, part in figures.by_domain.items()]


def _phases(training: ReportedTraining) -> list[tuple[str, int, list[Markup], list[TrainingStep]]]:
    """For each phase of a training run: its name, how many steps, the charts, and the evaluations on the dev split."""
    names = list(dict.fromkeys(step.phase for step in [*training.steps, *training.evaluations]))
    steps = {name: list(group) for name, group in groupby(training.steps, lambda step: step.phase)}
    evaluations = {name: list(group) for name, group in groupby(training.evaluations, lambda step: step.phase)}
    return [
        (name, len(phase_steps), _curves(phase_steps, phase_evaluations), phase_evaluations)
        for name in names
        for phase_steps, phase_evaluations in [(steps.get(name, []), evaluations.get(name, []))]
    ]


def _learning_chart(curve: RecipeCurve, target: float) -> Markup:
    """What was measured of a recipe, with the range over its seeds or, for one seed, its interval; and the fit."""
    points = [
        Point(row.examples, row.mean, row.low, row.high)
        if row.seeds > 1
        else Point(row.examples, row.mean, row.wilson_low, row.wilson_high)
        for row in curve.sizes
    ]
    band = [Point(point.examples, point.accuracy, point.low, point.high) for point in curve.band]
    return pictures.learning_chart(points, band, visible(curve.recipe, ALLOWED), target)


def _curves(steps: Sequence[TrainingStep], evaluations: Sequence[TrainingStep]) -> list[Markup]:
    curves = []
    if measured := [step for step in evaluations if step.figures.get("accuracy") is not None]:
        accuracy = [
            Point(step.step, step.figures["accuracy"], step.figures.get("low"), step.figures.get("high"))
            for step in measured
        ]
        curves.append(pictures.curve_chart(accuracy, "accuracy on the dev split, 95 % intervals", percent=True))
    for name, title in CURVE_TITLES.items():
        points = [Point(step.step, float(step.figures[name])) for step in steps if step.figures.get(name) is not None]
        if points:
            curves.append(pictures.curve_chart(points, title))
    return curves
