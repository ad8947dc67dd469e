"""The first step: a folder without a project, or with one that cannot be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from core.config.project import FILE
from tui.actions import Action, bindings
from tui.keymap import key
from tui.text import content
from tui.widgets.keys import Keys

if TYPE_CHECKING:
    from tui.app_context import AppContext

FIRST_STEP = [Action("i", "app.found", "Make a project here", "Write a commented project file into this folder")]


class FirstStepScreen(Screen[None]):
    """Says what is wrong, and what one key does about it."""

    TITLE = "First step"
    ACTIONS = FIRST_STEP
    BINDINGS = bindings(FIRST_STEP)

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="panel"):
            yield Static(self._words(), id="words")
        yield Keys()

    def redraw(self) -> None:
        """Say what is wrong now: the file may have other mistakes than before."""
        self.query_one("#words", Static).update(self._words())
        self.notify("read again: it cannot be opened yet", markup=False, timeout=2.5)

    def _words(self) -> Content:
        app = cast("AppContext", self.app)
        if (app.folder / FILE).exists():
            return Content.assemble(
                ("The project cannot be opened\n\n", "bold $text-error"),
                content(app.problem),
                "\n\nMend it, then ",
                (key("app.read-the-project-file"), "bold"),
                " reads it again.",
            )
        return Content.assemble(
            ("No project here yet\n\n", "bold"),
            content(str(app.folder.resolve())),
            "\n\n",
            ("i", "bold"),
            f" makes one: it writes {FILE}, commented, for the task of judging hypotheses.\n",
            (key("app.quit"), "bold"),
            " leaves. `sidequest -C DIR` opens a project elsewhere, `sidequest demo` a sample.",
        )
