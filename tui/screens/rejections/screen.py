"""Rejections: where QA rejects, why, attempt by attempt; and what to do about it."""

from __future__ import annotations

import json
import sqlite3

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import ContentSwitcher, OptionList, Static

from core.qa.scorecard import people_record, scorecard
from core.qa.verdicts import example_of_attempt
from storage import attempts, reviews
from storage.errors import UserError
from storage.schema import Example, Review
from tui.actions import REJECTIONS, bindings
from tui.as_json import json_value
from tui.keymap import key
from tui.screens.project_screen import ProjectScreen
from tui.screens.rejections.attempt_list import AttemptList
from tui.screens.rejections.figures import people_scores, qa_scores
from tui.screens.rejections.hint_field import HintField
from tui.screens.rejections.rejection_map import RejectionMap
from tui.screens.rejections.shelving import toggle_shelf
from tui.screens.undo import UndoStack
from tui.text import line
from tui.widgets.heatmap import FLAGGED, SHELVED, HeatMap
from tui.widgets.lineage import lineage
from tui.widgets.reasons import reason_in_words

# What has the focus in each view.
_FOCUS = {"map": "#heat", "attempts": "#attempts", "chain": "#chain", "record": "#record"}
# In which views each action means something.
_VIEWS_OF_ACTION = {
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


class RejectionsScreen(ProjectScreen):
    """Four views: the map, the attempts of a cell, the lineage of one of them, and the judge's own record."""

    TITLE = "Rejections"
    ACTIONS = REJECTIONS
    BINDINGS = bindings(REJECTIONS)
    MARKS = (
        ("3/12", "rejected, of all attempts"),
        (FLAGGED, "worse than the rest, beyond chance"),
        (SHELVED, "shelved: nothing is generated for it"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._map = RejectionMap(self)
        self._attempts = AttemptList(self)
        self._hint = HintField(self, lambda: self._map.choice, lambda: self._show_view(self._view))
        self._undo_stack = UndoStack(self, self._show_undone)

    def parts(self) -> ComposeResult:
        yield Static(id="head")
        with ContentSwitcher(initial="map", id="views"):
            yield self._map
            yield self._attempts
            with VerticalScroll(id="chain"):
                yield Static(id="lineage")
            with VerticalScroll(id="record"):
                yield Static(id="scores")
        yield self._hint

    def on_mount(self) -> None:
        """Begin at the cell that fails most."""
        self.heat.focus()
        self._map.go_to_worst()

    def on_screen_suspend(self) -> None:
        """Take the filters away when the person leaves for another screen: they were for what was looked at."""
        if self not in self.app.screen_stack and (self._map.decision or self._attempts.reason):
            self._map.decision = self._attempts.reason = ""
            self._attempts.forget()

    @property
    def heat(self) -> HeatMap:
        """The squares of the map."""
        return self._map.heat

    # ------------------------------------------------------------ views

    @property
    def _view(self) -> str:
        return self.query_one("#views", ContentSwitcher).current or "map"

    def _show_view(self, view: str) -> None:
        self.query_one("#views", ContentSwitcher).current = view
        self.set_focus(self.query_one(_FOCUS[view]))
        self.refresh_bindings()
        self.redraw()

    def draw(self) -> None:
        """Read the map and the view in front, and show them."""
        self._map.read()
        match self._view:
            case "attempts":
                self._attempts.read(self._map.choice)
            case "chain":
                self._draw_lineage()
            case "record":
                scores = qa_scores(scorecard(attempts.flaw_records(self.db)))
                people = people_scores(people_record(attempts.reviewed_counts(self.db)))
                self.show("#scores", Content("\n").join([scores, people]))
        self.show("#head", self._head())

    def _draw_lineage(self) -> None:
        if (current := self._attempts.current) is not None:
            chain = attempts.chain(self.db, current.attempt.id)
            ids = [judged.attempt.id for judged in chain]
            overruled, planted = attempts.overruled_statuses(self.db, ids), attempts.planted_flaws(self.db, ids)
            self.show("#lineage", lineage(chain, current.attempt.id, overruled, planted))

    def _head(self) -> Content:
        choice, rows = self._map.choice, self._attempts
        place, decision = f"{line(choice.domain, 20)} · level {choice.level}", line(choice.decision, 16) or "all"
        match self._view:
            case "attempts":
                reason = f" · only: {line(reason_in_words(rows.reason), 30)}" if rows.reason else ""
                return Content(f"Rejected attempts of {place} · {rows.size_in_words} · decision: {decision}{reason}")
            case "chain":
                name = rows.current.attempt.id[-6:] if rows.current else ""
                position = f"row {(rows.highlighted or 0) + 1} of {rows.size_in_words}"
                return Content(f"How {name} came about · {place} · {position} · j next k previous")
            case "record":
                return Content("The judge's record")
        return self._map.headline

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Each action where it means something; a hint that is being written is left by Escape."""
        if action == "back" and self._hint.has_focus:
            return True
        if action in _VIEWS_OF_ACTION and self._seen_version >= 0 and self._view not in _VIEWS_OF_ACTION[action]:
            return False
        return super().check_action(action, parameters)

    # ------------------------------------------------------------ moving

    def action_open(self) -> None:
        """From the map to the attempts of the cell, and from an attempt to its lineage."""
        if self._view == "attempts":
            if self._attempts.current is None:
                self.tell("there is no rejected attempt here")
                return
            self._show_view("chain")
            return
        self._attempts.forget()
        self._attempts.reason = ""
        self._attempts.clear_options()
        self._show_view("attempts")

    @on(HeatMap.CellSelected)
    def _open_cell(self) -> None:
        self.action_open()

    @on(OptionList.OptionSelected)
    def _open_attempt(self) -> None:
        self._show_view("chain")

    def action_back(self) -> None:
        """Go one view back."""
        if self._hint.has_focus:
            self._hint.close()
        else:
            self._show_view("attempts" if self._view == "chain" else "map")

    def action_move(self, rows: int, columns: int) -> None:
        """Move to another cell."""
        self.heat.move_cursor(rows, columns)

    def action_step(self, step: int) -> None:
        """Move to another attempt."""
        if not self._attempts.step(step):
            self.tell("that was the last one" if step > 0 else "that was the first one")
        elif self._view == "chain":
            self.query_one("#chain", VerticalScroll).scroll_home(animate=False)
            self.redraw()

    def action_decision(self) -> None:
        """Show the attempts at the next decision; after the last one, all of them."""
        self._map.next_decision()
        self._attempts.forget()
        self._attempts.reason = ""
        self.tell(f"attempts at {self._map.decision or 'all decisions'}")
        self.redraw()

    def action_reason(self) -> None:
        """Show the attempts rejected for the next reason of the cell; after the last one, all of them."""
        self._attempts.next_reason(self._map.reasons)
        self.tell(f"rejected for: {reason_in_words(self._attempts.reason) or 'any reason'}")
        self.redraw()

    def action_record(self) -> None:
        """Show the judge's own record."""
        self._show_view("record")

    def action_agreement(self) -> None:
        """Show how far people agree with the judge and with each other, beyond chance."""
        from tui.screens.agreement.screen import AgreementScreen

        self.app.push_screen(AgreementScreen(self.project.database))

    # ------------------------------------------------------------ what to do about a cell or an attempt

    def action_overrule(self) -> None:
        """Bring the attempt in for review."""
        judged = self._attempts.current
        if judged is None or judged.attempt.candidate is None:
            self.tell("there is no candidate here that could be brought in")
            return
        try:
            example = reviews.overrule(
                self.db, example_of_attempt(judged.attempt, judged.final), reviewer=self.sidequest.reviewer
            )
        except (UserError, sqlite3.Error) as error:
            self.tell(f"not brought in: {error}", error=True)
            return
        self._undo_stack.remember(example)
        self.tell(f"example {example.id[-6:]} waits for review; {key('rejections.undo')} takes it back")
        self.redraw()

    def action_undo(self) -> None:
        """Undo the person's newest act."""
        self._undo_stack.undo()

    def _show_undone(self, _: Review, __: Example, message: Content) -> None:
        self.tell(message.plain)
        self.redraw()

    def action_shelve(self) -> None:
        """Set the cell aside, if the person confirms it; take it back if it is set aside."""
        toggle_shelf(self, self._map.choice, self._map.shelves)

    def action_hint(self) -> None:
        """Ask for a hint, and write the attempt (on the map: an example of the cell) anew."""
        current = None if self._view == "map" else self._attempts.current
        self._hint.ask(current.attempt.id if current else "")

    def action_copy(self) -> None:
        """Copy the attempt with its verdicts as JSON."""
        if self._attempts.current is not None:
            self.app.copy_to_clipboard(json.dumps(json_value(self._attempts.current), indent=2))
            self.tell("sent to the terminal's clipboard as JSON; not every terminal takes it")
