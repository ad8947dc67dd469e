"""The steps in the edit form: they are added, removed, moved and brought back, as pieces of evidence are."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget

from core.review.editing import Values
from storage.schema import Evidence
from tui.screens.edit.step_fields import FindingForm, StepForm


class StepsForm(Vertical):
    """The steps in their order."""

    def __init__(self, steps: Sequence[Values]) -> None:
        super().__init__(id="steps", classes="row")
        self._steps = [StepForm(step) for step in steps]
        self._pieces_removed = 0
        # What was removed, with its position and the step that a finding is of; the last removed at the end.
        self._removed: list[tuple[StepForm | FindingForm, int, StepForm | None]] = []

    def compose(self) -> ComposeResult:
        yield from self._steps

    def on_mount(self) -> None:
        """Number the steps."""
        self._number()

    def values(self) -> list[Values]:
        """What the fields of each step say."""
        return [step.values() for step in self._steps]

    def check(self, evidence: Sequence[Evidence]) -> set[str]:
        """Show beside each field what is wrong with it; returns all that QA would say there."""
        numbered = [(number, step) for number, step in enumerate(self._steps, 1) if step.is_mounted]
        return {critique for number, step in numbered for critique in step.check(number, evidence)}

    def step_with(self, focused: Widget | None) -> StepForm | None:
        """The step that the cursor is in; None if it is in none."""
        nodes = focused.ancestors_with_self if focused else []
        return next((node for node in nodes if isinstance(node, StepForm) and node in self._steps), None)

    def finding_with(self, focused: Widget | None) -> FindingForm | None:
        """The finding that the cursor is in; None if it is in none."""
        nodes = focused.ancestors_with_self if focused else []
        return next((node for node in nodes if isinstance(node, FindingForm)), None)

    def add(self, focused: Widget | None) -> None:
        """Add an empty step behind the one that the cursor is in, or at the end."""
        before = self.step_with(focused)
        position = self._steps.index(before) + 1 if before else len(self._steps)
        empty: Values = dict.fromkeys(("part", "why", "found", "claimed"), "")
        step = StepForm(empty | {"holds": "open", "findings": [], "against": []}, new=True)
        self.mount(step, after=self._steps[position - 1] if position else None)
        self._steps.insert(position, step)
        self._number()

    def remove_focused(self, focused: Widget | None) -> str:
        """Remove the finding, or else the step, that the cursor is in; returns what was removed, '' if nothing."""
        step = self.step_with(focused)
        if step is None:
            return ""
        finding = self.finding_with(focused)
        if finding is not None:
            self._removed.append((finding, step.findings.index(finding), step))
            step.findings.remove(finding)
            step.query_one(".part").focus()
            finding.display = False
            return "finding"
        position = self._steps.index(step)
        self._removed.append((step, position, None))
        self._steps.remove(step)
        if self._steps:
            self._steps[min(position, len(self._steps) - 1)].query_one(".part").focus()
        step.display = False
        self._number()
        return "step"

    def restore(self) -> bool:
        """Bring back what was removed last, to its place; False if nothing was."""
        if not self._removed:
            return False
        form, position, owner = self._removed.pop()
        form.display = True
        if isinstance(form, FindingForm) and owner is not None:
            owner.findings.insert(position, form)
            form.query_one(".piece").focus()
        elif isinstance(form, StepForm):
            self._place(form, position)
            self._steps.insert(position, form)
            form.query_one(".part").focus()
            self._number()
        return True

    def shift(self, step: StepForm, distance: int) -> None:
        """Move `step` up (-1) or down (1), if it is not at the end already."""
        position = self._steps.index(step) + distance
        if 0 <= position < len(self._steps):
            self._steps.remove(step)
            self._place(step, position)
            self._steps.insert(position, step)
            self.call_after_refresh(step.scroll_visible, animate=False)
            self._number()

    def renumber(self, numbers: dict[str, str]) -> None:
        """Name pieces of evidence by their new numbers, also in what was removed."""
        for finding in self.query(FindingForm):
            finding.renumber(numbers)

    def without_piece(self, number: int, count: int) -> dict[str, str]:
        """Number the pieces of findings anew without piece `number` of `count`; returns what takes that back.

        What names the removed piece is marked, so that no other piece is taken for it.
        """
        self._pieces_removed += 1
        gone = f"removed {self._pieces_removed}"
        numbers = {str(number): gone} | {str(later): str(later - 1) for later in range(number + 1, count + 1)}
        self.renumber(numbers)
        return {new: old for old, new in numbers.items()}

    def _place(self, step: StepForm, position: int) -> None:
        """Move `step`, which is not among the steps now, before the one at `position`."""
        if position < len(self._steps):
            self.move_child(step, before=self._steps[position])
        elif self._steps:
            self.move_child(step, after=self._steps[-1])

    def _number(self) -> None:
        for number, step in enumerate(self._steps, start=1):
            step.border_title = f"step {number} of {len(self._steps)}"
