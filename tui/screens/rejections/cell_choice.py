"""The cells that a person looks at on Rejections."""

from __future__ import annotations

from typing import NamedTuple


class CellChoice(NamedTuple):
    """A domain at a level, for one decision or ('') for all of them."""

    domain: str
    level: int
    decision: str = ""
