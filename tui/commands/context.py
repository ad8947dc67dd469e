"""What verbs share: the project they work on, and how a failure becomes a message and an exit status."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from core.config.project import Project, open_project
from core.exchange.atomic_write import UnwrittenError
from storage.database import BusyError, connect_durably
from storage.errors import UserError
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


class RefusedError(UserError):
    """The request is wrong; the message says what to do."""


def verb(function: Callable[P, R]) -> Callable[P, R]:
    """Turn an error into a message on stderr and the exit status: 2 for a wrong request, 1 if the work failed."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            say(f"sidequest: {error}")
            raise SystemExit(2) from None
        except (BusyError, UnwrittenError) as error:
            say(f"sidequest: {error}")
            raise SystemExit(1) from None

    return wrapped


pass_context: Callable[[Any], Any] = click.make_pass_decorator(Context)

json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout, and nothing else there."
)
