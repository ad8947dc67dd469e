"""What to learn of a case where judges and people disagree: shares of the decisions instead of one label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from core.models.model import spread
from core.training.data.cases import TrainingCase
from storage.blind_reviews import BlindVote

Votes = Mapping[str, Sequence[BlindVote]]


def group_votes(votes: Sequence[BlindVote]) -> dict[str, list[BlindVote]]:
    """The votes by example."""
    grouped: dict[str, list[BlindVote]] = defaultdict(list)
    for vote in votes:
        grouped[vote.example].append(vote)
    return dict(grouped)


def soft_target(label: str, votes: Sequence[BlindVote], labels: Sequence[str], soft: float) -> list[float]:
    """The share of each of `labels` to learn; they sum to 1.

    `soft` of it is the mean of the votes, the rest the label (Hinton et al. 2015). A vote gives its decision its
    confidence, and shares the rest out evenly. Without a vote that is one of `labels`, the label alone counts.
    """
    hard = [float(name == label) for name in labels]
    spreads = [spread(vote.decision, vote.confidence, labels) for vote in votes]
    known = [shares for shares in spreads if shares is not None]
    if not known:
        return hard
    means = [sum(shares[name] for shares in known) / len(known) for name in labels]
    return [(1 - soft) * right + soft * mean for right, mean in zip(hard, means, strict=True)]


def soft_targets(cases: Sequence[TrainingCase], votes: Votes, labels: Sequence[str], soft: float) -> list[list[float]]:
    """The shares of `labels` to learn, for each case."""
    return [soft_target(case.label, votes.get(case.example, ()), labels, soft) for case in cases]


def cost_matrix(costs: Mapping[str, Mapping[str, float]], labels: Sequence[str]) -> list[list[float]] | None:
    """What each decision (column) costs for each label (row); None where all mistakes are alike.

    What the recipe does not name costs 0 if it is right, else 1, as in the reward `correct`.
    """
    if not costs:
        return None
    return [
        [costs.get(label, {}).get(decision, 0.0 if decision == label else 1.0) for decision in labels]
        for label in labels
    ]
