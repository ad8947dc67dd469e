"""Setting a cell aside from Rejections, after a question that says what it does, and taking it back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from core.curriculum.shelving import ShelvingChange, shelve, shelving_change, unshelve
from core.curriculum.shelving import describe_shelf as shelf_name
from storage import examples
from storage.errors import UserError
from storage.shelves import Shelf
from tui.keymap import key
from tui.screens.project_screen import ProjectScreen
from tui.screens.rejections.cell_choice import CellChoice
from tui.widgets.modals import Confirm


def toggle_shelf(screen: ProjectScreen, choice: CellChoice, shelves: Sequence[Shelf]) -> None:
    """Take a cell back if it is among `shelves`; otherwise set it aside, if the person confirms it."""
    shelf = Shelf(*choice)
    name, undo_hint = shelf_name(shelf), f"{key('rejections.shelve')} takes it back"
    same = [other for other in shelves if CellChoice(other.domain, other.level, other.decision) == choice]
    try:
        if same:
            unshelve(screen.db, same[0])
            screen.tell(f"{name} is taken back")
            screen.redraw()
            return
        change = shelving_change(screen.project.task, examples.cell_counts(screen.db), shelves, shelf)
    except (UserError, sqlite3.Error) as error:
        screen.tell(str(error), error=True)
        return

    def on_answer(confirmed: bool | None) -> None:
        if not confirmed:
            return
        try:
            shelve(screen.project.task, screen.db, shelf)
        except (UserError, sqlite3.Error) as error:
            screen.tell(str(error), error=True)
        else:
            screen.tell(f"{name} is shelved; {undo_hint}")
        screen.redraw()

    screen.app.push_screen(Confirm(f"Shelve {name}? {describe_change(change)} {undo_hint}."), on_answer)


def describe_change(change: ShelvingChange) -> str:
    """What shelving a cell does, in figures."""
    kept = f"The {change.kept:,} that it has stay." if change.kept else "It has none."
    if not change.examples:
        return f"Nothing more is generated for it, and nothing is missing in it now: no other cell gets more. {kept}"
    cells = f"{change.cells:,} other cell{'s' if change.cells != 1 else ''}"
    missing = f"{change.examples:,} {'are' if change.examples != 1 else 'is'} missing in it, and"
    rounded = ", as the shares are drawn anew" if change.elsewhere > change.examples else ""
    moved = f"{change.elsewhere:,} more will be generated in {cells}{rounded}"
    moved = moved if change.elsewhere else "no other cell gets more"
    return f"Nothing more is generated for it: {missing} {moved}. {kept}"
