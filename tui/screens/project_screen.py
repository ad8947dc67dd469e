"""What all screens of a project share: the bar on top, and drawing again when the database has changed."""

from __future__ import annotations

import sqlite3
from abc import abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import App, ComposeResult
from textual.command import CommandPalette
from textual.content import Content
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Static

from core.config.project import Project
from core.runs.control import run_status
from storage.database import busy, data_version
from storage.runs import newest
from tui.actions import Action
from tui.text import clean, line
from tui.widgets.keys import Keys
from tui.widgets.top import top_bar

if TYPE_CHECKING:
    from tui.app_context import AppContext

POLL_S = 1.0
# So many of the newest runs are checked for active ones.
RECENT_RUNS = 20

# On a smaller terminal the bar says that something is cut.
MIN_SIZE = (60, 15)


def front_screen(app: App[Any]) -> Screen[Any]:
    """The screen in front; the command palette does not count, since it lists what can be done there."""
    return app.screen_stack[-2] if CommandPalette.is_open(app) else app.screen_stack[-1]


def active_runs(connection: sqlite3.Connection) -> int:
    """How many of the newest runs have not ended."""
    return sum(not run_status(run).state.ended for run in newest(connection, RECENT_RUNS))


class ProjectScreen(Screen[None]):
    """A screen on the project's database. `draw` is called whenever something may have changed."""

    TITLE = ""
    ACTIONS: ClassVar[list[Action]] = []

    def __init__(self) -> None:
        super().__init__()
        self._seen_version = -1
        self._drawn: dict[str, Content] = {}

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        yield from self.parts()
        yield Keys()

    @abstractmethod
    def parts(self) -> ComposeResult:
        """The widgets between the bar and the footer."""

    @abstractmethod
    def draw(self) -> None:
        """Read what the screen shows, and show it."""

    def on_mount(self) -> None:
        """Poll for changes from now on. Textual calls this beside the `on_mount` of each screen, which need not."""
        self.set_interval(POLL_S, self._poll)

    def on_screen_resume(self) -> None:
        """Draw what changed while another screen was in front."""
        self.redraw()
        self.refresh_bindings()

    def on_screen_suspend(self) -> None:
        """Offer no key while something lies over the screen."""
        self.refresh_bindings()

    def on_resize(self) -> None:
        """Draw for the new size."""
        if self._seen_version >= 0:
            self.redraw()

    @property
    def typing(self) -> bool:
        """Whether keys are text now, or search in a list that hangs open."""
        return self.focused is not None and self.focused.check_consume_key("a", "a")

    @property
    def asking(self) -> bool:
        """Whether the screen asks a question that keys answer."""
        return False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Allow no action of the screen before it is drawn, or while keys mean something else."""
        if any(action == listed.name.partition("(")[0] for listed in self.ACTIONS):
            in_front = front_screen(self.app) is self
            return in_front and self._seen_version >= 0 and not self.typing and not self.asking
        return super().check_action(action, parameters)

    def redraw(self) -> None:
        """Draw now."""
        if self._seen_version < 0:
            self.refresh_bindings()
        self._seen_version = data_version(self.db)
        try:
            self.draw()
        except sqlite3.OperationalError as error:
            if not busy(error):
                raise
            self._seen_version = 0  # drawn again at the next poll
        self._draw_bar()

    @property
    def sidequest(self) -> AppContext:
        """The app."""
        return cast("AppContext", self.app)

    @property
    def project(self) -> Project:
        """The project that the app is open on."""
        return self.sidequest.project

    @property
    def db(self) -> sqlite3.Connection:
        """The app's connection."""
        return self.sidequest.db

    def show(self, selector: str, content: Content) -> None:
        """Update a Static, if it shows something else."""
        if self._drawn.get(selector) != content:
            self._drawn[selector] = content
            self.query_one(selector, Static).update(content)

    def tell(self, message: str, *, error: bool = False, seconds: float | None = None) -> None:
        """Show the person a short message for a moment, or for so many seconds."""
        severity: SeverityLevel = "error" if error else "information"
        timeout = seconds or (8 if error else 2.5)
        self.notify(clean(message, limit=500), markup=False, severity=severity, timeout=timeout)

    def _poll(self) -> None:
        if self not in self.app.screen_stack:
            return
        if data_version(self.db) != self._seen_version or self.ticking():
            self.redraw()
        else:
            self._draw_bar()

    def ticking(self) -> bool:
        """Whether something on the screen changes by itself, such as the age of a run."""
        return False

    def _draw_bar(self) -> None:
        # A worker that is killed changes nothing in the database: its run is checked each time.
        active = active_runs(self.db)
        if self.size.width < MIN_SIZE[0] or self.size.height < MIN_SIZE[1]:
            self.show("#bar", Content(f"too small: {MIN_SIZE[0]}x{MIN_SIZE[1]} shows all"))
            return
        runs = [f"{active} run{'s' if active > 1 else ''}"] if active else []
        app = self.sidequest
        names = [[f"as {line(app.reviewer, cells)}"] for cells in (16, 8)] if app.reviewer else []
        forms = [*([*name, *runs, clock()] for name in names), [*runs, clock()], runs]
        status = [Content(" · ".join(parts)) for parts in forms]
        if app.wrong:
            status = [Content.styled(f"! {app.wrong}", "bold reverse")]
        self.show("#bar", top_bar(self.size.width - 2, self.TITLE, self.project.task.name, status, app.settings.keymap))


def clock() -> str:
    """The time of day."""
    return f"{datetime.now():%H:%M}"
