"""Which rows of the list are marked for a bulk action."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Marks:
    """The marked examples: those with `numbers`, or all others if `inverted`.

    So a mark on each of a million examples takes no memory.
    """

    numbers: set[int] = field(default_factory=set)
    inverted: bool = False
    # The row that was marked last: a range begins there. None if there is none.
    last_row: int | None = None

    def is_marked(self, number: int) -> bool:
        """Whether the example with this number is marked."""
        return (number in self.numbers) != self.inverted

    def mark(self, number: int) -> None:
        """Mark the example with this number."""
        self._set(number, True)

    def toggle(self, number: int) -> None:
        """Mark the example with this number, or take its mark away."""
        self._set(number, not self.is_marked(number))

    def _set(self, number: int, marked: bool) -> None:
        if marked != self.inverted:
            self.numbers.add(number)
        else:
            self.numbers.discard(number)

    @property
    def all_marked(self) -> bool:
        """Whether every example is marked."""
        return self.inverted and not self.numbers

    def mark_all(self) -> None:
        """Mark every example."""
        self.numbers, self.inverted = set(), True

    def clear(self) -> None:
        """Take all marks away."""
        self.numbers, self.inverted, self.last_row = set(), False, None

    def count(self, listed: Sequence[int]) -> int:
        """How many of the examples with the numbers in `listed` are marked."""
        return len(listed) - len(self.numbers) if self.inverted else len(self.numbers)

    def among(self, listed: Sequence[int]) -> array[int]:
        """The numbers in `listed` that are marked, in their order."""
        return array("q", (number for number in listed if self.is_marked(number)))
