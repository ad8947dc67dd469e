"""Bars and sparklines made of text."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from core.curriculum.plan import Quota
from tui.text import line

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = "▁▂▃▄▅▆▇█"


def bar(share: float, width: int) -> str:
    """A bar of `width` cells, filled by eighths of a cell; `share` is clipped to 0 to 1."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full_cells, rest = divmod(eighths, 8)
    filled = "█" * full_cells + (_EIGHTHS[rest] if rest else "")
    return filled + "░" * (width - len(filled))


def mean_per_cell(points: Sequence[tuple[int, float]], last: int, width: int) -> list[float | None]:
    """The means of `points` (step, value) in at most `width` cells, which divide the steps up to `last`.

    A cell without points is None.
    """
    cells: list[list[float]] = [[] for _ in range(max(1, min(width, last)))]
    for step, value in points:
        cells[max(0, min(step, last) - 1) * len(cells) // max(1, last)].append(value)
    return [sum(values) / len(values) if values else None for values in cells]


def sparkline(values: Sequence[float | None], low: float | None = None, high: float | None = None) -> str:
    """A column for each value, between `low` and `high`: by default the lowest and the highest value.

    An unknown value, None, leaves a gap. If all values are equal, their columns are half high.
    """
    known = [value for value in values if value is not None]
    low = min(known, default=0.0) if low is None else low
    high = max(known, default=0.0) if high is None else high
    return "".join(
        " "
        if value is None
        else _HEIGHTS[round((max(low, min(high, value)) - low) / (high - low) * 7) if high > low else 3]
        for value in values
    )


def relevance_bar(value: float) -> str:
    """Five cells for a relevance from 0 to 1."""
    full = int(value * 5 + 0.5)
    return "▮" * full + "▯" * (5 - full)


def quota_bars(quotas: dict[str, Quota], width: int) -> Content:
    """A bar for each decision, with its count and its range."""
    label_width = min(16, max((len(decision) for decision in quotas), default=0))
    bar_width = max(8, min(60, width - label_width - 24))
    rows: list[tuple[str, str]] = []
    for decision, quota in quotas.items():
        style = "$text-success" if quota.have >= quota.min else "$text-accent"
        rows.append((f"{line(decision, label_width):<{label_width}} ", ""))
        rows.append((bar(quota.have / quota.max, bar_width), style))
        rows.append((f" {quota.have:>4} of {quota.min}–{quota.max}\n", ""))
    return Content.assemble(*rows).rstrip("\n")
