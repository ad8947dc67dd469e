"""The figures of Coverage, drawn: lengths, evidence, confidence, and what the hypothesis alone gives away."""

from __future__ import annotations

from textual.content import Content

from core.dataset.coverage import Coverage, Spread
from core.dataset.shortcuts import Shortcut
from tui.text import line

_COLUMNS = " ▁▂▃▄▅▆▇█"


def histogram(bins: list[int]) -> str:
    """A column for each bin, an eighth of a cell to a whole one high; a blank only for an empty bin."""
    most = max(bins, default=0)
    return "".join(_COLUMNS[-(-8 * number // most)] if most else " " for number in bins)


def draw_coverage(coverage: Coverage, width: int) -> Content:
    """All figures that `coverage` has so far, in lines of at most `width` cells."""
    blocks = []
    if coverage.lengths:
        blocks.append(_draw_lengths(coverage))
    if coverage.confidence:
        blocks.append(_draw_levels(coverage, width))
    if coverage.shortcut is not None:
        heading = ("\nHYPOTHESIS ALONE\n", "bold $text-accent")
        blocks.append(Content.assemble(heading, *describe_shortcut(coverage.shortcut)))
    return Content("\n").join(blocks)


def _draw_lengths(coverage: Coverage) -> Content:
    lines = [Content.styled("\nWORDS  median, and from the lowest to the highest tenth", "bold $text-accent")]
    for lengths in coverage.lengths:
        label = f"{lengths.part:<11}{line(lengths.decision, 12):<13}"
        figures = f"{lengths.spread.median:>5.0f}  {lengths.spread.tenth:.0f}–{lengths.spread.ninetieth:.0f}"
        ends = f"{lengths.first} to {lengths.first + lengths.step * len(lengths.bins)}"
        lines.append(Content.assemble(f"{label}{figures:<16}", (histogram(lengths.bins), "$text-accent"), f"  {ends}"))
    return Content("\n").join(lines)


def _draw_levels(coverage: Coverage, width: int) -> Content:
    heading = "\nLEVELS  how many pieces of evidence in how many examples; confidence, as above"
    lines = [Content.styled(heading, "bold $text-accent")]
    for level, by_decision in coverage.confidence.items():
        counts = " · ".join(f"{pieces} in {number:,}" for pieces, number in coverage.pieces.get(level, {}).items())
        lines.append(Content(line(f"level {level} · pieces: {counts}", width)))
        decisions = [f"{line(decision, 12)} {_describe_spread(spread)}" for decision, spread in by_decision.items()]
        lines.append(Content.styled(f"          {line(' · '.join(decisions), max(10, width - 10))}", "$text-muted"))
    return Content("\n").join(lines)


def _describe_spread(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.tenth:.2f}–{spread.ninetieth:.2f})"


def describe_shortcut(shortcut: Shortcut) -> list[tuple[str, str]]:
    """What the score of the hypothesis alone means, in two sentences, each with its style."""
    if shortcut.problem:
        return [(f"no figure: it {shortcut.problem}", "$text-muted")]
    rate = shortcut.right / shortcut.examples
    interval = f"({shortcut.low:.1%}–{shortcut.high:.1%})"
    score = f"{shortcut.right:,}/{shortcut.examples:,} right, {rate:.1%} {interval}"
    comparison = f"; the most frequent decision alone: {shortcut.majority:.1%}. "
    if shortcut.exists:
        meaning = "The hypothesis gives something of the decision away: a model can be right without the evidence."
        return [(score + comparison, ""), (meaning, "$text-warning")]
    return [(score + comparison, ""), ("The hypothesis tells no more than that.", "$text-success")]
