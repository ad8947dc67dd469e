"""A benchmark in words and bars: the runs side by side, their slices, pairs and newest answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from core.benchmark.following import Pairs
from core.benchmark.metrics import Counts
from core.runs.control import Seen
from core.runs.figures import duration
from core.statistics import wilson
from storage.schema import Prediction, PredictionOutcome, RunState
from tui.text import content, line
from tui.widgets.bars import bar

STUDENT, REFERENCE = "$text-accent", "$text-warning"
OUTCOMES = {
    PredictionOutcome.REFUSED: "refused",
    PredictionOutcome.TRUNCATED: "cut off",
    PredictionOutcome.UNPARSEABLE: "not readable",
    PredictionOutcome.TIMEOUT: "time-out",
    PredictionOutcome.ERROR: "error",
}
_NAME, _MODEL = 10, 18


def accuracy(right: int, n: int) -> str:
    """'41.7 % (35.4–48.2)'; unknown without an answer."""
    if not n:
        return "no answer yet"
    low, high = wilson(right, n)
    return f"{100 * right / n:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def standing(name: str, style: str, seen: Seen, counts: Counts | None, width: int) -> Content:
    """One run in one line: how far, how good, how fast, for how long; what it waits for, or why it ended."""
    figures = seen.run.progress
    total, done = figures.get("total"), figures.get("done", 0)
    right, n = (counts.right, counts.n) if counts else (figures.get("right", 0), figures.get("n", 0))
    parts = ["" if total is None else f"{done:,}/{total:,}", accuracy(right, n)]
    if seen.state is RunState.RUNNING:
        rate = figures.get("per_minute")
        parts += ["rate unknown" if rate is None else f"{rate:.1f}/min", f"eta {duration(figures.get('eta_s'))}"]
    else:
        parts.append(str(seen.state))
    if figures.get("cost"):
        budget = "" if figures.get("budget") is None else f" of {figures['budget']:.2f}"
        parts.append(f"cost {figures['cost']:.4f}{budget}")
    said = "  ".join(part for part in parts if part)
    head = f"{name:<{_NAME}}{line(str(seen.run.params.get('model', '')), _MODEL):<{_MODEL}} "
    room = min(24, width - len(head) - len(said) - 2)
    drawn = f"{bar(done / total if total else 0.0, room)} " if room >= 5 and total is not None else ""
    return Content.assemble(
        (head, f"bold {style}"), (drawn, style), line(said, max(10, width - len(head) - len(drawn)))
    )


def reason(seen: Seen, width: int) -> Content | None:
    """Why a run ended as it did, where it says so."""
    if not seen.state.ended or not seen.run.reason:
        return None
    style = "$text-error" if seen.state in {RunState.FAILED, RunState.LOST} else "$text-muted"
    return content(line(f"{'':<{_NAME}}{seen.run.reason}", width), style=style)


def slices(first: Counts | None, second: Counts | None, width: int) -> Content:
    """Accuracy in percent by level, then by domain, for both runs; `!` marks what differs from the rest."""
    rows: list[Content] = []
    levels = sorted({*(first.by_level if first else {}), *(second.by_level if second else {})})
    domains = sorted({*(first.by_domain if first else {}), *(second.by_domain if second else {})})
    name = max(8, min(16, width - 2 * 12 - 2))
    rows.append(Content.styled(f"{'':<{name}} {'student':>11} {'reference':>11}", "$text-muted"))
    for label, key, field in (
        *((f"level {level}", level, "by_level") for level in levels),
        *((domain, domain, "by_domain") for domain in domains),
    ):
        cells = [_cell(getattr(one, field).get(key)) if one else "" for one in (first, second)]
        rows.append(
            Content.assemble(
                f"{line(label, name):<{name}} ", (f"{cells[0]:>11}", STUDENT), " ", (f"{cells[1]:>11}", REFERENCE)
            )
        )
    return Content("\n").join(rows)


def _cell(found: object) -> str:
    rate, n = getattr(found, "rate", None), getattr(found, "n", 0)
    if rate is None:
        return "–"
    return f"{'!' if getattr(found, 'differs', False) else ''}{100 * rate:.0f} % of {n}"


def paired(found: Pairs, gap: str, width: int) -> Content:
    """How both stand on what both have answered, in one line."""
    said = (
        f"{found.n:,} pairs: both right {found.both_right:,} · only student {found.only_first:,} · "
        f"only reference {found.only_second:,} · both wrong {found.both_wrong:,}"
    )
    return Content.assemble(line(said, width), ("" if not gap else f"\n{line(gap, width)}", "bold"))


def failures(counts: Mapping[str, Counts | None], width: int) -> Content | None:
    """What has no answer, by kind, of each run; None if all have."""
    parts = []
    for name, found in counts.items():
        told = [
            f"{found.outcomes[kind.value]} {word}"
            for kind, word in OUTCOMES.items()
            if found and found.outcomes.get(kind.value)
        ]
        if told:
            parts.append(f"{name} {', '.join(told)}")
    return (
        content(line(f"without an answer, counted as wrong: {'; '.join(parts)}", width), style="$text-warning")
        if (parts)
        else None
    )


def newest(found: Sequence[tuple[Prediction, str, str]], width: int) -> Content:
    """The newest answers, a line each: (prediction, label, whose)."""
    rows = []
    for one, label, whose in found:
        right = one.decision == label
        mark, style = ("✓", "$text-success") if right else ("✗", "$text-error")
        said = one.decision or OUTCOMES.get(one.outcome, str(one.outcome))
        told = f"{said}" if right else f"{said}, not {label}" if one.decision else f"{said} ({label})"
        sure = "" if one.confidence is None else f" {one.confidence:.2f}"
        head = f"{whose:<9} {one.example[-6:]} {told}{sure}"
        why = line(one.rationale or one.raw, max(4, width - len(head) - 5))
        rows.append(Content.assemble((f"{mark} ", style), line(head, width - 2), "  ", (why, "$text-muted")))
    return Content("\n").join(rows)
