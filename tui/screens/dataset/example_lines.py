"""The lines of the list of Dataset: a row of columns for each example, and the hypothesis."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from rich.cells import set_cell_size

from storage import listing
from storage.listing import ListedExample
from storage.schema import Status
from storage.search import match_spans
from tui.text import line
from tui.widgets.excerpt import excerpt
from tui.widgets.listing import Part

# Columns with their widths; the hypothesis takes the rest. On a narrow screen a status is a sign.
NARROW = (("id", 6), ("decision", 9), ("conf", 4), ("domain", 8), ("L", 2), ("", 1), ("!", 1), ("split", 5))
BROAD = (
    *(("id", 6), ("decision", 9), ("confidence", 10), ("certainty", 9), ("domain", 10), ("L", 2)),
    *(("status", 8), ("!", 1), ("split", 5)),
)
BROAD_FROM = 110
SIGNS = {Status.PENDING: "·", Status.ACCEPTED: "✓", Status.REJECTED: "✗"}
# What stands before a hypothesis that is replaced by a piece of evidence.
EVIDENCE = "ev "


def columns(screen_width: int) -> tuple[tuple[str, int], ...]:
    """The columns that fit a screen of `screen_width` cells: the name and the width of each."""
    return BROAD if screen_width >= BROAD_FROM else NARROW


def header(screen_width: int) -> str:
    """The names of the columns, each over its own."""
    names = [f"{name:<{size}}" for name, size in columns(screen_width)]
    return "  " + " ".join([*names, "hypothesis"])


def example_lines(
    connection: sqlite3.Connection, numbers: Sequence[int], words: str, width: int, screen_width: int
) -> dict[int, list[Part]]:
    """Lines of `width` cells for the examples with these numbers, by number; none for an example that has gone.

    `words` are searched for and marked. Where only the evidence has them, it stands in place of the hypothesis.
    """
    searched = bool(words)
    rows = listing.read_rows(connection, numbers, evidence=searched)
    texts = [text for row in rows for text in (row.hypothesis, row.evidence)] if searched else []
    matches = match_spans(texts, words) if searched else []
    names = columns(screen_width)
    rest = max(10, width - sum(size + 1 for _, size in names))
    lines = {}
    for position, row in enumerate(rows):
        in_hypothesis, in_evidence = matches[2 * position : 2 * position + 2] if searched else ([], [])
        parts: list[Part] = [part for name, size in names for part in (cell(row, name, size), (" ", ""))]
        if in_evidence and not in_hypothesis:
            parts.append((EVIDENCE, "muted"))
            text = excerpt(row.evidence, in_evidence, rest - len(EVIDENCE))
        else:
            text = excerpt(row.hypothesis, in_hypothesis, rest)
        parts += [(piece, "found" if is_match else "") for piece, is_match in text]
        lines[row.number] = parts
    return lines


def cell(row: ListedExample, name: str, size: int) -> Part:
    """The text of `row` in the column `name`, in exactly `size` cells, and its style."""
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
    return set_cell_size(line(text, size), size), style
