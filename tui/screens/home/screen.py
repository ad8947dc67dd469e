"""Home: how far the project is, what is running, what to do next."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from core.overview import NextStep, Overview, overview
from core.runs.control import RunStatus
from core.runs.describe import cost_of, describe_fill, format_duration
from core.runs.progress import FillProgress, GenerateProgress
from core.runs.readable import progress_or_none
from storage.schema import RunState
from tui.actions import HOME, bindings
from tui.keymap import key
from tui.screens.project_screen import ProjectScreen
from tui.text import content, line
from tui.widgets.bars import bar, quota_bars

STATE_MARKS = {RunState.PAUSED: "◌", RunState.PAUSING: "◌", RunState.LOST: "✗", RunState.QUEUED: "…"}

# So many runs are listed.
LISTED_RUNS = 6
# The width of the bar that shows how far a run is; where less than the minimum is left, there is no bar.
BAR_WIDTH, MIN_BAR_WIDTH = 12, 5


class HomeScreen(ProjectScreen):
    """The pipeline with its counts, the runs that are active, and the next steps."""

    TITLE = "Home"
    ACTIONS = HOME
    BINDINGS = bindings(HOME)

    def __init__(self) -> None:
        super().__init__()
        self._overview: Overview | None = None
        self._next_steps: list[NextStep] = []

    def parts(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(id="pipeline", classes="panel")
            yield Static(id="running", classes="panel")
            yield OptionList(id="next", classes="panel", markup=False)

    def on_mount(self) -> None:
        """Title the panels, and begin at the next steps."""
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
        state = self._overview = overview(self.project, self.db)
        width = self.size.width - 4
        parts = [*self._project_problem(), pipeline_counts(state, width), quota_bars(state.plan.quotas, width)]
        self.show("#pipeline", Content("\n").join(parts))
        rows = [run_line(status, width) for status in state.runs[:LISTED_RUNS]]
        if more := describe_unlisted(len(state.runs) - len(rows), state.lost - 1):
            rows.append(Content(f"{more}: {key('app.runs')} Runs"))
        self.show("#running", Content("\n").join(rows) if rows else Content.styled("nothing", "$text-muted"))
        if state.next != self._next_steps:
            self._next_steps = state.next
            self._draw_next_steps()

    def _draw_next_steps(self) -> None:
        options, steps = self.query_one("#next", OptionList), self._next_steps
        highlighted = options.highlighted
        options.clear_options()
        options.add_options([Option(Content.assemble("▸ ", content(step.text, limit=300))) for step in steps])
        if steps:
            options.highlighted = min(highlighted or 0, len(steps) - 1)
        else:
            options.add_option(Option(Content("every cell is filled and every example is reviewed"), disabled=True))

    def _project_problem(self) -> list[Content]:
        """What is wrong with the project file as it is now, and what to do about it; empty if nothing is."""
        if not self.sidequest.problem:
            return []
        first, *more, mending = self.sidequest.mending.split("\n")
        rest = f" (and {len(more)} more mistakes)" if more else ""
        mistake = line(f"! {first.removeprefix(f'{self.sidequest.folder}/')}{rest}", 400)
        return [Content.styled(mistake, "$text-error"), Content(f"{mending}\n")]

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Go where the step leads."""
        self.sidequest.action_go(self._next_steps[event.option_index].action)

    def action_follow(self) -> None:
        """Go where the chosen step leads."""
        self.query_one("#next", OptionList).action_select()


def pipeline_counts(state: Overview, width: int) -> Content:
    """The counts along the pipeline, in lines of `width` cells."""
    generated = [("Generated", state.generated), ("QA passed", state.passed)]
    steps = [
        ("Curriculum", state.plan.want),
        *(generated if state.generated or not state.imported else []),
        *([("Imported", state.imported)] if state.imported else []),
        ("Reviewed", state.reviewed),
        ("Accepted", state.accepted),
    ]
    arrow, lines = Content.styled(" ▸ ", "$text-muted"), [Content()]
    for position, (name, count) in enumerate(steps):
        step = Content.assemble(arrow if position else "", f"{name} ", (f"{count:,}", "bold"))
        if lines[-1].cell_length + step.cell_length > width:
            lines.append(Content())
        lines[-1] += step
    return Content("\n").join(lines)


def describe_unlisted(active: int, lost: int) -> str:
    """The runs that are not listed, in words; '' if all are."""
    parts = [f"{active} more"] if active > 0 else []
    parts += [f"{lost} more that {'were' if lost > 1 else 'was'} lost"] if lost > 0 else []
    return f"and {' and '.join(parts)}" if parts else ""


def run_line(status: RunStatus, width: int) -> Content:
    """One run in one line: its figures, and how far it is as a bar in the room that they leave."""
    figures = progress_or_none(status.run)
    style = "$text-error" if status.state is RunState.LOST else "$text-success"
    head = f"{line(status.run.kind, 9):<9} {status.run.id[-6:]} "
    text = " · ".join(_figures(status))
    room = min(BAR_WIDTH, width - 2 - len(head) - len(text) - 1)
    progress = (
        ""
        if figures.total is None or room < MIN_BAR_WIDTH
        else bar(figures.done / figures.total if figures.total else 1.0, room) + " "
    )
    return Content.assemble(
        (f"{STATE_MARKS.get(status.state, '●')} ", style),
        head,
        (progress, style),
        line(text, max(10, width - 2 - len(head) - len(progress))),
    )


def _figures(status: RunStatus) -> list[str]:
    progress = progress_or_none(status.run)
    cost, budget = cost_of(progress)
    parts = [] if status.state is RunState.RUNNING else [str(status.state)]
    if progress.total is not None:
        parts.append(f"{progress.done}/{progress.total}")
    if isinstance(progress, GenerateProgress) and progress.total is not None:
        parts.append(f"{progress.rejected} rejected")
    if isinstance(progress, FillProgress) and progress.total is not None:
        parts.append(describe_fill(progress))
    if cost:
        parts.append(f"cost {cost:.2f}" + ("" if budget is None else f" of {budget:.2f}"))
    if status.state is RunState.RUNNING and progress.total is not None:
        parts.append(f"eta {format_duration(progress.eta_s)}")
    elif status.age_s is not None:
        parts.append(f"last sign of life {format_duration(status.age_s)} ago")
    return parts or ["no figures yet"]
