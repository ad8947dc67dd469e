"""New procedural examples to learn from, drawn for one training run and held apart from dev and test by family."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from itertools import count

from ulid import ULID

from core.config.recipe import Recipe
from core.config.task import Task
from core.curriculum.cell import Cell
from core.generation.procedural.source import NAME, check_task, write_example
from core.generation.source import Request
from storage.schema import Example, Status

# More are drawn again: the tokens of all cases are in memory.
MOST = 20_000
# The seeds of generation runs are small; these begin beyond them.
_FIRST_SEED = 2**40
_SEEDS_PER_RUN = 2**20


def fresh_count(recipe: Recipe) -> int:
    """How many examples a recipe learns from, if each is new."""
    return min(MOST, recipe.batch * recipe.steps // recipe.passes)


def fresh_examples(task: Task, number: int, seed: int, held_out: Collection[str]) -> list[Example]:
    """`number` examples over all cells in turn, one of each decision in a family; the same for the same seed.

    None is of a family in `held_out`. Raises UnsuitableTaskError or UnknownDomainError where the procedural source
    cannot write for the task.
    """
    check_task(task)
    # Level by level within a domain, so that few examples are of all levels, too.
    cells = [(domain.name, level.level) for domain in task.domains for level in task.levels]
    examples: list[Example] = []
    for place in count():
        domain, level = cells[place % len(cells)]
        for decision in task.labels:
            if len(examples) == number:
                return examples
            request = Request(Cell(domain, level, decision), 0, 0, 0, _FIRST_SEED + seed * _SEEDS_PER_RUN + place)
            written = write_example(task, request)
            if written.candidate is None or written.family in held_out:
                continue
            examples.append(
                Example(
                    **written.candidate.model_dump(),
                    id=_id(request),
                    family=written.family,
                    domain=domain,
                    level=level,
                    status=Status.ACCEPTED,
                    split="train",
                    source=NAME,
                    prompt_version=written.prompt_version,
                    seed=request.seed,
                )
            )
    return examples


def _id(request: Request) -> str:
    key = f"fresh/{request.seed}/{request.cell.domain}/{request.cell.level}/{request.cell.decision}"
    return str(ULID.from_bytes(hashlib.sha256(key.encode()).digest()[:16]))
