"""Checks the steps of stored examples by the rules of QA, whatever wrote or edited them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from core.config.steps import StepRule
from core.qa.problem import Problem
from core.qa.steps import check_steps
from storage import listing
from storage.examples import Filter
from storage.schema import Example


@dataclass(frozen=True, slots=True)
class CheckedExample:
    """An example, and the rules that its steps break; none if it has no steps."""

    example: Example
    problems: list[Problem]


def check_stored(rule: StepRule | None, connection: sqlite3.Connection, where: Filter) -> Iterator[CheckedExample]:
    """Check each example that matches `where`, the oldest first; `rule` is the task's, None if it has none."""
    for example in listing.iterate_examples(connection, where):
        yield CheckedExample(example, check_steps(rule, example))
