"""The rejected attempts of a cell as a list that is read page by page."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from storage import attempts
from storage.attempts import JudgedAttempt
from storage.schema import Status
from tui.screens.project_screen import ProjectScreen
from tui.screens.rejections.cell_choice import CellChoice
from tui.widgets.lineage import attempt_row

PAGE = 50
# With fewer rows than these below the cursor, the next page is read.
AHEAD = 5


class AttemptList(OptionList):
    """The rejected attempts of one cell, newest first: all of them, or those that were rejected for one `reason`."""

    def __init__(self, owner: ProjectScreen) -> None:
        super().__init__(id="attempts", markup=False)
        self._owner = owner
        self.reason = ""
        self._cell = CellChoice("", 0)
        self._attempts: list[JudgedAttempt] = []
        # What became of those that somebody brought in all the same.
        self._overruled: dict[str, Status] = {}
        self._complete = False

    @property
    def current(self) -> JudgedAttempt | None:
        """The attempt under the cursor."""
        row = self.highlighted
        return self._attempts[row] if row is not None and row < len(self._attempts) else None

    @property
    def size_in_words(self) -> str:
        """How many attempts there are, as far as they are read."""
        return f"{len(self._attempts):,}{'' if self._complete else ' or more'}"

    def forget(self) -> None:
        """Let go of the attempts: the next `read` begins with the first page."""
        self._attempts = []

    def next_reason(self, reasons: list[str]) -> None:
        """Show the attempts that were rejected for the next of `reasons`; after the last one, all of them."""
        choices = ["", *reasons]
        position = choices.index(self.reason) if self.reason in choices else 0
        self.reason = choices[(position + 1) % len(choices)]
        self.forget()

    def read(self, cell: CellChoice) -> None:
        """Read the attempts at `cell` again, as far as they were read; the cursor stays on its attempt."""
        self._cell = cell
        current, ids = self.current, [judged.attempt.id for judged in self._attempts]
        self._attempts = self._page(limit=max(PAGE, len(self._attempts)))
        overruled, self._overruled = self._overruled, self._overruled_among(self._attempts)
        new_ids = [judged.attempt.id for judged in self._attempts]
        if new_ids != ids or overruled != self._overruled or not self.option_count:
            self.clear_options()
            self._add_rows(self._attempts)
            position = new_ids.index(current.attempt.id) if current and current.attempt.id in new_ids else 0
            self.highlighted = position if new_ids else None

    def step(self, step: int) -> bool:
        """Move the cursor by `step` attempts; False if there are not so many."""
        position = (self.highlighted or 0) + step
        if not 0 <= position < len(self._attempts):
            return False
        self.highlighted = position
        return True

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Read the next page when the cursor comes near the end of what is read."""
        if self._attempts and not self._complete and event.option_index >= len(self._attempts) - AHEAD:
            more = self._page(before=self._attempts[-1].attempt.id)
            self._attempts += more
            self._overruled |= self._overruled_among(more)
            self._add_rows(more)

    def _page(self, *, before: str = "", limit: int = PAGE) -> list[JudgedAttempt]:
        domain, level, decision = self._cell
        page = attempts.of_cell(
            self._owner.db, domain, level, decision=decision, reason=self.reason, before=before, limit=limit
        )
        self._complete = len(page) < limit
        return page

    def _overruled_among(self, rows: list[JudgedAttempt]) -> dict[str, Status]:
        return attempts.overruled_statuses(self._owner.db, [judged.attempt.id for judged in rows])

    def _add_rows(self, rows: list[JudgedAttempt]) -> None:
        width = self._owner.size.width - 4
        self.add_options(
            [Option(attempt_row(judged, width, self._overruled.get(judged.attempt.id))) for judged in rows]
        )
        if not self._attempts:
            self.add_option(Option(Content("nothing was rejected here"), disabled=True))
