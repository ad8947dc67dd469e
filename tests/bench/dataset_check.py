"""How long it takes to assign and check many examples, and how much memory.

    python -m tests.bench.dataset_check [--json] [--examples N]

The examples are procedural, nine from each place, all accepted. `splits assign --yes` and `dataset check` run in
processes of their own, whose memory is looked at all the time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from core.config.project import create, open_project
from core.curriculum.cell import Cell
from core.generation.procedural.source import write_example
from core.generation.source import Request
from storage import examples
from storage.database import connect, transaction
from storage.schema import Example, Status
from tests.terminal import SIDEQUEST


def fill(folder: Path, count: int) -> None:
    """A new project with `count` accepted examples."""
    create(folder)
    project = open_project(folder)
    task, connection = project.task, connect(project.database)
    cells = [(decision, slot) for decision in task.labels for slot in range(3)]
    with transaction(connection):
        for number in range(count):
            place, (decision, slot) = number // len(cells), cells[number % len(cells)]
            domain = task.domains[place % len(task.domains)].name
            level = task.levels[place // len(task.domains) % len(task.levels)].level
            written = write_example(task, Request(Cell(domain, level, decision), slot, 0, 0, 1 + place))
            assert written.candidate is not None
            fields = {"family": written.family, "domain": domain, "level": level, "source": "procedural"}
            fields |= written.candidate.model_dump() | {"status": Status.ACCEPTED}
            examples.add(connection, Example.model_validate(fields))
    connection.close()


def measure(folder: Path, *words: str) -> tuple[float, float]:
    """Seconds, and the greatest memory in MB, of a verb on the project in `folder`."""
    started, peak = time.perf_counter(), 0
    command = [SIDEQUEST, "-C", str(folder), *words]
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        # One that has just ended has no memory to tell of.
        with contextlib.suppress(psutil.Error):
            peak = max(peak, process.memory_info().rss)
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)}: it failed, or found what it should not")
    return time.perf_counter() - started, peak / 2**20


def main() -> None:
    """Print a line for each verb."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one JSON object: seconds and MB by verb")
    parser.add_argument("--examples", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "project"
        fill(folder, options.examples)
        verbs = {"splits assign": ("splits", "assign", "--yes"), "dataset check": ("dataset", "check")}
        found = {name: measure(folder, *words) for name, words in verbs.items()}
    if options.json:
        print(json.dumps({name: {"seconds": took, "mb": memory} for name, (took, memory) in found.items()}))
        return
    for name, (took, memory) in found.items():
        print(f"{name}, {options.examples:,} examples: {took:.1f} s, {memory:.0f} MB")


if __name__ == "__main__":
    main()
