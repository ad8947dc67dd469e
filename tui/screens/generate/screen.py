"""Generate: the grid of cells, what to ask for, and the run as it goes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from pydantic import ValidationError
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Grid, VerticalGroup, VerticalScroll
from textual.content import Content
from textual.widgets import DataTable, Input, Label, Select, Static

from core.config.task import EMBEDDED
from core.curriculum.plan import CellPlan, current
from core.generation.start import GenerationPlan, prepare, start_generation
from core.runs.control import RunError, RunStatus, run_status
from core.runs.describe import duration
from core.runs.params import GenerateParams
from storage import attempts, runs
from storage.attempts import JudgedAttempt
from storage.schema import RunState
from storage.search import QueryError, parse_query
from tui.actions import FORM, GENERATE, Action, bindings
from tui.keymap import key
from tui.screens.project_screen import ProjectScreen
from tui.screens.run_control import RunControl
from tui.text import clean, content, line
from tui.widgets.bars import bar
from tui.widgets.fields import Field
from tui.widgets.heatmap import SHELVED
from tui.widgets.modals import Confirm
from tui.widgets.reasons import REASON_WIDTH, reason_in_words

# From so many columns on, the run stands beside the grid.
WIDE = 130
GRID_WIDTH = 66
# What enter in it leads to the start.
LAST_FIELD = "attempts_per_minute"
T = TypeVar("T")


class FormField(Field):
    """A field in which `?` asks for help: nothing that it takes holds one."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether the key is text here."""
        return key != "question_mark" and super().check_consume_key(key, character)


class GenerateScreen(ProjectScreen):
    """A form and a grid while nothing is generated; the run with its newest attempts while it is."""

    TITLE = "Generate"
    ACTIONS: ClassVar[list[Action]] = [*GENERATE, *FORM]
    BINDINGS = bindings(ACTIONS)
    MARKS = (
        ("3/12", "there, of those that are wanted"),
        (SHELVED, "shelved: nothing is generated for it"),
        ("✓ ✗ ? …", "passed QA · rejected · the judge failed · not judged yet"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._run_control = RunControl(self)
        self._seen: RunStatus | None = None
        self._cells: list[CellPlan] = []
        self._offered: dict[str, list[str]] = {}

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
            yield FormField("", id="cells", placeholder="all, or domain:risk level:1-2")
            yield Label("how many")
            yield FormField("", id="n", placeholder="all that is missing")
            yield Label("seed")
            yield FormField("0", id="seed")
            yield Label("budget")
            yield FormField("" if given.budget is None else str(given.budget), id="budget", placeholder="none")
            yield Label("flaws")
            yield FormField(f"{given.flaws:g}", id="flaws", placeholder="mistakes planted to test QA, 0-1")
            yield Label("pace")
            pace = "" if given.attempts_per_minute is None else f"{given.attempts_per_minute:g}"
            yield FormField(pace, id="attempts_per_minute", placeholder="attempts/min, no limit")

    def _offer(self) -> None:
        """Let source and judge be chosen from what the project file names now; the choice stays if it can."""
        task, given = self.project.task, GenerateParams.of(self.project.task)
        for role, field, wanted in (("generator", "source", given.source), ("judge", "judge", given.judge)):
            names = [*EMBEDDED[role], *task.models]
            if names != self._offered.get(field, names):
                chosen = self.query_one(f"#{field}", Select)
                before = chosen.value
                chosen.set_options([(Content(clean(one)), one) for one in names])
                chosen.value = before if before in names else wanted
            self._offered[field] = names

    def on_mount(self) -> None:
        """Begin at the grid."""
        grid = self._grid
        for name, title in (
            ("form", f"What to make · tab: fields · {key('generate.start')}: asks, then starts"),
            ("live", "Run"),
            ("newest", "Newest attempts"),
        ):
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
        self._offer()
        self.query_one("#top").set_class(self.size.width >= WIDE, "wide")
        found = next((run for run in runs.newest(self.db, 20) if run.kind == "generate"), None)
        self._seen = run_status(found) if found is not None else None
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
        """A row for each domain, a column for each level, as the project file has them, as wide as fits."""
        task, grid = self.project.task, self._grid
        names, levels = [one.name for one in task.domains], [f"L{one.level}" for one in task.levels]
        widths = grid_widths(len(levels), self.size.width)
        there = [column.width for column in grid.ordered_columns]
        known = ([key.value for key in grid.rows], [key.value for key in grid.columns])
        if known == (names, ["domain", *levels]) and there == [widths[0], *[widths[1]] * len(levels)]:
            return
        at = grid.cursor_coordinate
        grid.clear(columns=True)
        grid.add_column(Text("domain"), width=widths[0], key="domain")
        for level in levels:
            grid.add_column(Text(level), width=widths[1], key=level)
        for name in names:
            grid.add_row(Text(line(name, widths[0])), *(Text("") for _ in levels), key=name)
        grid.move_cursor(row=at.row, column=max(1, at.column))

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
            shelved = SHELVED if all(cell.shelved for cell in cells) else ""
            full = not shelved and not sum(cell.missing for cell in cells)
            drawn = Text(f"{have}/{want}{shelved}", style="green" if full else "dim" if shelved else "")
            if grid.get_cell(domain, f"L{level}") != drawn:
                grid.update_cell(domain, f"L{level}", drawn)
        legend = f" · {SHELVED} shelved" if any(cell.shelved for cell in self._cells) else ""
        grid.border_title = f"Cells: have/want · {found.missing} of {found.want} missing{legend}"
        grid.border_subtitle = self._under_cursor()

    def _under_cursor(self) -> str:
        place = self._place()
        if place is None:
            return ""
        cells = [cell for cell in self._cells if (cell.domain, cell.level) == place]
        return clean(
            "  ".join(
                f"{line(cell.decision, 12)} {cell.have}/{cell.want}{SHELVED if cell.shelved else ''}" for cell in cells
            )
        )

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

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What goes on from a field holds while one is written in; a list that hangs open closes by itself."""
        if action in {"next_field", "leave_field", "explain_keys"}:
            return isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    def action_next_field(self) -> None:
        """On to the next field; from the last one to the question whether to start."""
        if self.focused is not None and self.focused.id == LAST_FIELD:
            self.action_start()
        else:
            self.focus_next()

    def action_explain_keys(self) -> None:
        """Explain the keys that hold in a field, where `?` would be text that no field takes."""
        self.sidequest.action_explain()

    def action_leave_field(self) -> None:
        """Back to the grid, so that keys are keys again."""
        self.set_focus(self._grid)

    def action_start(self) -> None:
        """Say what a run with what the form says would do, and start it if that is meant."""
        if self.ticking():
            self.tell("a run is going on already: p pauses it, x stops it")
            return
        asked = self._tried(lambda: prepare(self.project.task, self.db, self._params()))
        if asked is not None:
            question = Confirm(announced(asked))
            self.app.push_screen(question, lambda yes: self._start(asked.params) if yes else None)

    def _start(self, params: GenerateParams) -> None:
        run = self._tried(lambda: start_generation(self.project, self.db, params))
        if run is not None:
            self._grid.focus()
            self.tell(f"run {run.id[-6:]} starts; it goes on if you leave")
            self.redraw()

    def _tried(self, work: Callable[[], T]) -> T | None:
        """What `work` gives; None if it cannot be done, and the person was told why."""
        try:
            return work()
        except ValidationError as error:
            first = error.errors()[0]
            self.tell(f"{first['loc'][0]}: {first['msg']}", error=True)
        except (RunError, QueryError, ValueError, ArithmeticError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
        return None

    def _params(self) -> GenerateParams:
        values: dict[str, Any] = {name: self.query_one(f"#{name}", Select).value for name in ("source", "judge")}
        for name, kind in (("n", int), ("seed", int), ("budget", Decimal), ("flaws", float)):
            text = self.query_one(f"#{name}", Input).value.strip()
            if text:
                values[name] = _number("how many" if name == "n" else name, text, kind)
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
        else:
            self._run_control.pause_or_resume(self._seen)

    def action_stop(self) -> None:
        """Stop the run, if the person confirms it."""
        if self._seen is None:
            self.tell("there is no run to stop")
        else:
            self._run_control.stop(self._seen)


def _number(name: str, text: str, kind: type) -> Any:
    try:
        return kind(text)
    except (ValueError, ArithmeticError):
        raise ValueError(f"{name}: {line(text, 20)} is no number") from None


def grid_widths(levels: int, width: int) -> tuple[int, int]:
    """The columns of the domains and of one level, in a screen of `width`: the border and two blanks each go off."""
    room = min(width, GRID_WIDTH) - 5 - 2 * (levels + 1)
    level = max(5, min(7, (room - 9) // max(1, levels)))
    return max(6, min(14, room - levels * level)), level


def announced(asked: GenerationPlan) -> str:
    """The question whether to start: how many examples, in how many cells, by whom, for how much."""
    several, cells, params = asked.examples, len(asked.cells), asked.params
    what = f"{several:,} example{'s' if several != 1 else ''} in {cells:,} cell{'s' if cells != 1 else ''}"
    cost = "The cost is not known beforehand." if asked.cost is None else "It costs nothing."
    if asked.cost:
        cost = f"It costs about {asked.cost:.2f}, as in the last such run."
    budget = "" if params.budget is None else f" It ends when {params.budget} is spent."
    return f"Generate {what}? {params.source} writes, {params.judge} judges. {cost}{budget}"


def live(seen: RunStatus, width: int) -> Content:
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
        going.append("rate unknown" if rate is None else f"{rate:.0f} done/min")
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


def newest(one: JudgedAttempt, width: int) -> Content:
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
