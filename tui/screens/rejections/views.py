"""The views of Rejections: the map, the attempts of a cell, the lineage of one, and the judge's own record."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, ScrollableContainer, VerticalScroll
from textual.content import Content
from textual.widgets import ContentSwitcher, Input, OptionList, Static
from textual.widgets.option_list import Option

from core.curriculum.plan import CellPlan, current
from core.qa.matrix import Matrix, rejection_matrix
from core.qa.scorecard import people_record, scorecard
from storage import attempts, shelves
from storage.attempts import JudgedAttempt
from storage.schema import Status
from storage.shelves import Shelf
from tui.screens.project_screen import ProjectScreen
from tui.screens.rejections.figures import beside, headline, people, scores
from tui.text import line
from tui.widgets.fields import Field
from tui.widgets.heatmap import HeatMap, axes
from tui.widgets.lineage import lineage, row
from tui.widgets.reasons import reason_in_words

# From so many columns on, what a cell holds stands beside the map.
WIDE = 110
PAGE = 50
# What of the newest attempts of a cell stands beside the map.
NEWEST = 8
# Where each action means something.
_VIEWS = {
    "open": {"map", "attempts"},
    "decision": {"map", "attempts"},
    "reason": {"attempts"},
    "overrule": {"attempts", "chain"},
    "hint": {"map", "attempts", "chain"},
    "shelve": {"map", "attempts"},
    "record": {"map"},
    "agreement": {"record"},
    "copy": {"attempts", "chain"},
    "step": {"attempts", "chain"},
    "move": {"map"},
    "back": {"attempts", "chain", "record"},
}


class ViewsScreen(ProjectScreen):
    """The map of rejections; behind each cell its attempts, and behind each attempt its lineage."""

    def __init__(self) -> None:
        super().__init__()
        self._decision = ""
        self._reason = ""
        self._matrix = Matrix([], [])
        self._cells: list[CellPlan] = []
        self._shelves: list[Shelf] = []
        self._rows: list[JudgedAttempt] = []
        # Of these, where those stand that somebody brought in all the same.
        self._brought: dict[str, Status] = {}
        self._all_read = False
        self._hinting = ""

    def parts(self) -> ComposeResult:
        yield Static(id="head")
        with ContentSwitcher(initial="map", id="views"):
            with Container(id="map"):
                with ScrollableContainer(id="around", can_focus=False):
                    yield HeatMap(*axes(self.project.task), id="heat")
                with VerticalScroll(id="beside", can_focus=False):
                    yield Static(id="cell")
            yield OptionList(id="attempts", markup=False)
            with VerticalScroll(id="chain"):
                yield Static(id="lineage")
            with VerticalScroll(id="record"):
                yield Static(id="scores")
        yield Field("", id="hint", placeholder="what the model should do otherwise; empty: the critique alone")

    def on_mount(self) -> None:
        """Begin at the cell that is worst."""
        self.heat.focus()
        one = rejection_matrix(attempts.reason_counts(self.db)).worst
        if one is not None and one.domain in self.heat.domains and one.level in self.heat.levels:
            self.heat.cursor = (self.heat.domains.index(one.domain), self.heat.levels.index(one.level))

    @property
    def heat(self) -> HeatMap:
        """The map."""
        return self.query_one("#heat", HeatMap)

    @property
    def _list(self) -> OptionList:
        return self.query_one("#attempts", OptionList)

    @property
    def _view(self) -> str:
        return self.query_one("#views", ContentSwitcher).current or "map"

    @property
    def _hint(self) -> Input:
        return self.query_one("#hint", Input)

    def _close_hint(self) -> None:
        self._hint.display = False
        self._hint.value = ""
        self._show_view(self._view)

    def _show_view(self, view: str) -> None:
        self.query_one("#views", ContentSwitcher).current = view
        focus = {"map": "#heat", "attempts": "#attempts", "chain": "#chain", "record": "#record"}[view]
        self.set_focus(self.query_one(focus))
        self.refresh_bindings()
        self.redraw()

    # ------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Read the matrix and what is in front, and show them."""
        self.query_one("#map").set_class(self.size.width >= WIDE, "wide")
        self._matrix = rejection_matrix(attempts.reason_counts(self.db), decision=self._decision or None)
        self._shelves = shelves.every(self.db)
        self._cells = [
            cell
            for cell in current(self.project.task, self.db).cells
            if not self._decision or cell.decision == self._decision
        ]
        set_aside = {(cell.domain, cell.level) for cell in self._cells}
        set_aside -= {(cell.domain, cell.level) for cell in self._cells if not cell.shelved}
        self.heat.set_axes(*axes(self.project.task))
        self.heat.update(self._matrix, set_aside)
        if self._view == "attempts":
            self._draw_attempts()
        elif self._view == "chain":
            self._draw_chain()
        elif self._view == "record":
            self.show("#scores", self._record())
        self._draw_cell()
        self.show("#head", self._head())

    def _record(self) -> Content:
        card = scorecard(attempts.flaw_records(self.db))
        return Content("\n").join([scores(card), people(people_record(attempts.reviewed_counts(self.db)))])

    def _head(self) -> Content:
        where = f"{line(self.heat.cursor_cell[0], 20)} · level {self.heat.cursor_cell[1]}"
        decision = line(self._decision, 16) or "all"
        match self._view:
            case "attempts":
                reason = f" · only: {line(reason_in_words(self._reason), 30)}" if self._reason else ""
                return Content(f"Rejected attempts of {where} · {self._counted()} · decision: {decision}{reason}")
            case "chain":
                at = self._list.highlighted or 0
                name = self._current.attempt.id[-6:] if self._current else ""
                return Content(
                    f"How {name} came about · {where} · row {at + 1} of {self._counted()} · j next k previous"
                )
            case "record":
                return Content("The judge's record")
        return headline(self._matrix, decision, self.size.width - 2)

    def _counted(self) -> str:
        return f"{len(self._rows):,}{'' if self._all_read else ' or more'}"

    def _draw_cell(self) -> None:
        domain, level = self.heat.cursor_cell
        cells = [cell for cell in self._cells if (cell.domain, cell.level) == (domain, level)]
        held = [one for one in self._shelves if (one.domain, one.level) == (domain, level)]
        newest = attempts.of_cell(self.db, domain, level, decision=self._decision, limit=NEWEST)
        brought = self._overruled(newest)
        room = self.query_one("#beside").size.width - 2 or self.size.width - 4
        self.show("#cell", beside(self._matrix, domain, level, cells, held, newest, brought, max(30, room)))

    def _draw_attempts(self) -> None:
        """Read the attempts of the cell again, as far as they were read; the cursor stays on the one it is on."""
        before = self._current
        known = [one.attempt.id for one in self._rows]
        self._rows = self._page(limit=max(PAGE, len(self._rows)))
        brought, self._brought = self._brought, self._overruled(self._rows)
        if [one.attempt.id for one in self._rows] != known or brought != self._brought or not self._list.option_count:
            self._list.clear_options()
            self._add(self._rows)
            ids = [one.attempt.id for one in self._rows]
            at = ids.index(before.attempt.id) if before and before.attempt.id in ids else 0
            self._list.highlighted = at if ids else None

    def _page(self, *, before: str = "", limit: int = PAGE) -> list[JudgedAttempt]:
        found = attempts.of_cell(
            self.db, *self.heat.cursor_cell, decision=self._decision, reason=self._reason, before=before, limit=limit
        )
        self._all_read = len(found) < limit
        return found

    def _add(self, rows: list[JudgedAttempt]) -> None:
        width = self.size.width - 4
        self._list.add_options([Option(row(one, width, self._brought.get(one.attempt.id))) for one in rows])
        if not self._rows:
            self._list.add_option(Option(Content("nothing was rejected here"), disabled=True))

    def _overruled(self, rows: list[JudgedAttempt]) -> dict[str, Status]:
        return attempts.overruled(self.db, [one.attempt.id for one in rows])

    @property
    def _current(self) -> JudgedAttempt | None:
        at = self._list.highlighted
        return self._rows[at] if at is not None and at < len(self._rows) else None

    def _draw_chain(self) -> None:
        if self._current is not None:
            key = self._current.attempt.id
            chain = attempts.chain(self.db, key)
            flaws = attempts.planted(self.db, [one.attempt.id for one in chain])
            self.show("#lineage", lineage(chain, key, self._overruled(chain), flaws))

    # ------------------------------------------------------------ moving

    @on(HeatMap.CellHighlighted)
    def _say_cell(self) -> None:
        if self._seen_version >= 0:
            self._draw_cell()

    @on(HeatMap.CellSelected)
    def _chosen(self) -> None:
        self.action_open()

    @on(OptionList.OptionHighlighted)
    def _read_on(self, event: OptionList.OptionHighlighted) -> None:
        """Read the next page when the cursor comes near the end of what is known."""
        if not self._all_read and event.option_index >= len(self._rows) - 5:
            more = self._page(before=self._rows[-1].attempt.id)
            self._rows += more
            self._brought |= self._overruled(more)
            self._add(more)

    @on(OptionList.OptionSelected)
    def _open_attempt(self) -> None:
        self._show_view("chain")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Each action where it means something; a hint that is being written is left by Escape."""
        if action == "back" and self._hint.has_focus:
            return True
        if action in _VIEWS and self._seen_version >= 0 and self._view not in _VIEWS[action]:
            return False
        return super().check_action(action, parameters)

    def action_move(self, rows: int, columns: int) -> None:
        """Another cell."""
        self.heat.move_cursor(rows, columns)

    def action_step(self, step: int) -> None:
        """Another attempt."""
        at = (self._list.highlighted or 0) + step
        if not 0 <= at < len(self._rows):
            self.tell("that was the last one" if step > 0 else "that was the first one")
            return
        self._list.highlighted = at
        if self._view == "chain":
            self.query_one("#chain", VerticalScroll).scroll_home(animate=False)
            self.redraw()

    def action_open(self) -> None:
        """The attempts of the cell, or the lineage of the attempt."""
        if self._view == "attempts":
            if self._current is None:
                self.tell("there is no rejected attempt here")
                return
            self._show_view("chain")
            return
        self._rows, self._reason = [], ""
        self._list.clear_options()
        self._show_view("attempts")

    def action_back(self) -> None:
        """One step back."""
        if self._hint.has_focus:
            self._close_hint()
        else:
            self._show_view("attempts" if self._view == "chain" else "map")

    def on_screen_suspend(self) -> None:
        """A filter was for what the person looked at: it is gone when they have left for another screen."""
        if self not in self.app.screen_stack and (self._decision or self._reason):
            self._decision = self._reason = ""
            self._rows = []

    def action_record(self) -> None:
        """The judge's own record."""
        self._show_view("record")

    def action_agreement(self) -> None:
        """Agreement beyond chance, of people with the judge and with each other."""
        from tui.screens.agreement.screen import AgreementScreen

        self.app.push_screen(AgreementScreen(self.project.database))

    def action_decision(self) -> None:
        """The next decision, and all of them after the last."""
        around = ["", *self.project.task.labels]
        self._decision = around[(around.index(self._decision) + 1) % len(around)]
        self._rows, self._reason = [], ""
        self.tell(f"attempts at {self._decision or 'all decisions'}")
        self.redraw()

    def action_reason(self) -> None:
        """The next reason of the cell, and all of them after the last."""
        cell = self._matrix.at(*self.heat.cursor_cell)
        around = ["", *(cell.reasons if cell else [])]
        at = around.index(self._reason) if self._reason in around else 0
        self._reason = around[(at + 1) % len(around)]
        self._rows = []
        self.tell(f"rejected for: {reason_in_words(self._reason) or 'any reason'}")
        self.redraw()
