"""What all screens of a project share: the bar on top, and reading again when the database has changed."""

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
# So many of the newest runs are looked at for those that are going on.
RECENT = 20

# What a smaller terminal cuts is said.
SMALLEST = (60, 15)


def in_front(app: App[Any]) -> Screen[Any]:
    """The screen in front; the palette, which finds what can be done there, does not count."""
    return app.screen_stack[-2] if CommandPalette.is_open(app) else app.screen_stack[-1]


def going(connection: sqlite3.Connection) -> int:
    """How many of the newest runs are not over."""
    return sum(not run_status(run).state.ended for run in newest(connection, RECENT))


class ProjectScreen(Screen[None]):
    """A screen on the project's database. `draw` reads and draws; it is called when something may have changed."""

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
        """Read what is to be shown, and show it."""

    def on_mount(self) -> None:
        """Look for changes from now on. Textual calls this and the `on_mount` of each screen: none calls it again."""
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
        """Whether keys are text now, or search a list that hangs open."""
        return self.focused is not None and self.focused.check_consume_key("a", "a")

    @property
    def asking(self) -> bool:
        """Whether the screen asks something that keys answer."""
        return False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No action of the screen before it is drawn, or while keys mean something else."""
        if any(action == one.name.partition("(")[0] for one in self.ACTIONS):
            front = in_front(self.app) is self
            return front and self._seen_version >= 0 and not self.typing and not self.asking
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

    def show(self, selector: str, drawn: Content) -> None:
        """Update a Static, if what it shows is another."""
        if self._drawn.get(selector) != drawn:
            self._drawn[selector] = drawn
            self.query_one(selector, Static).update(drawn)

    def tell(self, message: str, *, error: bool = False) -> None:
        """A short message for the person."""
        severity: SeverityLevel = "error" if error else "information"
        self.notify(clean(message, limit=500), markup=False, severity=severity, timeout=8 if error else 2.5)

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
        # A worker that is killed changes nothing in the database: its run is looked at each time.
        running = going(self.db)
        if self.size.width < SMALLEST[0] or self.size.height < SMALLEST[1]:
            self.show("#bar", Content(f"too small: {SMALLEST[0]}x{SMALLEST[1]} shows all"))
            return
        runs = [f"{running} run{'s' if running > 1 else ''}"] if running else []
        app = self.sidequest
        names = [[f"as {line(app.reviewer, cells)}"] for cells in (16, 8)] if app.reviewer else []
        said = [
            Content(" · ".join(parts)) for parts in (*([*one, *runs, clock()] for one in names), [*runs, clock()], runs)
        ]
        if app.wrong:
            said = [Content.styled(f"! {app.wrong}", "bold reverse")]
        self.show("#bar", top_bar(self.size.width - 2, self.TITLE, self.project.task.name, said, app.settings.keymap))


def clock() -> str:
    """The time of day."""
    return f"{datetime.now():%H:%M}"
