"""The steps of an example as lines, and their quotes lit in the evidence."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from core.qa.steps import quote_span
from storage.schema import Evidence, Finding, Holds, Step
from tui.text import LIMIT, clean

SIGNS = {Holds.YES: ("✓", "$text-success"), Holds.NO: ("✗", "$text-error"), Holds.OPEN: ("?", "$text-warning")}
# The marks above as a help explains them.
MARKS = ((" ".join(sign for sign, _ in SIGNS.values()), "a step: holds · does not · the evidence leaves it open"),)
_LIT = "bold underline $text-success"
_LIT_AGAINST = "bold underline $text-warning"
# Steps beyond this many characters in all are counted, not drawn; quotes beyond this many are not lit.
_STEPS_LIMIT = 20_000
_MOST_LIT = 100


def step_line(step: Step) -> str:
    """A step as `part · found · claimed · ✓`, in one line of any length."""
    return f"{' · '.join(_flat(text) for text in (step.part, step.found, step.claimed))} · {SIGNS[step.holds][0]}"


def against_lines(step: Step) -> list[str]:
    """A line for each piece that disagrees: what it says, and which pieces count instead, and why; often none."""
    counting = ", ".join(dict.fromkeys(str(finding.piece) for finding in step.findings)) or "none"
    why = f", by {step.why}" if step.why else ""
    return [
        f"against: piece {finding.piece} ({_flat(finding.source)}) {_flat(finding.says)}, “{_flat(finding.quote)}” · "
        f"piece {counting} counts{why}"
        for finding in step.against
    ]


def step_block(steps: Sequence[Step]) -> Content:
    """All steps, one a line, with what stands against each below it. Says how many are left out, if any are."""
    lines: list[Content] = []
    room = _STEPS_LIMIT
    for position, step in enumerate(steps):
        if room <= 0:
            lines.append(Content.styled(f"… and {len(steps) - position:,} more steps", "$text-muted"))
            break
        text = step_line(step)
        sign, style = SIGNS[step.holds]
        lines.append(Content.assemble(text.removesuffix(sign), (sign, style)))
        against = against_lines(step)
        lines += [Content.styled(f"  {weighing}", "$text-muted") for weighing in against]
        room -= len(text) + sum(map(len, against))
    return Content("\n").join(lines)


def lit_evidence(evidence: Sequence[Evidence], position: int, steps: Sequence[Step], limit: int) -> Content:
    """The text of the piece at `position` (from 0) with the quotes of `steps` in a style of their own.

    Of a longer text only the first `limit` characters are drawn.
    """
    text = evidence[position].content
    visible = text[:limit]
    parts: list[str | tuple[str, str]] = []
    end_of_last = 0
    for start, end, style in sorted(_spans(visible, position + 1, steps)):
        if end <= end_of_last:
            continue
        start = max(start, end_of_last)
        parts += [clean(visible[end_of_last:start]), (clean(visible[start:end]), style)]
        end_of_last = end
    parts.append(clean(visible[end_of_last:]))
    if len(text) > limit:
        parts.append(f" … cut here: {len(text):,} characters in all")
    return Content.assemble(*parts)


def _spans(text: str, piece: int, steps: Sequence[Step]) -> list[tuple[int, int, str]]:
    quotes: list[tuple[Finding, str]] = []
    for step in steps:
        quotes += [(finding, _LIT) for finding in step.findings if finding.piece == piece]
        quotes += [(finding, _LIT_AGAINST) for finding in step.against if finding.piece == piece]
    spans = []
    for finding, style in quotes[:_MOST_LIT]:
        span = quote_span(finding.quote, text) if len(finding.quote) <= len(text) else None
        if span is not None:
            spans.append((*span, style))
    return spans


def _flat(text: str) -> str:
    return " ".join(clean(text, limit=LIMIT).split())
