"""Where in the curriculum a field of the steps goes wrong: by level, by parts of the claim, by kind of inference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.benchmark.metrics import Slice, compare_slices
from core.statistics import wilson


@dataclass(frozen=True, slots=True)
class FieldCell:
    """How often a field was right in the cases of one level that have so many parts and need one kind of inference.

    `inference` is '' where it is not known.
    """

    field: str
    level: int
    parts: int
    inference: str
    right: int
    n: int


@dataclass(frozen=True, slots=True)
class FieldSlices:
    """The accuracy of one field by level, by parts of the claim, and by kind of inference where that is known."""

    by_level: dict[int, Slice]
    by_parts: dict[int, Slice]
    by_inference: dict[str, Slice]


@dataclass(frozen=True, slots=True)
class WeakSpot:
    """Where a field goes wrong most surely: a level, and there a kind of inference ('': all that the level has)."""

    field: str
    level: int
    inference: str
    right: int
    n: int


def slice_field(cells: Iterable[FieldCell], field: str) -> FieldSlices:
    """The slices of `field`, each compared with the rest of its kind."""
    levels: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    parts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    inferences: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for cell in cells:
        if cell.field != field:
            continue
        counts = [levels[cell.level], parts[cell.parts]]
        counts += [inferences[cell.inference]] if cell.inference else []
        for count in counts:
            count[0] += cell.right
            count[1] += cell.n
    return FieldSlices(compare_slices(levels), compare_slices(parts), compare_slices(inferences))


def weakest_slice(slices: FieldSlices) -> tuple[str, int | str, Slice] | None:
    """The slice with the lowest rate of those that are surely below the rest: its kind, its value, its figures.

    The kind is 'parts', 'inference' or 'level'; of equal rates, the one with most cases. None if no slice is surely
    below the rest.
    """
    named: list[tuple[str, int | str, Slice]] = [
        *(("parts", value, slice_) for value, slice_ in slices.by_parts.items()),
        *(("inference", value, slice_) for value, slice_ in slices.by_inference.items()),
        *(("level", value, slice_) for value, slice_ in slices.by_level.items()),
    ]
    right = sum(slice_.right for slice_ in slices.by_level.values())
    n = sum(slice_.n for slice_ in slices.by_level.values())
    below = [entry for entry in named if entry[2].differs and entry[2].right * n < right * entry[2].n]
    return min(below, key=lambda entry: (entry[2].right / entry[2].n, -entry[2].n), default=None)


def weak_spot(cells: Sequence[FieldCell], field: str) -> WeakSpot | None:
    """The level at which `field` is most surely wrong, and the kind of inference there; None if it never is wrong.

    Most surely: the upper bound of the interval is the lowest, so that few cases do not decide.
    """
    by_level = _total({cell.level for cell in cells}, cells, field)
    if not by_level:
        return None
    level = min(by_level, key=lambda value: (wilson(*by_level[value])[1], value))
    there = [cell for cell in cells if cell.level == level and cell.inference]
    kinds = {cell.inference for cell in there}
    by_inference = {
        kind: counts
        for kind in kinds
        for counts in _total({level}, [cell for cell in there if cell.inference == kind], field).values()
    }
    # With one kind at the level, naming it would restrict nothing.
    if len(kinds) < 2 or not by_inference:
        return WeakSpot(field, level, "", *by_level[level])
    inference = min(by_inference, key=lambda value: (wilson(*by_inference[value])[1], value))
    return WeakSpot(field, level, inference, *by_inference[inference])


def _total(levels: Iterable[int], cells: Iterable[FieldCell], field: str) -> dict[int, tuple[int, int]]:
    """(right, n) of `field` at each of the `levels` where it was wrong at least once."""
    totals: dict[int, tuple[int, int]] = {}
    for level in levels:
        own = [cell for cell in cells if cell.field == field and cell.level == level]
        right, n = sum(cell.right for cell in own), sum(cell.n for cell in own)
        if right < n:
            totals[level] = (right, n)
    return totals
