"""Bars and figures made of text."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from core.curriculum.plan import Quota
from tui.text import line

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = "▁▂▃▄▅▆▇█"


def bar(share: float, width: int) -> str:
    """A bar of `width` cells, filled to `share` (0 to 1, held to that) by eighths of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    whole, rest = divmod(eighths, 8)
    drawn = "█" * whole + (_EIGHTHS[rest] if rest else "")
    return drawn + "░" * (width - len(drawn))


def over(points: Sequence[tuple[int, float]], last: int, width: int) -> list[float | None]:
    """Values by step in at most `width` cells over the steps up to `last`: means, None where there is nothing."""
    cells: list[list[float]] = [[] for _ in range(max(1, min(width, last)))]
    for step, value in points:
        cells[max(0, min(step, last) - 1) * len(cells) // max(1, last)].append(value)
    return [sum(values) / len(values) if values else None for values in cells]


def sparkline(values: Sequence[float | None], low: float | None = None, high: float | None = None) -> str:
    """A cell for each value, from `low` to `high`, or else from the lowest to the highest of them.

    A value that is not known, None, leaves a gap; where all are the same they stand in the middle.
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


def relevance(value: float) -> str:
    """Five cells for a relevance from 0 to 1."""
    full = int(value * 5 + 0.5)
    return "▮" * full + "▯" * (5 - full)


def quotas(found: dict[str, Quota], width: int) -> Content:
    """A bar for each decision, with its count and its range."""
    label = min(16, max((len(name) for name in found), default=0))
    size = max(8, min(60, width - label - 24))
    rows: list[tuple[str, str]] = []
    for name, quota in found.items():
        style = "$text-success" if quota.have >= quota.min else "$text-accent"
        rows.append((f"{line(name, label):<{label}} ", ""))
        rows.append((bar(quota.have / quota.max, size), style))
        rows.append((f" {quota.have:>4} of {quota.min}–{quota.max}\n", ""))
    return Content.assemble(*rows).rstrip("\n")
