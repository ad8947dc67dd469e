"""The text of the table after training."""

from __future__ import annotations

from textual.content import Content

from core.training.comparison import FIGURES, ComparisonPair, ComparisonRow, ComparisonTable, describe_row
from tui.text import clean

_LABEL_WIDTH = 18


def render_table(table: ComparisonTable) -> Content:
    """Each model with its figures, or with how to measure it; then each pair of models with its gap."""
    over = "no benchmark yet" if table.examples is None else f"on the same {table.examples:,} examples"
    blocks = [Content.styled(f"What came of training, {over}\n", "bold")]
    blocks += [_render_row(row) for row in table.rows]
    if table.pairs:
        blocks.append(Content.styled("\nOn the same examples, pair by pair (exact McNemar, not corrected):", "bold"))
        blocks += [_render_pair(pair) for pair in table.pairs]
    return Content("\n").join(blocks)


def _render_row(row: ComparisonRow) -> Content:
    head = (f"\n{clean(row.what, limit=30)} · {clean(row.model, limit=60)}", "bold $text-accent")
    if row.measured is None:
        reason = row.problem or ("a benchmark is at work" if row.going else f"not measured: {row.command}")
        return Content.assemble(head, f"\n  {clean(reason, limit=300)}")
    lines = [
        f"\n  {label:<{_LABEL_WIDTH}}{clean(value)}" for label, value in zip(FIGURES, describe_row(row), strict=True)
    ]
    return Content.assemble(head, *lines, f"\n  {'gate':<{_LABEL_WIDTH}}{row.measured.verdict.value}")


def _render_pair(pair: ComparisonPair) -> Content:
    comparison = pair.found
    gap = f"{100 * comparison.gap:+.1f} points ({100 * comparison.low:+.1f} to {100 * comparison.high:+.1f})"
    return Content(clean(f"  {pair.second} against {pair.first}: {gap}, p = {comparison.p:.2g}", limit=300))
