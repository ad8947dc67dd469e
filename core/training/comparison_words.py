"""The table after training in words, as the command line, the screen and the card of an exported model show it."""

from __future__ import annotations

from core.training.comparison import ComparisonRow
from core.training.measured import MeasuredModel
from core.training.seed_groups import SeedGroup, SeedSpread
from storage.schema import PredictionOutcome

# The columns of `describe_row`, each with its 95 % interval where it has one.
FIGURES = (
    "right",
    "balanced",
    "Brier",
    "ECE",
    "AUROC",
    "confidence",
    "p50",
    "tokens in/out",
    "cost of 1,000",
    "without answer",
)
# The columns of `describe_group`.
GROUP_FIGURES = ("seeds", "right: mean ± SD (range)", "ECE", "AUROC", "p50", "tokens out", "cost of 1,000")


def describe_row(row: ComparisonRow) -> tuple[str, ...]:
    """The figures of a row for a person; unknown figures say so."""
    measured = row.measured
    if measured is None:
        return ("at work" if row.going else "not measured", *[""] * (len(FIGURES) - 1))
    without = [
        f"{number} {name}" for name, number in measured.outcomes.items() if name != PredictionOutcome.ANSWERED.value
    ]
    rate = "unknown" if measured.accuracy is None else f"{100 * measured.accuracy:.1f} %"
    return (
        f"{measured.right}/{measured.n}, {rate} ({100 * measured.low:.1f}–{100 * measured.high:.1f})",
        "unknown" if measured.balanced_accuracy is None else f"{100 * measured.balanced_accuracy:.1f} %",
        _score(measured.brier, measured.brier_low, measured.brier_high),
        _score(measured.ece, measured.ece_low, measured.ece_high),
        _number(measured.auroc, "{:.3f}"),
        measured.basis,
        _number(measured.latency_p50, "{:.2f} s"),
        f"{_number(measured.input_tokens, '{:,.0f}')} / {_number(measured.output_tokens, '{:,.0f}')}",
        _number(measured.cost_per_thousand, "{:.2f}"),
        ", ".join(without) or "0",
    )


def describe_fields(measured: MeasuredModel) -> dict[str, str]:
    """The accuracy by field of the steps, '59/60, 98.3 % (91.1–99.7)'; empty for a model that writes none."""
    return {
        score.field: f"{score.right}/{score.n}, {100 * score.share:.1f} % "
        f"({100 * score.low:.1f}–{100 * score.high:.1f})"
        for score in measured.fields
    }


def describe_group(group: SeedGroup) -> tuple[str, ...]:
    """The figures of a group over its seeds for a person."""
    beside = group.beside
    return (
        ", ".join(map(str, group.seeds)),
        describe_share(group.accuracy),
        _spread(beside.get("ece"), "{:.3f}"),
        _spread(beside.get("auroc"), "{:.3f}"),
        _spread(beside.get("latency_p50"), "{:.2f} s"),
        _spread(beside.get("output_tokens"), "{:,.0f}"),
        _spread(beside.get("cost_per_thousand"), "{:.2f}"),
    )


def describe_share(spread: SeedSpread | None) -> str:
    """'81.0 % ± 2.1 (78.6–82.4, 3 seeds)'."""
    if spread is None:
        return "not measured"
    deviation = "" if spread.sd is None else f" ± {100 * spread.sd:.1f}"
    seeds = f"{spread.seeds} seed{'' if spread.seeds == 1 else 's'}"
    return f"{100 * spread.mean:.1f} %{deviation} ({100 * spread.low:.1f}–{100 * spread.high:.1f}, {seeds})"


def _spread(spread: SeedSpread | None, form: str) -> str:
    if spread is None:
        return "unknown"
    deviation = "" if spread.sd is None else f" ± {form.removesuffix(' s').format(spread.sd)}"
    return f"{form.format(spread.mean)}{deviation}"


def _number(value: float | None, form: str) -> str:
    return "unknown" if value is None else form.format(value)


def _score(value: float | None, low: float | None, high: float | None) -> str:
    return "unknown" if value is None or low is None or high is None else f"{value:.3f} ({low:.3f}–{high:.3f})"
