"""Saving what the edit form closed with."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from storage import drafts, reviews
from storage.errors import UserError
from storage.schema import Example
from tui.screens.project_screen import ProjectScreen


def save_edit(
    screen: ProjectScreen, edited: Example, *, note: str = "", confirmed: Collection[str] = ()
) -> Example | None:
    """Save `edited` as a new version, and drop its draft; returns the example as it is then.

    Fields that the person has `confirmed` argue for its decision, whether they were changed or not.

    None if that failed: the person is told why, and the draft stays.
    """
    reviewer = screen.sidequest.reviewer
    try:
        example = reviews.edit(screen.db, edited, note=note, reviewer=reviewer, confirmed=confirmed)
    except (UserError, sqlite3.Error) as error:
        screen.tell(f"not saved, but kept as a draft: {error}", error=True)
        return None
    drafts.delete(screen.db, edited.id, reviewer)
    return example
