"""A learning curve out of measured cells: an inverse power law for the error, and how many examples a target takes.

error(n) = floor + drop * (n / largest) ** -rate, the form that fits most learners (Figueroa et al. 2012, Predicting
sample size required for classification performance; Viering and Loog 2022, The shape of learning curves). It is fitted
by weighted least squares: for each rate of a grid, floor and drop follow in closed form, so that no start value decides
and thousands of resamples take milliseconds.

The band is a bootstrap: seeds are drawn with replacement; all cells move together by the chance in which examples dev
has, since they share them, and each by its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

# With fewer sizes than parameters nothing is left to check the form by.
FEWEST_SIZES = 3
RESAMPLES = 2000
CONFIDENCE = 0.95
# A curve says nothing about more than so many times the examples that were tried: what it reaches there, it levels off
# at.
HORIZON = 10
# The rates that are tried.
_SLOWEST, _FASTEST, _RATES = 0.05, 4.0, 240
# A fit this far from what was measured, and outside of all seeds, is poor there.
_POOR = 0.05


class CurveCell(NamedTuple):
    """What one training measured: `right` of `of` dev examples after `examples`, with the seed `seed`.

    `size` is the size that was asked for; `examples` differs a little where families are kept whole.
    """

    size: int
    seed: int
    examples: int
    right: int
    of: int


class CurveVerdict(StrEnum):
    """What a learning curve says about a target."""

    REACHED = "reached"  # with no more examples than were tried
    MORE = "more"  # with more examples
    NOT_REACHED = "not reached"  # it levels off below
    FALLS = "falls"  # more examples made it worse
    UNSETTLED = "unsettled"  # the band is too wide
    TOO_FEW = "too few sizes"


@dataclass(frozen=True, slots=True)
class BandPoint:
    """The fitted accuracy at `examples`, with its 95 % band; fractions."""

    examples: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a curve says about a target accuracy: the verdict, and the sentence for a person.

    `examples` is how many it takes in all, `more` how many beyond the largest size, each with its 95 % interval; None
    where no number can be given. `levels_off` is the accuracy with `HORIZON` times the examples that were tried.
    """

    target: float
    verdict: CurveVerdict
    sentence: str
    examples: int | None = None
    low: int | None = None
    high: int | None = None
    more: int | None = None
    levels_off: float | None = None
    levels_off_low: float | None = None
    levels_off_high: float | None = None


class LearningCurve:
    """The fitted curve of one recipe. `poor_at` are sizes where it is far from what was measured.

    Fields: `floor`, `drop` and `rate` as above, `largest` the most examples that were tried.
    """

    def __init__(self, cells: Sequence[CurveCell], parameters: np.ndarray, draws: np.ndarray, falls: float) -> None:
        self.largest = max(cell.examples for cell in cells)
        self.floor, self.drop, self.rate = map(float, parameters)
        # The share of resamples in which accuracy falls with the number of examples.
        self.falls = falls
        self.poor_at = _poor_sizes(self, cells)
        self._draws = draws

    def accuracy(self, examples: float) -> float:
        """The fitted accuracy after so many examples, 0 to 1."""
        return 1 - min(1.0, self.floor + self.drop * float((examples / self.largest) ** -self.rate))

    def band(self, sizes: Sequence[int]) -> list[BandPoint]:
        """The fitted accuracy at each of `sizes`, with its band."""
        import numpy as np

        n = np.array(sizes, dtype=float) / self.largest
        floor, drop, rate = (self._draws[:, column, None] for column in range(3))
        accuracies = np.sort(1 - np.minimum(1.0, floor + drop * n[None, :] ** -rate), axis=0)
        low, high = _tails(len(accuracies))
        return [
            BandPoint(
                size,
                self.accuracy(size),
                min(float(accuracies[low, position]), self.accuracy(size)),
                max(float(accuracies[high, position]), self.accuracy(size)),
            )
            for position, size in enumerate(sizes)
        ]

    def forecast(self, target: float) -> Forecast:
        """What it takes to reach the accuracy `target`, a fraction between 0 and 1."""
        import numpy as np

        needed = float(_needed(np.array([[self.floor, self.drop, self.rate]]), 1 - target)[0]) * self.largest
        drawn = np.sort(_needed(self._draws, 1 - target)) * self.largest
        low, high = _tails(len(drawn))
        level = self.band([HORIZON * self.largest])[0]
        ceiling, bounds = level.accuracy, (level.low, level.high)
        least, most = min(float(drawn[low]), needed), max(float(drawn[high]), needed)
        verdict = self._verdict(target, needed, bounds[1])
        has_number = verdict in {CurveVerdict.REACHED, CurveVerdict.MORE}
        horizon = HORIZON * self.largest
        in_sight = has_number and most <= horizon
        return Forecast(
            target,
            verdict,
            self._sentence(target, verdict, needed, (least, most), ceiling, bounds) + self._doubt(),
            examples=round(needed) if has_number else None,
            low=round(least) if has_number else None,
            high=round(most) if in_sight else None,
            more=max(0, round(needed) - self.largest) if has_number else None,
            levels_off=ceiling,
            levels_off_low=bounds[0],
            levels_off_high=bounds[1],
        )

    def _verdict(self, target: float, needed: float, highest_ceiling: float) -> CurveVerdict:
        if needed <= self.largest:
            return CurveVerdict.REACHED
        if self.falls >= CONFIDENCE + (1 - CONFIDENCE) / 2:
            return CurveVerdict.FALLS
        if needed <= HORIZON * self.largest:
            return CurveVerdict.MORE
        return CurveVerdict.NOT_REACHED if highest_ceiling < target else CurveVerdict.UNSETTLED

    def _sentence(
        self,
        target: float,
        verdict: CurveVerdict,
        needed: float,
        interval: tuple[float, float],
        ceiling: float,
        bounds: tuple[float, float],
    ) -> str:
        goal = f"{100 * target:g} %"
        least, most = interval
        level = f"{100 * ceiling:.0f} %; {100 * bounds[0]:.0f}–{100 * bounds[1]:.0f}"
        in_sight = most <= HORIZON * self.largest
        if verdict is CurveVerdict.REACHED:
            end = f"to {_about(most)}" if in_sight else "or more: the band is too wide to say how many at most"
            return f"{goal} is reached with about {_about(needed)} examples ({_about(least)} {end})"
        if verdict is CurveVerdict.MORE:
            more, least_more = needed - self.largest, max(0.0, least - self.largest)
            begin = f"about {_about(more)} more examples for {goal} ({_about(least_more)}"
            if in_sight:
                return f"{begin} to {_about(most - self.largest)})"
            return f"{begin} at least; the band is too wide to say how many at most, or whether they are enough)"
        if verdict is CurveVerdict.FALLS:
            return (
                f"accuracy falls with more examples, and is below {goal}: look at the recipe (learning rate, steps) "
                "and at the examples before adding any"
            )
        if verdict is CurveVerdict.NOT_REACHED:
            return f"{goal} is not reached by this student (levels off at {level})"
        return f"whether {goal} is reached is not settled (by the fit it levels off at {level})"

    def _doubt(self) -> str:
        if not self.poor_at:
            return ""
        return (
            f"; the curve fits poorly at {', '.join(f'{size:,}' for size in self.poor_at)} examples: do not rely on it"
        )


def fit_curve(cells: Sequence[CurveCell], *, resamples: int = RESAMPLES, seed: int = 0) -> LearningCurve | None:
    """The curve through `cells`; None with too few sizes. The same cells and seed give the same curve."""
    import numpy as np

    cells = [cell for cell in cells if cell.of and cell.examples]
    if len({cell.size for cell in cells}) < FEWEST_SIZES:
        return None
    examples = np.array([cell.examples for cell in cells], dtype=float)
    n = examples / examples.max()
    of = np.array([cell.of for cell in cells])
    right = np.array([cell.right for cell in cells])
    errors = 1 - right / of
    weights = 1 / _variances(cells)
    rng = np.random.default_rng(seed)
    seeds = sorted({cell.seed for cell in cells})
    column = np.array([seeds.index(cell.seed) for cell in cells])
    times = rng.multinomial(len(seeds), np.full(len(seeds), 1 / len(seeds)), size=resamples)[:, column]
    smooth = (right + 0.5) / (of + 1)
    deviation = 1 / np.sqrt(of * smooth * (1 - smooth))
    logits = np.log(smooth / (1 - smooth)) + rng.standard_normal((resamples, 1)) * deviation
    drawn_errors = 1 - rng.binomial(of, 1 / (1 + np.exp(-logits))) / of
    # A resample may have drawn seeds that lack most sizes (of a curve that is not complete): it tells nothing.
    usable = np.array([len({cells[i].size for i in np.flatnonzero(row)}) >= FEWEST_SIZES for row in times])
    if not usable.any():
        times, usable = np.ones_like(times), np.ones(resamples, dtype=bool)
    times, drawn_errors = times[usable], drawn_errors[usable]
    parameters = _fit(n, errors[None, :], weights[None, :])[0]
    draws = _fit(n, drawn_errors, weights * times)
    return LearningCurve(cells, parameters, draws, _share_falling(n, drawn_errors, weights * times))


def too_few(target: float, sizes: int) -> Forecast:
    """The forecast where no curve can be fitted."""
    sentence = (
        f"too few sizes to tell: a curve takes {FEWEST_SIZES}, and {sizes} {'is' if sizes == 1 else 'are'} measured"
    )
    return Forecast(target, CurveVerdict.TOO_FEW, sentence)


def _variances(cells: Sequence[CurveCell]) -> np.ndarray:
    """The variance of each cell's error: by the number of dev examples, or between seeds where that is more."""
    import numpy as np

    variances = {}
    for size in {cell.size for cell in cells}:
        alike = [cell for cell in cells if cell.size == size]
        right, of = sum(cell.right for cell in alike), sum(cell.of for cell in alike)
        share = (right + 1) / (of + 2)
        rates = [cell.right / cell.of for cell in alike]
        between = float(np.var(rates, ddof=1)) if len(rates) > 1 else 0.0
        variances[size] = max(share * (1 - share) / (of / len(alike)), between)
    return np.array([variances[cell.size] for cell in cells])


def _fit(n: np.ndarray, errors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(floor, drop, rate) of the best curve for each row of `errors` (D, cells); `weights` alike; `n` (cells,).

    Floor and drop are not negative: where a line in n ** -rate would have one below 0, that one is 0.
    """
    import numpy as np

    rates = np.geomspace(_SLOWEST, _FASTEST, _RATES)
    x = n[None, :] ** -rates[:, None]
    total = weights.sum(axis=1)[:, None]
    y = (weights * errors).sum(axis=1)[:, None]
    wx, wxx, wxy = weights @ x.T, weights @ (x * x).T, (weights * errors) @ x.T
    spread = np.maximum(total * wxx - wx * wx, 1e-300)
    drop = (total * wxy - wx * y) / spread
    floor = (y - drop * wx) / total
    drop, floor = np.where(floor < 0, wxy / wxx, drop), np.maximum(floor, 0.0)
    flat = drop < 0
    drop, floor = np.where(flat, 0.0, drop), np.where(flat, y / total, floor)
    loss = -2 * floor * y - 2 * drop * wxy + floor**2 * total + 2 * floor * drop * wx + drop**2 * wxx
    best = loss.argmin(axis=1)
    rows = np.arange(len(errors))
    fitted: np.ndarray = np.stack([floor[rows, best], drop[rows, best], rates[best]], axis=1)
    return fitted


def _share_falling(n: np.ndarray, errors: np.ndarray, weights: np.ndarray) -> float:
    """The share of rows in which the error rises over log n."""
    import numpy as np

    x = np.log(n)[None, :]
    total = weights.sum(axis=1, keepdims=True)
    centred = x - (weights * x).sum(axis=1, keepdims=True) / total
    return float(((weights * centred * errors).sum(axis=1) > 0).mean())


def _needed(parameters: np.ndarray, error: float) -> np.ndarray:
    """How many examples bring the error down to `error`, in units of the largest size; inf if it levels off above."""
    import numpy as np

    floor, drop, rate = parameters.T
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        needed = (drop / (error - floor)) ** (1 / rate)
    needed = np.where(drop == 0, 0.0, needed)
    reaches: np.ndarray = np.where((floor < error) | ((floor <= error) & (drop == 0)), needed, np.inf)
    return reaches


def _tails(draws: int) -> tuple[int, int]:
    """The positions of both ends of the interval in `draws` sorted values."""
    tail = (1 - CONFIDENCE) / 2
    return int(tail * (draws - 1)), -1 - int(tail * (draws - 1))


def _poor_sizes(curve: LearningCurve, cells: Sequence[CurveCell]) -> list[int]:
    poor = []
    for size in sorted({cell.size for cell in cells}):
        gaps = [cell.right / cell.of - curve.accuracy(cell.examples) for cell in cells if cell.size == size]
        is_outside = min(gaps) > 0 or max(gaps) < 0
        if is_outside and abs(sum(gaps) / len(gaps)) > _POOR + _chance(cells, size):
            poor.append(size)
    return poor


def _chance(cells: Sequence[CurveCell], size: int) -> float:
    """How far from the truth chance alone puts what was measured at `size`."""
    from core.statistics import wilson

    alike = [cell for cell in cells if cell.size == size]
    right, of = sum(cell.right for cell in alike) / len(alike), sum(cell.of for cell in alike) / len(alike)
    low, high = wilson(right, of)
    return (high - low) / 2


def _about(examples: float) -> str:
    """A number of examples with two digits that count."""
    if examples < 1:
        return "0"
    digits = len(str(round(examples))) - 2
    return f"{round(examples, -digits) if digits > 0 else round(examples):,.0f}"
