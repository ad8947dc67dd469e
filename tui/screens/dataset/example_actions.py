"""What can be done to the example under the cursor alone: read all of it, and edit it."""

from __future__ import annotations

from collections.abc import Callable

from storage import examples, listing
from storage.schema import Example
from storage.staleness import name_stale
from tui.keymap import key
from tui.screens.dataset.example_list import ExampleList
from tui.screens.edit.saving import save_edit
from tui.screens.project_screen import ProjectScreen
from tui.screens.repair.flow import RepairFlow


class ExampleActions:
    """Opens and edits the example under the cursor of `example_list`, over `screen`.

    `remember` is called with each example that was edited: that is undone without a question. `undo` undoes the
    person's newest act.
    """

    def __init__(
        self,
        screen: ProjectScreen,
        example_list: ExampleList,
        remember: Callable[[Example], None],
        undo: Callable[[], None],
    ) -> None:
        self._screen = screen
        self._list = example_list
        self._remember = remember
        self._undo = undo
        self._repairs = RepairFlow(screen, self._show_saved)

    def check_repairs(self) -> None:
        """Say which repairs that were asked for are ready."""
        self._repairs.check()

    def open(self) -> None:
        """Show the whole example; come back to it after an edit."""
        from tui.screens.dataset.example_screen import ExampleScreen

        example = self._current()
        if example is None:
            return
        example_id = example.id

        def on_close(action: str | None) -> None:
            if action == "edit" and (latest := examples.get(self._screen.db, example_id)) is not None:
                self._edit(latest, then=self.open)
            elif action == "repair" and (latest := examples.get(self._screen.db, example_id)) is not None:
                self._repairs.begin(latest, then=self.open)
            elif action == "undo":
                self._undo()

        words = self._list.where.text
        self._screen.app.push_screen(ExampleScreen(self._screen.project, self._screen.db, example, words), on_close)

    def edit(self) -> None:
        """Edit the example."""
        if (example := self._current()) is not None:
            self._edit(example)

    def _current(self) -> Example | None:
        """The example under the cursor; None, with a message, if there is none."""
        number = self._list.table.cursor_number
        for example in listing.read_examples(self._screen.db, [number]) if number is not None else []:
            return example
        self._screen.tell("there is no example under the cursor")
        return None

    def _edit(self, example: Example, then: Callable[[], None] | None = None) -> None:
        from tui.screens.edit.screen import EditScreen

        form = EditScreen(self._screen.project.task, example)

        def on_close(edited: Example | None) -> None:
            if edited is not None:
                saved = save_edit(self._screen, edited, confirmed=form.confirmed)
                if saved is not None:
                    self._show_saved(saved)
            if then is not None:
                then()

        self._screen.app.push_screen(form, on_close)

    def _show_saved(self, example: Example) -> None:
        screen = self._screen
        self._remember(example)
        stale = f"; {name_stale(example)} are stale: R repairs them" if example.stale else ""
        screen.tell(f"saved as version {example.version}, which no judge has read; {key('dataset.undo')} undoes{stale}")
        screen.redraw()
