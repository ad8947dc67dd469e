"""Two runs example by example: where one is right and the other wrong, with what both said."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from core.benchmark.following import Following
from core.benchmark.scored import Scored
from core.project import Project
from storage import predictions
from storage.schema import Prediction
from storage.search import QueryError, parse_query
from tui.actions import PAIRS, Action, bindings
from tui.text import clean, content, line
from tui.widgets.fields import Field
from tui.widgets.keys import Keys
from tui.widgets.measured import OUTCOMES, REFERENCE, STUDENT

if TYPE_CHECKING:
    from tui.app import SidequestApp

# What is listed, by turns.
ONE_RIGHT, STUDENT_WRONG, REFERENCE_WRONG, BOTH_WRONG, SILENT, EVERY = (
    "where one is right",
    "where only the student is wrong",
    "where only the reference is wrong",
    "where both are wrong",
    "without an answer",
    "all",
)
ORDER = (ONE_RIGHT, STUDENT_WRONG, REFERENCE_WRONG, BOTH_WRONG, SILENT, EVERY)
ALONE = (BOTH_WRONG, SILENT, EVERY)
# From so many columns on, there is room for confidences.
WIDE = 100
STYLES = {"student": STUDENT, "reference": REFERENCE}
Row = dict[str, Scored]


class PairsScreen(ModalScreen[None]):
    """A list of examples with what each run decided, and one of them whole."""

    TITLE = "Pairs"
    ACTIONS: ClassVar[list[Action]] = PAIRS
    BINDINGS = bindings(PAIRS)

    def __init__(self, project: Project, db: sqlite3.Connection, followed: Mapping[str, Following]) -> None:
        super().__init__()
        self._project = project
        self._db = db
        self._followed = followed
        self._which = 0
        self._query = ""
        self._rows: list[Row] = []
        self._at = 0

    @property
    def _order(self) -> tuple[str, ...]:
        return ORDER if len(self._followed) == 2 else ALONE

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        yield Static(id="list")
        yield Field("", id="cell", placeholder="domain:risk level:1-2 decision:REFINED; empty: all")
        with VerticalScroll(id="said"):
            yield Static(id="whole")
        yield Keys()

    def on_mount(self) -> None:
        """List what differs."""
        self.query_one("#cell").display = False
        self.query_one("#said").focus()
        self._list()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No key acts while the field is written in, but the one that leaves it."""
        if isinstance(self.focused, Input):
            return action == "close"
        return super().check_action(action, parameters)

    # ------------------------------------------------------------ what is listed

    def _list(self) -> None:
        which = self._order[self._which]
        try:
            cells = parse_query(self._query)
        except QueryError:
            cells = parse_query("")
        first = next(iter(self._followed.values()))
        rows: list[Row] = []
        for example in first.heard:
            row = {role: one.heard[example] for role, one in self._followed.items() if example in one.heard}
            one = row[next(iter(row))]
            fits = (
                (not cells.domain or one.domain in cells.domain)
                and (not cells.level or one.level in cells.level)
                and (not cells.decision or one.label in cells.decision)
            )
            if fits and listed(row, which, len(self._followed)):
                rows.append(row)
        self._rows, self._at = rows, min(self._at, max(0, len(rows) - 1))
        self._draw()

    def _draw(self) -> None:
        width, room = self.app.size.width - 2, max(3, (self.app.size.height - 4) // 3)
        where = f" · {clean(self._query, limit=60)}" if self._query else ""
        number = f"{self._at + 1} of {len(self._rows):,}" if self._rows else "none"
        self.query_one("#bar", Static).update(
            Content.styled(line(f" {self._order[self._which]}{where} · {number}", width), "bold")
        )
        start = max(0, min(self._at - room // 2, len(self._rows) - room))
        shown = [
            drawn(row, self._labels(row), width, here=start + place == self._at)
            for place, row in enumerate(self._rows[start : start + room])
        ]
        self.query_one("#list", Static).update(
            Content("\n").join(shown) if shown else Content.styled(" no such example", "$text-muted")
        )
        self._draw_whole()

    def _labels(self, row: Row) -> str:
        return next(iter(row.values())).label

    def _draw_whole(self) -> None:
        whole = self.query_one("#whole", Static)
        if not self._rows:
            whole.update(Content())
            return
        row = self._rows[self._at]
        one = next(iter(row.values()))
        parts: list[Content | str | tuple[str, str]] = []
        first = next(iter(self._followed.values()))
        for case in predictions.cases(self._db, first.run, [one.example]):
            parts += [("HYPOTHESIS\n", "bold $text-accent"), content(case.hypothesis), "\n"]
            for piece in case.evidence:
                parts += [
                    ("\n▪ ", "$text-muted"),
                    content(piece.source, style="bold"),
                    "\n",
                    content(piece.content),
                    "\n",
                ]
        parts += [("\nLABEL  ", "bold $text-accent"), clean(one.label), "\n"]
        for role, said in self._said(row).items():
            parts += told(role, said, one.label)
        whole.update(Content.assemble(*parts))

    def _said(self, row: Row) -> dict[str, list[Prediction]]:
        example = next(iter(row.values())).example
        return {
            role: predictions.of_example(self._db, followed.run, example)
            for role, followed in self._followed.items()
            if role in row
        }

    # ------------------------------------------------------------ actions

    def action_close(self) -> None:
        """Leave the field, or the screen."""
        if isinstance(self.focused, Input):
            self._close_field()
        else:
            self.dismiss(None)

    def _close_field(self) -> None:
        self.query_one("#cell").display = False
        self.query_one("#said").focus()

    def action_filter(self) -> None:
        """List others."""
        self._which = (self._which + 1) % len(self._order)
        self._at = 0
        self._list()

    def action_cell(self) -> None:
        """Only some cells."""
        field = self.query_one("#cell", Input)
        field.display = True
        field.value = self._query
        field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """List what is in these cells."""
        try:
            parse_query(event.value)
        except QueryError as error:
            self.notify(clean(str(error), limit=300), markup=False, severity="error")
            return
        self._query, self._at = event.value.strip(), 0
        self._close_field()
        self._list()

    def action_move(self, by: int) -> None:
        """Another example."""
        at = max(0, min(self._at + by, len(self._rows) - 1))
        if at != self._at:
            self._at = at
            self.query_one("#said").scroll_home(animate=False)
            self._draw()

    def action_edge(self, last: bool) -> None:
        """The first or the last example."""
        self.action_move(len(self._rows) if last else -len(self._rows))

    def action_page(self, by: int) -> None:
        """Scroll what they said."""
        said = self.query_one("#said")
        said.scroll_relative(y=by * max(1, said.size.height - 1), animate=False)

    def action_copy(self) -> None:
        """Send what both said to the terminal's clipboard."""
        if self._rows:
            said = {
                role: [one.model_dump(mode="json") for one in all_]
                for role, all_ in self._said(self._rows[self._at]).items()
            }
            self.app.copy_to_clipboard(json.dumps(said))
            self.notify("sent to the terminal's clipboard, if it takes it", markup=False, timeout=2.5)

    def action_explain_keys(self) -> None:
        """Explain the keys."""
        cast("SidequestApp", self.app).action_explain()


def listed(row: Row, which: str, runs: int) -> bool:
    """Whether a row belongs to a list; but in the list of all, only what every run has answered."""
    if which == EVERY:
        return True
    if which == SILENT:
        return any(one.decision is None for one in row.values())
    if len(row) < runs:
        return False
    right = {role: one.correct for role, one in row.items()}
    if which == BOTH_WRONG:
        return not any(right.values())
    if which == STUDENT_WRONG:
        return not right["student"] and right["reference"]
    if which == REFERENCE_WRONG:
        return right["student"] and not right["reference"]
    return right["student"] != right["reference"]


def drawn(row: Row, label: str, width: int, *, here: bool) -> Content:
    """One example in one line."""
    one = next(iter(row.values()))
    parts: list[str | tuple[str, str]] = [(f"{'▸' if here else ' '} ", "bold")]
    room = 12 if width >= WIDE else 9
    parts.append(f"{one.example[-6:]} {line(one.domain, 10):<10} L{one.level} {line(label, room):<{room}}")
    for role, said in row.items():
        mark, style = ("✓", "$text-success") if said.correct else ("✗", "$text-error")
        word = said.decision or OUTCOMES.get(said.outcome, str(said.outcome))
        sure = "" if said.confidence is None or width < WIDE else f" {said.confidence:.2f}"
        parts += [f"  {role} ", (f"{mark} {line(word, room)}{sure}", style)]
    return Content.assemble(*parts)[:width]


def told(role: str, said: list[Prediction], label: str) -> list[Content | str | tuple[str, str]]:
    """What one run said about an example, all rounds and samples."""
    parts: list[Content | str | tuple[str, str]] = []
    for one in said:
        decided = one.decision or OUTCOMES.get(one.outcome, str(one.outcome))
        right = one.decision == label
        sure = "" if one.confidence is None else f" · sure to {one.confidence:.2f}"
        given = (
            ""
            if not one.probabilities
            else " · " + ", ".join(f"{clean(name)} {value:.2f}" for name, value in one.probabilities.items())
        )
        which = "" if len(said) == 1 else f" · sample {one.sample + 1}, round {one.number + 1}"
        parts += [
            (f"\n{role.upper()}  ", f"bold {STYLES.get(role, '')}"),
            (f"{'✓' if right else '✗'} {clean(decided)}", "$text-success" if right else "$text-error"),
            f"{sure}{given}{which} · {one.usage.seconds:.2f} s\n",
            content(one.rationale or one.raw or one.detail or "it said nothing"),
            "\n",
        ]
    return parts
