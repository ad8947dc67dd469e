"""The table after training, as Training shows it."""

from __future__ import annotations

from textual.content import Content

from core.training.comparison import FIGURES, ComparisonPair, ComparisonRow, ComparisonTable, describe_row
from tui.text import clean

_WIDTH = 18


def drawn_table(found: ComparisonTable) -> Content:
    """Each model with its figures, then each pair with its gap; what is missing, with the way to it."""
    over = "no benchmark yet" if found.examples is None else f"on the same {found.examples:,} examples"
    blocks = [Content.styled(f"What came of training, {over}\n", "bold")]
    blocks += [_row(row) for row in found.rows]
    if found.pairs:
        blocks.append(Content.styled("\nOn the same examples, pair by pair (exact McNemar, not corrected):", "bold"))
        blocks += [_pair(one) for one in found.pairs]
    return Content("\n").join(blocks)


def _row(row: ComparisonRow) -> Content:
    head = (f"\n{clean(row.what, limit=30)} · {clean(row.model, limit=60)}", "bold $text-accent")
    if row.measured is None:
        why = row.problem or ("a benchmark is at work" if row.going else f"not measured: {row.command}")
        return Content.assemble(head, f"\n  {clean(why, limit=300)}")
    lines = [f"\n  {name:<{_WIDTH}}{clean(value)}" for name, value in zip(FIGURES, describe_row(row), strict=True)]
    return Content.assemble(head, *lines, f"\n  {'gate':<{_WIDTH}}{row.measured.verdict.value}")


def _pair(one: ComparisonPair) -> Content:
    found = one.found
    gap = f"{100 * found.gap:+.1f} points ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
    return Content(clean(f"  {one.second} against {one.first}: {gap}, p = {found.p:.2g}", limit=300))
