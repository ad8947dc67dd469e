"""Where QA rejects, and whether a cell is rejected more often than chance explains."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from core.statistics import fisher_greater, holm, wilson
from storage.attempts import ReasonCount
from storage.schema import Result


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """Attempts of a domain at a level that QA decided on; `rate` with its 95 % Wilson interval, all from 0 to 1."""

    domain: str
    level: int
    attempts: int
    rejected: int
    rate: float
    low: float
    high: float
    reasons: dict[str, int]


@dataclass(frozen=True, slots=True)
class FlaggedCell:
    """A cell that is worse than the rest; `p` is corrected for the number of cells."""

    domain: str
    level: int
    attempts: int
    rejected: int
    p: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rejections by domain x level; only cells with attempts are listed."""

    cells: list[MatrixCell]
    flagged: list[FlaggedCell]

    @property
    def worst(self) -> MatrixCell | FlaggedCell | None:
        """The cell to look at first: the most clearly flagged one, else the one with the highest lower bound."""
        failing = [cell for cell in self.cells if cell.rejected]
        return self.flagged[0] if self.flagged else max(failing, key=lambda cell: cell.low, default=None)

    def cell_at(self, domain: str, level: int) -> MatrixCell | None:
        """The cell of a domain at a level, if it has attempts."""
        return next((cell for cell in self.cells if (cell.domain, cell.level) == (domain, level)), None)


def rejection_matrix(counts: Iterable[ReasonCount], *, decision: str | None = None, alpha: float = 0.05) -> Matrix:
    """The matrix of `counts`, for one decision or for all.

    A cell is flagged if it has more rejections than the rest of the matrix explains: one-sided Fisher's exact test of
    the cell against all other cells, corrected over the cells with Holm's step-down method, below `alpha`.
    """
    attempts: Counter[tuple[str, int]] = Counter()
    rejected: Counter[tuple[str, int]] = Counter()
    reasons: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for row in counts:
        if decision is not None and row.decision != decision:
            continue
        key = (row.domain, row.level)
        attempts[key] += row.attempts
        if row.result is Result.REJECTED:
            rejected[key] += row.attempts
            reasons[key][row.reason] += row.attempts
    cells = []
    for key in sorted(attempts):
        low, high = wilson(rejected[key], attempts[key])
        ordered = dict(reasons[key].most_common())
        cells.append(MatrixCell(*key, attempts[key], rejected[key], rejected[key] / attempts[key], low, high, ordered))
    return Matrix(cells, _flag(cells, alpha))


def _flag(cells: list[MatrixCell], alpha: float) -> list[FlaggedCell]:
    if len(cells) < 2 or not any(cell.rejected for cell in cells):
        return []
    attempts, rejected = sum(cell.attempts for cell in cells), sum(cell.rejected for cell in cells)
    p_values = []
    for cell in cells:
        rest_attempts, rest_rejected = attempts - cell.attempts, rejected - cell.rejected
        p_values.append(fisher_greater(cell.rejected, cell.attempts, rest_rejected, rest_attempts))
    flagged = []
    for cell, p in zip(cells, holm(p_values), strict=True):
        if p < alpha:
            rest_attempts, rest_rejected = attempts - cell.attempts, rejected - cell.rejected
            flagged.append(
                FlaggedCell(
                    cell.domain,
                    cell.level,
                    cell.attempts,
                    cell.rejected,
                    p,
                    f"{cell.domain} at level {cell.level} fails QA {cell.rejected}/{cell.attempts} "
                    f"({cell.low:.0%}-{cell.high:.0%}), the rest {rest_rejected}/{rest_attempts}; "
                    f"p = {p:.2g} (Fisher's exact test, Holm)",
                )
            )
    return sorted(flagged, key=lambda flagged_cell: flagged_cell.p)
