"""Steps that a run writes for examples that have none: the state of each example."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from pydantic import Field

from storage.rows import columns, fields
from storage.schema import Outcome, Step, StoredModel, Text, Usage, now

_NESTED = frozenset({"steps"})


class Fill(StoredModel):
    """The state of one example in a run that fills steps; unique by run and example.

    It holds for `version` of the example only. `steps` without a `reason` break no rule; `stored` is the version of the
    example that has them.
    """

    run: str
    example: str
    version: int
    tries: int = Field(default=0, ge=0, description="How many answers of the source there were.")
    outcome: Outcome | None = Field(default=None, description="How the newest request to the source ended.")
    steps: list[Step] | None = Field(default=None, description="As last written; None where nothing could be read.")
    reason: Text = Field(default="", description="A short name for what is wrong; '' if nothing is known to be.")
    detail: Text = Field(default="", description="What is wrong, in words that a writer can act on.")
    judged: Outcome | None = Field(default=None, description="How the judge's request ended; None before it did.")
    stored: int | None = None
    done: bool = Field(default=False, description="Nothing more is tried: the steps are stored or refused.")
    model: Text = ""
    prompt_version: Text = ""
    usage: Usage = Usage()
    created: datetime = Field(default_factory=now)

    @property
    def refused(self) -> bool:
        """Whether the example was left without steps, for the `reason`."""
        return self.done and self.stored is None


def put(connection: sqlite3.Connection, fill: Fill) -> None:
    """Store the state in place of the earlier one. Call it inside a transaction."""
    values = columns(fill)
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(f"INSERT OR REPLACE INTO fills ({names}) VALUES ({marks})", list(values.values()))


def of_run(connection: sqlite3.Connection, run: str) -> list[Fill]:
    """The states of a run's examples, the one that changed last at the end."""
    rows = connection.execute("SELECT * FROM fills WHERE run = ? ORDER BY rowid", (run,))
    return [Fill.model_validate(fields(row, nested=_NESTED)) for row in rows]
