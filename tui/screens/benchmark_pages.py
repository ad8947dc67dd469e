"""Pages over Benchmark whose figures take a moment: the gate's answer with its reasons, and all figures of the runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from core.project import Project
from core.runs.control import RunError
from storage import runs
from storage.database import DatabaseError, connect
from storage.schema import Run
from tui.text import clean, content


class Told(Message):
    """The page is there; `gap` is its lead in one line, where it has one."""

    def __init__(self, page: Content, gap: str = "") -> None:
        super().__init__()
        self.page, self.gap = page, gap


class Slow(ModalScreen[str | None]):
    """A page that is made in a thread, with a connection of its own. Closes with the lead in one line."""

    BINDINGS: ClassVar = [("escape,q,enter,w,c", "close", "Close")]

    def __init__(self, project: Project, chosen: Sequence[str]) -> None:
        super().__init__()
        self._project = project
        self._chosen = chosen
        self._gap = ""

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="box"):
            yield Static(Content.styled("working it out …", "$text-muted"), id="page")

    def on_mount(self) -> None:
        """Work it out."""
        self.query_one("#box").focus()
        self.run_worker(self._work, thread=True, exit_on_error=False)

    def _work(self) -> None:
        try:
            connection = connect(self._project.database)
        except DatabaseError as error:
            self.post_message(Told(content(str(error), style="$text-error")))
            return
        try:
            found = [run for key in self._chosen if (run := runs.get(connection, key))]
            self.post_message(self.told(connection, found))
        except (sqlite3.Error, RunError, ValueError) as error:
            self.post_message(Told(content(str(error), style="$text-error")))
        finally:
            connection.close()

    def told(self, connection: sqlite3.Connection, found: list[Run]) -> Told:
        """The page; called in the thread."""
        raise NotImplementedError

    def on_told(self, event: Told) -> None:
        """Show the page."""
        self._gap = event.gap
        ending = Content.styled("\n\nescape closes this", "$text-muted")
        self.query_one("#page", Static).update(event.page + ending)

    def action_close(self) -> None:
        """Close."""
        self.dismiss(self._gap or None)


class GatePage(Slow):
    """What the gate says of the student's run and the reference's."""

    def told(self, connection: sqlite3.Connection, found: list[Run]) -> Told:
        from core.benchmark.gate import LEVEL, MARGIN, TARGET
        from core.benchmark.outcome import decided
        from core.benchmark.paired import NotSharedError

        student, reference = found[0], found[1] if len(found) > 1 else None
        try:
            answer = decided(self._project, connection, student, reference, target=TARGET, level=LEVEL, margin=MARGIN)
        except NotSharedError as error:
            return Told(content(str(error), style="$text-error"))
        reasons = "\n\n".join(clean(one) for one in answer.reasons)
        page = Content.assemble((f"{answer.verdict.value.upper()}\n\n", "bold $text-accent"), reasons)
        gap = next((one for one in answer.reasons if one.startswith("Pairs:")), "")
        return Told(page, gap)


class FiguresPage(Slow):
    """Confusion, calibration, time, tokens and cost of each run."""

    def told(self, connection: sqlite3.Connection, found: list[Run]) -> Told:
        from core.benchmark.outcome import outcome
        from tui.widgets.outcome import drawn

        return Told(Content("\n\n").join([drawn(outcome(self._project, connection, run)) for run in found]))
