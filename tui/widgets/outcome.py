"""The whole outcome of a benchmark, as a page."""

from __future__ import annotations

from textual.content import Content

from core.benchmark.calibration import Reliability
from core.benchmark.metrics import NO_ANSWER, Figures, Spent
from core.benchmark.outcome import Outcome
from core.benchmark.start import title
from tui.text import clean, line
from tui.widgets.bars import bar
from tui.widgets.measured import accuracy

_CELL, _BAR = 10, 20

Parts = list[Content | str | tuple[str, str]]


def drawn(found: Outcome) -> Content:
    """One run: accuracy, confusion, by label, calibration with its bins, time, tokens and cost."""
    numbers = found.figures
    parts: Parts = [(f"{clean(title(found.params))} · {found.run.id[-6:]}\n", "bold $text-accent")]
    parts.append(f"{numbers.right} of {numbers.n} right, {accuracy(numbers.right, numbers.n)}")
    if numbers.n < found.asked:
        parts.append(f", of {found.asked} so far")
    parts.append(f"\nbalanced accuracy {_number(numbers.balanced_accuracy)} · macro-F1 {_number(numbers.macro_f1)}\n")
    parts += _confusion(numbers)
    for name, sure in (("stated confidence", found.calibration.stated), ("probability", found.calibration.probability)):
        parts += _sure(name, sure)
    parts += _took(numbers)
    return Content.assemble(*parts)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _confusion(numbers: Figures) -> Parts:
    columns = [one for one in dict.fromkeys(name for row in numbers.confusion.values() for name in row) if one]
    heads = [*columns, NO_ANSWER]
    parts: Parts = [("\nlabel \\ decision", "$text-muted")]
    parts += [f"{line(name or 'no answer', _CELL):>{_CELL + 1}}" for name in heads]
    parts.append(("  found", "$text-muted"))
    for label, row in numbers.confusion.items():
        parts.append(f"\n{line(label, 16):<16}")
        for name in heads:
            style = "$text-success" if name == label else "$text-error" if row.get(name) else "$text-muted"
            parts.append((f"{row.get(name, 0):>{_CELL + 1}}", style))
        recall = numbers.by_label[label].recall if label in numbers.by_label else None
        if recall is not None and recall.rate is not None:
            parts.append(f"{100 * recall.rate:>5.0f} %")
    return [*parts, "\n"]


def _sure(name: str, found: Reliability) -> Parts:
    if not found.n:
        return [(f"\n{name}: none\n", "$text-muted")]
    ece = "unknown" if found.ece is None else f"{found.ece:.3f} ({found.low:.3f}–{found.high:.3f})"
    parts: Parts = [f"\n{name} of {found.n}: Brier {_number(found.brier)} · ECE {ece}"]
    if found.distinct == 1:
        parts.append((" · always the same", "$text-warning"))
    for one in found.bins:
        parts.append(f"\n  said {one.confidence:.2f} of {one.n:>4} ")
        parts.append((bar(one.accuracy, _BAR), "$text-accent"))
        parts.append(f" {100 * one.accuracy:.0f} % right ({100 * one.low:.0f}–{100 * one.high:.0f})")
    return [*parts, "\n"]


def _took(numbers: Figures) -> Parts:
    latency = numbers.latency
    time = "unknown" if latency.p50 is None else f"p50 {latency.p50:.2f} s, p95 {latency.p95:.2f} s of {latency.n}"
    rows = [f"\ntime {time}"]
    for name, spent in (
        ("seconds", numbers.seconds),
        ("tokens in", numbers.input_tokens),
        ("tokens out", numbers.output_tokens),
        ("cost", numbers.cost),
    ):
        rows.append(f"{name} {_spent(spent)}")
    return ["\n".join(rows)]


def _spent(found: Spent) -> str:
    if found.total is None or found.per_thousand is None:
        return "unknown"
    return f"{found.total:,.2f}, {found.per_thousand:,.2f} for 1,000 judgements"
