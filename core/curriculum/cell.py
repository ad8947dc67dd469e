"""A cell of the curriculum: where an example belongs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A place in the curriculum: domain x level x decision."""

    domain: str
    level: int
    decision: str
