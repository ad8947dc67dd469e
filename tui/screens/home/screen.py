"""Home: where the project stands, what is running, what to do next."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from core.overview import NextStep, Overview, overview
from core.runs.control import RunStatus
from core.runs.describe import duration
from storage.schema import RunState
from tui.actions import HOME, bindings
from tui.keymap import key
from tui.screens.project_screen import ProjectScreen
from tui.text import content, line
from tui.widgets.bars import bar, quota_bars

MARKS = {RunState.PAUSED: "◌", RunState.PAUSING: "◌", RunState.LOST: "✗", RunState.QUEUED: "…"}

# So many runs are listed.
ROWS = 6
# Cells of the bar that shows how far a run is; shorter than the second, there is none.
BAR, SHORTEST_BAR = 12, 5


class HomeScreen(ProjectScreen):
    """The first screen."""

    TITLE = "Home"
    ACTIONS = HOME
    BINDINGS = bindings(HOME)

    def __init__(self) -> None:
        super().__init__()
        self._overview: Overview | None = None
        self._steps: list[NextStep] = []

    def parts(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(id="pipeline", classes="panel")
            yield Static(id="running", classes="panel")
            yield OptionList(id="next", classes="panel", markup=False)

    def on_mount(self) -> None:
        """Title the panels and begin at what is next."""
        titles = {
            "pipeline": "Pipeline · bars: examples there, of the range wanted",
            "running": "Running",
            "next": "Next",
        }
        for name, title in titles.items():
            self.query_one(f"#{name}").border_title = title
        self.query_one("#next").focus()

    def ticking(self) -> bool:
        """Ages of runs pass by themselves."""
        return bool(self._overview and self._overview.runs)

    def draw(self) -> None:
        """Read the overview and show it."""
        found = self._overview = overview(self.project, self.db)
        width = self.size.width - 4
        parts = [*self._wrong(), pipeline(found, width), quota_bars(found.plan.quotas, width)]
        self.show("#pipeline", Content("\n").join(parts))
        rows = [running(seen, width) for seen in found.runs[:ROWS]]
        if more := others(len(found.runs) - len(rows), found.lost - 1):
            rows.append(Content(f"{more}: {key('app.runs')} Runs"))
        self.show("#running", Content("\n").join(rows) if rows else Content.styled("nothing", "$text-muted"))
        if found.next != self._steps:
            self._steps = found.next
            steps = self.query_one("#next", OptionList)
            at = steps.highlighted
            steps.clear_options()
            steps.add_options([Option(Content.assemble("▸ ", content(step.text, limit=300))) for step in found.next])
            if not found.next:
                steps.add_option(Option(Content("every cell is filled and every example is reviewed"), disabled=True))
            elif found.next:
                steps.highlighted = min(at or 0, len(found.next) - 1)

    def _wrong(self) -> list[Content]:
        """What is wrong with the project file as it is now, and what to do."""
        if not self.sidequest.problem:
            return []
        first, *more, mending = self.sidequest.mending.split("\n")
        rest = f" (and {len(more)} more mistakes)" if more else ""
        what = line(f"! {first.removeprefix(f'{self.sidequest.folder}/')}{rest}", 400)
        return [Content.styled(what, "$text-error"), Content(f"{mending}\n")]

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Go where the step leads."""
        self.sidequest.action_go(self._steps[event.option_index].action)

    def action_follow(self) -> None:
        """Go where the chosen step leads."""
        self.query_one("#next", OptionList).action_select()


def pipeline(found: Overview, width: int) -> Content:
    """The counts along the pipeline, in lines of `width` cells."""
    made = [("Generated", found.generated), ("QA passed", found.passed)]
    steps = [
        ("Curriculum", found.plan.want),
        *(made if found.generated or not found.imported else []),
        *([("Imported", found.imported)] if found.imported else []),
        ("Reviewed", found.reviewed),
        ("Accepted", found.accepted),
    ]
    arrow, lines = Content.styled(" ▸ ", "$text-muted"), [Content()]
    for position, (name, count) in enumerate(steps):
        step = Content.assemble(arrow if position else "", f"{name} ", (f"{count:,}", "bold"))
        if lines[-1].cell_length + step.cell_length > width:
            lines.append(Content())
        lines[-1] += step
    return Content("\n").join(lines)


def others(going: int, lost: int) -> str:
    """The runs that are not listed, in words; '' if all are."""
    parts = [f"{going} more"] if going > 0 else []
    parts += [f"{lost} more that {'were' if lost > 1 else 'was'} lost"] if lost > 0 else []
    return f"and {' and '.join(parts)}" if parts else ""


def running(seen: RunStatus, width: int) -> Content:
    """One run in one line: its figures, and how far it is as a bar in the room that they leave."""
    figures = seen.run.progress
    total = figures.get("total")
    style = "$text-error" if seen.state is RunState.LOST else "$text-success"
    head = f"{line(seen.run.kind, 9):<9} {seen.run.id[-6:]} "
    said = " · ".join(_figures(seen))
    room = min(BAR, width - 2 - len(head) - len(said) - 1)
    drawn = "" if total is None or room < SHORTEST_BAR else bar(figures["done"] / total if total else 1.0, room) + " "
    return Content.assemble(
        (f"{MARKS.get(seen.state, '●')} ", style),
        head,
        (drawn, style),
        line(said, max(10, width - 2 - len(head) - len(drawn))),
    )


def _figures(seen: RunStatus) -> list[str]:
    figures = seen.run.progress
    parts = [] if seen.state is RunState.RUNNING else [str(seen.state)]
    if figures.get("total") is not None:
        parts.append(f"{figures['done']}/{figures['total']}")
    if figures.get("rejected") is not None:
        parts.append(f"{figures['rejected']} rejected")
    if figures.get("cost"):
        budget = f" of {figures['budget']:.2f}" if figures.get("budget") is not None else ""
        parts.append(f"cost {figures['cost']:.2f}{budget}")
    if seen.state is RunState.RUNNING and figures.get("total") is not None:
        parts.append(f"eta {duration(figures.get('eta_s'))}")
    elif seen.age_s is not None:
        parts.append(f"last sign of life {duration(seen.age_s)} ago")
    return parts or ["no figures yet"]
