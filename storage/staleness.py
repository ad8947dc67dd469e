"""When a field that argues for a decision is stale: the decision has changed, and the field has not since."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from storage.schema import JUSTIFYING, Candidate, Example, StaleField


def stale_fields(before: Example, after: Candidate, confirmed: Collection[str] = ()) -> list[StaleField]:
    """The stale fields of `after`, which an edit of `before` has made.

    A field that the edit changed, or that the person has `confirmed`, argues for the decision of `after`. Any other
    argues for the decision that it was written for, and is stale where that is not the decision of `after`. An empty
    field argues for nothing.
    """
    written_for = {stale.field: stale.written_for for stale in before.stale}
    stale = []
    for name in JUSTIFYING:
        decision = written_for.get(name, before.decision)
        value = getattr(after, name)
        kept = value == getattr(before, name) and value not in ("", []) and name not in confirmed
        if kept and decision != after.decision:
            stale.append(StaleField(field=name, written_for=decision))
    return stale


def is_stale(example: Example, name: str) -> bool:
    """Whether the field `name` of an example is stale."""
    return any(stale.field == name for stale in example.stale)


def describe_stale(example: Example) -> list[str]:
    """The stale fields of an example in words, one line for each."""
    return [f"{stale.field}: written for {stale.written_for}, stale" for stale in example.stale]


def name_stale(example: Example) -> str:
    """The names of the stale fields: "reasoning and confidence"."""
    return list_names([stale.field for stale in example.stale])


def list_names(names: Sequence[str], last: str = "and") -> str:
    """Names in a sentence: "reasoning, confidence and steps"; `last` stands before the last of them."""
    return f" {last} ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)
