"""A process that measures examples: `python -m core.dataset.measure coverage|check FOLDER QUERY`.

coverage is what they cover, check what they say against each other. It prints a line of JSON for each step. What it
loads takes as much memory as the rest of the app, and training on 100,000 words would delay key presses. So the app
starts this process, and ends it when nobody needs the result any more.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from core.config.project import ProjectError, open_project
from core.config.task import Task
from core.dataset.check import Check, check_dataset
from core.dataset.coverage import NOT_REJECTED, Coverage, measure_coverage
from core.dataset.query import read_query
from core.runs.child_process import python_command
from storage.database import DatabaseError, connect
from storage.examples import Filter
from storage.search import QueryError

Kind = Literal["coverage", "check"]
COVERAGE, CHECK = TypeAdapter(Coverage), TypeAdapter(Check)


def command(kind: Kind, folder: Path, query: str) -> list[str]:
    """The words that start the process; they need `safe_environment`."""
    return python_command("core.dataset.measure", kind, str(folder), query)


def main(kind: Kind, folder: str, query: str) -> int:
    """Measure the examples and print what is known after each step; returns the exit status."""
    try:
        project = open_project(Path(folder))
        connection = connect(project.database)
        where = read_query(project.task, connection, query) if query else NOT_REJECTED
    except (ProjectError, DatabaseError, QueryError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for line in _lines(kind, project.task, connection, where):
        sys.stdout.write(line.decode() + "\n")
        sys.stdout.flush()
    return 0


def _lines(kind: Kind, task: Task, connection: sqlite3.Connection, where: Filter) -> Iterator[bytes]:
    if kind == "check":
        yield from map(CHECK.dump_json, check_dataset(task, connection, where))
    else:
        yield from map(COVERAGE.dump_json, measure_coverage(task, connection, where))


if __name__ == "__main__":
    sys.exit(main("check" if sys.argv[1] == "check" else "coverage", sys.argv[2], sys.argv[3]))
