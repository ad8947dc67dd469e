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


def sparkline(values: Sequence[float | None], width: int) -> str:
    """At most `width` cells from the lowest to the highest of `values`; several in a cell are averaged.

    A value that is not known, None, leaves a gap; where all are the same they stand in the middle.
    """
    size = -(-len(values) // width) if width > 0 else 0
    cells = [_mean(values[start : start + size]) for start in range(0, len(values), size)] if size else []
    known = [value for value in cells if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    return "".join(
        " " if value is None else _HEIGHTS[round((value - low) / (high - low) * 7) if high > low else 3]
        for value in cells
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


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
