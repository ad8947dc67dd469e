"""A whole example, over the list of Dataset: what it says, what was decided about it, and what resembles it."""

from __future__ import annotations

import sqlite3
from itertools import pairwise
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
from storage.database import DatabaseError, connect
from storage.listing import ListedExample
from storage.schema import Example
from tui.actions import EXAMPLE, Action, bindings
from tui.screens.dataset.example_list import highlight
from tui.text import line
from tui.widgets.context_panel import origin_panel
from tui.widgets.diff import diff
from tui.widgets.example import body, entry, judgement, place
from tui.widgets.keys import Keys

if TYPE_CHECKING:
    from tui.app_context import AppContext

Parts = list[Content | str | tuple[str, str]]


class NeighboursFound(Message):
    """The nearest other examples; `problem` says why none could be looked for."""

    def __init__(self, neighbours: list[Neighbour], problem: str = "") -> None:
        super().__init__()
        self.neighbours, self.problem = neighbours, problem


class ExampleScreen(ModalScreen[str]):
    """Shows `example` with its reviews, versions, family and neighbours; `words` are marked.

    Closes with what the person asked for: "edit", "undo" or "".
    """

    TITLE = "Example"
    ACTIONS: ClassVar[list[Action]] = EXAMPLE
    BINDINGS = bindings(EXAMPLE)

    def __init__(self, project: Project, db: sqlite3.Connection, example: Example, words: str) -> None:
        super().__init__()
        self._project = project
        self._example = example
        self._detail = example_detail(db, example.id)
        self._words = words

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        with VerticalScroll(id="whole"):
            yield Static(id="told")
            yield Static(Content.styled("\nNEAREST  looking …", "$text-muted"), id="near")
        yield Keys()

    def on_mount(self) -> None:
        """Draw the example, and look for similar ones."""
        self.query_one("#bar", Static).update(Content.styled(f" {self._example.id}", "bold"))
        if self._detail is not None:
            text = draw_detail(self._detail, self.app.size.width - 4)
            self.query_one("#told", Static).update(highlight(text, self._words))
        self.query_one("#whole").focus()
        self.run_worker(self._find_neighbours, thread=True, exit_on_error=False)

    def _find_neighbours(self) -> None:
        """Search, in a thread."""
        try:
            connection = connect(self._project.database)
        except DatabaseError as error:
            self.post_message(NeighboursFound([], str(error)))
            return
        try:
            self.post_message(NeighboursFound(nearest(connection, self._example)))
        except sqlite3.Error as error:
            self.post_message(NeighboursFound([], str(error)))
        finally:
            connection.close()

    def on_neighbours_found(self, event: NeighboursFound) -> None:
        """Draw the similar examples."""
        parts: Parts = [("\nNEAREST", "bold $text-accent"), (" in its domain and level, by words\n", "$text-muted")]
        width = self.app.size.width - 4
        for neighbour in event.neighbours:
            parts.append(f"{neighbour.similarity:4.0%}  {_describe_row(neighbour.row, width - 6)}\n")
        if not event.neighbours:
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

    def action_undo(self) -> None:
        """Close, and undo the newest decision in the list, which can show what that was."""
        self.dismiss("undo")

    def action_copy(self) -> None:
        """Copy the example as JSON to the terminal's clipboard."""
        self.app.copy_to_clipboard(self._example.model_dump_json(indent=2, ensure_ascii=True))
        message = "sent to the terminal's clipboard as JSON; not every terminal takes it"
        self.notify(message, markup=False, timeout=2.5)

    def action_scroll(self, step: int) -> None:
        """Scroll by `step` lines."""
        self.query_one("#whole", VerticalScroll).scroll_relative(y=step, animate=False)

    def action_edge(self, last: bool) -> None:
        """Scroll to the top, or to the end."""
        panel = self.query_one("#whole", VerticalScroll)
        panel.scroll_to(y=panel.max_scroll_y if last else 0, animate=False)

    def action_page(self, step: int) -> None:
        """Scroll by `step` pages."""
        panel = self.query_one("#whole", VerticalScroll)
        panel.scroll_relative(y=step * max(1, panel.size.height - 1), animate=False)


def draw_detail(detail: ExampleDetail, width: int) -> Content:
    """Everything about an example, in lines of `width` cells."""
    item = detail.case
    example = item.example
    certainty = "unknown" if example.certainty is None else f"{example.certainty:.2f}"
    parts: Parts = [
        place(example, width),
        (f"\n\n{line(example.decision, 40)}", "bold"),
        f"  confidence {example.confidence:.2f}",
        (f"  ·  split {example.split or 'none'}", "$text-muted"),
        (f"  ·  certainty {certainty}\n\n", "$text-muted"),
        body(example, verdict=judgement(item)),
        ("\n\nREVIEWS\n", "bold $text-accent"),
    ]
    for review in item.log:
        time = f"{review.created.astimezone():%Y-%m-%d %H:%M}  "
        parts += [(time, "$text-muted"), line(entry(review), max(20, width - 20)), "\n"]
    if not item.log:
        parts.append(("nobody has decided about it\n", "$text-muted"))
    if len(detail.versions) > 1:
        parts.append(("\nVERSIONS\n", "bold $text-accent"))
        for (before, _), (after, created) in pairwise(detail.versions):
            current = " · the current one" if after.version == example.version else ""
            parts += [(f"version {after.version}, {created.astimezone():%Y-%m-%d %H:%M}{current}\n", "$text-muted")]
            parts += [diff(before, after), "\n\n"]
    parts.append(("\nORIGIN\n", "bold $text-accent"))
    for name, value in origin_panel(example):
        parts += [(f"{name:<9}", "$text-muted"), line(value, max(20, width - 10)), "\n"]
    parts.append(("\nFAMILY\n", "bold $text-accent"))
    for row in detail.kin:
        parts.append(f"{_describe_row(row, width)}\n")
    if not detail.kin:
        parts.append(("no other example stems from the same hypothesis\n", "$text-muted"))
    elif detail.family - 1 > KIN:
        cut = f"{KIN} of {detail.family - 1:,}; / with family:{line(example.family, 40)} shows all\n"
        parts.append((cut, "$text-muted"))
    return Content.assemble(*parts)


def _describe_row(row: ListedExample, width: int) -> str:
    """An example in one line of at most `width` cells."""
    label = f"{row.id[-6:]}  {line(row.decision, 12)}  {row.status.value}"
    return f"{label}  {line(row.hypothesis, max(10, width - len(label) - 2))}"
