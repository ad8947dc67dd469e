"""Agreement: how far people, label and judge agree, computed in a thread."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from core.review.agreement import agreement_report
from storage import blind_reviews
from storage.database import connect
from tui.text import line
from tui.widgets.agreement import draw_report


class AgreementScreen(ModalScreen[None]):
    """The report over all blind decisions in the database at `path`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,q,g,enter", "leave"),
        ("j,down", "scroll(1)"),
        ("k,up", "scroll(-1)"),
    ]

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="box") as box:
            # On the border, which stays visible however long the report is.
            box.border_subtitle = "escape closes · j k scroll"
            yield Static(Content("Agreement: reading the blind decisions, and resampling them …"), id="report")

    def on_mount(self) -> None:
        """Begin to compute, in a thread: importing and resampling take seconds."""
        self.query_one("#box").focus()
        self._compute()

    @work(thread=True, exclusive=True)
    def _compute(self) -> None:
        try:
            connection = connect(self._path)
            try:
                report = draw_report(agreement_report(blind_reviews.read_current(connection)))
            finally:
                connection.close()
        except Exception as error:  # shown, not lost: a thread's traceback would end the app
            report = Content(f"This could not be computed: {line(str(error), 400)}")
        self.app.call_from_thread(self._show, report)

    def _show(self, report: Content) -> None:
        if self.is_attached:
            self.query_one("#report", Static).update(report)

    def action_scroll(self, step: int) -> None:
        """Scroll by so many lines."""
        self.query_one("#box", VerticalScroll).scroll_relative(y=step, animate=False)

    def action_leave(self) -> None:
        """Go back to the examples."""
        self.dismiss(None)
