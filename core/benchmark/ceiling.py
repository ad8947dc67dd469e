"""How high an accuracy can be when the labels themselves are uncertain."""

from __future__ import annotations

from dataclasses import dataclass

from core.statistics import wilson


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The accuracy that labels allow, as fractions with a 95 % Wilson interval; None without reviews."""

    agreed: int
    n: int
    accuracy: float | None
    low: float
    high: float
    sentence: str


def ceiling(agreed: int, n: int) -> Ceiling:
    """The ceiling from `n` decisions that people made blind, `agreed` of which match the label.

    A model that judges exactly as these people do agrees with the labels as often as they do. Where they differ, the
    label may be wrong, or the person; either way the model scores this much. A model that scores clearly more has
    learned how the labels were made, and not how people judge.
    """
    low, high = wilson(agreed, n)
    if not n:
        return Ceiling(0, 0, None, low, high, "Nobody decided blind yet: what the labels allow is not known.")
    sentence = (
        f"People who decided blind agree with the label in {agreed} of {n}: a model that judges as they do scores "
        f"{100 * agreed / n:.1f} % ({100 * low:.1f}–{100 * high:.1f})."
    )
    return Ceiling(agreed, n, agreed / n, low, high, sentence)
