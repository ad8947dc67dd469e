"""The figures of benchmarks as the command line prints them."""

from __future__ import annotations

from core.benchmark.calibration import Reliability
from core.benchmark.metrics import NO_ANSWER, BenchmarkFigures, Rate, Slice
from core.benchmark.paired import Comparison, Gap
from core.benchmark.start import title
from core.benchmark.summary import BenchmarkSummary
from core.runs.params import BenchmarkParams, params_of
from storage.schema import Run
from tui.commands.output import say, show, table


def rate(found: Rate | Slice) -> str:
    """'17/20, 85.0 % (64.0–94.8)'; unknown stays unknown."""
    if found.rate is None:
        return "unknown"
    return f"{found.right}/{found.n}, {_percent(found.rate)} % ({_percent(found.low)}–{_percent(found.high)})"


def show_outcome(found: BenchmarkSummary) -> None:
    """Print what one run says."""
    numbers = found.figures
    show(f"{title(found.params)} · run {found.run.id[-6:]} · {found.state.value}")
    if found.params.sniff:
        show("A smoke test: it shows that the model answers, and says nothing of its accuracy.")
    whole = Rate(numbers.right, numbers.n, numbers.accuracy, numbers.low, numbers.high)
    show(f"\n  accuracy    {rate(whole)}{'' if numbers.n == found.asked else f' of {found.asked} so far'}")
    for name, value in (("balanced", numbers.balanced_accuracy), ("macro F1", numbers.macro_f1)):
        show(f"  {name:<11} {'unknown' if value is None else f'{value:.3f}'}")
    told = ", ".join(f"{number} {name}" for name, number in numbers.outcomes.items() if number)
    show(f"  outcomes    {told or 'none yet'}")
    for name, sure in (("stated", found.calibration.stated), ("by logits", found.calibration.probability)):
        show(f"  {name:<11} {_sure(sure)}")
    show(f"  time        {_time(numbers)}")
    if numbers.cost.total is not None:
        show(f"  cost        {numbers.cost.total:.4f}, {numbers.cost.per_thousand:.2f} per 1,000")
    _confusion(numbers)
    show("")
    table(
        ["", "right", "differs from the rest"],
        [
            *((f"level {level}", rate(one), _differs(one)) for level, one in numbers.by_level.items()),
            *((domain, rate(one), _differs(one)) for domain, one in numbers.by_domain.items()),
        ],
    )


def show_comparison(first: Run, second: Run, found: Comparison) -> None:
    """Print the second run against the first."""
    one, two = (title(params_of(run, BenchmarkParams)) for run in (first, second))
    show(f"first   {one} · run {first.id[-6:]}\nsecond  {two} · run {second.id[-6:]}\n")
    show(f"  {found.n} pairs of {found.families} families: the second is ahead by {gap(found)}")
    show(f"  both right {found.both_right}, only first {found.b}, only second {found.c}, both wrong {found.both_wrong}")
    left_out = found.only_first_asked + found.only_second_asked
    if left_out:
        say(f"{found.only_first_asked} asked of the first alone, {found.only_second_asked} of the second: left out")
    show("")
    table(
        ["", "pairs", "gap", "corrected p"],
        [
            *((f"level {level}", one.n, gap(one), _p(one.corrected)) for level, one in found.by_level.items()),
            *((domain, one.n, gap(one), _p(one.corrected)) for domain, one in found.by_domain.items()),
        ],
    )


def _confusion(numbers: BenchmarkFigures) -> None:
    columns = list(dict.fromkeys(decision for row in numbers.confusion.values() for decision in row))
    show("")
    table(
        ["label \\ decision", *(column or "no answer" for column in columns if column != NO_ANSWER), "no answer"],
        [
            (label, *(row.get(column, 0) for column in columns if column != NO_ANSWER), row.get(NO_ANSWER, 0))
            for label, row in numbers.confusion.items()
        ],
    )


def _sure(found: Reliability) -> str:
    if not found.n:
        return "no confidence"
    ece = "" if found.ece is None or found.low is None else f", ECE {found.ece:.3f} ({found.low:.3f}–{found.high:.3f})"
    same = ", always the same" if found.distinct == 1 else ""
    return f"confidence of {found.n}: Brier {found.brier:.3f}{ece}{same}"


def _time(numbers: BenchmarkFigures) -> str:
    if numbers.latency.p50 is None:
        return "unknown"
    per_thousand = numbers.seconds.per_thousand
    whole = "" if per_thousand is None else f", {per_thousand:,.0f} s of the model's time per 1,000"
    return f"p50 {numbers.latency.p50:.2f} s, p95 {numbers.latency.p95:.2f} s{whole}"


def _differs(one: Slice) -> str:
    return "" if one.p is None else f"yes, p = {_p(one.p)}" if one.differs else ""


def gap(found: Gap) -> str:
    """How far it is ahead, in points, with its interval and p."""
    return f"{_points(found.gap)} points ({_points(found.low)} to {_points(found.high)}), p = {_p(found.p)}"


def _points(fraction: float) -> str:
    return f"{100 * fraction:.1f}".replace("-", "−")


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def _p(value: float | None) -> str:
    return "" if value is None else "< 0.0001" if value < 0.0001 else f"{value:.4f}"
