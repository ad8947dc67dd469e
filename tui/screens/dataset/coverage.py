"""Coverage, over the list of Dataset: what the examples are like together, and where there are too few."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import ValidationError
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from core.config.project import Project
from core.curriculum.plan import CellPlan, current
from core.dataset.coverage import Coverage
from core.dataset.measure import COVERAGE, command
from core.runs.child_process import safe_environment
from storage.search import part
from tui.actions import COVERAGE as KEYS
from tui.actions import Action, bindings
from tui.text import clean, line
from tui.widgets.heatmap import SHELVED
from tui.widgets.keys import Keys
from tui.widgets.spread import figures

if TYPE_CHECKING:
    from tui.app_context import AppContext


class CoverageScreen(ModalScreen[str | None]):
    """The grid of cells, and what a process of its own finds in the examples of `query`; closes with another query."""

    TITLE = "Coverage"
    ACTIONS: ClassVar[list[Action]] = KEYS
    BINDINGS = bindings(KEYS)

    def __init__(self, project: Project, db: sqlite3.Connection, query: str) -> None:
        super().__init__()
        self._project = project
        self._query = query
        self._cells = current(project.task, db).cells
        self._found: Coverage | None = None
        self._problem = ""
        # The row of the grid, or behind it the group of near-duplicates, that enter shows.
        self._at = 0
        self._measuring: asyncio.subprocess.Process | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        with VerticalScroll(id="covered"):
            yield Static(id="grid")
            yield Static(id="figures")
            yield Static(id="alike")
        yield Keys()

    def on_mount(self) -> None:
        """Draw the grid, and start to measure."""
        self.query_one("#covered").focus()
        self._draw()
        self.run_worker(self._measure(), exit_on_error=False)

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        if self._measuring is not None and self._measuring.returncode is None:
            self._measuring.kill()

    async def _measure(self) -> None:
        pipe = asyncio.subprocess.PIPE
        self._measuring = process = await asyncio.create_subprocess_exec(
            *command(self._project.folder, self._query), env=safe_environment(), stdout=pipe, stderr=pipe, limit=2**24
        )
        try:
            while printed := await process.stdout.readline() if process.stdout else b"":
                self._found = COVERAGE.validate_json(printed)
                self._draw()
            _, errors = await process.communicate()
            said = errors.decode(errors="replace").strip().splitlines()
            if process.returncode:
                self._problem = f"it could not be measured: {said[-1] if said else f'exit {process.returncode}'}"
                self._draw()
        except (ValidationError, ValueError) as error:
            self._problem = f"what was measured cannot be read: {error}"
            self._draw()
        finally:
            if process.returncode is None:
                process.kill()

    def _draw(self) -> None:
        found = self._found
        what = f"what matches {line(self._query, 40)}" if self._query else "all that are not rejected"
        if found is None:
            of = "counting …"
        elif found.sampled < found.total:
            of = f"a random {found.sampled:,} of {found.total:,}"
        else:
            of = f"{found.total:,} examples"
        doing = f" · {found.doing} …" if found is not None and found.doing and not self._problem else ""
        said = f" · {line(self._problem, 200)}" if self._problem else doing
        self.query_one("#bar", Static).update(Content.assemble((" Coverage ", "bold"), f" {of}, {what}{said}"))
        width = self.app.size.width - 4
        self.query_one("#grid", Static).update(grid(self._cells, self._rows(), self._at, width))
        self.query_one("#alike", Static).update(self._alike(width))
        self.query_one("#figures", Static).update(figures(found, width) if found is not None else Content(""))

    def _rows(self) -> list[tuple[str, int]]:
        return list(dict.fromkeys((cell.domain, cell.level) for cell in self._cells))

    def _alike(self, width: int) -> Content:
        found = self._found
        if found is None or found.groups is None:
            return Content("")
        title = f"{found.groups:,} groups" if found.groups != 1 else "1 group"
        more = f", the largest {len(found.alike)}" if found.groups > len(found.alike) else ""
        head = Content.styled(f"\nNEAR-DUPLICATES  {title} in one cell each{more}", "bold $text-accent")
        lines = [head]
        for place, group in enumerate(found.alike, start=len(self._rows())):
            here = place == self._at
            said = f"{'▸' if here else ' '} {len(group.ids):>3} alike, {group.similarity:4.0%}  "
            text = said + line(group.hypothesis, max(10, width - len(said)))
            lines.append(Content.styled(text, "reverse" if here else ""))
        return Content("\n").join(lines)

    def action_move(self, step: int) -> None:
        """Another row of the grid, or another group."""
        groups = len(self._found.alike) if self._found is not None else 0
        rows = len(self._rows())
        self._at = max(0, min(self._at + step, rows + groups - 1))
        self._draw()
        # Behind the head of the grid, or behind that of the groups.
        above = self.query_one("#alike", Static).virtual_region.y + 2 - rows
        y = self._at + (2 if self._at < rows else above)
        panel = self.query_one("#covered", VerticalScroll)
        if not panel.scroll_y <= y < panel.scroll_y + panel.size.height - 1:
            panel.scroll_to(y=max(0, y - panel.size.height // 2), animate=False)

    def action_edge(self, last: bool) -> None:
        """Scroll to the top, or to the end."""
        panel = self.query_one("#covered", VerticalScroll)
        panel.scroll_to(y=panel.max_scroll_y if last else 0, animate=False)

    def action_page(self, step: int) -> None:
        """Scroll a page."""
        panel = self.query_one("#covered", VerticalScroll)
        panel.scroll_relative(y=step * max(1, panel.size.height - 1), animate=False)

    def action_show(self) -> None:
        """Close, and let the list show what is under the cursor."""
        rows = self._rows()
        if self._at < len(rows):
            domain, level = rows[self._at]
            self.dismiss(f"{part('domain', domain)} level:{level} -status:rejected")
        elif self._found is not None:
            self.dismiss(part("id", *self._found.alike[self._at - len(rows)].ids[:SHOWN]))

    def action_explain_keys(self) -> None:
        """Explain the keys."""
        cast("AppContext", self.app).action_explain()

    def action_close(self) -> None:
        """Back to the list."""
        self.dismiss(None)


# A filter by ids holds no more of a group than this.
SHOWN = 100


def grid(cells: list[CellPlan], rows: list[tuple[str, int]], at: int, width: int) -> Content:
    """How many examples each cell has of those it wants; rejected ones do not count. The row at `at` is chosen."""
    labels = list(dict.fromkeys(cell.decision for cell in cells))
    size = max(9, min(16, (width - 26) // max(1, len(labels))))
    head = "   " + f"{'domain':<14}{'level':>5}  " + "".join(f"{line(label, size - 2):>{size}}" for label in labels)
    lines = [Content.styled(f"CELLS  have/want; {SHELVED} shelved\n{head}", "bold $text-accent")]
    by_place = {(cell.domain, cell.level, cell.decision): cell for cell in cells}
    for place, (domain, level) in enumerate(rows):
        here = place == at
        label = f"{' ▸ ' if here else '   '}{line(domain, 14):<14}{level:>5}  "
        parts: list[tuple[str, str]] = [(label, "reverse" if here else "")]
        for decision in labels:
            cell = by_place[domain, level, decision]
            text = f"{cell.have:,}/{cell.want:,}" + (SHELVED if cell.shelved else " ")
            style = "$text-muted" if cell.shelved else ("$text-success" if cell.have >= cell.want else "$text-warning")
            if not cell.have and cell.want:
                style = "$text-error bold"
            parts.append((f"{clean(text):>{size}}", style))
        lines.append(Content.assemble(*parts))
    return Content("\n").join(lines)
