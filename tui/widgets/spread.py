"""Figures of many examples, drawn: lengths, evidence, confidence, and the shortcut of the hypothesis."""

from __future__ import annotations

from textual.content import Content

from core.dataset.coverage import Coverage, Spread
from core.dataset.shortcuts import Shortcut
from tui.text import line

_BARS = " ▁▂▃▄▅▆▇█"


def histogram(bins: list[int]) -> str:
    """A column of an eighth to a whole cell for each bin; a blank only where there is nothing."""
    most = max(bins, default=0)
    return "".join(_BARS[-(-8 * number // most)] if most else " " for number in bins)


def figures(found: Coverage, width: int) -> Content:
    """All figures of `found` that are there yet."""
    blocks = []
    if found.lengths:
        blocks.append(_lengths(found))
    if found.confidence:
        blocks.append(_levels(found, width))
    if found.shortcut is not None:
        blocks.append(Content.assemble(("\nHYPOTHESIS ALONE\n", "bold $text-accent"), *shortcut(found.shortcut)))
    return Content("\n").join(blocks)


def _lengths(found: Coverage) -> Content:
    lines = [Content.styled("\nWORDS  median, and from the lowest to the highest tenth", "bold $text-accent")]
    for one in found.lengths:
        label = f"{one.part:<11}{line(one.decision, 12):<13}"
        span = f"{one.spread.median:>5.0f}  {one.spread.tenth:.0f}–{one.spread.ninetieth:.0f}"
        ends = f"{one.first} to {one.first + one.step * len(one.bins)}"
        lines.append(Content.assemble(f"{label}{span:<16}", (histogram(one.bins), "$text-accent"), f"  {ends}"))
    return Content("\n").join(lines)


def _levels(found: Coverage, width: int) -> Content:
    title = "\nLEVELS  how many pieces of evidence in how many examples; confidence, as above"
    lines = [Content.styled(title, "bold $text-accent")]
    for level, by_decision in found.confidence.items():
        counts = " · ".join(f"{pieces} in {number:,}" for pieces, number in found.pieces.get(level, {}).items())
        lines.append(Content(line(f"level {level} · pieces: {counts}", width)))
        said = [f"{line(decision, 12)} {_confidence(one)}" for decision, one in by_decision.items()]
        lines.append(Content.styled(f"          {line(' · '.join(said), max(10, width - 10))}", "$text-muted"))
    return Content("\n").join(lines)


def _confidence(one: Spread) -> str:
    return f"{one.median:.2f} ({one.tenth:.2f}–{one.ninetieth:.2f})"


def shortcut(score: Shortcut) -> list[tuple[str, str]]:
    """What the score says, in two sentences."""
    if score.problem:
        return [(f"no figure: it {score.problem}", "$text-muted")]
    rate = score.right / score.examples
    figure = f"{score.right:,}/{score.examples:,} right, {rate:.1%} ({score.low:.1%}–{score.high:.1%})"
    against = f"; the most frequent decision alone: {score.majority:.1%}. "
    if score.seen:
        said = "The hypothesis gives something of the decision away: a model can be right without the evidence."
        return [(figure + against, ""), (said, "$text-warning")]
    return [(figure + against, ""), ("The hypothesis tells no more than that.", "$text-success")]
