"""Asking a run to pause, go on or stop, as more than one screen does it; what comes of it is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from core.runs import control, launch
from core.runs.control import RunError, Seen
from storage import runs
from storage.schema import RunState
from tui.screens.live import LiveScreen
from tui.widgets.modals import Confirm


class RunControl(LiveScreen):
    """A screen that controls runs."""

    def pause(self, seen: Seen) -> None:
        """Pause the run after what is in flight."""
        self._ask(lambda: control.pause(self.db, seen.run.id))

    def resume(self, seen: Seen) -> None:
        """Continue a run that is paused, stopped, failed or lost."""
        self._ask(lambda: launch.resume(self.project, self.db, seen.run.id))

    def kill(self, seen: Seen) -> None:
        """End the run's process at once, if the person confirms it."""
        if seen.state.ended:
            self.tell(f"it is {seen.state}: there is no process to kill")
            return

        def confirmed(yes: bool | None) -> None:
            if yes:
                self._ask(lambda: control.kill(self.db, seen.run.id))

        question = (
            f"Kill run {seen.run.id[-6:]}? Its process ends at once. What it has finished is kept; what is in flight "
            "is lost, and paid for again when it is resumed. x stops it without loss."
        )
        self.app.push_screen(Confirm(question), confirmed)

    def stop(self, seen: Seen) -> None:
        """Stop the run, or kill one that is stopping already, if the person confirms just that."""
        if seen.state.ended:
            self.tell(f"it is {seen.state}" + ("" if seen.state is RunState.FINISHED else ": it can be resumed"))
            return
        killing = seen.state is RunState.STOPPING

        def confirmed(yes: bool | None) -> None:
            now = runs.get(self.db, seen.run.id)
            if not yes or now is None:
                return
            if now.state is RunState.STOPPING and not killing:
                self.tell("it is stopping already")
            else:
                self._ask(lambda: control.stop(self.db, seen.run.id))

        self.app.push_screen(Confirm(stop_question(seen)), confirmed)

    def _ask(self, request: Callable[[], str]) -> None:
        try:
            message = request()
        except (RunError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
        else:
            self.tell(message)
        self.redraw()


def stop_question(seen: Seen) -> str:
    """What to ask before a run is stopped, or killed."""
    if seen.state is RunState.STOPPING:
        return f"Run {seen.run.id[-6:]} is stopping already. Kill its process? What it has finished is kept."
    return f"Stop run {seen.run.id[-6:]} after what is in flight? It can be resumed."
