"""The panel beside an example on a wide terminal: quotas, the origin of the example, the newest decisions."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content

from core.curriculum.plan import Quota
from storage.schema import Example, Review
from tui.text import line
from tui.widgets.bars import quota_bars
from tui.widgets.example import entry

WIDTH = 50
# The width of a stored word such as a family or a model.
_VALUE = WIDTH - 14


def progress_panel(accepted: dict[str, Quota], example: Example | None, log: list[tuple[Review, str]]) -> Content:
    """The text of the panel.

    `accepted` holds quotas that count accepted examples, `log` reviews with the hypotheses that they are about.
    """
    parts: list[Content | str | tuple[str, str]] = [
        ("ACCEPTED\n", "bold $text-accent"),
        quota_bars(accepted, WIDTH - 4),
    ]
    if example is not None:
        parts.append(("\n\nTHIS EXAMPLE\n", "bold $text-accent"))
        for name, value in origin_panel(example):
            parts += [(f"{name:<9}", "$text-muted"), f"{line(value, _VALUE)}\n"]
    if log:
        parts.append(("\nDECIDED LAST\n", "bold $text-accent"))
        for review, hypothesis in log:
            decision = line(entry(review), WIDTH // 2)
            hypothesis_width = WIDTH - 6 - cell_len(decision)
            parts += [(f"{decision}  ", "$text-muted"), f"{line(hypothesis, hypothesis_width)}\n"]
    return Content.assemble(*parts)


def origin_panel(example: Example) -> list[tuple[str, str]]:
    """The origin of an example as names and values; what is not known is left out."""
    return [
        (name, value)
        for name, value in (
            ("id", example.id),
            ("family", example.family),
            ("source", example.source),
            ("model", example.model),
            ("prompt", example.prompt_version),
            ("seed", "" if example.seed is None else str(example.seed)),
            ("run", example.run or ""),
            ("version", str(example.version)),
            ("made", f"{example.created.astimezone():%Y-%m-%d %H:%M}"),
        )
        if value
    ]
