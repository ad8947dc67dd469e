"""What a level demands of an example, in words and numbers, for a prompt."""

from __future__ import annotations

from core.config.task import Band, Counts, Level

_RELIABILITY = {
    "high": "All sources are reliable: primary data, sound methods, adequate samples.",
    "mixed": "The sources are of unequal reliability, and how each was made shows which deserve trust.",
    "low": "Most sources are weak in ways that the text shows (small samples, second hand, interested parties): they "
    "have to be weighed.",
}
_HEDGING = {
    "none": "The language is outright: no 'may', 'might', 'suggests', 'seems', 'likely' or their like.",
    "some": "Some statements are guarded ('suggests', 'appears to').",
    "much": "Most statements are guarded, and their limits are said.",
}


def describe_knobs(level: Level, decision: str) -> list[str]:
    """One sentence for each knob of `level`, for an example whose decision is `decision`."""
    lines = [f"{_counted(level.evidence, 'piece')} of evidence in all."]
    if level.irrelevant[1]:
        lines.append(
            f"Of these, {_counted(level.irrelevant, 'piece')} beside the point: on the same subject, but without "
            f"bearing on the hypothesis; relevance {_band(level.irrelevant_relevance)}."
        )
    else:
        lines.append("Every piece bears on the hypothesis.")
    if level.contradicting[1]:
        lines.append(
            f"Of these, {_counted(level.contradicting, 'piece')} pointing against the decision, and outweighed "
            "by the others."
        )
    else:
        lines.append("No piece points against the decision.")
    lines.append(f"The relevance of each piece that bears on the hypothesis is {_band(level.relevance)}.")
    lines.append(_RELIABILITY[level.reliability])
    lines.append(
        "The decision follows in one step from what a piece says."
        if level.steps == 1
        else f"The decision takes {level.steps} steps of inference: facts of different pieces have to be put together."
    )
    lines.append(_HEDGING[level.hedging])
    if (band := level.confidence.get(decision)) is not None:
        lines.append(f"The confidence is {_band(band)}.")
    return lines


def _counted(counts: Counts, noun: str) -> str:
    low, high = counts
    plural = noun if high == 1 else f"{noun}s"
    return f"{low} {plural}" if low == high else f"{low} to {high} {plural}"


def _band(band: Band) -> str:
    return f"from {band[0]:g} to {band[1]:g}"
