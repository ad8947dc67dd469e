"""Undo: at once for what was decided on the screen, after a question that quotes it for everything else."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from storage import examples, reviews
from storage.database import connect_durably
from storage.errors import UserError
from storage.reviews import ReviewAct
from storage.schema import Example, Review
from tui.screens.project_screen import ProjectScreen
from tui.text import content, line
from tui.widgets.bars import bar
from tui.widgets.example import entry, undo_message


class UndoProgress(Message):
    """`count` decisions are undone; `finished`: no more will be. `problem` says what went wrong, if something did."""

    def __init__(self, count: int, *, finished: bool = False, problem: str = "") -> None:
        super().__init__()
        self.count, self.finished, self.problem = count, finished, problem


class UndoScreen(ModalScreen[int]):
    """Asks whether to undo `act` in the database at `path`; closes with how many of its lines were undone.

    `y` undoes it in pieces; Escape then stops after the piece in hand, and what is left can be undone later.
    """

    BINDINGS: ClassVar[list[BindingType]] = [("y", "answer(True)"), ("n,escape", "answer(False)")]

    def __init__(self, path: Path, act: ReviewAct, hypothesis: str) -> None:
        """`hypothesis` is that of the example which the newest line is about."""
        super().__init__()
        self._path = path
        self._act = act
        self._hypothesis = hypothesis
        self._working = self._stop = False

    def compose(self) -> ComposeResult:
        newest, count = self._act.newest, self._act.examples
        when = f"{newest.created.astimezone():%d %B, %H:%M}"
        summary = f"{count:,} decisions of one act, the newest" if count > 1 else "one decision"
        question = f"Take all {count:,} back?" if count > 1 else "Take back what you did before, or on another screen?"
        yield Static(
            Content.assemble(
                (question, "bold"),
                f"\n\n{when} · {summary}:\n",
                content(f"{line(entry(newest), 200)} · “{line(self._hypothesis, 200)}”"),
                ("\n\ny", "bold"), " yes   ", ("n", "bold"), " or ", ("escape", "bold"), " no",
            ),
            id="box",
        )  # fmt: skip

    def action_answer(self, yes: bool) -> None:
        """Begin, or leave; once it has begun, stop it."""
        if self._working:
            self._stop = self._stop or not yes
        elif yes:
            self._working = True
            self.on_undo_progress(UndoProgress(0))
            self.run_worker(self._undo, thread=True, exit_on_error=False)
        else:
            self.dismiss(0)

    def on_unmount(self) -> None:
        """Stop after the piece in hand."""
        self._stop = True

    def _undo(self) -> None:
        count, problem = 0, ""
        try:
            connection = connect_durably(self._path)
            try:
                for count in reviews.undo_act(connection, self._act):
                    self.post_message(UndoProgress(count))
                    if self._stop:
                        break
            finally:
                connection.close()
        except (UserError, sqlite3.Error) as error:
            problem = str(error)
        self.post_message(UndoProgress(count, finished=True, problem=problem))

    def on_undo_progress(self, event: UndoProgress) -> None:
        """Show the progress; close in the end."""
        total = len(self._act.lines)
        if event.finished:
            if event.problem or not event.count:
                reason = event.problem or "somebody else has undone it already"
                self.notify(line(f"not undone: {reason}", 400), markup=False, severity="error", timeout=8)
            self.dismiss(event.count)
            return
        progress = f"{bar(event.count / total, 20)} {event.count:,} of {total:,} taken back · escape stops"
        self.query_one("#box", Static).update(Content(progress))


class UndoStack:
    """Undoes the person's newest decisions for `screen`.

    It knows which decisions were made one by one on this screen: those are undone without a question.
    """

    def __init__(
        self,
        screen: ProjectScreen,
        on_undone: Callable[[Review, Example, Content], None],
        say: Callable[[Content], None] | None = None,
    ) -> None:
        """`on_undone` gets the newest line that was undone, the example as it is now, and a message about both.

        `say` shows the message that there is nothing to undo; without it the screen tells it.
        """
        self._screen = screen
        self._on_undone = on_undone
        self._say = say or (lambda message: screen.tell(message.plain))
        # The ids of the log lines that single decisions on this screen wrote.
        self._lines: list[int] = []

    def remember(self, example: Example) -> None:
        """Note that the newest log line about `example` is a single decision that was made on this screen."""
        self._lines.append(reviews.log(self._screen.db, example.id)[-1].id)

    def undo(self) -> None:
        """Undo the person's newest act; ask first if it covers several examples or was not made on this screen."""
        screen = self._screen
        act = reviews.newest_act(screen.db, screen.sidequest.reviewer)
        if act is None:
            self._say(Content("there is nothing of yours left to undo"))
            return
        if act.newest.id not in self._lines:
            example = examples.get(screen.db, act.newest.example)
            question = UndoScreen(screen.project.database, act, example.hypothesis if example else "")
            screen.app.push_screen(question, lambda lines: self._show(act, lines or 0))
            return
        try:
            for _ in reviews.undo_act(screen.db, act):
                pass
        except (UserError, sqlite3.Error) as error:
            screen.tell(f"not undone: {error}", error=True)
            return
        self._show(act, len(act.lines))

    def _show(self, act: ReviewAct, lines: int) -> None:
        """Show that `lines` lines of `act` were undone."""
        newest = act.newest
        example = examples.get(self._screen.db, newest.example) if lines else None
        if example is not None:
            self._lines = [line_id for line_id in self._lines if line_id < newest.id]
            decisions = act.examples if lines == len(act.lines) else lines
            message = undo_message(newest, example.hypothesis, decisions, left=len(self._lines))
            self._on_undone(newest, example, content(message, style="$text-muted"))
