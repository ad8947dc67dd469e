"""The figures of a generating run while it works."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field

from core.runs.progress import GenerateProgress
from storage.attempts import JudgedAttempt
from storage.schema import Attempt, Outcome, Result, Verdict

# The rate is that of the last two minutes, so that a pause or a slow start does not affect it for hours.
WINDOW_S = 120.0


@dataclass
class GenerationFigures:
    """Counts of one run since its beginning, over all its resumptions. Cost in the currency of the price table."""

    total: int
    budget: float | None = None
    accepted: int = 0
    rejected: int = 0
    unjudged: int = 0
    given_up: int = 0
    in_flight: int = 0
    cost: float | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    _ends: deque[float] = field(default_factory=deque)
    _since: float = field(default_factory=time.monotonic)

    def count_before(self, judged: JudgedAttempt) -> None:
        """Count an attempt and its verdicts from an earlier worker of the run."""
        self._count_attempt(judged.attempt)
        for verdict in judged.verdicts:
            self._count_verdict(verdict)

    def attempted(self, attempt: Attempt) -> None:
        """Count an attempt that was just made."""
        self._count_attempt(attempt)

    def judged(self, verdict: Verdict) -> None:
        """Count a verdict that was just given."""
        self._count_verdict(verdict)

    def rest(self) -> None:
        """Restart the rate: time in which the run is paused does not count for it."""
        self._ends.clear()
        self._since = time.monotonic()

    def closed(self) -> None:
        """Count a slot that was just filled or given up, for the rate."""
        self._ends.append(time.monotonic())

    def snapshot(self) -> GenerateProgress:
        """The figures as of now."""
        now = time.monotonic()
        while self._ends and now - self._ends[0] > WINDOW_S:
            self._ends.popleft()
        span = min(WINDOW_S, now - self._since)
        per_minute = len(self._ends) / span * 60 if self._ends and span > 0 else None
        remaining = max(0, self.total - self.accepted - self.given_up)
        return GenerateProgress(
            total=self.total,
            done=self.accepted + self.given_up,
            attempts=sum(self.outcomes.values()),
            accepted=self.accepted,
            rejected=self.rejected,
            unjudged=self.unjudged,
            given_up=self.given_up,
            in_flight=self.in_flight,
            per_minute=per_minute,
            cost=self.cost,
            cost_per_accepted=self.cost / self.accepted if self.cost is not None and self.accepted else None,
            budget=self.budget,
            eta_s=remaining / per_minute * 60 if per_minute else None,
            eta_basis=f"slots closed in the last {span:.0f} s" if per_minute else "",
            reasons=dict(self.reasons.most_common()),
            outcomes=dict(self.outcomes.most_common()),
        )

    def _count_attempt(self, attempt: Attempt) -> None:
        self.outcomes[attempt.outcome.value] += 1
        self._pay(attempt.usage.cost)
        if attempt.outcome is not Outcome.WRITTEN:
            self.reasons[attempt.outcome.value] += 1

    def _count_verdict(self, verdict: Verdict) -> None:
        self._pay(verdict.usage.cost)
        if verdict.result is Result.PASSED:
            self.accepted += 1
        elif verdict.result is Result.REJECTED:
            self.rejected += 1
            self.reasons[verdict.reason] += 1
        else:
            self.reasons[f"judge_{verdict.outcome.value}"] += 1

    def _pay(self, cost: float | None) -> None:
        if cost is not None:
            self.cost = (self.cost or 0.0) + cost
