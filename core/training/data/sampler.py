"""Which cases each step trains on: levels by the curriculum, decisions in balance, all drawn from one seed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.config.recipe import Curriculum

# How fast an adaptive curriculum forgets: the weight of a level's newest share of right answers.
NEWEST_WEIGHT = 0.3


@dataclass(frozen=True, slots=True)
class CasePosition:
    """The position of a case in the curriculum."""

    level: int
    label: str


def level_shares(curriculum: Curriculum, levels: Sequence[int], progress: float) -> dict[int, float]:
    """The share of each of `levels` (ascending) at `progress` (0 to 1) through the training; they sum to 1.

    Easy to hard: a window moves over the levels. A level fades in before its turn and out after it, but never below the
    floor once it was begun (Parashar et al. 2025: easy only overfits, easy examples that never fade hold back).
    """
    if curriculum.order != "easy-to-hard" or len(levels) == 1:
        return dict.fromkeys(levels, 1 / len(levels))
    window_position = progress * (len(levels) - 1)
    raw = {}
    for position, level in enumerate(levels):
        weight = max(0.0, 1 - abs(position - window_position))
        raw[level] = max(weight, curriculum.floor if position <= window_position else 0.0)
    total = sum(raw.values())
    return {level: value / total for level, value in raw.items()}


def ladder_shares(curriculum: Curriculum, levels: Sequence[int], joined: int) -> dict[int, float]:
    """The share of each of `levels` (ascending) when the first `joined` of them are trained on; they sum to 1.

    The newest has what the earlier ones, which stay at the floor, leave.
    """
    floor = min(curriculum.floor, 1 / joined)
    shares = dict.fromkeys(levels, 0.0) | dict.fromkeys(levels[:joined], floor)
    shares[levels[joined - 1]] = 1 - floor * (joined - 1)
    return shares


@dataclass
class LevelSignal:
    """The signal of an adaptive curriculum: a moving average of how often answers of each level are right."""

    right: dict[int, float] = field(default_factory=dict)

    def update(self, level: int, right: float) -> None:
        """Update the average of a level by the share (0 to 1) of answers to one case that were right."""
        previous = self.right.get(level)
        self.right[level] = right if previous is None else (1 - NEWEST_WEIGHT) * previous + NEWEST_WEIGHT * right

    def shares(self, curriculum: Curriculum, levels: Sequence[int]) -> dict[int, float]:
        """By p (1 - p): most where most is to be learnt; levels without an answer count as 0.5. They sum to 1."""
        raw = {level: max(self.right.get(level, 0.5) * (1 - self.right.get(level, 0.5)), 1e-3) for level in levels}
        total = sum(raw.values())
        minimum = min(curriculum.floor, 1 / len(levels))
        return {level: minimum + (1 - minimum * len(levels)) * value / total for level, value in raw.items()}


class CurriculumSampler:
    """Draws cases step by step. It records what was drawn, so that a resumed run continues the same way.

    Within a level each decision is drawn as often as the others if the curriculum is balanced, and each case once
    before one is drawn again.
    """

    def __init__(
        self, positions: Sequence[CasePosition], curriculum: Curriculum, *, batch: int, steps: int, seed: int
    ) -> None:
        self._curriculum = curriculum
        self._batch = batch
        self._steps = steps
        self._seed = seed
        self.levels = sorted({position.level for position in positions})
        self._stacks: dict[int, dict[str, list[int]]] = {level: defaultdict(list) for level in self.levels}
        for case, position in enumerate(positions):
            self._stacks[position.level][position.label if curriculum.balanced else ""].append(case)
        self.signal = LevelSignal()
        # Levels that a ladder trains on.
        self.joined = 1
        self.drawn: list[list[int]] = []

    def step(self, number: int) -> list[int]:
        """The positions of the cases of step `number` (from 0); earlier steps are drawn first."""
        while len(self.drawn) <= number:
            self.drawn.append(self._draw_step(len(self.drawn)))
        return self.drawn[number]

    def mix(self, number: int) -> dict[int, float]:
        """The intended shares of the levels in step `number`."""
        if self._curriculum.order == "adaptive":
            return self.signal.shares(self._curriculum, self.levels)
        if self._curriculum.order == "ladder":
            return ladder_shares(self._curriculum, self.levels, self.joined)
        return level_shares(self._curriculum, self.levels, number / max(1, self._steps - 1))

    def draw_replacements(self, number: int, used: Sequence[int], count: int) -> list[int]:
        """Other cases for step `number`, for groups without signal; the same for the same step."""
        rng = random.Random(f"{self._seed}/spare/{number}/{len(used)}")
        mix = self.mix(number)
        pool = [case for level in self.levels for stack in self._stacks[level].values() for case in stack]
        unused = [case for case in pool if case not in set(used)] or pool
        level_of = {case: level for level in self.levels for stack in self._stacks[level].values() for case in stack}
        weights = [mix[level_of[case]] for case in unused]
        return rng.choices(unused, weights, k=count) if any(weights) else rng.choices(unused, k=count)

    def climb(self, accuracies: Mapping[int, float]) -> int | None:
        """On a ladder, let the next level join if the newest is over the mark, by the accuracy (0 to 1) of each level
        on dev; returns the level that joins."""
        if self._curriculum.order != "ladder" or self.joined == len(self.levels):
            return None
        if accuracies.get(self.levels[self.joined - 1], 0.0) < self._curriculum.mark:
            return None
        self.joined += 1
        return self.levels[self.joined - 1]

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        right = {str(level): value for level, value in self.signal.right.items()}
        return {"drawn": self.drawn, "right": right, "joined": self.joined}

    def restore(self, state: Mapping[str, Any], step: int) -> None:
        """Continue from a checkpoint that was made after `step` steps."""
        self.drawn = [list(map(int, step_cases)) for step_cases in state["drawn"][:step]]
        self.joined = int(state.get("joined", 1))
        self.signal.right = {int(level): float(value) for level, value in state["right"].items()}

    def _draw_step(self, number: int) -> list[int]:
        rng = random.Random(f"{self._seed}/{number}")
        mix = self.mix(number)
        draw_counts = self._counts()
        counts = _apportion(mix, self._batch, rng)
        chosen: list[int] = []
        for level in self.levels:
            chosen += list(self._draw_from_level(level, counts[level], draw_counts, rng))
        rng.shuffle(chosen)
        return chosen

    def _draw_from_level(
        self, level: int, number: int, draw_counts: dict[int, int], rng: random.Random
    ) -> Iterator[int]:
        stacks = self._stacks[level]
        for _ in range(number):
            total = {label: sum(draw_counts[case] for case in stack) for label, stack in stacks.items()}
            fewest = min(total.values())
            label = rng.choice([name for name in sorted(total) if total[name] == fewest])
            least = min(draw_counts[case] for case in stacks[label])
            case = rng.choice([case for case in stacks[label] if draw_counts[case] == least])
            draw_counts[case] += 1
            yield case

    def _counts(self) -> dict[int, int]:
        draw_counts: dict[int, int] = defaultdict(int)
        for step in self.drawn:
            for case in step:
                draw_counts[case] += 1
        return draw_counts


def _apportion(mix: Mapping[int, float], number: int, rng: random.Random) -> dict[int, int]:
    """Whole numbers near `number` times each share, that sum to it; remainders are rounded up at random."""
    exact = {level: share * number for level, share in mix.items()}
    counts = {level: int(value) for level, value in exact.items()}
    rest = {level: exact[level] - counts[level] for level in mix}
    for _ in range(number - sum(counts.values())):
        chosen = rng.choices(list(rest), [value + 1e-9 for value in rest.values()])[0]
        counts[chosen] += 1
        rest[chosen] = 0.0
    return counts
