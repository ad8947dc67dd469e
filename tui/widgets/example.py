"""An example drawn for reading."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content

from storage.schema import Example
from tui.text import clean, content, line
from tui.widgets.bars import relevance

STATUS_STYLES = {"accepted": "$text-success", "rejected": "$text-error", "pending": "$text-muted"}


def place(example: Example, width: int) -> Content:
    """Where the example belongs and where it came from, in one line."""
    label = f"{line(example.decision, 16)} {example.confidence:.2f}"
    parts = [line(example.domain, 24), f"level {example.level}", example.id[-6:], line(example.source, 16)]
    if example.model:
        parts.append(line(example.model, 20))
    if example.version > 1:
        parts.append(f"version {example.version}")
    state = f"{'⚑ flagged · ' if example.flagged else ''}{example.status}"
    text = line(" · ".join(parts), max(10, width - cell_len(label) - cell_len(state) - 5))
    room = max(2, width - cell_len(label) - cell_len(text) - 3 - cell_len(state))
    return Content.assemble(
        (label, "bold"), (f" · {text}", "$text-muted"), " " * room, (state, STATUS_STYLES[example.status])
    )


def body(example: Example, *, verdict: str = "") -> Content:
    """The whole example: hypothesis, evidence with its relevance as bars, decision and reasoning."""
    parts: list[Content | str | tuple[str, str]] = [
        ("HYPOTHESIS\n", "bold $text-accent"),
        content(example.hypothesis, style="bold"),
        ("\n\nEVIDENCE\n", "bold $text-accent"),
    ]
    for piece in example.evidence:
        parts += [
            (relevance(piece.relevance), "$text-warning"),
            f" {piece.relevance:.2f}  ",
            (clean(piece.source, limit=500), "italic"),
            "\n",
            content(piece.content),
            "\n\n",
        ]
    parts += [
        ("DECISION  ", "bold $text-accent"),
        (clean(example.decision, limit=200), "bold"),
        f"  confidence {example.confidence:.2f}\n",
        content(example.reasoning, style="$text-muted"),
    ]
    if verdict:
        parts += [("\n\nJUDGE  ", "bold $text-accent"), content(verdict, style="$text-muted", limit=2000)]
    return Content.assemble(*parts)
