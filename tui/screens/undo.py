"""Undo: what was decided here at once; what is not fresh in mind only once the person has read what it is."""

from __future__ import annotations

import sqlite3
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from storage import examples, reviews
from storage.database import DatabaseError, connect_durably
from storage.reviews import ReviewAct, ReviewError
from storage.schema import Example, Review
from tui.screens.project_screen import ProjectScreen
from tui.text import content, line
from tui.widgets.bars import bar
from tui.widgets.example import entry, undone


class UndoProgress(Message):
    """How many decisions are taken back; `over` says that no more will be, `problem` why."""

    def __init__(self, number: int, *, over: bool = False, problem: str = "") -> None:
        super().__init__()
        self.number, self.over, self.problem = number, over, problem


class UndoScreen(ModalScreen[int]):
    """Asks about `act` in the database at `path`; closes with how many of its lines were taken back.

    `y` takes it back, in pieces; escape then stops after the piece that is written, and what is left can be undone.
    """

    BINDINGS: ClassVar[list[BindingType]] = [("y", "answer(True)"), ("n,escape", "answer(False)")]

    def __init__(self, path: Path, act: ReviewAct, hypothesis: str) -> None:
        """`hypothesis` is that of the example that the newest line is about."""
        super().__init__()
        self._path = path
        self._act = act
        self._hypothesis = hypothesis
        self._working = self._stop = False

    def compose(self) -> ComposeResult:
        newest, several = self._act.newest, self._act.examples
        when = f"{newest.created.astimezone():%d %B, %H:%M}"
        examples = f"{several:,} decisions of one act, the newest" if several > 1 else "one decision"
        question = (
            f"Take all {several:,} back?" if several > 1 else "Take back what you did before, or on another screen?"
        )
        yield Static(
            Content.assemble(
                (question, "bold"),
                f"\n\n{when} · {examples}:\n",
                content(f"{line(entry(newest), 200)} · “{line(self._hypothesis, 200)}”"),
                ("\n\ny", "bold"), " yes   ", ("n", "bold"), " or ", ("escape", "bold"), " no",
            ),
            id="box",
        )  # fmt: skip

    def action_answer(self, yes: bool) -> None:
        """Begin, or leave; stop what has begun."""
        if self._working:
            self._stop = self._stop or not yes
        elif yes:
            self._working = True
            self.on_undo_progress(UndoProgress(0))
            self.run_worker(self._take_back, thread=True, exit_on_error=False)
        else:
            self.dismiss(0)

    def on_unmount(self) -> None:
        """Let the work end after its piece."""
        self._stop = True

    def _take_back(self) -> None:
        number, problem = 0, ""
        try:
            connection = connect_durably(self._path)
            try:
                for number in reviews.taking_back(connection, self._act):
                    self.post_message(UndoProgress(number))
                    if self._stop:
                        break
            finally:
                connection.close()
        except (ReviewError, DatabaseError, sqlite3.Error) as error:
            problem = str(error)
        self.post_message(UndoProgress(number, over=True, problem=problem))

    def on_undo_progress(self, event: UndoProgress) -> None:
        """Show how far it has come, and close in the end."""
        of = len(self._act.lines)
        if event.over:
            if event.problem or not event.number:
                why = event.problem or "somebody else has undone it already"
                self.notify(line(f"not undone: {why}", 400), markup=False, severity="error", timeout=8)
            self.dismiss(event.number)
            return
        drawn = f"{bar(event.number / of, 20)} {event.number:,} of {of:,} taken back · escape stops"
        self.query_one("#box", Static).update(Content(drawn))


class UndoableScreen(ProjectScreen):
    """A screen that knows which decisions it wrote one by one: the newest of them is undone without a question."""

    def __init__(self) -> None:
        super().__init__()
        self._mine: list[int] = []

    @abstractmethod
    def taken_back(self, newest: Review, example: Example, said: Content) -> None:
        """Show `example`: an act about it, of which `newest` was the newest line, is taken back."""

    def say(self, said: Content) -> None:
        """Tell what an undo came to."""
        self.tell(said.plain)

    def remember(self, example: Example) -> None:
        """The newest line about `example` is that of a single decision, which was made here."""
        self._mine.append(reviews.log(self.db, example.id)[-1].id)

    def action_undo(self) -> None:
        """Take the person's newest act back; one of many, or that was not made here, only if they mean it."""
        act = reviews.newest_act(self.db, self.sidequest.reviewer)
        if act is None:
            self.say(Content("there is nothing of yours left to undo"))
            return
        if act.newest.id not in self._mine:
            example = examples.get(self.db, act.newest.example)
            asked = UndoScreen(self.project.database, act, example.hypothesis if example else "")
            self.app.push_screen(asked, lambda lines: self._undone(act, lines or 0))
            return
        try:
            for _ in reviews.taking_back(self.db, act):
                pass
        except (ReviewError, sqlite3.Error) as error:
            self.tell(f"not undone: {error}", error=True)
            return
        self._undone(act, len(act.lines))

    def _undone(self, act: ReviewAct, lines: int) -> None:
        newest = act.newest
        example = examples.get(self.db, newest.example) if lines else None
        if example is not None:
            self._mine = [one for one in self._mine if one < newest.id]
            decisions = act.examples if lines == len(act.lines) else lines
            said = undone(newest, example.hypothesis, decisions, left=len(self._mine))
            self.taken_back(newest, example, content(said, style="$text-muted"))
