"""Pausing, resuming, stopping and killing runs: what several screens offer for the run that they show."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from core.runs import control, launch
from core.runs.control import RunStatus
from storage import runs
from storage.errors import UserError
from storage.schema import RunState
from tui.keymap import key
from tui.screens.project_screen import ProjectScreen
from tui.widgets.modals import Confirm


class RunControl:
    """Asks runs to pause, resume or stop for `screen`, tells the person what came of it, and redraws the screen.

    `resume_action` names the action of the keymap that resumes a run on this screen, if there is one: messages
    mention its key.
    """

    def __init__(self, screen: ProjectScreen, resume_action: str = "") -> None:
        self._screen = screen
        self._resume_action = resume_action

    def pause_or_resume(self, status: RunStatus) -> None:
        """Pause a run that is running; resume any other."""
        if status.state is RunState.RUNNING:
            self.pause(status)
        else:
            self.resume(status)

    def pause(self, status: RunStatus) -> None:
        """Pause the run after what is in flight."""
        if status.state.ended or status.state in {RunState.PAUSED, RunState.PAUSING}:
            self._tell_state(status.state)
        else:
            self._request(lambda: control.pause(self._screen.db, status.run.id))

    def resume(self, status: RunStatus) -> None:
        """Continue a run that is paused, stopped, failed or lost."""
        self._request(lambda: launch.resume(self._screen.project, self._screen.db, status.run.id))

    def kill(self, status: RunStatus) -> None:
        """Ask for confirmation, then end the run's process at once, or count a lost run as stopped."""
        if status.state is RunState.LOST:
            self._dismiss(status)
        elif status.state.ended:
            self._screen.tell(f"it is {status.state}: there is no process to kill")
        else:
            question = (
                f"Kill run {status.run.id[-6:]}? Its process ends at once. What it has finished is kept; what is in "
                "flight is lost, and paid for again when it is resumed. x stops it without loss."
            )
            self._confirm(question, lambda: control.kill(self._screen.db, status.run.id))

    def stop(self, status: RunStatus) -> None:
        """Ask for confirmation, then stop the run, or kill one that is stopping already."""

        def request_stop() -> str:
            run = runs.get(self._screen.db, status.run.id)
            if run is not None and run.state is RunState.STOPPING and status.state is not RunState.STOPPING:
                # Confirmed was a stop; a second one would kill.
                return "it is stopping already"
            return control.stop(self._screen.db, status.run.id)

        if status.state is RunState.LOST:
            self._dismiss(status)
        elif status.state.ended:
            self._tell_state(status.state)
        else:
            self._confirm(stop_question(status), request_stop)

    def _tell_state(self, state: RunState) -> None:
        hint = f"{key(self._resume_action)} resumes it" if self._resume_action else "it can be resumed"
        self._screen.tell(f"it is {state}" + ("" if state is RunState.FINISHED else f": {hint}"))

    def _dismiss(self, status: RunStatus) -> None:
        question = (
            f"Run {status.run.id[-6:]} is lost: its process is gone. Count it as stopped? What it has finished is "
            "kept, and it can be resumed."
        )
        self._confirm(question, lambda: control.dismiss(self._screen.db, status.run.id))

    def _confirm(self, question: str, request: Callable[[], str]) -> None:
        def on_answer(confirmed: bool | None) -> None:
            if confirmed:
                self._request(request)

        self._screen.app.push_screen(Confirm(question), on_answer)

    def _request(self, request: Callable[[], str]) -> None:
        """Call `request`, and show the message that it returns or the error that it raises."""
        try:
            message = request()
        except (UserError, sqlite3.Error) as error:
            self._screen.tell(str(error), error=True)
        else:
            self._screen.tell(message)
        self._screen.redraw()


def stop_question(status: RunStatus) -> str:
    """The question before a run is stopped, or killed if it is stopping already."""
    if status.state is RunState.STOPPING:
        return f"Run {status.run.id[-6:]} is stopping already. Kill its process? What it has finished is kept."
    after = "the step in hand, with a checkpoint" if status.run.kind == "train" else "what is in flight"
    return f"Stop run {status.run.id[-6:]} after {after}? It can be resumed."
