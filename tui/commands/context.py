"""What verbs share: the project they work on, and how a failure becomes a message and an exit status."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from core.config.project import Project, ProjectError, open_project
from core.curriculum.shelving import ShelvingError
from core.runs.control import RunError
from storage.database import BusyError, DatabaseError, connect_durably
from storage.reviews import ReviewError
from tui.commands.output import say

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class Context:
    """The folder that the command line points to, and who decides."""

    folder: Path
    reviewer: str = ""

    def project(self) -> Project:
        """Its project; raises ProjectError."""
        return open_project(self.folder)

    def open(self) -> tuple[Project, sqlite3.Connection]:
        """Its project and a connection to its database, made if it is new."""
        project = self.project()
        return project, connect_durably(project.database, on_migrated=say)


class RefusedError(Exception):
    """The request is wrong; the message says what to do."""


def verb(function: Callable[P, R]) -> Callable[P, R]:
    """Turn what can go wrong into a message on stderr and the exit status: 2 for a wrong request."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (ProjectError, RunError, ReviewError, ShelvingError, DatabaseError, RefusedError) as error:
            say(f"sidequest: {error}")
            raise SystemExit(2) from None
        except BusyError as error:
            say(f"sidequest: {error}")
            raise SystemExit(1) from None

    return wrapped


pass_context: Callable[[Any], Any] = click.make_pass_decorator(Context)

json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout, and nothing else there."
)
