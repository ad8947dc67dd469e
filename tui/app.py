"""The app: its screens and what holds everywhere."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.screen import Screen

from core.project import Project, ProjectError, create, open_project
from core.runs.control import look
from storage.database import DatabaseError, connect_durably
from storage.runs import newest
from tui.actions import EVERYWHERE, bindings
from tui.screens.live import LiveScreen
from tui.text import clean


def _home() -> Screen[None]:
    from tui.screens.home import HomeScreen

    return HomeScreen()


def _generate() -> Screen[None]:
    from tui.screens.generate import GenerateScreen

    return GenerateScreen()


def _review() -> Screen[None]:
    from tui.screens.review import ReviewScreen

    return ReviewScreen()


def _runs() -> Screen[None]:
    from tui.screens.runs import RunsScreen

    return RunsScreen()


def _first_step() -> Screen[None]:
    from tui.screens.first_step import FirstStepScreen

    return FirstStepScreen()


class SidequestApp(App[int]):
    """Sidequest on the project in `folder`. Screens are imported when they are first shown."""

    CSS_PATH = "app.tcss"
    TITLE = "Sidequest"
    BINDINGS = bindings(EVERYWHERE)
    MODES: ClassVar = {
        "home": _home,
        "generate": _generate,
        "review": _review,
        "runs": _runs,
        "first_step": _first_step,
    }

    project: Project
    db: sqlite3.Connection

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.problem: str = ""
        self.ready = False
        self.running = 0

    def on_mount(self) -> None:
        """Open the project, and hear the signals that would leave the terminal as it is."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.exit, 0)
        self._open()

    def _open(self) -> None:
        try:
            project = open_project(self.folder)
            if not self.ready:
                self.db = connect_durably(project.database)
            self.project = project
        except (ProjectError, DatabaseError) as error:
            self.problem = str(error)
            if self.ready:
                self.notify(clean(self.problem, limit=2000), markup=False, severity="error", timeout=15)
            else:
                self.switch_mode("first_step")
            return
        self.problem = ""
        if not self.ready:
            self.ready = True
            self.switch_mode("home")
        elif isinstance(self.screen, LiveScreen):
            self.screen.redraw()
            self.notify("the project file was read again", markup=False)

    def action_go(self, place: str) -> None:
        """Show a screen."""
        if self.ready and len(self.screen_stack) == 1:
            self.switch_mode(place)

    def action_reread(self) -> None:
        """Read the project file again."""
        self._open()

    def action_found(self) -> None:
        """Make a project in the folder, where there is none."""
        try:
            create(self.folder)
        except ProjectError as error:
            self.notify(clean(str(error)), markup=False, severity="error")
        self._open()

    def action_explain(self) -> None:
        """Explain the keys of the screen in front."""
        from tui.widgets.modals import Help, Modal

        if isinstance(self.screen, Modal):
            return
        actions = getattr(self.screen, "ACTIONS", [])
        title = getattr(self.screen, "TITLE", "") or "Sidequest"
        groups = [("This screen", actions)] if actions else []
        self.push_screen(Help(f"Keys · {title}", [*groups, ("Everywhere", EVERYWHERE)]))

    def action_leave(self) -> None:
        """Leave; runs go on."""
        message = ""
        if self.ready:
            going = [run for run in newest(self.db, 20) if not look(run).state.ended]
            if going:
                message = f"{len(going)} run{'s go' if len(going) > 1 else ' goes'} on: `sidequest` shows it again"
        self.exit(0, message=clean(message) or None)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every action of the screen in front and of the app, beside Textual's own."""
        yield from super().get_system_commands(screen)
        for action in [*getattr(screen, "ACTIONS", []), *EVERYWHERE]:
            name = action.label or action.help
            yield SystemCommand(name, action.help, _runner(self, screen, action.name))


def _runner(app: SidequestApp, screen: Screen[object], name: str) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        await app.run_action(name, screen if hasattr(screen, f"action_{name.split('(')[0]}") else app)

    return run


def run_app(folder: Path) -> int:
    """Run the app on the project in `folder` until the person leaves; returns the exit status."""
    app = SidequestApp(folder)
    app.run()
    return app.return_code or 0
