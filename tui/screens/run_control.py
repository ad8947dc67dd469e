"""Asking a run to pause, go on or stop, as more than one screen does it; what comes of it is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import ClassVar

from core.runs import control, launch
from core.runs.control import RunError, RunStatus
from storage import runs
from storage.schema import RunState
from tui.keymap import key
from tui.screens.project_screen import ProjectScreen
from tui.widgets.modals import Confirm


class RunControl(ProjectScreen):
    """A screen that controls runs."""

    # How a run that does nothing goes on, as the screen's keys have it.
    # The action that resumes a run on this screen, as a keymap calls it; empty where none does.
    RESUME: ClassVar[str] = ""

    def pause(self, seen: RunStatus) -> None:
        """Pause the run after what is in flight."""
        if seen.state.ended or seen.state in {RunState.PAUSED, RunState.PAUSING}:
            self._tell_standing(seen.state)
        else:
            self._ask(lambda: control.pause(self.db, seen.run.id))

    def resume(self, seen: RunStatus) -> None:
        """Continue a run that is paused, stopped, failed or lost."""
        self._ask(lambda: launch.resume(self.project, self.db, seen.run.id))

    def kill(self, seen: RunStatus) -> None:
        """End the run's process at once, or count a lost run as stopped, if the person confirms it."""
        if seen.state is RunState.LOST:
            self._dismiss(seen)
        elif seen.state.ended:
            self.tell(f"it is {seen.state}: there is no process to kill")
        else:
            question = (
                f"Kill run {seen.run.id[-6:]}? Its process ends at once. What it has finished is kept; what is in "
                "flight is lost, and paid for again when it is resumed. x stops it without loss."
            )
            self._confirm(question, lambda: control.kill(self.db, seen.run.id))

    def stop(self, seen: RunStatus) -> None:
        """Stop the run, or kill one that is stopping already, if the person confirms just that."""

        def stop() -> str:
            now = runs.get(self.db, seen.run.id)
            if now is not None and now.state is RunState.STOPPING and seen.state is not RunState.STOPPING:
                return "it is stopping already"
            return control.stop(self.db, seen.run.id)

        if seen.state is RunState.LOST:
            self._dismiss(seen)
        elif seen.state.ended:
            self._tell_standing(seen.state)
        else:
            self._confirm(stop_question(seen), stop)

    def _tell_standing(self, state: RunState) -> None:
        way = f"{key(self.RESUME)} resumes it" if self.RESUME else "it can be resumed"
        self.tell(f"it is {state}" + ("" if state is RunState.FINISHED else f": {way}"))

    def _dismiss(self, seen: RunStatus) -> None:
        question = (
            f"Run {seen.run.id[-6:]} is lost: its process is gone. Count it as stopped? What it has finished is kept, "
            "and it can be resumed."
        )
        self._confirm(question, lambda: control.dismiss(self.db, seen.run.id))

    def _confirm(self, question: str, request: Callable[[], str]) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._ask(request)

        self.app.push_screen(Confirm(question), answered)

    def _ask(self, request: Callable[[], str]) -> None:
        try:
            message = request()
        except (RunError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
        else:
            self.tell(message)
        self.redraw()


def stop_question(seen: RunStatus) -> str:
    """What to ask before a run is stopped, or killed."""
    if seen.state is RunState.STOPPING:
        return f"Run {seen.run.id[-6:]} is stopping already. Kill its process? What it has finished is kept."
    after = "the step in hand, with a checkpoint" if seen.run.kind == "train" else "what is in flight"
    return f"Stop run {seen.run.id[-6:]} after {after}? It can be resumed."
