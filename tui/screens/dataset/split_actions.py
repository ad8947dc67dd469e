"""Putting the families of examples into train, dev and test."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import partial

from core.dataset import splits as core_splits
from storage import splits
from storage.database import connect_durably
from storage.errors import UserError
from storage.splits import SPLITS
from tui.screens.dataset.bulk_actions import BulkActions
from tui.screens.dataset.choice import Choice
from tui.screens.project_screen import ProjectScreen


class SplitActions:
    """Puts the families of the examples that `bulk_actions` is about into splits, as acts of many."""

    def __init__(self, screen: ProjectScreen, bulk_actions: BulkActions) -> None:
        self._screen = screen
        self._bulk_actions = bulk_actions

    def choose(self) -> None:
        """Ask for the split, and put the families there."""
        targets = self._bulk_actions.ready_targets()
        if not targets:
            return
        current = splits.families_of(self._screen.db, targets)
        many = f"{len(current):,} families" if len(current) != 1 else "the example's family"
        shares = core_splits.shares_of(self._screen.project.task)
        described = " / ".join(f"{name} {share:.0%}" for name, share in shares.items())
        answers = [*SPLITS, "none", f"share out all accepted examples that are in none: {described}"]

        def on_answer(answer: int | None) -> None:
            if answer == len(SPLITS) + 1:
                self._plan()
            elif answer is not None:
                split = (*SPLITS, "")[answer]
                moved = {family: split for family, now in current.items() if now != split}
                self._put(moved, f"Put {len(moved):,} of {many} into {split or 'no split'}, with all their examples?")

        self._screen.app.push_screen(Choice(f"Put {many} into", answers), on_answer)

    def _plan(self) -> None:
        """Share out all accepted examples that are in no split; a thread finds out how."""
        screen = self._screen
        screen.tell("looking at the families …")

        def plan() -> None:
            connection = connect_durably(screen.project.database)
            try:
                assignment = core_splits.plan_splits(screen.project.task, connection)
            except (UserError, sqlite3.Error) as error:
                screen.app.call_from_thread(screen.tell, str(error), error=True)
            else:
                screen.app.call_from_thread(self._put_planned, assignment)
            finally:
                connection.close()

        screen.run_worker(plan, thread=True, group="plan", exit_on_error=False)

    def _put_planned(self, assignment: core_splits.Assignment) -> None:
        linked = f" {assignment.linked:,} of them stay with near-duplicates." if assignment.linked else ""
        leaks = core_splits.describe_leaks(assignment)
        warning = f" Careful: {leaks}. No benchmark starts over them without another question." if leaks else ""
        question = f"Put {len(assignment.family_splits):,} families into splits?{linked}{warning}"
        self._put(assignment.family_splits, question)

    def _put(self, given: dict[str, str], question: str) -> None:
        """Ask `question`, and put each family of `given` into its split if the answer is yes."""
        if not given:
            self._screen.tell("all of them are there already")
            return
        write = partial(splits.assign, family_splits=given, reviewer=self._screen.sidequest.reviewer)
        after = describe_splits(core_splits.count_accepted(self._screen.db, given))
        self._bulk_actions.confirm(
            f"{question} Accepted examples are then: {after}.",
            "families put into splits",
            len(given),
            write,
            lambda: f"; accepted examples: {describe_splits(core_splits.count_accepted(self._screen.db))}",
        )


def describe_splits(counts: Mapping[str, int]) -> str:
    """How many examples each split has, and how many are in none ('')."""
    return ", ".join(f"{name or 'none'} {counts.get(name, 0):,}" for name in (*SPLITS, ""))
