"""Check, over the list of Dataset: what the examples say against each other, as a table."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import ValidationError
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from core.config.project import Project
from core.dataset.check import Check, CheckFinding, Concern, Severity, describe_score
from core.dataset.measure import CHECK, command
from storage.search import query_part
from tui.actions import CHECK as KEYS
from tui.actions import Action, bindings
from tui.screens.dataset.measuring import Measuring, MeasuringError
from tui.text import line
from tui.widgets.keys import Keys
from tui.widgets.listing import Listing, Part

if TYPE_CHECKING:
    from tui.app_context import AppContext

# A filter by ids holds no more than this.
MAX_IDS = 100


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: a finding, or one of its concerns."""

    finding: CheckFinding
    concern: Concern | None = None

    @property
    def ids(self) -> list[str]:
        """The examples behind the line, as many as a filter holds."""
        concerns = [self.concern] if self.concern is not None else self.finding.concerns
        return list(dict.fromkeys(example for concern in concerns for example in concern.ids))[:MAX_IDS]


class CheckScreen(ModalScreen[str | None]):
    """Shows the findings about the examples that match `query`; a process of its own looks for them.

    Closes with the query for the examples behind the line that the person chose, or with None.
    """

    TITLE = "Check"
    ACTIONS: ClassVar[list[Action]] = KEYS
    BINDINGS = bindings(KEYS)

    def __init__(self, project: Project, query: str) -> None:
        super().__init__()
        self._project = project
        self._query = query
        self._check: Check | None = None
        self._problem = ""
        self._rows: list[Row] = []
        self._measuring = Measuring()

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        yield Listing(self._read_lines, id="findings")
        yield Static(id="advice")
        yield Static(id="alone")
        yield Keys()

    @property
    def table(self) -> Listing:
        """The findings, each with its concerns below it."""
        return self.query_one("#findings", Listing)

    def on_mount(self) -> None:
        """Start to look for findings."""
        self.table.focus()
        self._draw()
        self.run_worker(self._measure(), exit_on_error=False)

    def on_unmount(self) -> None:
        """Stop looking: nobody sees the findings."""
        self._measuring.stop()

    async def _measure(self) -> None:
        try:
            async for output_line in self._measuring.lines(command("check", self._project.folder, self._query)):
                self._show(CHECK.validate_json(output_line))
        except MeasuringError as error:
            self._problem = f"they could not be checked: {error}"
            self._draw()
        except (ValidationError, ValueError) as error:
            self._problem = f"what was found cannot be read: {error}"
            self._draw()

    def _show(self, check: Check) -> None:
        """Show the findings; those that are there already keep their places."""
        self._check = check
        self._rows = []
        for finding in check.findings:
            self._rows.append(Row(finding))
            self._rows += [Row(finding, concern) for concern in finding.concerns]
        self.table.fill(array("q", range(len(self._rows))), self.table.cursor)
        self._draw()

    def _draw(self) -> None:
        check = self._check
        is_counted = check is not None and (check.total or not check.doing)
        count = f"{check.total:,} examples" if check is not None and is_counted else "reading …"
        scope = f"what matches {line(self._query, 40)}" if self._query else "all that are not rejected"
        state = f" · {check.doing} …" if check is not None and check.doing else ""
        state = f" · {line(self._problem, 200)}" if self._problem else state
        self.query_one("#bar", Static).update(Content.assemble((" Check ", "bold"), f" {count}, {scope}{state}"))
        self.query_one("#alone", Static).update(self._describe_scores())
        self.draw_advice()

    def _describe_scores(self) -> Content:
        """What words alone tell; nothing before it is known."""
        check = self._check
        if check is None or not check.sides:
            return Content("")
        lines = [Content.styled("WORDS ALONE", "bold $text-accent")]
        scores = [*check.sides.items(), *([("both", check.baseline)] if check.baseline is not None else [])]
        lines += [Content(f"{name:<11} {describe_score(shortcut)}") for name, shortcut in scores]
        if check.baseline is not None and not check.baseline.problem and not check.baseline.exists:
            lines.append(Content.styled("they tell nothing here, so they point to no label errors", "$text-muted"))
        return Content("\n").join(lines)

    def draw_advice(self) -> None:
        """Say what to do about the finding under the cursor."""
        number = self.table.cursor_number
        if number is not None:
            advice = Content(f"→ {line(self._rows[number].finding.advice, 300)}")
        elif self._check is not None and not self._check.doing:
            advice = Content.styled("no findings", "$text-success")
        else:
            advice = Content("")
        self.query_one("#advice", Static).update(advice)

    def _read_lines(self, numbers: Sequence[int], width: int) -> Mapping[int, list[Part]]:
        return {number: draw_row(self._rows[number], width) for number in numbers if number < len(self._rows)}

    def on_listing_view_changed(self) -> None:
        """Say what to do about the finding that the cursor is on now."""
        self.draw_advice()

    def on_listing_row_selected(self) -> None:
        """Show the examples behind the line that was clicked."""
        self.action_show()

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self.table.move_cursor(self.table.cursor + step)

    def action_page(self, step: int) -> None:
        """Move by pages."""
        self.table.move_pages(step)

    def action_edge(self, last: bool) -> None:
        """Go to the first line or the last."""
        self.table.move_cursor(len(self._rows) - 1 if last else 0)

    def action_show(self) -> None:
        """Close, and let the list show the examples behind the line under the cursor, if it is about examples."""
        number = self.table.cursor_number
        if number is not None and (ids := self._rows[number].ids):
            self.dismiss(query_part("id", *ids))

    def action_explain_keys(self) -> None:
        """Explain the keys."""
        cast("AppContext", self.app).action_explain()

    def action_close(self) -> None:
        """Back to the list."""
        self.dismiss(None)


def draw_row(row: Row, width: int) -> list[Part]:
    """A line of `width` cells at most: severity and summary of a finding; or number, detail and words of a concern."""
    finding, concern = row.finding, row.concern
    if concern is None:
        style = "rejected" if finding.severity is Severity.STOPS else "warning"
        cut = f" (the first {len(finding.concerns)})" if finding.count > len(finding.concerns) > 0 else ""
        return [(f"{finding.severity.value:<9}", style), (line(finding.summary + cut, max(10, width - 9)), "")]
    count = f"{concern.examples:,}"
    detail = f"  {count:>5}  {line(concern.detail, max(10, width - 20))}"
    room = width - len(detail) - 2
    words = f"  {line(concern.hypothesis, room)}" if room > 10 else ""
    return [(detail, ""), (words, "muted")]
