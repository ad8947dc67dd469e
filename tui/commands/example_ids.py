"""From what a person writes of an id to the example."""

from __future__ import annotations

import sqlite3

from storage import examples as stored
from storage.schema import Example
from tui.commands.context import RefusedError


def resolve_example(connection: sqlite3.Connection, partial_id: str) -> Example:
    """The example whose id starts or ends with `partial_id`; raises RefusedError if there is none, or several."""
    ids = stored.resolve(connection, partial_id)
    if len(ids) > 1:
        raise RefusedError(f"{partial_id} stands for several examples: write more of the id")
    example = stored.get(connection, ids[0]) if ids else None
    if example is None:
        raise RefusedError(f"no example {partial_id}: `sidequest examples list` shows those there are")
    return example
