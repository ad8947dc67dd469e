"""The list of runs, one a row; only visible runs are read."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import set_cell_size
from textual.binding import Binding, BindingType

from core.runs.control import RunStatus
from core.runs.describe import cost_of, describe_cells, describe_heartbeat, describe_progress
from core.runs.progress import CurveProgress
from core.runs.readable import problem_of, progress_or_none
from storage.schema import RunState
from tui.text import line
from tui.widgets.listing import Listing, Part

# The columns, each with its width and the width of the terminal from which on it is shown.
_COLUMNS = {
    "run": (6, 0),
    "kind": (9, 0),
    "state": (8, 0),
    "last sign": (13, 70),
    "done": (11, 0),
    "rate": (9, 110),
    "cost": (15, 110),
    "began": (11, 130),
}
_GAP = "  "
# The room for the signs that the list puts before each row.
_SIGNS = "  "
_STYLES = {RunState.FAILED: "rejected", RunState.LOST: "warning"}


class RunList(Listing):
    """Runs by number, newest first, with the keys of a list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", "Up", show=False),
        Binding("down", "step(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "edge(False)", "Newest run", show=False),
        Binding("end", "edge(True)", "Oldest run", show=False),
    ]

    def action_step(self, step: int) -> None:
        """Move the cursor by so many runs."""
        self.move_cursor(self.cursor + step)

    def action_page(self, pages: int) -> None:
        """Move the cursor by so many pages."""
        self.move_pages(pages)

    def action_edge(self, end: bool) -> None:
        """Go to the first run, or to the last."""
        self.move_cursor(len(self.numbers) - 1 if end else 0)


def columns(terminal: int, width: int) -> dict[str, int]:
    """The columns for which a terminal has room, with their widths; the reason takes what they leave of `width`."""
    widths = {name: size for name, (size, least) in _COLUMNS.items() if terminal >= least}
    taken = sum(widths.values()) + len(_GAP) * len(widths)
    return widths | {"reason": max(12, width - taken)}


def header(terminal: int) -> str:
    """The names of the columns, each over its own."""
    names = columns(terminal, terminal - len(_SIGNS))
    return _SIGNS + _GAP.join(set_cell_size(name, width) for name, width in names.items())


def run_row(status: RunStatus, widths: dict[str, int]) -> list[Part]:
    """A run as a row with the columns in `widths`."""
    progress = progress_or_none(status.run)
    rate, (cost, budget) = progress.per_minute, cost_of(progress)
    began = status.run.started or status.run.created
    texts = {
        "run": status.run.id[-6:],
        "kind": status.run.kind,
        "state": str(status.state),
        "last sign": describe_heartbeat(status),
        "done": describe_progress(status),
        "rate": "" if rate is None or status.state is not RunState.RUNNING else f"{rate:,.0f}/min",
        "cost": "" if cost is None else f"{cost:.2f}" + ("" if budget is None else f" of {budget:.2f}"),
        "began": f"{began.astimezone():%m-%d %H:%M}",
        "reason": problem_of(status.run)
        or status.run.reason
        or ("resume continues it" if status.state is RunState.LOST else "")
        or (describe_cells(progress) if isinstance(progress, CurveProgress) and not status.state.ended else ""),
    }
    styles = {"state": _STYLES.get(status.state, "")}
    return [
        (set_cell_size(line(texts[name], width), width) + _GAP, styles.get(name, "")) for name, width in widths.items()
    ]
