"""What screens may ask of the app, so that they need not import it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.config.project import Project
from core.config.settings import Settings


@dataclass(frozen=True, slots=True)
class GenerationWish:
    """What another screen wants generated: a query for cells, a kind of inference ('': any), and why."""

    cells: str
    inference: str
    reason: str


class AppContext(Protocol):
    """The app as its screens see it: the open project, the person who decides, and what they share."""

    project: Project
    db: sqlite3.Connection
    folder: Path
    reviewer: str
    settings: Settings
    # Why the project file cannot be read; '' if it can.
    problem: str
    # Where in the project file the problem is, in short.
    wrong: str

    # What Generate is to be filled in with when it is shown next.
    generation_wish: GenerationWish | None

    @property
    def mending(self) -> str:
        """What is wrong with the project file, and what to do about it."""
        ...

    def action_go(self, place: str) -> None:
        """Show the screen of a place."""
        ...

    def action_explain(self) -> None:
        """Explain the keys of the screen in front."""
        ...
