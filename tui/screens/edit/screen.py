"""Edit: an example as a form that shows mistakes while the person types, and keeps a draft."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from textual import on
from textual.app import ComposeResult, SuspendNotSupported
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Input, Label, Select, Static, TextArea

from core.config.task import Task
from core.review.editing import Values, fits_form, form_values, format_json, parse_json, rule_violations, validate_edit
from storage import drafts
from storage.database import busy, busy_timeout
from storage.schema import JUSTIFYING, Evidence, Example
from storage.staleness import is_stale, list_names, stale_fields
from tui.actions import EDIT, bindings
from tui.keymap import key
from tui.screens.edit.editor import run_editor
from tui.screens.edit.evidence_form import EvidenceForm
from tui.screens.edit.step_fields import step_text
from tui.screens.edit.steps_form import StepsForm
from tui.text import clean, line
from tui.widgets.fields import Area, Field
from tui.widgets.keys import Keys
from tui.widgets.modals import Confirm

if TYPE_CHECKING:
    from tui.app_context import AppContext

# After so long without a key the draft is saved.
DRAFT_DELAY_S = 0.4
NOTHING: Mapping[str, Any] = MappingProxyType({})


class EditScreen(ModalScreen[Example | None]):
    """A form for the content and place of an example; closes with the edited one, or None.

    It begins with the draft that the person left, or else with what `begin_with` has by field. The draft is dropped
    when they leave without saving; whoever saves the edited example drops it then, and passes on what was `confirmed`.
    """

    TITLE = "Edit"
    ACTIONS = EDIT
    BINDINGS = bindings(EDIT)

    def __init__(self, task: Task, example: Example, *, begin_with: Mapping[str, Any] = NOTHING) -> None:
        """What `begin_with` says of a field that argues for the decision, the person confirms by saving it."""
        super().__init__()
        # The fields that argue for the decision as it is in the form, though nobody may have changed them.
        self.confirmed: frozenset[str] = frozenset(begin_with) & frozenset(JUSTIFYING)
        self._asked = next((name for name in JUSTIFYING if name in self.confirmed), "")
        self._project_task = task
        self._example = example
        self._has_form = fits_form(example)
        # What the form says before the person types.
        self._initial_values: Values = form_values(example) | dict(begin_with)
        self._steps: StepsForm | None = None
        self._evidence: EvidenceForm | None = None
        # What brings back each thing that was removed, the last removed at the end.
        self._removals: list[Callable[[], object]] = []
        # What the form said right after a removal: as long as it says that, the removal is undone first.
        self._values_after_removal: Values | None = None
        # What came back from the editor with a mistake in it, so that it can be mended there.
        self._broken_json = ""
        self._has_draft = False
        self._draft_timer: Timer | None = None

    def compose(self) -> ComposeResult:
        example, values = self._example, self._starting_values()
        title = Content.styled(f" Edit · {example.id[-6:]} · version {example.version}", "bold")
        hints = " · tab: next field · ctrl+s: save · escape: leave" if self._has_form else ""
        yield Static(Content.assemble(title, hints), id="bar")
        with VerticalScroll(id="fields"):
            if not self._has_form:
                yield Static(
                    Content(f"\nThis example is too long for a form: {key('edit.editor')} opens it in $EDITOR.")
                )
            else:
                yield Label("hypothesis")
                yield Area(values["hypothesis"], id="hypothesis")
                # Before the evidence, of which there may be much: a tab away from the start.
                with Horizontal(classes="row"):
                    yield Label("decision ")
                    yield _select("decision", self._project_task.labels, values["decision"])
                    yield Label(self._label(" confidence "))
                    yield Field(values["confidence"], id="confidence", placeholder="0 to 1")
                with Horizontal(classes="row"):
                    domains = [domain.name for domain in self._project_task.domains]
                    yield Label("domain   ")
                    yield _select("domain", domains, values["domain"])
                    yield Label(" level      ")
                    yield _select("level", [str(level.level) for level in self._project_task.levels], values["level"])
                self._evidence = EvidenceForm(values["evidence"])
                yield self._evidence
                steps: list[Values] = (values if "steps" in values else self._initial_values)["steps"]
                if steps:
                    yield Label(self._label("steps"))
                self._steps = StepsForm([step_text(step) for step in steps])
                yield self._steps
                yield Label(self._label("reasoning"))
                yield Area(values["reasoning"], id="reasoning")
        yield Static(id="stale")
        yield Static(id="problems")
        yield Keys()

    def _label(self, name: str) -> Content:
        """The label of a field, with a mark where the field is stale."""
        mark = "(stale) " if is_stale(self._example, name.strip()) else ""
        return Content.assemble(name.rstrip(), " " if mark or name.endswith(" ") else "", (mark, "$text-warning"))

    def _starting_values(self) -> Values:
        """The draft that was left, or what the example says."""
        draft = drafts.get(self._sidequest.db, self._example.id, self._sidequest.reviewer)
        if draft is None:
            return self._initial_values
        self._has_draft = True
        # What the draft repeats was not written for the decision that this form began with.
        self.confirmed = frozenset()
        saved = f"{draft.saved.astimezone():%d %B, %H:%M}"
        outdated = (
            "" if draft.version == self._example.version else f", of version {draft.version}: check what changed since"
        )
        self.notify(f"goes on with your unsaved edit of {saved}{outdated}; escape gives it up", markup=False, timeout=8)
        self._broken_json = draft.content.get("text", "")
        return cast(Values, draft.content.get("form", self._initial_values))

    @property
    def _sidequest(self) -> AppContext:
        return cast("AppContext", self.app)

    def on_mount(self) -> None:
        """Begin with the hypothesis, or with the first field that is asked for."""
        if self._has_form:
            self.query_one(f"#{self._asked or 'hypothesis'}").focus()
        if self._asked or self._example.stale or self._example.steps:
            self._check()
        if self._broken_json:
            self._show_problems([f"what came back from $EDITOR has a mistake: {key('edit.editor')} opens it again"])

    def values(self) -> Values:
        """What the form says, by field."""
        if self._evidence is None or self._steps is None:
            return self._initial_values
        return {
            "hypothesis": self.query_one("#hypothesis", Area).edited,
            "evidence": self._evidence.values(),
            "reasoning": self.query_one("#reasoning", Area).edited,
            "decision": self.query_one("#decision", Select).value,
            "confidence": self.query_one("#confidence", Field).edited,
            "domain": self.query_one("#domain", Select).value,
            "level": self.query_one("#level", Select).value,
            "steps": self._steps.values(),
        }

    # ------------------------------------------------------------ while the person types

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Select.Changed)
    def _note_change(self) -> None:
        """Show what is wrong now, and save a draft once the person pauses."""
        self._check()
        self._schedule_draft()

    def _check(self) -> Example | None:
        """Show what is wrong with the form; returns the edited example, None if a field is wrong."""
        edited, problems = validate_edit(self._project_task, self._example, self.values())
        beside = self._steps.check(self._readable_evidence()) if self._steps is not None else set()
        if edited is not None and edited != self._example:
            doubts = rule_violations(self._project_task, edited)
            problems = [f"QA would doubt it: {doubt}" for doubt in doubts if doubt not in beside]
            if count := sum(doubt in beside for doubt in doubts):
                problems.append(f"QA would doubt the steps: {count} doubt{'s stand' if count > 1 else ' stands'} there")
        self._show_problems(problems)
        self._show_stale(edited)
        return edited

    def _readable_evidence(self) -> list[Evidence]:
        """The pieces of evidence by their texts, whatever else may be wrong with them."""
        pieces = self._evidence.values() if self._evidence is not None else []
        return [Evidence.model_construct(source="", content=piece["content"], relevance=0.0) for piece in pieces]

    def _show_stale(self, edited: Example | None) -> None:
        """Say which fields would argue for another decision once the form is saved, or are said to be right."""
        text = Content("")
        if edited is not None:
            stale = stale_fields(self._example, edited)
            names = list_names([field.field for field in stale])
            shortcut = key("edit.still-right")
            if stale and all(field.field in self.confirmed for field in stale):
                text = Content(f"{names}: right for {line(edited.decision, 24)} too, you say; {shortcut}: not")
            elif stale:
                written_for = " and ".join(dict.fromkeys(line(field.written_for, 24) for field in stale))
                text = Content(f"{names}: written for {written_for}, stale once saved; {shortcut}: still right")
        panel = self.query_one("#stale", Static)
        panel.display = bool(text.plain)
        panel.update(text)

    def action_confirm(self) -> None:
        """Say that fields which were written for another decision are right all the same, or take that back."""
        self.confirmed = frozenset() if self.confirmed else frozenset(JUSTIFYING)
        self._check()

    def _schedule_draft(self) -> None:
        if self._draft_timer is not None:
            self._draft_timer.stop()
        self._draft_timer = self.set_timer(DRAFT_DELAY_S, self._keep_draft)

    def _keep_draft(self) -> None:
        db, reviewer, values = self._sidequest.db, self._sidequest.reviewer, self.values()
        changed = bool(self._broken_json) or values != self._initial_values
        if not changed and not self._has_draft:
            return
        content: dict[str, Any] = {"form": values} | ({"text": self._broken_json} if self._broken_json else {})
        try:
            with busy_timeout(db, 0.2):
                if changed:
                    drafts.save(db, self._example.id, reviewer, self._example.version, content)
                else:
                    drafts.delete(db, self._example.id, reviewer)
            self._has_draft = changed
        except sqlite3.OperationalError as error:
            if not busy(error):
                raise
            self._schedule_draft()

    def _close(self, edited: Example | None) -> None:
        if self._draft_timer is not None:
            self._draft_timer.stop()
        if edited is None and self._has_draft:
            drafts.delete(self._sidequest.db, self._example.id, self._sidequest.reviewer)
        self.dismiss(edited)

    def _show_problems(self, problems: list[str]) -> None:
        panel = self.query_one("#problems", Static)
        panel.set_class(bool(problems), "open")
        more = f"\n… and {len(problems) - 4} more" if len(problems) > 4 else ""
        panel.update(Content("\n".join(line(problem, 300) for problem in problems[:4]) + more))

    # ------------------------------------------------------------ pieces of evidence and steps

    def action_add(self) -> None:
        """Add an empty piece of evidence."""
        if self._evidence is not None:
            self._evidence.add()
            self._note_change()

    def action_add_step(self) -> None:
        """Add an empty step."""
        if self._steps is not None:
            self._steps.add(self.focused)
            self._note_change()

    def action_add_finding(self) -> None:
        """Add an empty finding to the step that the cursor is in."""
        step = self._steps.step_with(self.focused) if self._steps is not None else None
        if step is None:
            self.notify("put the cursor into the step that is meant", markup=False)
        else:
            step.add_finding()
            self._note_change()

    def action_take_nearest(self) -> None:
        """Quote the sentence that is offered for the quote that the cursor is in."""
        finding = self._steps.finding_with(self.focused) if self._steps is not None else None
        if finding is None or not finding.take_nearest():
            self.notify("no sentence is offered here: put the cursor into the finding that is meant", markup=False)

    def action_remove(self) -> None:
        """Remove what the cursor is in, a piece of evidence, a step or a finding, and say how it comes back."""
        if self._evidence is None or self._steps is None:
            return
        if removed := self._steps.remove_focused(self.focused):
            self._removals.append(self._steps.restore)
        elif (piece := self._evidence.piece_with(self.focused)) is not None:
            position = self._evidence.remove_piece(piece)
            numbers = self._steps.without_piece(position + 1, len(self._evidence.values()) + 1)
            self._removals.append(partial(self._restore_piece, numbers))
            removed = "piece of evidence"
        else:
            self.notify("put the cursor into the piece of evidence, or step, that is meant", markup=False)
            return
        self._values_after_removal = self.values()
        self.notify(f"a {removed} was removed: {key('edit.undo')} brings it back", markup=False)
        self._note_change()

    def _restore_piece(self, numbers: dict[str, str]) -> None:
        """Bring a piece of evidence back; steps name it, and those behind it, by their numbers again."""
        if self._evidence is not None and self._steps is not None:
            self._evidence.restore()
            self._steps.renumber(numbers)

    def action_shift(self, step: int) -> None:
        """Move the step or the piece of evidence that the cursor is in."""
        if self._evidence is None or self._steps is None:
            return
        if (own_step := self._steps.step_with(self.focused)) is not None:
            self._steps.shift(own_step, step)
        elif (piece := self._evidence.piece_with(self.focused)) is not None:
            self._steps.renumber(self._evidence.shift(piece, step))
        else:
            self.notify("put the cursor into the piece of evidence, or step, that is meant", markup=False)
        self._note_change()

    def action_undo_edit(self) -> None:
        """Undo the newest of: a removal, and what was typed or deleted in the field that the cursor is in."""
        field = self.focused if isinstance(self.focused, Field | Area) and self.focused.can_undo else None
        if field is not None and self.values() != self._values_after_removal:
            field.action_undo()
        elif self._removals:
            self._removals.pop()()
            self._values_after_removal = self.values()
            self._note_change()
        elif field is not None:
            field.action_undo()
        else:
            self.notify("nothing to undo in this field", markup=False)

    # ------------------------------------------------------------ saving and leaving

    def action_save(self) -> None:
        """Close with the edited example, if every field is right."""
        if self._broken_json:
            self._show_problems(["what came back from $EDITOR has a mistake: ctrl+o mends it, escape gives it up"])
            return
        edited = self._check()
        if edited is not None:
            confirms = any(is_stale(self._example, name) for name in self.confirmed)
            self._close(edited if edited != self._example or confirms else None)

    def action_cancel(self) -> None:
        """Close an open choice, or the form without a change; ask first if something was changed."""
        for choice in self.query(Select):
            if choice.expanded:
                choice.expanded = False
                return
        if not self._broken_json and self.values() == self._initial_values:
            self._close(None)
            return

        def on_answer(confirmed: bool | None) -> None:
            if confirmed:
                self._close(None)

        self.app.push_screen(Confirm("Leave without saving what you have changed?"), on_answer)

    def action_editor(self) -> None:
        """Edit what the form says as JSON in the person's own editor."""
        before = self._broken_json or format_json(self.values())
        try:
            text = self._run_editor(before)
        except SuspendNotSupported:
            self._show_problems(["no other program can take over this terminal"])
            return
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            self._show_problems([f"the editor: {clean(str(error))}"])
            return
        if text == before and not self._broken_json:
            return
        change, problem = parse_json(text)
        edited, problems = (
            validate_edit(self._project_task, self._example, change) if not problem else (None, [problem])
        )
        if edited is not None:
            self._close(edited if edited != self._example else None)
            return
        self._broken_json = text
        self._show_problems([*problems, f"{key('edit.editor')} opens it again"])
        self._keep_draft()

    def _run_editor(self, text: str) -> str:
        return run_editor(self.app, self._example.id, text)


def _select(name: str, choices: list[str], value: str) -> Select[str]:
    """A choice among `choices`, and `value` if the task no longer has it."""
    choices = choices if value in choices else [*choices, value]
    return Select([(Content(clean(choice)), choice) for choice in choices], value=value, allow_blank=False, id=name)
