"""A cell of the curriculum, to which examples belong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One cell: domain x level x decision."""

    domain: str
    level: int
    decision: str
