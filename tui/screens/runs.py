"""Runs: all of them, and the log of the chosen one."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import DataTable, Static

from core.runs.control import Seen, look
from storage import runs
from storage.schema import Event
from tui.actions import RUNS, bindings
from tui.screens.run_control import RunControl
from tui.text import clean, line
from tui.widgets.bars import duration

SHOWN = 100
LOG_LINES = 200
_COLUMNS = {"run": 7, "kind": 9, "state": 9, "alive": 10, "done": 11}
_STYLES = {"warning": "$text-warning", "error": "$text-error"}


class RunsScreen(RunControl):
    """The list of runs over the log of one."""

    TITLE = "Runs"
    ACTIONS = RUNS
    BINDINGS = bindings(RUNS)

    def __init__(self) -> None:
        super().__init__()
        self._seen: list[Seen] = []
        self._columns: dict[str, int] = {}

    def parts(self) -> ComposeResult:
        yield DataTable(id="runs", cursor_type="row", zebra_stripes=False)
        with VerticalScroll(id="log", classes="panel"):
            yield Static(id="lines")

    def on_mount(self) -> None:
        """Begin with the list."""
        super().on_mount()
        self._table.focus()

    def ticking(self) -> bool:
        """Ages of runs pass by themselves."""
        return any(not seen.state.ended for seen in self._seen)

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#runs", DataTable)

    def draw(self) -> None:
        """Read the runs, and the log of the chosen one."""
        found = [look(run) for run in runs.newest(self.db, SHOWN)]
        table, chosen = self._table, self._chosen()
        if self._columns != (wanted := columns(self.size.width)):
            self._columns, self._seen = wanted, []
            table.clear(columns=True)
            for name, width in wanted.items():
                table.add_column(Text(name), width=width, key=name)
        if [seen.run.id for seen in found] != [seen.run.id for seen in self._seen]:
            table.clear()
            for seen in found:
                table.add_row(*_cells(seen, self._columns), key=seen.run.id)
            ids = [seen.run.id for seen in found]
            if chosen is not None and chosen.run.id in ids:
                table.move_cursor(row=ids.index(chosen.run.id))
        else:
            for seen in found:
                for name, cell in zip(self._columns, _cells(seen, self._columns), strict=True):
                    if table.get_cell(seen.run.id, name) != cell:
                        table.update_cell(seen.run.id, name, cell)
        self._seen = found
        self._draw_log()

    def _draw_log(self) -> None:
        seen = self._chosen()
        panel = self.query_one("#log", VerticalScroll)
        if seen is None:
            panel.border_title = "Log"
            self.show("#lines", Content("no run yet: key 2 starts one"))
            return
        panel.border_title = f"Log of {seen.run.kind} {seen.run.id[-6:]}"
        events = runs.last_events(self.db, seen.run.id, LOG_LINES)
        lines = [_line(event) for event in events]
        if len(events) == LOG_LINES:
            lines.insert(0, Content.styled(f"the newest {LOG_LINES} lines; all: sidequest runs log", "$text-muted"))
        at_end = panel.scroll_y >= panel.max_scroll_y - 1
        self.show("#lines", Content("\n").join(lines))
        if at_end:
            panel.scroll_end(animate=False)

    def _chosen(self) -> Seen | None:
        row = self._table.cursor_row
        return self._seen[row] if 0 <= row < len(self._seen) else None

    def on_data_table_row_highlighted(self, _: DataTable.RowHighlighted) -> None:
        """Show the log of the row."""
        if self._seen:
            self._draw_log()

    def action_down(self) -> None:
        """The next run."""
        self._table.action_cursor_down()

    def action_up(self) -> None:
        """The previous run."""
        self._table.action_cursor_up()

    def action_pause(self) -> None:
        """Pause the chosen run."""
        self._with_chosen(self.pause)

    def action_resume(self) -> None:
        """Continue the chosen run."""
        self._with_chosen(self.resume)

    def action_stop(self) -> None:
        """Stop the chosen run, if the person confirms it."""
        self._with_chosen(self.stop)

    def _with_chosen(self, act: Callable[[Seen], None]) -> None:
        if (seen := self._chosen()) is None:
            self.tell("there is no run yet")
        else:
            act(seen)


def columns(width: int) -> dict[str, int]:
    """The columns with their widths in cells; the reason takes what the others leave. Each has a cell to its sides."""
    taken = sum(_COLUMNS.values()) + 2 * (len(_COLUMNS) + 1)
    return _COLUMNS | {"reason": max(12, width - taken)}


def _cells(seen: Seen, widths: dict[str, int]) -> list[Text]:
    figures = seen.run.progress
    done = f"{figures['done']}/{figures['total']}" if figures.get("total") is not None else "unknown"
    alive = "not yet" if seen.age_s is None else f"{duration(seen.age_s)} ago"
    texts = (seen.run.id[-6:], seen.run.kind, str(seen.state), alive, done, seen.run.reason)
    return [Text(line(text, width)) for text, width in zip(texts, widths.values(), strict=True)]


def _line(event: Event) -> Content:
    time = f"{event.created.astimezone():%H:%M:%S} "
    text = clean(event.message, limit=500)
    return Content.assemble((time, "$text-muted"), (text, _STYLES.get(event.severity, "")))
