"""An example drawn for reading."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from core.review.item import ReviewItem
from storage.schema import Example, Result, Review, ReviewAction, Status
from tui.keymap import key
from tui.text import LIMIT, clean, content, in_words, line
from tui.widgets.bars import relevance_bar
from tui.widgets.reasons import reason_in_words

# What a person said of it, which is neither its label nor what QA said.
_STATUS = {
    Status.ACCEPTED: ("accepted in review", "$text-success"),
    Status.REJECTED: ("rejected in review", "$text-error"),
    Status.PENDING: ("waits for review", "$text-muted"),
}

# What of one example is drawn at all: more takes longer to lay out than anyone would wait.
BODY_LIMIT = 60_000


def place(example: Example, width: int, *, hidden: bool = False) -> Content:
    """Where the example belongs and where it came from, in one line; `hidden`: without what others decided."""
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


def body(example: Example, *, hidden: bool = False, verdict: str = "", said: Sequence[str] = ()) -> Content:
    """The whole example: hypothesis, evidence with its relevance as bars, reasoning, QA's verdict, what people `said`.

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
            (relevance_bar(piece.relevance), "$text-warning"),
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
        parts += [("\n\nVERDICT  ", "bold $text-accent"), content(verdict, style="$text-muted", limit=2000)]
    if said:
        parts.append(("\n\nPEOPLE\n", "bold $text-accent"))
        parts.append(content("\n".join(said), style="$text-muted", limit=5000))
    return Content.assemble(*parts)


def judgement(case: ReviewItem) -> str:
    """What QA said, in a sentence; '' if it said nothing. After an edit it says which version that was about."""
    verdict, example = case.verdict, case.example
    if verdict is None or verdict.result is Result.FAILED:
        return ""
    why = f" ({reason_in_words(verdict.reason)})" if verdict.reason else ""
    tries = f" at attempt {len(case.lineage)}" if len(case.lineage) > 1 else ""
    parts = [f"{verdict.result} by {_BY.get(verdict.stage, verdict.stage)}{why}{tries}"]
    if verdict.blind_decision is not None:
        sure = "" if verdict.blind_confidence is None else f" with confidence {verdict.blind_confidence:.2f}"
        parts.append(f"without the label it decided {verdict.blind_decision}{sure}")
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
    """One line of the log, for a person: who did what, and why."""
    by = f"{review.reviewer}: " if review.reviewer else ""
    match review.action:
        case ReviewAction.LABEL:
            what = f"decided {review.value} blind"
        case ReviewAction.SPLIT:
            what = f"put into split {review.value or 'none'}"
        case ReviewAction.EDIT if review.version:
            what = f"edited, which made version {review.version}"
        case action:
            what = f"{_DID[action]}, blind as {review.value}" if review.value else _DID[action]
    said = " · ".join(part for part in (review.reason, review.note) if part)
    return f"{by}{what}{f' · {said}' if said else ''}"


def undone(review: Review, hypothesis: str, lines: int, *, left: int = 0) -> str:
    """What an undo took back: `lines` decisions, of which `review` is the newest; `left` more can be at once."""
    several = f" and {lines - 1:,} more of the same act" if lines > 1 else ""
    more = f" · {key('review.undo')} takes back {left:,} more" if left else ""
    return f"undone: {entry(review)}{several}{more} · “{line(hypothesis, 40)}”"
