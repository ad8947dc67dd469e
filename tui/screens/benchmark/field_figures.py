"""Accuracy by field of the steps as text for the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from core.benchmark.field_cells import FieldSlices, WeakSpot, slice_field, weak_spot
from core.benchmark.field_report import MEANINGS, FieldMistake, FieldReport, describe_fields
from core.benchmark.metrics import Slice
from core.benchmark.step_fields import FieldScore
from core.config.case import Mode
from core.runs.control import RunStatus
from core.runs.params import BenchmarkParams, params_of
from tui.keymap import key
from tui.screens.benchmark.figures import Parts, interval, percent
from tui.text import line

# From so many columns on, the table says what each field means.
WIDE = 120
_NAME_WIDTH = 11


def field_page(report: FieldReport, role: str, status: RunStatus, field: str, chosen: int, width: int) -> Content:
    """The table of fields, of which `field` is chosen, and its worst answers, of which number `chosen` (from 0) is."""
    params = params_of(status.run, BenchmarkParams)
    parts: Parts = [(line(f"FIELDS · {role} · {params.model}", width), "bold $text-accent"), "\n"]
    if not report.scores:
        return Content.assemble(*parts, _why_nothing(report, params, ended=status.state.ended))
    slices = {score.field: slice_field(report.cells, score.field) for score in report.scores}
    parts += [describe_fields(report), "\n"]
    parts += _counts(report)
    parts += ["\n", *_table(report.scores, slices, field, width), "\n"]
    parts += _by_kind(slices[field], field, width)
    parts += _worst(report.mistakes.get(field, []), field, chosen, width)
    parts += _advice(weak_spot(report.cells, spot_field(report, field)))
    return Content.assemble(*parts)


def spot_field(report: FieldReport, field: str) -> str:
    """The field that more examples are made for: the chosen one, or the worst if the chosen one is never wrong."""
    weakest = report.weakest
    return field if field in report.worst or weakest is None else weakest.field


def _why_nothing(report: FieldReport, params: BenchmarkParams, *, ended: bool) -> str:
    """Why there is no accuracy by field, and what to do."""
    if not report.asked:
        return (
            "None of the examples that this run asks about has steps. The procedural source writes them with each "
            f"example ({key('app.generate')}), and Edit takes them by hand ({key('review.edit')} on Review)."
        )
    if not report.answers and not ended:
        return "No answer yet."
    if params.mode is Mode.DIRECT:
        return (
            "This run asks for the decision alone, so that no answer holds steps: "
            f"{key('benchmark.start')} starts one in the mode {Mode.REASON.value}."
        )
    return (
        f"None of {report.answers:,} answers holds steps as the task words them. A student learns to write them by a "
        f'recipe with rationale = "steps" ({key("app.training")}).'
    )


def _counts(report: FieldReport) -> Parts:
    parts = [f"{report.answers:,} answers to {report.asked:,} examples with steps"]
    if report.without_steps:
        parts.append(f"{report.without_steps:,} hold no steps")
    if report.contradictions:
        parts.append(f"{len(report.contradictions):,} decide otherwise than their own steps")
    return [(" · ".join(parts), "$text-muted"), "\n"]


def _table(scores: Sequence[FieldScore], slices: Mapping[str, FieldSlices], field: str, width: int) -> Parts:
    """A line for each field; beside it, as far as there is room, its share by level and by parts, in per cent."""
    meaning_width = 2 + max(map(len, MEANINGS.values())) if width >= WIDE else 0
    head = f"  {'field':<{_NAME_WIDTH}}{'':<{meaning_width}}{'right':>13}  {'%':<22}"
    room = width - cell_len(head)
    levels = sorted({level for own in slices.values() for level in own.by_level})
    parts_of_claim = sorted({number for own in slices.values() for number in own.by_parts})
    columns = [f"L{level}" for level in levels]
    if len(parts_of_claim) > 1:
        columns += [f"{number} part{'s' if number > 1 else ''}" for number in parts_of_claim]
    sizes = [max(6, len(column) + 2) for column in columns]
    while columns and sum(sizes) > room:
        columns.pop()
        sizes.pop()
    rows: Parts = [(head + "".join(f"{name:>{size}}" for name, size in zip(columns, sizes, strict=True)), "bold")]
    for score in scores:
        own = slices[score.field]
        values = [own.by_level.get(level) for level in levels] + [own.by_parts.get(n) for n in parts_of_claim]
        rate = f"{percent(score.share)} {interval(score.low, score.high)}"
        meaning = MEANINGS[score.field] if meaning_width else ""
        counts = f"{score.right:,}/{score.n:,}"
        text = f"{'▸' if score.field == field else ' '} {score.field:<{_NAME_WIDTH}}{meaning:<{meaning_width}}"
        text += f"{counts:>13}  {rate:<22}"
        text += "".join(f"{_rate(value):>{size}}" for value, size in zip(values, sizes, strict=False))
        rows.append((f"\n{text}", "bold" if score.field == field else ""))
    return rows


def _rate(slice_: Slice | None) -> str:
    """A share in per cent, with `!` where it differs from the rest; '–' for no case."""
    if slice_ is None or slice_.rate is None:
        return "–"
    return percent(slice_.rate, 0) + ("!" if slice_.differs else "")


def _by_kind(slices: FieldSlices, field: str, width: int) -> Parts:
    """The chosen field by kind of inference, where that is known of more than one."""
    if len(slices.by_inference) < 2:
        return []
    ordered = sorted(slices.by_inference.items(), key=lambda item: item[1].right / item[1].n)
    kinds = [f"{kind} {slice_.right:,}/{slice_.n:,}{'!' if slice_.differs else ''}" for kind, slice_ in ordered]
    return [(line(f"{field} by inference: {' · '.join(kinds)}", width), "$text-muted"), "\n"]


def _worst(mistakes: Sequence[FieldMistake], field: str, chosen: int, width: int) -> Parts:
    """The worst answers of the chosen field: what it should be, what was written, and the hypothesis."""
    if not mistakes:
        return [(f"\n{field} is right in each answer.", "$text-muted"), "\n"]
    parts: Parts = [(f"\n{field}: wrong though surest", "bold $text-accent")]
    for position, mistake in enumerate(mistakes):
        mark = "▸" if position == chosen else " "
        cell = line(f"{mistake.domain} {mistake.level}", 14)
        written = f"“{line(mistake.written, 26)}”" if mistake.written else "nothing"
        head = f"{mark} {set_cell_size(cell, 14)} {written} for “{line(mistake.expected, 26)}” · "
        text = head + line(mistake.hypothesis, max(10, width - cell_len(head)))
        parts.append((f"\n{text}", "bold" if position == chosen else ""))
    return [*parts, "\n"]


def _advice(spot: WeakSpot | None) -> Parts:
    if spot is None:
        return []
    kind = f", {spot.inference}" if spot.inference else ""
    text = f"level {spot.level}{kind}, where {spot.field} is right in {spot.right:,} of {spot.n:,}"
    more = f"{key('benchmark.more-like-it')} opens Generate for more: "
    return [("\n", ""), (more, "bold"), text]
