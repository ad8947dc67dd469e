"""The app: its screens and what holds everywhere."""

from __future__ import annotations

import asyncio
import gc
import signal
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.screen import Screen

from core.project import FILE, Project, ProjectError, create, open_project
from core.runs.control import look
from core.settings import Settings, keep_theme, load
from core.settings import path as settings_path
from storage.database import DatabaseError, connect_durably
from storage.runs import newest
from tui.actions import EVERYWHERE, bindings, clashes
from tui.screens.live import RECENT, LiveScreen
from tui.text import clean


def _home() -> Screen[Any]:
    from tui.screens.home import HomeScreen

    return HomeScreen()


def _generate() -> Screen[Any]:
    from tui.screens.generate import GenerateScreen

    return GenerateScreen()


def _review() -> Screen[Any]:
    from tui.screens.review import ReviewScreen

    return ReviewScreen()


def _rejections() -> Screen[Any]:
    from tui.screens.rejections import RejectionsScreen

    return RejectionsScreen()


def _dataset() -> Screen[Any]:
    from tui.screens.dataset import DatasetScreen

    return DatasetScreen()


def _runs() -> Screen[Any]:
    from tui.screens.runs import RunsScreen

    return RunsScreen()


def _first_step() -> Screen[Any]:
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
        "rejections": _rejections,
        "dataset": _dataset,
        "runs": _runs,
    }
    # The first screen is this mode's, from `get_default_screen`: so no blank one is mounted and styled before it.
    DEFAULT_MODE = "start"

    project: Project
    db: sqlite3.Connection

    def __init__(self, folder: Path, reviewer: str = "", settings_file: Path | None = None) -> None:
        super().__init__()
        self.folder = folder
        self.reviewer = reviewer
        self.settings = Settings()
        self._settings_file = settings_file
        self.problem: str = ""
        self.ready = False
        self._home_mode = "home"

    def get_default_screen(self) -> Screen[Any]:
        """Home, or what leads to a project where there is none that opens."""
        self._open()
        if not self.ready:
            return _first_step()
        self._home_mode = self.DEFAULT_MODE
        return _home()

    def on_mount(self) -> None:
        """Hear the signals that would leave the terminal as it is."""
        self.add_mode(self.DEFAULT_MODE, _home)
        self._heed_settings()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.exit, 0)

    def _heed_settings(self) -> None:
        """Use the person's theme and keys; what is wrong with them is said, and the defaults hold."""
        if self._settings_file is None:
            return
        file = self._settings_file
        self.settings, problem = load(file)
        problems = [problem] if problem else clashes(self.settings.keymap)
        if self.settings.theme and self.settings.theme not in self.available_themes:
            problems.append(f"{file}: theme: there is no {self.settings.theme}: ctrl+p lists those there are")
        elif self.settings.theme:
            self.theme = self.settings.theme
        if not problems:
            self.set_keymap(self.settings.keymap)
        else:
            said = "\n".join(["your settings are not used:", *problems])
            self.notify(clean(said, limit=2000), markup=False, severity="error", timeout=15)
        self.theme_changed_signal.subscribe(self, lambda theme: self._keep_theme(file, theme.name))

    def _keep_theme(self, file: Path, name: str) -> None:
        """Remember a theme that was chosen."""
        try:
            keep_theme(file, name)
        except (OSError, ValueError) as error:
            self.notify(clean(f"the theme is not remembered: {error}"), markup=False, severity="error")

    def _open(self) -> None:
        """Read the project file; `problem` says why that cannot be done, and what was open before stays open."""
        try:
            project = open_project(self.folder)
            if not self.ready:
                self.db = connect_durably(project.database)
        except (ProjectError, DatabaseError) as error:
            self.problem = str(error)
        else:
            self.project, self.problem, self.ready = project, "", True

    def _open_again(self) -> None:
        from tui.screens.first_step import FirstStepScreen

        self._open()
        if isinstance(self.screen, FirstStepScreen):
            if self.ready:
                self.switch_mode(self._home_mode)
            else:
                self.screen.redraw()
        elif self.problem:
            self.notify(clean(self.problem, limit=2000), markup=False, severity="error", timeout=15)
        elif isinstance(self.screen, LiveScreen):
            self.screen.redraw()
            self.notify("the project file was read again", markup=False)

    def action_go(self, place: str) -> None:
        """Show a screen."""
        if self.ready and len(self.screen_stack) == 1:
            self.switch_mode(self._home_mode if place == "home" else place)

    def action_reread(self) -> None:
        """Read the project file again."""
        self._open_again()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No action of the app while something lies over the screen, or keys mean something else there."""
        if action == "found":
            return not (self.folder / FILE).exists()
        if any(action == one.name.partition("(")[0] for one in EVERYWHERE):
            front = self.screen
            if len(self.screen_stack) > 1:
                return False
            return not isinstance(front, LiveScreen) or not (front.typing or front.asking)
        return super().check_action(action, parameters)

    def action_found(self) -> None:
        """Make a project in the folder, where there is none."""
        try:
            create(self.folder)
        except ProjectError as error:
            self.notify(clean(str(error)), markup=False, severity="error")
        self._open_again()

    def action_explain(self) -> None:
        """Explain the keys of the screen in front."""
        from tui.widgets.modals import Help, Modal, acting

        if isinstance(self.screen, Modal):
            return
        actions = acting(self.screen, getattr(self.screen, "ACTIONS", []))
        title = getattr(self.screen, "TITLE", "") or "Sidequest"
        everywhere = [one for one in acting(self, EVERYWHERE) if self.ready or not one.name.startswith("go(")]
        groups = [(name, keys) for name, keys in (("This screen", actions), ("Everywhere", everywhere)) if keys]
        marks = getattr(self.screen, "MARKS", ())
        self.push_screen(Help(f"Keys · {title}", groups, self.settings.keymap, marks))

    def action_leave(self) -> None:
        """Leave; runs go on."""
        message = ""
        if self.ready:
            going = [run for run in newest(self.db, RECENT) if not look(run).state.ended]
            if going:
                message = f"{len(going)} run{'s go' if len(going) > 1 else ' goes'} on: `sidequest` shows it again"
        self.exit(0, message=clean(message) or None)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every action of the app, and what Textual offers beside."""
        from tui.palette import commands

        ours = list(commands(self, screen))
        yield from ours
        for command in super().get_system_commands(screen):
            if command.title not in {"Keys", *(one.title for one in ours)}:
                yield command


def run_app(folder: Path, reviewer: str = "") -> int:
    """Run the app on the project in `folder` until the person leaves; returns the exit status."""
    app = SidequestApp(folder, reviewer, settings_path())
    # A full collection walks all that is loaded, 60 ms between a key and its answer: leave that out, and do it seldom.
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    app.run()
    return app.return_code or 0
