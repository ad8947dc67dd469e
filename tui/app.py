"""The app: its screens and what holds everywhere."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.screen import Screen

from core.config.project import DATABASE, FILE, Project, ProjectError, create, open_project
from core.config.settings import Settings
from storage.database import connect_durably
from storage.errors import UserError
from tui.actions import EVERYWHERE, bindings
from tui.app_context import GenerationWish
from tui.keymap import key, use
from tui.personal import remember, usable
from tui.screens.project_screen import ProjectScreen, active_runs, front_screen
from tui.text import clean

# The screen of each place and the one before any project, imported when it is first shown.
_SCREENS = {
    "home": "tui.screens.home.screen:HomeScreen",
    "generate": "tui.screens.generate.screen:GenerateScreen",
    "review": "tui.screens.review.screen:ReviewScreen",
    "rejections": "tui.screens.rejections.screen:RejectionsScreen",
    "dataset": "tui.screens.dataset.screen:DatasetScreen",
    "benchmark": "tui.screens.benchmark.screen:BenchmarkScreen",
    "training": "tui.screens.training.screen:TrainingScreen",
    "runs": "tui.screens.runs.screen:RunsScreen",
}
_FIRST_STEP = "tui.screens.first_step.screen:FirstStepScreen"


def _screen(where: str) -> Screen[Any]:
    module, _, name = where.partition(":")
    made: Screen[Any] = getattr(import_module(module), name)()
    return made


class SidequestApp(App[int]):
    """Sidequest on the project in `folder`. Screens are imported when they are first shown."""

    CSS_PATH = "app.tcss"
    TITLE = "Sidequest"
    BINDINGS = bindings(EVERYWHERE)
    MODES: ClassVar = {place: partial(_screen, where) for place, where in _SCREENS.items()}
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
        # The place in the project file that is wrong, in short.
        self.wrong: str = ""
        self.ready = False
        self.generation_wish: GenerationWish | None = None
        self._home_mode = "home"

    def get_default_screen(self) -> Screen[Any]:
        """Home, or what leads to a project where there is none that opens."""
        self._open()
        if not self.ready:
            return _screen(_FIRST_STEP)
        self._home_mode = self.DEFAULT_MODE
        return _screen(_SCREENS["home"])

    def on_mount(self) -> None:
        """Hear the signals that would leave the terminal as it is."""
        self.add_mode(self.DEFAULT_MODE, self.MODES["home"])
        if (file := self._settings_file) is not None:
            self._heed(file)
            self.theme_changed_signal.subscribe(self, lambda theme: remember(self, file, theme.name))
        # Windows has no SIGHUP, and its event loops take no handlers: there a closed terminal ends the process.
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):
            for name in ("SIGTERM", "SIGHUP"):
                if hasattr(signal, name):
                    loop.add_signal_handler(getattr(signal, name), self.exit, 0)

    def _heed(self, file: Path) -> None:
        """Use the person's theme and keys; what cannot be used is said."""
        self.settings, said = usable(file, self.available_themes, self.project.task.labels if self.ready else [])
        if self.settings.theme:
            self.theme = self.settings.theme
        self.set_keymap(self.settings.keymap)
        use(self.settings.keymap)
        if said:
            self.notify(clean("\n".join(said), limit=2000), markup=False, severity="error", timeout=15)

    def _open(self) -> None:
        """Read the project file; `problem` says why that cannot be done, and what was open before stays open."""
        try:
            project = open_project(self.folder)
            if not self.ready:
                self.db = connect_durably(project.database, on_migrated=partial(self.notify, markup=False, timeout=15))
        except UserError as error:
            self.problem = str(error)
            self.wrong = error.location if isinstance(error, ProjectError) else DATABASE
        else:
            self.project, self.problem, self.wrong, self.ready = project, "", "", True

    def action_reread(self) -> None:
        """Read the project file again."""
        from tui.screens.first_step.screen import FirstStepScreen

        self._open()
        if isinstance(self.screen, FirstStepScreen):
            if self.ready:
                self.switch_mode(self._home_mode)
            else:
                self.screen.redraw()
        elif isinstance(self.screen, ProjectScreen):
            self.screen.redraw()
            if self.problem:
                self.notify(clean(self.mending, limit=2000), markup=False, severity="error", timeout=15)
            else:
                self.notify("the project file was read again", markup=False, timeout=2.5)

    @property
    def mending(self) -> str:
        """What is wrong with the project file, and what to do about it."""
        again = f"mend it, then {key('app.read-the-project-file')} reads it again; until then all is as before"
        return f"{self.problem}\n{again}"

    def on_notify(self) -> None:
        """Show no more than one notice and, until its time is over, the newest error: what is older gives way."""
        errors = [old for old in self._notifications if old.severity == "error"]
        for old in list(self._notifications):
            if old not in errors[-1:]:
                self._unnotify(old, refresh=False)

    def action_go(self, place: str) -> None:
        """Show a screen."""
        if self.ready and len(self.screen_stack) == 1:
            self.switch_mode(self._home_mode if place == "home" else place)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No action of the app while something lies over the screen, or keys mean something else there."""
        if action == "found":
            return not (self.folder / FILE).exists()
        if action == "suspend_process":
            # Where it takes back what was typed, it does only that.
            edits = any(hasattr(screen, "action_undo_edit") for screen in self.screen_stack)
            can_suspend = self._driver is not None and self._driver.can_suspend
            return can_suspend and not edits and not hasattr(self.focused, "action_undo")
        if any(action == shared.name.partition("(")[0] for shared in EVERYWHERE):
            front = front_screen(self)
            if front is not self.screen_stack[0] or (action == "go" and not self.ready):
                return False
            return not isinstance(front, ProjectScreen) or not (front.typing or front.asking)
        return super().check_action(action, parameters)

    def action_found(self) -> None:
        """Make a project in the folder, where there is none."""
        try:
            create(self.folder)
        except UserError as error:
            self.notify(clean(str(error)), markup=False, severity="error", timeout=15)
        self.action_reread()

    def action_explain(self) -> None:
        """Explain the keys of the screen in front."""
        from tui.widgets.modals import Help, Modal, enabled_actions

        if isinstance(self.screen, Modal):
            return
        actions = enabled_actions(self.screen, getattr(self.screen, "ACTIONS", []))
        title = getattr(self.screen, "TITLE", "") or "Sidequest"
        everywhere = [
            action for action in enabled_actions(self, EVERYWHERE) if self.ready or not action.name.startswith("go(")
        ]
        groups = [(name, keys) for name, keys in (("This screen", actions), ("Everywhere", everywhere)) if keys]
        marks = getattr(self.screen, "MARKS", ())
        self.push_screen(Help(f"Keys · {title}", groups, self.settings.keymap, marks))

    def action_leave(self) -> None:
        """Leave; runs go on."""
        runs = active_runs(self.db) if self.ready else 0
        message = f"{runs} run{'s go' if runs > 1 else ' goes'} on: `sidequest` shows it again" if runs else None
        self.exit(0, message=message)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every action of the app, and what Textual offers beside."""
        from tui.palette import commands

        ours = list(commands(self, screen, self.settings.keymap, self.action_go))
        yield from ours
        for command in super().get_system_commands(screen):
            if command.title not in {"Keys", *(command.title for command in ours)}:
                yield command
