"""An example drawn for reading."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from core.review.item import ReviewItem
from storage.schema import Example, Result, Review, ReviewAction, Status
from storage.staleness import describe_stale
from tui.keymap import key
from tui.text import LIMIT, clean, content, in_words, line
from tui.widgets.bars import relevance_bar
from tui.widgets.reasons import reason_in_words
from tui.widgets.steps import lit_evidence, step_block

# What a person decided about it, which is neither its label nor the verdict of QA.
_STATUS = {
    Status.ACCEPTED: ("accepted in review", "$text-success"),
    Status.REJECTED: ("rejected in review", "$text-error"),
    Status.PENDING: ("waits for review", "$text-muted"),
}

# So many characters of one example are drawn: to lay out more takes longer than anyone would wait.
BODY_LIMIT = 60_000


def place(example: Example, width: int, *, hidden: bool = False) -> Content:
    """Where the example belongs and where it came from, in one line; `hidden` leaves out what others decided."""
    parts = [line(example.domain, 24), f"level {example.level}", example.id[-6:], line(example.source, 16)]
    if example.model:
        parts.append(line(example.model, 20))
    if example.version > 1:
        parts.append(f"version {example.version}, not judged")
    if example.refused:
        parts.append("QA rejected it")
    flag, (status, style) = "⚑ flagged" if example.flagged else "", _STATUS[example.status]
    if hidden or (example.refused and example.status is Status.REJECTED):
        status, style = "", "$text-warning"
    state = " · ".join(part for part in (flag, status) if part)
    text = line(" · ".join(parts), max(10, width - cell_len(state) - 2))
    room = max(2, width - cell_len(text) - cell_len(state))
    return Content.assemble((text, "$text-muted"), " " * room, (state, style))


def body(example: Example, *, hidden: bool = False, verdict: str = "", log: Sequence[str] = ()) -> Content:
    """The example: hypothesis, steps, evidence with relevance as bars, reasoning, QA's verdict, the `log` of reviews.

    `hidden` leaves out what tells the label. The decision itself is drawn elsewhere, where it is always visible.
    """
    parts: list[Content | str | tuple[str, str]] = [
        ("HYPOTHESIS\n", "bold $text-accent"),
        content(example.hypothesis, style="bold"),
    ]
    # Steps tell the label as the reasoning does.
    steps = [] if hidden else example.steps
    if steps:
        parts += [("\n\nSTEPS  ", "bold $text-accent"), ("part · found · claimed", "$text-muted"), "\n"]
        parts.append(step_block(steps))
    parts.append(("\n\nEVIDENCE", "bold $text-accent"))
    room = BODY_LIMIT
    for position, piece in enumerate(example.evidence):
        text = lit_evidence(example.evidence, position, steps, max(200, min(LIMIT, room)))
        room -= len(text.plain)
        parts += [
            "\n",
            (relevance_bar(piece.relevance), "$text-warning"),
            f" {piece.relevance:.2f}  ",
            (clean(piece.source, limit=500), "italic"),
            "\n",
            text,
            "\n",
        ]
    if hidden:
        return Content.assemble(*parts)
    parts += [("\nREASONING\n", "bold $text-accent"), content(example.reasoning, style="$text-muted")]
    if example.stale:
        stale = "\n".join(line(text, 100) for text in describe_stale(example))
        parts.append((f"\n{stale} ({key('review.repair')}: repair)", "$text-warning"))
    if verdict:
        parts += [("\n\nVERDICT  ", "bold $text-accent"), content(verdict, style="$text-muted", limit=2000)]
    if log:
        parts.append(("\n\nPEOPLE\n", "bold $text-accent"))
        parts.append(content("\n".join(log), style="$text-muted", limit=5000))
    return Content.assemble(*parts)


def verdict_text(item: ReviewItem) -> str:
    """The verdict of QA in a sentence, '' if there is none. After an edit it says which version that was about."""
    verdict, example = item.verdict, item.example
    if verdict is None or verdict.result is Result.FAILED:
        return ""
    reason = f" ({reason_in_words(verdict.reason)})" if verdict.reason else ""
    attempt = f" at attempt {len(item.lineage)}" if len(item.lineage) > 1 else ""
    parts = [f"{verdict.result} by {_BY.get(verdict.stage, verdict.stage)}{reason}{attempt}"]
    if verdict.blind_decision is not None:
        confidence = "" if verdict.blind_confidence is None else f" with confidence {verdict.blind_confidence:.2f}"
        parts.append(f"without the label it decided {verdict.blind_decision}{confidence}")
    if scores := [f"{in_words(name)} {score:.2f}" for name, score in verdict.rubric.items() if score < 1]:
        parts.append(", ".join(scores))
    if example.version > 1:
        parts.append(f"judged as version 1, before the edit: no judge has read version {example.version}")
    return f"{'; '.join(parts)}. {verdict.critique}".strip()


_BY = {"judge": "the judge", "rules": "the rules", "duplicates": "the search for near-duplicates"}
_DID = {
    ReviewAction.ACCEPT: "accepted",
    ReviewAction.REJECT: "rejected",
    ReviewAction.FLAG: "flagged",
    ReviewAction.UNFLAG: "flag taken away",
    ReviewAction.EDIT: "edited",
    ReviewAction.OVERRULE: "brought in against QA",
    ReviewAction.UNDO: "undone",
}


def entry(review: Review) -> str:
    """A line of the log in words: who did what, and why."""
    by = f"{review.reviewer}: " if review.reviewer else ""
    match review.action:
        case ReviewAction.LABEL:
            act = f"decided {review.value} blind"
        case ReviewAction.SPLIT:
            act = f"put into split {review.value or 'none'}"
        case ReviewAction.EDIT if review.version:
            act = f"edited, which made version {review.version}"
        case action:
            act = f"{_DID[action]}, blind as {review.value}" if review.value else _DID[action]
    comment = " · ".join(part for part in (review.reason, review.note) if part)
    return f"{by}{act}{f' · {comment}' if comment else ''}"


def undo_message(review: Review, hypothesis: str, lines: int, *, left: int = 0) -> str:
    """Says that `lines` decisions were undone, the newest of which is `review`; `left` more can be at once."""
    others = f" and {lines - 1:,} more of the same act" if lines > 1 else ""
    more = f" · {key('review.undo')} takes back {left:,} more" if left else ""
    return f"undone: {entry(review)}{others}{more} · “{line(hypothesis, 40)}”"
