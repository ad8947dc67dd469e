"""The columns of the list of Dataset."""

from __future__ import annotations

from rich.cells import set_cell_size

from storage.listing import ListedExample
from storage.schema import Status
from tui.text import line
from tui.widgets.listing import Part

# Columns with their widths; the hypothesis takes the rest. On a narrow screen a status is a sign.
NARROW = (("id", 6), ("decision", 9), ("conf", 4), ("domain", 8), ("L", 2), ("", 1), ("!", 1), ("split", 5))
BROAD = (
    *(("id", 6), ("decision", 9), ("confidence", 10), ("certainty", 9), ("domain", 10), ("L", 2)),
    *(("status", 8), ("!", 1), ("split", 5)),
)
BROAD_FROM = 110
SIGNS = {Status.PENDING: "·", Status.ACCEPTED: "✓", Status.REJECTED: "✗"}


def columns(width: int) -> tuple[tuple[str, int], ...]:
    """The names of the columns that a screen of `width` has room for, each with its cells."""
    return BROAD if width >= BROAD_FROM else NARROW


def cell(row: ListedExample, name: str, size: int) -> Part:
    """What the column `name` of `size` cells says of an example."""
    style = ""
    match name:
        case "id":
            text, style = row.id[-6:], "muted"
        case "decision":
            text = row.decision
        case "conf" | "confidence":
            text = f"{row.confidence:.2f}"
        case "domain":
            text = row.domain
        case "L":
            text = str(row.level)
        case "status" | "":
            text = row.status.value if name else SIGNS[row.status]
            style = "muted" if row.status is Status.PENDING else row.status.value
        case "!":
            text, style = ("!" if row.flagged else ""), "warning"
        case "split":
            text = row.split or "–"
        case _:
            text = "–" if row.certainty is None else f"{row.certainty:.2f}"
    cut = line(text, size)
    return set_cell_size(cut, size), style
