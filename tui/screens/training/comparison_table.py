"""The text of the table after training."""

from __future__ import annotations

from textual.content import Content

from core.training.comparison import ComparisonPair, ComparisonRow, ComparisonTable
from core.training.comparison_words import (
    FIGURES,
    GROUP_FIGURES,
    describe_fields,
    describe_group,
    describe_row,
    describe_share,
)
from core.training.seed_groups import SeedGroup
from tui.text import clean

_LABEL_WIDTH = 18


def render_table(table: ComparisonTable) -> Content:
    """Each model with its figures, or with how to measure it; those of several seeds; then each pair with its gap."""
    over = "no benchmark yet" if table.examples is None else f"on the same {table.examples:,} examples"
    blocks = [Content.styled(f"What came of training, {over}\n", "bold")]
    blocks += [_render_row(row) for row in table.rows]
    blocks += [_render_group(group) for group in table.groups]
    if table.pairs:
        words = "\nOn the same examples, pair by pair (exact McNemar, corrected by Holm's method over all pairs):"
        blocks.append(Content.styled(words, "bold"))
        blocks += [_render_pair(pair) for pair in table.pairs]
    return Content("\n").join(blocks)


def _render_row(row: ComparisonRow) -> Content:
    head = (f"\n{clean(row.what, limit=30)} · {clean(row.model, limit=60)}", "bold $text-accent")
    if row.measured is None:
        reason = row.problem or ("a benchmark is at work" if row.going else f"not measured: {row.command}")
        return Content.assemble(head, f"\n  {clean(reason, limit=300)}")
    figures = [*zip(FIGURES, describe_row(row), strict=True), *describe_fields(row.measured).items()]
    lines = [f"\n  {label:<{_LABEL_WIDTH}}{clean(value)}" for label, value in figures]
    return Content.assemble(head, *lines, f"\n  {'gate':<{_LABEL_WIDTH}}{row.measured.verdict.value}")


def _render_group(group: SeedGroup) -> Content:
    """The models that differ in their seed alone, with mean and spread."""
    head = (f"\n{clean(group.what, limit=30)} over {len(group.seeds)} seeds", "bold $text-accent")
    names = clean(", ".join(group.models), limit=300)
    fields = [(name, describe_share(share)) for name, share in group.fields.items()]
    figures = [*zip(GROUP_FIGURES, describe_group(group), strict=True), *fields]
    lines = [f"\n  {label.split(':')[0]:<{_LABEL_WIDTH}}{clean(value)}" for label, value in figures]
    waiting = clean(", ".join(group.waiting), limit=300)
    return Content.assemble(head, f"\n  {names}", *lines, f"\n  without a benchmark: {waiting}" if waiting else "")


def _render_pair(pair: ComparisonPair) -> Content:
    comparison = pair.found
    gap = f"{100 * comparison.gap:+.1f} points ({100 * comparison.low:+.1f} to {100 * comparison.high:+.1f})"
    return Content(clean(f"  {pair.second} against {pair.first}: {gap}, p = {comparison.corrected:.2g}", limit=300))
