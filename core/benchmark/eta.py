"""Estimates when a benchmark will be done from the lengths that remain: long cases take longer than short ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

# The newest answers say how fast it goes now.
WINDOW = 200
# With fewer than this, a line through them says nothing.
MIN_CASES = 5


def fit_line(lengths: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """The seconds of a case as (fixed part, part per character), by least squares, neither below 0.

    `lengths` and `seconds` are those of finished cases, at least one, in the same order.
    """
    n = len(lengths)
    mean_length, mean_seconds = sum(lengths) / n, sum(seconds) / n
    spread = sum((length - mean_length) ** 2 for length in lengths)
    if n < MIN_CASES or spread == 0:
        return mean_seconds, 0.0
    pairs = zip(lengths, seconds, strict=True)
    slope = sum((length - mean_length) * (second - mean_seconds) for length, second in pairs) / spread
    if slope <= 0:
        return mean_seconds, 0.0
    fixed = mean_seconds - slope * mean_length
    return (fixed, slope) if fixed >= 0 else (0.0, mean_seconds / mean_length)


@dataclass
class EtaEstimator:
    """What the newest answers took, and what is still to be asked: `left` cases of `characters` in all."""

    left: int
    characters: float
    _done: deque[tuple[float, float, float]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _since: float | None = None

    def start(self, now: float) -> None:
        """Start, or start again after a pause; `now` is in seconds of a monotonic clock."""
        self._done.clear()
        self._since = now

    def record(self, length: float, seconds: float, now: float) -> None:
        """Count an answered case: its length in characters, the seconds that it took by itself, and when it ended."""
        self.left -= 1
        self.characters -= length
        self._done.append((length, seconds, now))

    def per_minute(self) -> float | None:
        """Answers per minute over the window; None while that is unknown."""
        span = self._span()
        return None if span is None else len(self._done) / span * 60

    def eta_s(self) -> float | None:
        """Seconds to the end, None while that is unknown.

        The remaining cases take their predicted seconds. In each second of real time, as many of these pass as did in
        the window: that accounts for cases that are asked side by side.
        """
        span = self._span()
        if span is None:
            return None
        fixed, slope = fit_line([length for length, _, _ in self._done], [seconds for _, seconds, _ in self._done])
        predicted = sum(fixed + slope * length for length, _, _ in self._done)
        remaining = fixed * self.left + slope * max(0.0, self.characters)
        return remaining / (predicted / span) if predicted > 0 else None

    def _span(self) -> float | None:
        if not self._done or self._since is None:
            return None
        first = self._since if len(self._done) < WINDOW else self._done[0][2]
        span = self._done[-1][2] - first
        return span if span > 0 else None
