"""The figures of a run that is over, kept with it: 100,000 answers are shown before they are read again."""

from __future__ import annotations

from functools import cache

from pydantic import TypeAdapter, ValidationError

from core.benchmark.metrics import BenchmarkFigures
from core.models.parse_answer import PARSER_VERSION
from core.runs.progress import BenchmarkProgress, KeptFigures, progress_of
from storage.schema import Run


def dump_figures(figures: BenchmarkFigures) -> KeptFigures:
    """`found` as JSON, for the progress of a run whose answers were read by the present reader."""
    return KeptFigures(reader=PARSER_VERSION, figures=_adapter().dump_python(figures, mode="json"))


def cached_figures(run: Run) -> BenchmarkFigures | None:
    """The figures that were kept when `run` ended; None if there are none, or if its answers are to be read anew."""
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
