"""How far people, label and judge agree, in words and figures."""

from __future__ import annotations

from textual.content import Content

from core.review.agreement import NAMELESS, Agreement, AgreementReport, Coefficient, conclusion
from tui.text import line


def drawn(found: AgreementReport) -> Content:
    """The report for a person."""
    plural = "" if found.decisions == 1 else "s"
    parts: list[Content | str | tuple[str, str]] = [
        ("Agreement", "bold"),
        f" · {found.decisions:,} blind decision{plural}\n",
    ]
    if not found.pairs:
        parts.append(
            "\nThere is nothing to compare yet. With the label hidden (key b), the letters below an example decide "
            "about it; each such decision is held against the label, the judge, and what others decided."
        )
    for pair in found.pairs:
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
            f"  Cohen's kappa          {coefficient(pair.kappa)}\n",
            f"  Krippendorff's alpha   {coefficient(pair.alpha)}\n",
            *(f"  {text}\n" for text in differences(pair)),
        ]
    if found.together:
        alpha = coefficient(found.together.alpha)
        parts += [
            (f"\nall {found.together.people} people\n", "bold $text-accent"),
            f"  Krippendorff's alpha   {alpha}, on {found.together.examples:,} examples that two or more decided\n",
        ]
    if any(NAMELESS in (pair.who, pair.whom) for pair in found.pairs):
        parts.append(("\n`sidequest --as NAME` says who you are, so that people can be told apart.\n", "$text-muted"))
    if found.pairs:
        said = "\nIn brackets: 95 % intervals, resampled by family. Kappa and alpha are 1 where all agree, and 0 where "
        parts.append((f"{said}the agreement is what chance gives.", "$text-muted"))
    return Content.assemble(*parts)


def coefficient(found: Coefficient) -> str:
    """A coefficient with its interval, or why there is none."""
    if found.value is None:
        return found.undefined
    if found.low is None or found.high is None:
        return f"{found.value:.2f} ({found.undefined})"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def differences(pair: Agreement) -> list[str]:
    """What the two decided differently, the most frequent first."""
    rows = pair.confusion.items()
    counts = [(count, one, two) for one, row in rows for two, count in row.items() if one != two]
    counts.sort(reverse=True)
    return [
        f"{count:>4} × {line(one, 20)}, where {line(pair.whom, 24)} says {line(two, 20)}" for count, one, two in counts
    ]
