"""The choice of the queue to review."""

from __future__ import annotations

import sqlite3
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from storage import queues
from storage.queues import Queue
from tui.screens.review.wording import TITLES


class QueueChoice(ModalScreen[Queue | None]):
    """All queues with what each holds; closes with the chosen queue, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *((str(number), f"pick({number})") for number in range(1, len(Queue) + 1)),
        ("j", "down"),
        ("k", "up"),
        ("escape,q,o", "leave"),
    ]

    def __init__(self, connection: sqlite3.Connection, current: Queue, reviewer: str) -> None:
        super().__init__()
        self._connection = connection
        self._current = current
        self._reviewer = reviewer

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(Content.styled("What to review", "bold"))
            yield OptionList(*(Option(self._option(number, queue)) for number, queue in enumerate(Queue, start=1)))
            yield Static(Content.styled("enter or a digit chooses, escape goes back", "$text-muted"))

    def _option(self, number: int, queue: Queue) -> Content:
        size = queues.queue_size(self._connection, queue, reviewer=self._reviewer)
        title, meaning = TITLES[queue]
        count = f"{size.number:,}{'+' if size.more else ''}"
        return Content.assemble((f"{number} {title:<21} ", "bold"), f"{count:>8}\n", (f"  {meaning}", "$text-muted"))

    def on_mount(self) -> None:
        """Begin at the queue that is reviewed now."""
        choices = self.query_one(OptionList)
        choices.highlighted = list(Queue).index(self._current)
        choices.focus()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(list(Queue)[event.option_index])

    def action_pick(self, number: int) -> None:
        """Choose the queue with this number, from 1."""
        self.dismiss(list(Queue)[number - 1])

    def action_down(self) -> None:
        """The next queue."""
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        """The previous queue."""
        self.query_one(OptionList).action_cursor_up()

    def action_leave(self) -> None:
        """Close without a choice."""
        self.dismiss(None)
