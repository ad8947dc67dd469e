"""From the key to the diff: what repairs the stale fields of an example, and what a person makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.generation.repair.proposal import Proposal, stale_names
from core.generation.repair.start import can_write, find_repair_run, read_proposal, start_repair
from core.review.editing import rule_violations
from core.runs.control import RunError, run_status
from core.runs.params import RepairParams, params_of
from storage import repairs
from storage.schema import Example, Run
from storage.staleness import name_stale
from tui.keymap import key
from tui.screens.edit.saving import save_edit
from tui.screens.project_screen import ProjectScreen
from tui.text import line


def _no_note() -> str:
    return ""


class RepairFlow:
    """Repairs examples over `screen`; `on_saved` gets each example that was stored, with the `note` of that moment."""

    def __init__(
        self, screen: ProjectScreen, on_saved: Callable[[Example], None], note: Callable[[], str] = _no_note
    ) -> None:
        self._screen = screen
        self._on_saved = on_saved
        self._note = note
        # The examples that a run writes for, until the person was told that it is done.
        self._awaited: list[Example] = []

    def begin(self, example: Example, then: Callable[[], None] | None = None) -> None:
        """Show what is proposed for the stale fields of `example`; have it written first, or ask for it.

        `then` is called when what this opens was closed again.
        """
        screen = self._screen
        if not example.stale:
            screen.tell("nothing to repair: all of it argues for the decision that it has")
            self._finish(then)
            return
        proposal = read_proposal(screen.project, screen.db, example)
        if proposal is not None:
            self._show(proposal, then)
            return
        run = find_repair_run(screen.db, example)
        if run is not None and not run_status(run).state.ended:
            screen.tell(f"run {run.id[-6:]} still works on it: {key('review.repair')} shows the result then")
            self._finish(then)
        elif can_write(screen.project.task):
            self._start(example)
            self._finish(then)
        else:
            self._ask(example, then)

    def check(self) -> None:
        """Tell the person which of the awaited repairs are done, and which failed."""
        for awaited in list(self._awaited):
            run = find_repair_run(self._screen.db, awaited)
            if run is not None and not run_status(run).state.ended:
                continue
            self._awaited.remove(awaited)
            if read_proposal(self._screen.project, self._screen.db, awaited) is not None:
                self._screen.tell(f"the repair of {awaited.id[-6:]} is ready: {key('review.repair')} shows it")
            elif run is not None:
                self._screen.tell(f"{awaited.id[-6:]} was not repaired: {self._why_failed(awaited, run)}", error=True)

    def _why_failed(self, example: Example, run: Run) -> str:
        stored = repairs.newest(self._screen.db, example.id, example.version)
        return line((stored.detail if stored else "") or run_status(run).run.reason or run_status(run).state, 300)

    def _start(self, example: Example) -> None:
        try:
            run = start_repair(self._screen.project, self._screen.db, [example])
        except RunError as error:
            self._screen.tell(str(error), error=True)
            return
        params = params_of(run, RepairParams)
        self._awaited.append(example)
        budget = "" if params.budget is None else f", for {params.budget} at most"
        self._screen.tell(
            f"{params.source} writes {name_stale(example)} for {line(example.decision, 24)}, {params.judge} reads it"
            f"{budget}: you are told when it is ready"
        )

    # ------------------------------------------------------------ the person's answer

    def _show(self, proposal: Proposal, then: Callable[[], None] | None) -> None:
        from tui.screens.repair.screen import RepairScreen

        def on_close(answer: str | None) -> None:
            example = proposal.example
            if answer == "accept":
                self._store(proposal.repaired, set(proposal.fields), f"repaired by {proposal.source}")
            elif answer == "keep":
                self._store(example, set(stale_names(example)), f"still right for {example.decision}")
            elif answer == "edit" and proposal.contradicts:
                self._ask(example, then)
                return
            elif answer == "edit":
                self._edit(example, proposal.fields, then)
                return
            self._finish(then)

        doubts = rule_violations(self._screen.project.task, proposal.repaired)
        self._screen.app.push_screen(RepairScreen(proposal, doubts), on_close)

    def _ask(self, example: Example, then: Callable[[], None] | None) -> None:
        """Let the person write the stale fields: they are empty."""
        self._screen.tell(f"nothing here can write {name_stale(example)} anew: please do")
        # Steps are no field of the form: empty ones argue for nothing.
        empty = {name: [] if isinstance(getattr(example, name), list) else "" for name in stale_names(example)}
        self._edit(example, empty, then)

    def _edit(self, example: Example, fields: Mapping[str, Any], then: Callable[[], None] | None) -> None:
        from tui.screens.edit.screen import EditScreen

        values = {name: str(value) if isinstance(value, float) else value for name, value in fields.items()}
        form = EditScreen(self._screen.project.task, example, begin_with=values)

        def on_close(edited: Example | None) -> None:
            if edited is not None:
                self._store(edited, form.confirmed)
            self._finish(then)

        self._screen.app.push_screen(form, on_close)

    def _store(self, edited: Example, confirmed: set[str] | frozenset[str], note: str = "") -> None:
        note = "; ".join(part for part in (note, self._note()) if part)
        saved = save_edit(self._screen, edited, note=note, confirmed=confirmed)
        if saved is not None:
            self._on_saved(saved)

    def _finish(self, then: Callable[[], None] | None) -> None:
        if then is not None:
            then()
