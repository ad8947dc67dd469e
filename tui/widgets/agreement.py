"""How far people, label and judge agree, in words and figures."""

from __future__ import annotations

from textual.content import Content

from core.review.agreement import UNNAMED, Agreement, AgreementReport, Coefficient, conclusion
from tui.text import line


def draw_report(report: AgreementReport) -> Content:
    """The report over all blind decisions, for a person."""
    plural = "" if report.decisions == 1 else "s"
    parts: list[Content | str | tuple[str, str]] = [
        ("Agreement", "bold"),
        f" · {report.decisions:,} blind decision{plural}\n",
    ]
    if not report.pairs:
        parts.append(
            "\nThere is nothing to compare yet. With the label hidden (key b), the letters below an example decide "
            "about it; each such decision is held against the label, the judge, and what others decided."
        )
    for pair in report.pairs:
        rate = f"{pair.agreed:,}/{pair.examples:,} ({pair.low:.0%}–{pair.high:.0%})"
        families = (
            f", of {pair.families:,} famil{'y' if pair.families == 1 else 'ies'}"
            if pair.families != pair.examples
            else ""
        )
        parts += [
            (f"\n{line(pair.who, 24)} with {line(pair.whom, 24)}\n", "bold $text-accent"),
            f"  agree on {rate}{families}\n",
            f"  {conclusion(pair)}\n",
            f"  Cohen's kappa          {format_coefficient(pair.kappa)}\n",
            f"  Krippendorff's alpha   {format_coefficient(pair.alpha)}\n",
            *(f"  {text}\n" for text in describe_differences(pair)),
        ]
    if report.together:
        alpha = format_coefficient(report.together.alpha)
        parts += [
            (f"\nall {report.together.people} people\n", "bold $text-accent"),
            f"  Krippendorff's alpha   {alpha}, on {report.together.examples:,} examples that two or more decided\n",
        ]
    if any(UNNAMED in (pair.who, pair.whom) for pair in report.pairs):
        parts.append(("\n`sidequest --as NAME` says who you are, so that people can be told apart.\n", "$text-muted"))
    if report.pairs:
        legend = (
            "\nIn brackets: 95 % intervals, resampled by family. Kappa and alpha are 1 where all agree, and 0 where "
        )
        parts.append((f"{legend}the agreement is what chance gives.", "$text-muted"))
    return Content.assemble(*parts)


def format_coefficient(coefficient: Coefficient) -> str:
    """A coefficient with its interval, or why there is none."""
    if coefficient.value is None:
        return coefficient.undefined
    if coefficient.low is None or coefficient.high is None:
        return f"{coefficient.value:.2f} ({coefficient.undefined})"
    return f"{coefficient.value:.2f} ({coefficient.low:.2f} to {coefficient.high:.2f})"


def describe_differences(pair: Agreement) -> list[str]:
    """What the two decided differently, a line for each pair of labels, the most frequent first."""
    rows = pair.confusion.items()
    counts = [(count, label, other) for label, row in rows for other, count in row.items() if label != other]
    counts.sort(reverse=True)
    return [
        f"{count:>4} × {line(label, 20)}, where {line(pair.whom, 24)} says {line(other, 20)}"
        for count, label, other in counts
    ]
