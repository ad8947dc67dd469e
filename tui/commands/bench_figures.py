"""The figures of benchmarks as the command line prints them."""

from __future__ import annotations

from core.benchmark.calibration import Reliability
from core.benchmark.field_cells import weak_spot
from core.benchmark.field_report import FieldReport, describe_fields
from core.benchmark.metrics import NO_ANSWER, BenchmarkFigures, Rate, Slice
from core.benchmark.paired import Comparison, Gap
from core.benchmark.start import benchmark_title
from core.benchmark.summary import BenchmarkSummary
from core.runs.params import BenchmarkParams, params_of
from storage.schema import Run
from tui.commands.output import say, show, table


def format_rate(rate: Rate | Slice) -> str:
    """Return '17/20, 85.0 % (64.0–94.8)', or 'unknown'."""
    if rate.rate is None:
        return "unknown"
    return f"{rate.right}/{rate.n}, {_percent(rate.rate)} % ({_percent(rate.low)}–{_percent(rate.high)})"


def show_summary(summary: BenchmarkSummary) -> None:
    """Print the figures of one run."""
    figures = summary.figures
    show(f"{benchmark_title(summary.params)} · run {summary.run.id[-6:]} · {summary.state.value}")
    if summary.params.sniff:
        show("A smoke test: it shows that the model answers, and says nothing of its accuracy.")
    accuracy = Rate(figures.right, figures.n, figures.accuracy, figures.low, figures.high)
    so_far = "" if figures.n == summary.asked else f" of {summary.asked} so far"
    show(f"\n  accuracy    {format_rate(accuracy)}{so_far}")
    for name, value in (("balanced", figures.balanced_accuracy), ("macro F1", figures.macro_f1)):
        show(f"  {name:<11} {'unknown' if value is None else f'{value:.3f}'}")
    outcomes = ", ".join(f"{count} {name}" for name, count in figures.outcomes.items() if count)
    show(f"  outcomes    {outcomes or 'none yet'}")
    calibration = summary.calibration
    for name, reliability in (("stated", calibration.stated), ("by logits", calibration.probability)):
        show(f"  {name:<11} {_format_reliability(reliability)}")
    show(f"  time        {_format_time(figures)}")
    if figures.cost.total is not None:
        show(f"  cost        {figures.cost.total:.4f}, {figures.cost.per_thousand:.2f} per 1,000")
    _show_confusion(figures)
    _show_fields(summary.fields)
    show("")
    slices = [(f"level {level}", slice_) for level, slice_ in figures.by_level.items()]
    slices += figures.by_domain.items()
    table(
        ["", "right", "differs from the rest"],
        [(name, format_rate(slice_), _format_difference(slice_)) for name, slice_ in slices],
    )


def show_comparison(first: Run, second: Run, comparison: Comparison) -> None:
    """Print the second run against the first."""
    for name, run in (("first", first), ("second", second)):
        show(f"{name:<8}{benchmark_title(params_of(run, BenchmarkParams))} · run {run.id[-6:]}")
    show(f"\n  {comparison.n} pairs of {comparison.families} families: the second is ahead by {format_gap(comparison)}")
    show(
        f"  both right {comparison.both_right}, only first {comparison.b}, only second {comparison.c}, "
        f"both wrong {comparison.both_wrong}"
    )
    only_first, only_second = comparison.only_first_asked, comparison.only_second_asked
    if only_first + only_second:
        say(f"{only_first} asked of the first alone, {only_second} of the second: left out")
    show("")
    gaps = [(f"level {level}", gap) for level, gap in comparison.by_level.items()]
    gaps += comparison.by_domain.items()
    table(
        ["", "pairs", "gap", "corrected p"],
        [(name, gap.n, format_gap(gap), format_p(gap.corrected)) for name, gap in gaps],
    )


def _show_fields(report: FieldReport) -> None:
    if not report.scores:
        return
    show("")
    table(
        ["steps", "right", "worst"],
        [
            (
                score.field,
                format_rate(Rate(score.right, score.n, score.share, score.low, score.high)),
                ", ".join(example[-6:] for example in report.worst.get(score.field, [])),
            )
            for score in report.scores
        ],
    )
    show(f"  {describe_fields(report)}")
    if report.weakest is not None and (spot := weak_spot(report.cells, report.weakest.field)) is not None:
        kind = f" --inference {spot.inference}" if spot.inference else ""
        show(f"  more of these: sidequest generate --fill --level {spot.level}{kind}")
    if report.contradictions:
        show(f"  {len(report.contradictions)} of {report.answers} answers decide otherwise than their own steps")
    if report.without_steps:
        show(f"  {report.without_steps} of {report.answers} answers hold no steps")


def _show_confusion(figures: BenchmarkFigures) -> None:
    columns = list(dict.fromkeys(decision for row in figures.confusion.values() for decision in row))
    show("")
    table(
        ["label \\ decision", *(column or "no answer" for column in columns if column != NO_ANSWER), "no answer"],
        [
            (label, *(row.get(column, 0) for column in columns if column != NO_ANSWER), row.get(NO_ANSWER, 0))
            for label, row in figures.confusion.items()
        ],
    )


def _format_reliability(reliability: Reliability) -> str:
    if not reliability.n:
        return "no confidence"
    ece = ""
    if reliability.ece is not None and reliability.low is not None:
        ece = f", ECE {reliability.ece:.3f} ({reliability.low:.3f}–{reliability.high:.3f})"
    same = ", always the same" if reliability.distinct == 1 else ""
    auroc = "" if reliability.auroc is None else f", AUROC {reliability.auroc:.3f}"
    e_aurc = "" if reliability.e_aurc is None else f", E-AURC {reliability.e_aurc:.3f}"
    return f"confidence of {reliability.n}: Brier {reliability.brier:.3f}{ece}{auroc}{e_aurc}{same}"


def _format_time(figures: BenchmarkFigures) -> str:
    if figures.latency.p50 is None:
        return "unknown"
    per_thousand = figures.seconds.per_thousand
    total = "" if per_thousand is None else f", {per_thousand:,.0f} s of the model's time per 1,000"
    return f"p50 {figures.latency.p50:.2f} s, p95 {figures.latency.p95:.2f} s{total}"


def _format_difference(slice_: Slice) -> str:
    return "" if slice_.p is None else f"yes, p = {format_p(slice_.p)}" if slice_.differs else ""


def format_gap(gap: Gap) -> str:
    """How far the second run is ahead, in points, with its interval and p."""
    return f"{_points(gap.gap)} points ({_points(gap.low)} to {_points(gap.high)}), p = {format_p(gap.p)}"


def _points(fraction: float) -> str:
    return f"{100 * fraction:.1f}".replace("-", "−")


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def format_p(p: float | None) -> str:
    """p with four digits; '' if there is none."""
    return "" if p is None else "< 0.0001" if p < 0.0001 else f"{p:.4f}"
