"""A process that measures what the examples cover: `python -m core.dataset.measure FOLDER QUERY`.

It prints a line of JSON for each step. What it loads takes as much memory as the rest of the app, and training on
100,000 words would delay key presses. So the app starts this process, and ends it when nobody needs the result any
more.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import TypeAdapter

from core.config.project import ProjectError, open_project
from core.dataset.coverage import NOT_REJECTED, Coverage, measure_coverage
from core.dataset.query import read_query
from core.runs.child_process import python_command
from storage.database import DatabaseError, connect
from storage.search import QueryError

COVERAGE = TypeAdapter(Coverage)


def command(folder: Path, query: str) -> list[str]:
    """The words that start the process; they need `safe_environment`."""
    return python_command("core.dataset.measure", str(folder), query)


def main(folder: str, query: str) -> int:
    """Measure and print the coverage; returns the exit status."""
    try:
        project = open_project(Path(folder))
        connection = connect(project.database)
        where = read_query(project.task, connection, query) if query else NOT_REJECTED
    except (ProjectError, DatabaseError, QueryError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for coverage in measure_coverage(project.task, connection, where):
        sys.stdout.write(COVERAGE.dump_json(coverage).decode() + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
