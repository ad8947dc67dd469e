"""An example drawn for reading."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from storage.schema import Action, Example, Result, Review, Verdict
from tui.text import LIMIT, clean, content, line
from tui.widgets.bars import relevance

STATUS_STYLES = {"accepted": "$text-success", "rejected": "$text-error", "pending": "$text-muted"}


# What of one example is drawn at all: more takes longer to lay out than anyone would wait.
BODY_LIMIT = 60_000


def place(example: Example, width: int, *, hidden: bool = False) -> Content:
    """Where the example belongs and where it came from, in one line; `hidden`: without what others decided."""
    parts = [line(example.domain, 24), f"level {example.level}", example.id[-6:], line(example.source, 16)]
    if example.model:
        parts.append(line(example.model, 20))
    if example.version > 1:
        parts.append(f"version {example.version}")
    if example.refused:
        parts.append("QA rejected it")
    flag, status = "⚑ flagged" if example.flagged else "", "" if hidden else example.status.value
    state = " · ".join(part for part in (flag, status) if part)
    text = line(" · ".join(parts), max(10, width - cell_len(state) - 2))
    room = max(2, width - cell_len(text) - cell_len(state))
    style = STATUS_STYLES[status] if status else "$text-warning"
    return Content.assemble((text, "$text-muted"), " " * room, (state, style))


def body(example: Example, *, hidden: bool = False, verdict: str = "", said: Sequence[str] = ()) -> Content:
    """The whole example: hypothesis, evidence with its relevance as bars, reasoning, the judge, and what people `said`.

    `hidden`: without what tells the label. The decision itself stands outside, where it is always in sight.
    """
    parts: list[Content | str | tuple[str, str]] = [
        ("HYPOTHESIS\n", "bold $text-accent"),
        content(example.hypothesis, style="bold"),
        ("\n\nEVIDENCE", "bold $text-accent"),
    ]
    room = BODY_LIMIT
    for piece in example.evidence:
        shown = content(piece.content, limit=max(200, min(LIMIT, room)))
        room -= len(shown.plain)
        parts += [
            "\n",
            (relevance(piece.relevance), "$text-warning"),
            f" {piece.relevance:.2f}  ",
            (clean(piece.source, limit=500), "italic"),
            "\n",
            shown,
            "\n",
        ]
    if hidden:
        return Content.assemble(*parts)
    parts += [("\nREASONING\n", "bold $text-accent"), content(example.reasoning, style="$text-muted")]
    if verdict:
        parts += [("\n\nJUDGE  ", "bold $text-accent"), content(verdict, style="$text-muted", limit=2000)]
    if said:
        parts.append(("\n\nSAID\n", "bold $text-accent"))
        parts.append(content("\n".join(said), style="$text-muted", limit=5000))
    return Content.assemble(*parts)


def judgement(verdict: Verdict | None, attempts: int) -> str:
    """What the judge said, in a sentence; '' if it said nothing."""
    if verdict is None or verdict.result is Result.FAILED:
        return ""
    if verdict.blind_decision is None:
        return f"rejected by {verdict.stage}: {verdict.reason}. {verdict.critique}".strip()
    sure = "" if verdict.blind_confidence is None else f" with confidence {verdict.blind_confidence:.2f}"
    scores = [f"{name} {score:.2f}" for name, score in verdict.rubric.items() if score < 1]
    rubric = f"; {', '.join(scores)}" if scores else ""
    tries = f", at attempt {attempts}" if attempts > 1 else ""
    decided = f"decided {verdict.blind_decision}{sure} without seeing the label{tries}{rubric}"
    return f"{decided}. {verdict.critique}".strip()


def entry(review: Review) -> str:
    """One line of the log, for a person: who did what, and why."""
    by = f"{review.reviewer}: " if review.reviewer else ""
    blind = f" blind as {review.value}" if review.value else ""
    what = {Action.LABEL: f"decided {review.value} blind", Action.ACCEPT: f"accept{blind}"}.get(
        review.action, review.action.value
    )
    said = " · ".join(part for part in (review.reason, review.note) if part)
    return f"{by}{what}{f' · {said}' if said else ''}"
