"""Keeps the figures of a finished run with it, so that those of 100,000 answers are shown without reading them."""

from __future__ import annotations

from functools import cache

from pydantic import TypeAdapter, ValidationError

from core.benchmark.metrics import BenchmarkFigures
from core.models.parse_answer import PARSER_VERSION
from core.runs.progress import BenchmarkProgress, KeptFigures, progress_of
from storage.schema import Run


def dump_figures(figures: BenchmarkFigures) -> KeptFigures:
    """`figures` as JSON, for the progress of a run whose answers were parsed by the current parser."""
    return KeptFigures(reader=PARSER_VERSION, figures=_adapter().dump_python(figures, mode="json"))


def cached_figures(run: Run) -> BenchmarkFigures | None:
    """The figures that were kept when `run` ended; None if there are none, or if an older parser read the answers."""
    kept = progress_of(run, BenchmarkProgress).kept
    if kept is None or kept.reader != PARSER_VERSION:
        return None
    try:
        return _adapter().validate_python(kept.figures)
    except ValidationError:
        return None


@cache
def _adapter() -> TypeAdapter[BenchmarkFigures]:
    return TypeAdapter(BenchmarkFigures)
