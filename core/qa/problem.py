"""A rule that a candidate breaks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule that a candidate breaks: a stable short name, and what to improve."""

    reason: str
    critique: str
