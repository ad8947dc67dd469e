"""One example whole, over the list of Dataset: what it says, what was decided, and what is like it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from core.config.project import Project
from core.dataset.example_detail import KIN, ExampleDetail, example_detail
from core.dataset.neighbours import Neighbour, nearest
from storage.database import connect
from storage.errors import UserError
from storage.listing import ListedExample
from storage.schema import Example
from tui.actions import EXAMPLE, Action, bindings
from tui.screens.dataset.example_list import highlight
from tui.text import line
from tui.widgets import steps
from tui.widgets.context_panel import origin_panel
from tui.widgets.diff import diff
from tui.widgets.example import body, entry, place, verdict_text
from tui.widgets.keys import Keys

if TYPE_CHECKING:
    from tui.app_context import AppContext

Parts = list[Content | str | tuple[str, str]]


class NeighboursFound(Message):
    """The nearest others were found, or `problem` kept them from it."""

    def __init__(self, found: list[Neighbour], problem: str = "") -> None:
        super().__init__()
        self.found, self.problem = found, problem


class ExampleScreen(ModalScreen[str]):
    """The example with its reviews, versions, family and neighbours; `words` are marked.

    It closes with what is to be done: "edit", "repair", "undo", or nothing.
    """

    TITLE = "Example"
    ACTIONS: ClassVar[list[Action]] = EXAMPLE
    BINDINGS = bindings(EXAMPLE)
    MARKS = (("▮▮▮▯▯", "how relevant a piece of evidence is"), *steps.MARKS)

    def __init__(self, project: Project, db: sqlite3.Connection, example: Example, words: str) -> None:
        super().__init__()
        self._project = project
        self._example = example
        self._found = example_detail(db, example.id)
        self._words = words

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        with VerticalScroll(id="whole"):
            yield Static(id="told")
            yield Static(Content.styled("\nNEAREST  looking …", "$text-muted"), id="near")
        yield Keys()

    def on_mount(self) -> None:
        """Draw what is known, and look for what is like it."""
        self.query_one("#bar", Static).update(Content.styled(f" {self._example.id}", "bold"))
        if self._found is not None:
            drawn = told(self._found, self.app.size.width - 4)
            self.query_one("#told", Static).update(highlight(drawn, self._words))
        self.query_one("#whole").focus()
        self.run_worker(self._look, thread=True, exit_on_error=False)

    def _look(self) -> None:
        try:
            connection = connect(self._project.database)
        except UserError as error:
            self.post_message(NeighboursFound([], str(error)))
            return
        try:
            self.post_message(NeighboursFound(nearest(connection, self._example)))
        except sqlite3.Error as error:
            self.post_message(NeighboursFound([], str(error)))
        finally:
            connection.close()

    def on_neighbours_found(self, event: NeighboursFound) -> None:
        """Draw what is like it."""
        parts: Parts = [("\nNEAREST", "bold $text-accent"), (" in its domain and level, by words\n", "$text-muted")]
        width = self.app.size.width - 4
        for one in event.found:
            parts.append(f"{one.similarity:4.0%}  {_row(one.row, width - 6)}\n")
        if not event.found:
            parts.append(line(event.problem, 200) or "no other example is there")
        self.query_one("#near", Static).update(highlight(Content.assemble(*parts), self._words))

    def action_explain_keys(self) -> None:
        """Explain the keys."""
        cast("AppContext", self.app).action_explain()

    def action_close(self) -> None:
        """Back to the list."""
        self.dismiss("")

    def action_edit(self) -> None:
        """Edit the example."""
        self.dismiss("edit")

    def action_repair(self) -> None:
        """Have stale fields written anew."""
        self.dismiss("repair")

    def action_undo(self) -> None:
        """Take the newest decision back, where the list can tell what it was."""
        self.dismiss("undo")

    def action_copy(self) -> None:
        """Copy the example as JSON to the terminal's clipboard."""
        self.app.copy_to_clipboard(self._example.model_dump_json(indent=2, ensure_ascii=True))
        said = "sent to the terminal's clipboard as JSON; not every terminal takes it"
        self.notify(said, markup=False, timeout=2.5)

    def action_scroll(self, step: int) -> None:
        """Scroll a line."""
        self.query_one("#whole", VerticalScroll).scroll_relative(y=step, animate=False)

    def action_edge(self, last: bool) -> None:
        """Scroll to the top, or to the end."""
        panel = self.query_one("#whole", VerticalScroll)
        panel.scroll_to(y=panel.max_scroll_y if last else 0, animate=False)

    def action_page(self, step: int) -> None:
        """Scroll a page."""
        panel = self.query_one("#whole", VerticalScroll)
        panel.scroll_relative(y=step * max(1, panel.size.height - 1), animate=False)


def told(found: ExampleDetail, width: int) -> Content:
    """All that is known about an example, for lines of `width` cells."""
    case = found.case
    one = case.example
    verdict = verdict_text(case)
    parts: Parts = [
        place(one, width),
        (f"\n\n{line(one.decision, 40)}", "bold"),
        f"  confidence {one.confidence:.2f}",
        (f"  ·  split {one.split or 'none'}", "$text-muted"),
        (f"  ·  certainty {'unknown' if one.certainty is None else f'{one.certainty:.2f}'}\n\n", "$text-muted"),
        body(one, verdict=verdict),
        ("\n\nREVIEWS\n", "bold $text-accent"),
    ]
    for review in case.log:
        when = f"{review.created.astimezone():%Y-%m-%d %H:%M}  "
        parts += [(when, "$text-muted"), line(entry(review), max(20, width - 20)), "\n"]
    if not case.log:
        parts.append(("nobody has decided about it\n", "$text-muted"))
    if len(found.versions) > 1:
        parts.append(("\nVERSIONS\n", "bold $text-accent"))
        for (before, _), (after, when_made) in zip(found.versions, found.versions[1:], strict=False):
            current = " · the current one" if after.version == one.version else ""
            parts += [(f"version {after.version}, {when_made.astimezone():%Y-%m-%d %H:%M}{current}\n", "$text-muted")]
            parts += [diff(before, after), "\n\n"]
    parts.append(("\nORIGIN\n", "bold $text-accent"))
    for name, value in origin_panel(one):
        parts += [(f"{name:<9}", "$text-muted"), line(value, max(20, width - 10)), "\n"]
    parts.append(("\nFAMILY\n", "bold $text-accent"))
    for row in found.kin:
        parts.append(f"{_row(row, width)}\n")
    if not found.kin:
        parts.append(("no other example stems from the same hypothesis\n", "$text-muted"))
    elif found.family - 1 > KIN:
        said = f"{KIN} of {found.family - 1:,}; / with family:{line(one.family, 40)} shows all\n"
        parts.append((said, "$text-muted"))
    return Content.assemble(*parts)


def _row(row: ListedExample, width: int) -> str:
    label = f"{row.id[-6:]}  {line(row.decision, 12)}  {row.status.value}"
    return f"{label}  {line(row.hypothesis, max(10, width - len(label) - 2))}"
