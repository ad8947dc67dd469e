"""Editing and repairing the example in front on Review."""

from __future__ import annotations

from collections.abc import Callable

from storage.schema import Example
from tui.screens.edit.saving import save_edit
from tui.screens.project_screen import ProjectScreen
from tui.screens.repair.flow import RepairFlow


class ItemEdits:
    """Edits and repairs examples over `screen`; `on_saved` gets each as it was saved, and `note` goes with it."""

    def __init__(self, screen: ProjectScreen, on_saved: Callable[[Example], None], note: Callable[[], str]) -> None:
        self._screen = screen
        self._on_saved = on_saved
        self._note = note
        self._repairs = RepairFlow(screen, on_saved, note)

    def check(self) -> None:
        """Say which repairs that were asked for are ready."""
        self._repairs.check()

    def edit(self, example: Example, decision: str) -> None:
        """Edit the example, beginning with `decision`, if that is not empty."""
        from tui.screens.edit.screen import EditScreen

        form = EditScreen(self._screen.project.task, example, begin_with={"decision": decision} if decision else {})

        def on_close(edited: Example | None) -> None:
            saved = save_edit(self._screen, edited, note=self._note(), confirmed=form.confirmed) if edited else None
            if saved is not None:
                self._on_saved(saved)
            elif edited is None:
                self._screen.redraw()

        self._screen.app.push_screen(form, on_close)

    def repair(self, example: Example) -> None:
        """Have the stale fields of the example written for its decision."""
        self._repairs.begin(example)
