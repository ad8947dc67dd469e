"""A report as HTML: one page that needs no script and no network, and in which no stored text acts."""

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
from core.report import pictures
from core.report.contents import NEWEST, Contents, ReportedTraining
from core.report.pictures import Point, Range
from core.review.agreement import conclusion
from core.statistics import wilson
from storage.training import TrainingStep

REPORT_FILE = "report.html"
# How a report is known again: it may take the place of the one before, and of nothing else.
GENERATOR_TAG = '<meta name="generator" content="Sidequest report">'
# The figures of training that have a picture, with what they are called there.
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
    """Write the report to `target`, whole or not at all; returns its place.

    An earlier report is replaced, another file only with `overwrite`. Raises PlaceError, UnwrittenError.
    """
    with atomic_write(target, overwrite=overwrite or _is_report(target)) as part:
        part.write_text(render_html(contents), encoding="utf-8")
    return target.resolve()


def render_html(contents: Contents) -> str:
    """The whole page. All text is escaped, what cannot be seen is made visible, and None reads 'unknown'."""
    folder = resources.files("core.report")
    style = folder.joinpath("report.css").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {
        "ranges": pictures.range_chart,
        "reliability": pictures.reliability_chart,
        "stock": pictures.stock,
        "rate": _rate,
        "of": _of,
        "percent": _percent,
        "points": _points,
        "number": _number,
        "title": benchmark_title,
        "conclusion": conclusion,
        "columns": _columns,
        "parts": _parts,
        "phases": _phases,
        "places": _places,
        "most_points": pictures.MAX_POINTS,
        "newest": NEWEST,
    }
    template = environment.from_string(folder.joinpath("report.html.jinja").read_text(encoding="utf-8"))
    return template.render(
        it=contents,
        task=contents.project.task,
        levels=[f"level {one.level}" for one in contents.project.task.levels],
        domains=_domains(contents),
        mark=Markup(GENERATOR_TAG),  # noqa: S704  a constant of ours
        # A page that may load nothing but this one style sheet, by its content.
        style=Markup(style),  # noqa: S704  a file of ours
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        version=version("sidequest"),
    )


def visible(text: str) -> str:
    """`text` with a mark for each character that acts on its surroundings and cannot be seen: controls, bidi marks."""
    return "".join(one if one.isprintable() or one in "\n\t\u200d" else "\ufffd" for one in text)


def _shown(value: Any) -> Any:
    if value is None:
        return "unknown"
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _is_report(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return GENERATOR_TAG in file.read(2000)
    except (OSError, UnicodeDecodeError):
        return False


def _percent(fraction: float | None) -> str:
    return "unknown" if fraction is None else f"{100 * fraction:.1f} %"


def _points(fraction: float | None) -> str:
    return "unknown" if fraction is None else f"{100 * fraction:+.1f}".replace("-", "−")


def _number(value: float | None, digits: int = 3) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}"


def _rate(right: int, n: int, low: float, high: float) -> str:
    """'17 of 20, 85.0 % (64.0–94.8)'; without trials it is unknown."""
    return f"{right:,} of {n:,}, {100 * right / n:.1f} % ({100 * low:.1f}–{100 * high:.1f})" if n else "unknown"


def _of(right: int, n: int) -> str:
    return _rate(right, n, *wilson(right, n))


def _places(cells: Sequence[CellPlan]) -> list[tuple[tuple[str, int], list[CellPlan]]]:
    """The cells of each domain at each level; they are in that order."""
    return [(place, list(found)) for place, found in groupby(cells, lambda one: (one.domain, one.level))]


def _domains(found: Contents) -> list[str]:
    """The domains of the task, then those that it has no more."""
    there = dict.fromkeys(
        [*(one.name for one in found.project.task.domains), *(one.domain for one in found.matrix.cells)]
    )
    return list(there)


def _columns(figures: BenchmarkFigures) -> list[str]:
    """The decisions of a confusion matrix in their order, none at the end."""
    there = dict.fromkeys(decision for row in figures.confusion.values() for decision in row)
    return [*(one for one in there if one != NO_ANSWER), NO_ANSWER]


def _parts(figures: BenchmarkFigures) -> list[Range]:
    """Accuracy by level and by domain, for a picture."""
    levels = [Range(f"level {level}", one.rate, one.low, one.high) for level, one in figures.by_level.items()]
    return levels + [Range(domain, one.rate, one.low, one.high) for domain, one in figures.by_domain.items()]


def _phases(training: ReportedTraining) -> list[tuple[str, int, list[Markup], list[TrainingStep]]]:
    """Each phase of a training run: its name, how many steps, the pictures of its curves, its looks at dev."""
    names = list(dict.fromkeys(one.phase for one in [*training.steps, *training.evaluations]))
    steps = {name: list(found) for name, found in groupby(training.steps, lambda one: one.phase)}
    looks = {name: list(found) for name, found in groupby(training.evaluations, lambda one: one.phase)}
    return [
        (name, len(steps.get(name, [])), _curves(steps.get(name, []), looks.get(name, [])), looks.get(name, []))
        for name in names
    ]


def _curves(steps: Sequence[TrainingStep], looks: Sequence[TrainingStep]) -> list[Markup]:
    found = []
    if seen := [one for one in looks if one.figures.get("accuracy") is not None]:
        accuracy = [
            Point(one.step, one.figures["accuracy"], one.figures.get("low"), one.figures.get("high")) for one in seen
        ]
        found.append(pictures.curve_chart(accuracy, "accuracy on the dev split, 95 % intervals", percent=True))
    for name, called in CURVE_TITLES.items():
        points = [Point(one.step, float(one.figures[name])) for one in steps if one.figures.get(name) is not None]
        if points:
            found.append(pictures.curve_chart(points, called))
    return found
