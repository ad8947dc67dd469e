"""Generate: the grid of cells, what to ask for, and the run as it goes."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import Any

from pydantic import ValidationError
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Grid, VerticalGroup, VerticalScroll
from textual.content import Content
from textual.widgets import DataTable, Input, Label, Select, Static

from core.curriculum.plan import CellPlan, current
from core.generation.start import GenerateParams, start
from core.runs.control import RunError, Seen, look
from core.runs.figures import duration
from core.task import EMBEDDED
from storage import attempts, runs
from storage.attempts import Judged
from storage.schema import RunState
from storage.search import QueryError, parse_query
from tui.actions import GENERATE, bindings
from tui.screens.run_control import RunControl
from tui.text import clean, content, line
from tui.widgets.bars import bar
from tui.widgets.fields import Field
from tui.widgets.reasons import REASON_WIDTH, reason_in_words

# From so many columns on, the run stands beside the grid.
WIDE = 130
GRID_WIDTH = 66


class GenerateScreen(RunControl):
    """A form and a grid while nothing is generated; the run with its newest attempts while it is."""

    TITLE = "Generate"
    ACTIONS = GENERATE
    BINDINGS = bindings(GENERATE)

    def __init__(self) -> None:
        super().__init__()
        self._seen: Seen | None = None
        self._cells: list[CellPlan] = []

    def parts(self) -> ComposeResult:
        task = self.project.task
        given = GenerateParams.of(task)
        with VerticalScroll(id="body"):
            with Container(id="top"):
                yield DataTable(id="grid", cursor_type="cell", classes="panel")
                with VerticalGroup(id="ask"):
                    yield from self._form(given)
                    yield Static(id="live", classes="panel")
            yield Static(id="newest", classes="panel")

    def _form(self, given: GenerateParams) -> ComposeResult:
        task = self.project.task
        with Grid(id="form", classes="panel"):
            yield Label("source")
            yield _choice("source", [*EMBEDDED["generator"], *task.models], given.source)
            yield Label("judge")
            yield _choice("judge", [*EMBEDDED["judge"], *task.models], given.judge)
            yield Label("cells")
            yield Field("", id="cells", placeholder="all, or domain:risk level:1-2")
            yield Label("how many")
            yield Field("", id="n", placeholder="all that is missing")
            yield Label("seed")
            yield Field("0", id="seed")
            yield Label("budget")
            yield Field("" if given.budget is None else str(given.budget), id="budget", placeholder="none")
            yield Label("flaws")
            yield Field(f"{given.flaws:g}", id="flaws", placeholder="share planted, 0 to 1")
            yield Label("pace")
            pace = "" if given.attempts_per_minute is None else f"{given.attempts_per_minute:g}"
            yield Field(pace, id="attempts_per_minute", placeholder="attempts/min, no limit")

    def on_mount(self) -> None:
        """Begin at the grid."""
        grid = self._grid
        for name, title in (("form", "What to make · g starts"), ("live", "Run"), ("newest", "Newest attempts")):
            self.query_one(f"#{name}").border_title = title
        self._make_grid()
        grid.move_cursor(row=0, column=1)
        grid.focus()

    def ticking(self) -> bool:
        """A run's figures change by themselves."""
        return self._seen is not None and not self._seen.state.ended

    @property
    def _grid(self) -> DataTable[Text]:
        return self.query_one("#grid", DataTable)

    # ------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Read the plan and the newest run, and show them."""
        self._draw_grid()
        self.query_one("#top").set_class(self.size.width >= WIDE, "wide")
        found = next((run for run in runs.newest(self.db, 20) if run.kind == "generate"), None)
        self._seen = look(found) if found is not None else None
        going = self.ticking()
        self.query_one("#form").display = not going
        self.query_one("#live").display = self._seen is not None
        self.query_one("#newest").display = self._seen is not None
        if self._seen is not None:
            wide = self.size.width >= WIDE
            self.show("#live", live(self._seen, self.size.width - (GRID_WIDTH if wide else 0) - 6))
            room = max(3, self.size.height - (15 if wide else 2 + 10 + 8) - 2)
            found_attempts = attempts.newest(self.db, run=self._seen.run.id, limit=room)
            rows = [newest(one, self.size.width - 6) for one in found_attempts]
            self.show("#newest", Content("\n").join(rows) if rows else Content("none yet"))

    def _make_grid(self) -> None:
        """A row for each domain, a column for each level, as the project file has them now."""
        task, grid = self.project.task, self._grid
        names, levels = [one.name for one in task.domains], [f"L{one.level}" for one in task.levels]
        if ([key.value for key in grid.rows], [key.value for key in grid.columns]) == (names, ["domain", *levels]):
            return
        grid.clear(columns=True)
        grid.add_column(Text("domain"), width=14, key="domain")
        for level in levels:
            grid.add_column(Text(level), width=7, key=level)
        for name in names:
            grid.add_row(Text(line(name, 14)), *(Text("") for _ in levels), key=name)

    def _draw_grid(self) -> None:
        self._make_grid()
        found = current(self.project.task, self.db)
        self._cells = found.cells
        places: dict[tuple[str, int], list[CellPlan]] = {}
        for cell in self._cells:
            places.setdefault((cell.domain, cell.level), []).append(cell)
        grid = self._grid
        for (domain, level), cells in places.items():
            have, want = sum(cell.have for cell in cells), sum(cell.want for cell in cells)
            drawn = Text(f"{have}/{want}", style="green" if not sum(cell.missing for cell in cells) else "")
            if grid.get_cell(domain, f"L{level}") != drawn:
                grid.update_cell(domain, f"L{level}", drawn)
        grid.border_title = f"Cells: have/want · {found.missing} of {found.want} missing"
        grid.border_subtitle = self._under_cursor()

    def _under_cursor(self) -> str:
        place = self._place()
        if place is None:
            return ""
        cells = [cell for cell in self._cells if (cell.domain, cell.level) == place]
        return clean("  ".join(f"{line(cell.decision, 12)} {cell.have}/{cell.want}" for cell in cells))

    def _place(self) -> tuple[str, int] | None:
        at = self._grid.cursor_coordinate
        task = self.project.task
        if at.row >= len(task.domains) or not 1 <= at.column <= len(task.levels):
            return None
        return task.domains[at.row].name, task.levels[at.column - 1].level

    def on_data_table_cell_highlighted(self, _: DataTable.CellHighlighted) -> None:
        """Say what the cell under the cursor holds."""
        self._grid.border_subtitle = self._under_cursor()

    # ------------------------------------------------------------ actions

    def on_data_table_cell_selected(self, _: DataTable.CellSelected) -> None:
        """Enter on a cell chooses it."""
        self.action_choose()

    def action_choose(self) -> None:
        """Only the cell under the cursor; again: all cells."""
        place = self._place()
        field = self.query_one("#cells", Input)
        wanted = f"domain:{place[0]} level:{place[1]}" if place else ""
        field.value = "" if field.value == wanted else wanted
        self.tell(f"cells: {field.value or 'all'}")

    def on_input_submitted(self, _: Input.Submitted) -> None:
        """Enter in a field starts, as g does."""
        self.action_start()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A field is left while keys are text, and a list that hangs open closes by itself."""
        if action == "leave_field":
            return isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    def action_leave_field(self) -> None:
        """Back to the grid, so that keys are keys again."""
        self.set_focus(self._grid)

    def action_start(self) -> None:
        """Start a run with what the form says."""
        if self.ticking():
            self.tell("a run is going on already: p pauses it, x stops it")
            return
        try:
            run = start(self.project, self.db, self._params())
        except ValidationError as error:
            first = error.errors()[0]
            self.tell(f"{first['loc'][0]}: {first['msg']}", error=True)
        except (RunError, QueryError, ValueError, ArithmeticError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
        else:
            self._grid.focus()
            self.tell(f"run {run.id[-6:]} starts; it goes on if you leave")
            self.redraw()

    def _params(self) -> GenerateParams:
        values: dict[str, Any] = {name: self.query_one(f"#{name}", Select).value for name in ("source", "judge")}
        for name, kind in (("n", int), ("seed", int), ("budget", Decimal), ("flaws", float)):
            text = self.query_one(f"#{name}", Input).value.strip()
            if text:
                values[name] = _number(name, text, kind)
        pace = self.query_one("#attempts_per_minute", Input).value.strip()
        values["attempts_per_minute"] = _number("pace", pace, float) if pace else None
        cells = parse_query(self.query_one("#cells", Input).value)
        if cells.text:
            raise QueryError(f"cells: {cells.text} is no cell: write domain:risk, level:1-2 or decision:REFINED")
        chosen = {"domains": list(cells.domain), "levels": list(cells.level), "decisions": list(cells.decision)}
        return GenerateParams.model_validate(values | chosen)

    def action_pause(self) -> None:
        """Pause the run, or let it go on, or resume one that stopped."""
        if self._seen is None:
            self.tell("there is no run to pause")
        elif self._seen.state is RunState.RUNNING:
            self.pause(self._seen)
        else:
            self.resume(self._seen)

    def action_stop(self) -> None:
        """Stop the run, if the person confirms it."""
        if self._seen is None:
            self.tell("there is no run to stop")
        else:
            self.stop(self._seen)


def _number(name: str, text: str, kind: type) -> Any:
    try:
        return kind(text)
    except (ValueError, ArithmeticError):
        raise ValueError(f"{name}: {line(text, 20)} is no number") from None


def live(seen: Seen, width: int) -> Content:
    """A generating run in a few lines."""
    figures = seen.run.progress
    head = f"{seen.run.id[-6:]} {seen.state}"
    if seen.run.reason:
        head += f": {line(seen.run.reason, max(20, width - len(head) - 2))}"
    if figures.get("total") is None:
        return Content(f"{head} · no figures yet")
    share = figures["done"] / figures["total"] if figures["total"] else 1.0
    rate = figures.get("per_minute")
    counts = [
        f"{figures['attempts']} attempts",
        f"{figures['accepted']} passed QA",
        f"{figures['rejected']} rejected",
        f"{figures['in_flight']} in flight",
    ]
    counts += [f"{figures[name]} {label}" for name, label in _RARE if figures.get(name)]
    rows = [
        Content.styled(head, "bold"),
        Content.assemble(
            (bar(share, max(10, min(50, width - 16))), "$text-success"), f" {figures['done']}/{figures['total']}"
        ),
        Content(" · ".join(counts)),
    ]
    going = []
    if seen.state is RunState.RUNNING:
        basis = f" (by {figures['eta_basis']})" if figures.get("eta_basis") else ""
        going.append("rate unknown" if rate is None else f"{rate:.0f}/min")
        going.append(f"eta {duration(figures.get('eta_s'))}{basis}")
    if figures.get("cost"):
        budget = f" of {figures['budget']:.2f}" if figures.get("budget") is not None else ""
        per = figures.get("cost_per_accepted")
        going.append(f"cost {figures['cost']:.4f}{budget}" + ("" if per is None else f", {per:.4f} per accepted"))
    if going:
        rows.append(Content(" · ".join(going)))
    if figures.get("reasons"):
        reasons = ", ".join(f"{reason_in_words(name)} {count}" for name, count in figures["reasons"].items())
        rows.append(Content.styled("rejected: " + line(reasons, width - 10), "$text-muted"))
    return Content("\n").join(rows)


_RARE = (("given_up", "given up"), ("unjudged", "unjudged"))
_RESULTS = {"passed": ("✓", "$text-success"), "rejected": ("✗", "$text-error"), "failed": ("?", "$text-warning")}


def newest(one: Judged, width: int) -> Content:
    """An attempt with its newest verdict in one line."""
    attempt = one.attempt
    verdict = one.verdicts[-1] if one.verdicts else None
    mark, style = _RESULTS[verdict.result.value] if verdict else ("…", "$text-muted")
    why = ""
    if attempt.candidate is None:
        mark, style, why = "✗", "$text-error", reason_in_words(attempt.outcome.value)
    elif verdict is not None and verdict.reason:
        why = reason_in_words(verdict.reason)
    place = f"{attempt.domain} {attempt.level} {attempt.decision}"
    said = attempt.candidate.hypothesis if attempt.candidate else attempt.detail
    head = f"{line(place, 28):<28} {line(why, REASON_WIDTH):<{REASON_WIDTH}} " if why else f"{line(place, 28):<28} "
    return Content.assemble((f"{mark} ", style), head, content(line(said, max(10, width - len(head) - 2))))


def _choice(name: str, names: list[str], value: str) -> Select[str]:
    return Select([(Content(clean(one)), one) for one in names], value=value, allow_blank=False, id=name)
