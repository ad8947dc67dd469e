"""Which cases are trained on in which step: levels by the curriculum, decisions in balance, all drawn from one seed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.config.recipe import Curriculum

# How fast an adaptive curriculum forgets: the weight of the newest rewards of a level.
NEWEST = 0.3


@dataclass(frozen=True, slots=True)
class CasePosition:
    """Where a case stands: what the curriculum goes by."""

    level: int
    label: str


def shares(curriculum: Curriculum, levels: Sequence[int], progress: float) -> dict[int, float]:
    """The share of each of `levels` (ascending) at `progress` (0 to 1) through the training; they sum to 1.

    Easy to hard: a window moves over the levels, a level fades in before its turn and out after it, and never below
    the floor once it was begun (Parashar et al. 2025: easy only overfits, easy examples that never fade hold back).
    """
    if curriculum.order != "easy-to-hard" or len(levels) == 1:
        return dict.fromkeys(levels, 1 / len(levels))
    at = progress * (len(levels) - 1)
    raw = {}
    for position, level in enumerate(levels):
        near = max(0.0, 1 - abs(position - at))
        raw[level] = max(near, curriculum.floor if position <= at else 0.0)
    whole = sum(raw.values())
    return {level: value / whole for level, value in raw.items()}


@dataclass
class LevelSignal:
    """What an adaptive curriculum knows: how often answers of each level are right, as of late."""

    right: dict[int, float] = field(default_factory=dict)

    def heard(self, level: int, right: float) -> None:
        """Take into account the share (0 to 1) of answers to one case that were right."""
        before = self.right.get(level)
        self.right[level] = right if before is None else (1 - NEWEST) * before + NEWEST * right

    def shares(self, curriculum: Curriculum, levels: Sequence[int]) -> dict[int, float]:
        """By p (1 - p), where there is most to learn; levels without an answer yet count as even. They sum to 1."""
        raw = {level: max(self.right.get(level, 0.5) * (1 - self.right.get(level, 0.5)), 1e-3) for level in levels}
        whole = sum(raw.values())
        least = min(curriculum.floor, 1 / len(levels))
        return {level: least + (1 - least * len(levels)) * value / whole for level, value in raw.items()}


class CurriculumSampler:
    """Draws cases for step after step. What was drawn is kept, so that a resumed run draws on where it was.

    Within a level each decision comes as often as the others if the curriculum is balanced, and each case once before
    one comes again.
    """

    def __init__(
        self, places: Sequence[CasePosition], curriculum: Curriculum, *, batch: int, steps: int, seed: int
    ) -> None:
        self._curriculum = curriculum
        self._batch = batch
        self._steps = steps
        self._seed = seed
        self.levels = sorted({place.level for place in places})
        self._stacks: dict[int, dict[str, list[int]]] = {level: defaultdict(list) for level in self.levels}
        for at, place in enumerate(places):
            self._stacks[place.level][place.label if curriculum.balanced else ""].append(at)
        self.signal = LevelSignal()
        self.drawn: list[list[int]] = []

    def step(self, number: int) -> list[int]:
        """The positions of the cases of step `number` (from 0); those before it are drawn first."""
        while len(self.drawn) <= number:
            self.drawn.append(self._next(len(self.drawn)))
        return self.drawn[number]

    def mix(self, number: int) -> dict[int, float]:
        """The shares of the levels in step `number`, as they are meant."""
        if self._curriculum.order == "adaptive":
            return self.signal.shares(self._curriculum, self.levels)
        return shares(self._curriculum, self.levels, number / max(1, self._steps - 1))

    def spare(self, number: int, already: Sequence[int], wanted: int) -> list[int]:
        """Other cases for step `number`, in place of some that taught nothing; the same for the same step."""
        rng = random.Random(f"{self._seed}/spare/{number}/{len(already)}")
        mix = self.mix(number)
        pool = [at for level in self.levels for stack in self._stacks[level].values() for at in stack]
        left = [at for at in pool if at not in set(already)] or pool
        level_of = {at: level for level in self.levels for stack in self._stacks[level].values() for at in stack}
        weights = [mix[level_of[at]] for at in left]
        return rng.choices(left, weights, k=wanted) if any(weights) else rng.choices(left, k=wanted)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"drawn": self.drawn, "right": {str(level): value for level, value in self.signal.right.items()}}

    def restore(self, state: Mapping[str, Any], step: int) -> None:
        """Go on from a checkpoint that was made after `step` steps."""
        self.drawn = [list(map(int, one)) for one in state["drawn"][:step]]
        self.signal.right = {int(level): float(value) for level, value in state["right"].items()}

    def _next(self, number: int) -> list[int]:
        rng = random.Random(f"{self._seed}/{number}")
        mix = self.mix(number)
        seen = self._counts()
        counts = _apportion(mix, self._batch, rng)
        chosen: list[int] = []
        for level in self.levels:
            chosen += list(self._of_level(level, counts[level], seen, rng))
        rng.shuffle(chosen)
        return chosen

    def _of_level(self, level: int, number: int, seen: dict[int, int], rng: random.Random) -> Iterator[int]:
        stacks = self._stacks[level]
        for _ in range(number):
            total = {label: sum(seen[at] for at in stack) for label, stack in stacks.items()}
            fewest = min(total.values())
            label = rng.choice([name for name in sorted(total) if total[name] == fewest])
            least = min(seen[at] for at in stacks[label])
            at = rng.choice([at for at in stacks[label] if seen[at] == least])
            seen[at] += 1
            yield at

    def _counts(self) -> dict[int, int]:
        seen: dict[int, int] = defaultdict(int)
        for step in self.drawn:
            for at in step:
                seen[at] += 1
        return seen


def _apportion(mix: Mapping[int, float], number: int, rng: random.Random) -> dict[int, int]:
    """Whole numbers near `number` times each share, that sum to it: what is left over goes by chance, by remainder."""
    exact = {level: share * number for level, share in mix.items()}
    counts = {level: int(value) for level, value in exact.items()}
    rest = {level: exact[level] - counts[level] for level in mix}
    for _ in range(number - sum(counts.values())):
        chosen = rng.choices(list(rest), [value + 1e-9 for value in rest.values()])[0]
        counts[chosen] += 1
        rest[chosen] = 0.0
    return counts
