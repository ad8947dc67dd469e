"""Agreement of the solver with the label by level, what it says of planted flaws, and the speed of both.

python -m tests.bench.solver [--json] [--seeds N] [--flaws N]
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from typing import Any

from core.config.project import parse_task, template
from core.config.task import Task
from core.curriculum.cell import Cell
from core.generation.procedural.source import write_example
from core.generation.source import Request
from core.qa.rules import broken_rules
from core.qa.solver import assess
from storage.schema import Flaw


def cell_of(task: Task, number: int, level: int) -> Cell:
    """The cell of the `number`-th draw at `level`: domains and decisions take turns."""
    domain = task.domains[number % len(task.domains)].name
    return Cell(domain, level, task.labels[number // len(task.domains) % len(task.labels)])


def agreement(task: Task, seeds: int, level: int) -> tuple[int, int]:
    """Of `seeds` draws at `level`: where the blind decision is the label, and where the whole rubric passes too."""
    agreed = passed = 0
    for seed in range(seeds):
        cell = cell_of(task, seed, level)
        candidate = write_example(task, Request(cell, seed % 3, 0, 0, seed)).candidate
        assert candidate is not None
        judgement = assess(task, candidate, cell)
        right = judgement.decision == candidate.decision
        agreed += right
        passed += right and min(judgement.rubric.values()) >= task.limits.rubric_pass
    return agreed, passed


def flaws(task: Task, seeds: int) -> dict[str, Counter[str]]:
    """By planted flaw, over all levels: how often planted, and how often rules or solver object."""
    found: dict[str, Counter[str]] = {flaw.value: Counter() for flaw in Flaw}
    for seed in range(seeds):
        for level in task.levels:
            cell = cell_of(task, seed, level.level)
            written = write_example(task, Request(cell, 1 + seed % 5, 0, 0, seed), flaw_rate=0.7)
            if written.flaw is None or written.candidate is None:
                continue
            judgement = assess(task, written.candidate, cell)
            rules = bool(broken_rules(task, cell, written.candidate))
            low = min(judgement.rubric.values()) < task.limits.rubric_pass
            judged = judgement.decision != written.candidate.decision or low
            found[written.flaw.value].update(planted=1, rules=rules, solver=judged, either=rules or judged)
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Agreement of the solver with the label.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, default=10_000, help="draws at each level")
    parser.add_argument("--flaws", type=int, default=2000, help="draws at each level with flaws planted in most")
    options = parser.parse_args()
    task = parse_task(template())
    started = time.perf_counter()
    levels = {level.level: agreement(task, options.seeds, level.level) for level in task.levels}
    speed = options.seeds * len(levels) / (time.perf_counter() - started)
    planted = flaws(task, options.flaws)
    if options.json:
        figures: dict[str, Any] = {
            "seeds": options.seeds,
            "agreement": {str(level): agreed / options.seeds for level, (agreed, _) in levels.items()},
            "passed": {str(level): passed / options.seeds for level, (_, passed) in levels.items()},
            "candidates_per_s": round(speed, 1),
            "flaws": planted,
        }
        print(json.dumps(figures))
        return
    for level, (agreed, passed) in levels.items():
        print(f"level {level}: agrees on {agreed}/{options.seeds}, passes {passed}/{options.seeds}")
    print(f"{speed:.0f} candidates/s written and judged")
    for name, counts in planted.items():
        total = counts["planted"]
        print(f"{name}: {counts['either']}/{total} caught (rules {counts['rules']}, solver {counts['solver']})")


if __name__ == "__main__":
    main()
