"""A process that checks what the examples say against each other: `python -m core.dataset.check_process FOLDER QUERY`.

It prints a line of JSON for each step, as `core.dataset.measure` does, and for the same reasons.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import TypeAdapter

from core.config.project import ProjectError, open_project
from core.dataset.check import Check, check_dataset
from core.dataset.coverage import NOT_REJECTED
from core.dataset.query import read_query
from core.runs.child_process import python_command
from storage.database import DatabaseError, connect
from storage.search import QueryError

CHECK = TypeAdapter(Check)


def command(folder: Path, query: str) -> list[str]:
    """The words that start the process; they need `safe_environment`."""
    return python_command("core.dataset.check_process", str(folder), query)


def main(folder: str, query: str) -> int:
    """Check the examples and print what is known after each step; returns the exit status."""
    try:
        project = open_project(Path(folder))
        connection = connect(project.database)
        where = read_query(project.task, connection, query) if query else NOT_REJECTED
    except (ProjectError, DatabaseError, QueryError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for check in check_dataset(project.task, connection, where):
        sys.stdout.write(CHECK.dump_json(check).decode() + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
