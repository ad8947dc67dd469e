"""Edit: an example as a form that says what is wrong while one types, and keeps a draft of it."""

from __future__ import annotations

import os
import shlex
import sqlite3
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from textual import on
from textual.app import ComposeResult, SuspendNotSupported
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Input, Label, Select, Static, TextArea

from core.config.task import Task
from core.review.editing import Values, as_json, checked, doubts, fits_form, read_json, values_of
from storage import drafts
from storage.database import busy, patience
from storage.schema import Example
from tui.actions import EDIT, bindings
from tui.keymap import key
from tui.text import clean, line
from tui.widgets.fields import Area, Field
from tui.widgets.keys import Keys
from tui.widgets.modals import Confirm

if TYPE_CHECKING:
    from tui.app_context import AppContext

# After so long without a key, what was typed is on the disk.
DRAFT_S = 0.4


class PieceForm(Vertical):
    """The fields of one piece of evidence."""

    def __init__(self, piece: Values, *, new: bool = False) -> None:
        super().__init__(classes="panel")
        self._piece = piece
        self._new = new

    def compose(self) -> ComposeResult:
        with Horizontal(classes="row"):
            yield Label("source ")
            source = Field(
                self._piece["source"], placeholder="where it comes from", classes="source", select_on_focus=False
            )
            # A field shows the part that the cursor is in, and a source begins with what it is.
            source.cursor_position = 0
            yield source
            yield Label("  relevance ")
            yield Field(self._piece["relevance"], placeholder="0 to 1", classes="relevance")
        yield Area(self._piece["content"], classes="content")

    def on_mount(self) -> None:
        """A new piece wants to be written."""
        if self._new:
            self.query_one(".source").focus()

    def values(self) -> Values:
        """What the fields say, or what they are about to."""
        if not self.is_mounted:
            return self._piece
        return {
            "source": self.query_one(".source", Field).edited,
            "relevance": self.query_one(".relevance", Field).edited,
            "content": self.query_one(".content", Area).edited,
        }


class EditScreen(ModalScreen[Example | None]):
    """A form for the content and place of an example; closes with the edited one, or None.

    It begins with `decision`, if that is given, or with the draft that the person left. The draft goes when they
    leave; whoever saves what it closes with lets it go then.
    """

    TITLE = "Edit"
    ACTIONS = EDIT
    BINDINGS = bindings(EDIT)

    def __init__(self, task: Task, example: Example, *, decision: str = "") -> None:
        super().__init__()
        self._curriculum = task
        self._example = example
        self._formed = fits_form(example)
        # What the form says before anybody types.
        self._untouched: Values = values_of(example) | ({"decision": decision} if decision else {})
        self._pieces: list[PieceForm] = []
        # What came back from the editor with a mistake in it, so that it can be mended there.
        self._unfinished = ""
        self._drafted = False
        self._later: Timer | None = None

    def compose(self) -> ComposeResult:
        one, values = self._example, self._taken_up()
        where = Content.styled(f" Edit · {one.id[-6:]} · version {one.version}", "bold")
        how = " · tab: next field · ctrl+s: save · escape: leave" if self._formed else ""
        yield Static(Content.assemble(where, how), id="bar")
        with VerticalScroll(id="fields"):
            if not self._formed:
                yield Static(
                    Content(f"\nThis example is too long for a form: {key('edit.editor')} opens it in $EDITOR.")
                )
            else:
                yield Label("hypothesis")
                yield Area(values["hypothesis"], id="hypothesis")
                # Before the evidence, of which there may be much: a tab away from the start.
                with Horizontal(classes="row"):
                    yield Label("decision ")
                    yield _choice("decision", self._curriculum.labels, values["decision"])
                    yield Label(" confidence ")
                    yield Field(values["confidence"], id="confidence", placeholder="0 to 1")
                with Horizontal(classes="row"):
                    domains = [domain.name for domain in self._curriculum.domains]
                    yield Label("domain   ")
                    yield _choice("domain", domains, values["domain"])
                    yield Label(" level      ")
                    yield _choice("level", [str(level.level) for level in self._curriculum.levels], values["level"])
                self._pieces = [PieceForm(piece) for piece in values["evidence"]]
                yield Vertical(*self._pieces, id="pieces", classes="row")
                yield Label("reasoning")
                yield Area(values["reasoning"], id="reasoning")
        yield Static(id="problems")
        yield Keys()

    def _taken_up(self) -> Values:
        """The draft that was left, or what the example says."""
        draft = drafts.get(self._sidequest.db, self._example.id, self._sidequest.reviewer)
        if draft is None:
            return self._untouched
        self._drafted = True
        when = f"{draft.saved.astimezone():%d %B, %H:%M}"
        old = (
            "" if draft.version == self._example.version else f", of version {draft.version}: check what changed since"
        )
        self.notify(f"goes on with your unsaved edit of {when}{old}; escape gives it up", markup=False, timeout=8)
        self._unfinished = draft.content.get("text", "")
        return cast(Values, draft.content.get("form", self._untouched))

    @property
    def _sidequest(self) -> AppContext:
        return cast("AppContext", self.app)

    def on_mount(self) -> None:
        """Begin with the hypothesis."""
        if self._formed:
            self.query_one("#hypothesis").focus()
            self._number()
        if self._unfinished:
            self._complain([f"what came back from $EDITOR has a mistake: {key('edit.editor')} opens it again"])

    def values(self) -> Values:
        """What the form says, by field."""
        if not self._formed:
            return self._untouched
        return {
            "hypothesis": self.query_one("#hypothesis", Area).edited,
            "evidence": [piece.values() for piece in self._pieces],
            "reasoning": self.query_one("#reasoning", Area).edited,
            "decision": self.query_one("#decision", Select).value,
            "confidence": self.query_one("#confidence", Field).edited,
            "domain": self.query_one("#domain", Select).value,
            "level": self.query_one("#level", Select).value,
        }

    # ------------------------------------------------------------ while one types

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Select.Changed)
    def _touched(self) -> None:
        """Say what is wrong now, and keep a draft as soon as the fingers rest."""
        self._check()
        self._draft_soon()

    def _check(self) -> Example | None:
        edited, problems = checked(self._curriculum, self._example, self.values())
        if edited is not None and edited != self._example:
            problems = [f"QA would doubt it: {doubt}" for doubt in doubts(self._curriculum, edited)]
        self._complain(problems)
        return edited

    def _draft_soon(self) -> None:
        if self._later is not None:
            self._later.stop()
        self._later = self.set_timer(DRAFT_S, self._keep_draft)

    def _keep_draft(self) -> None:
        db, reviewer, values = self._sidequest.db, self._sidequest.reviewer, self.values()
        touched = bool(self._unfinished) or values != self._untouched
        if not touched and not self._drafted:
            return
        content: dict[str, Any] = {"form": values} | ({"text": self._unfinished} if self._unfinished else {})
        try:
            with patience(db, 0.2):
                if touched:
                    drafts.keep(db, self._example.id, reviewer, self._example.version, content)
                else:
                    drafts.drop(db, self._example.id, reviewer)
            self._drafted = touched
        except sqlite3.OperationalError as error:
            if not busy(error):
                raise
            self._draft_soon()

    def _close(self, edited: Example | None) -> None:
        if self._later is not None:
            self._later.stop()
        if edited is None and self._drafted:
            drafts.drop(self._sidequest.db, self._example.id, self._sidequest.reviewer)
        self.dismiss(edited)

    def _complain(self, problems: list[str]) -> None:
        shown = self.query_one("#problems", Static)
        shown.set_class(bool(problems), "open")
        more = f"\n… and {len(problems) - 4} more" if len(problems) > 4 else ""
        shown.update(Content("\n".join(line(problem, 300) for problem in problems[:4]) + more))

    # ------------------------------------------------------------ pieces of evidence

    def action_add(self) -> None:
        """Add an empty piece of evidence."""
        if self._formed:
            piece = PieceForm({"source": "", "relevance": "0.5", "content": ""}, new=True)
            self._pieces.append(piece)
            self.query_one("#pieces").mount(piece)
            self._rearranged()

    def action_remove(self) -> None:
        """Remove the piece of evidence that the cursor is in."""
        piece = self._piece()
        if piece is not None:
            self._pieces.remove(piece)
            piece.remove()
            self._rearranged()

    def action_shift(self, step: int) -> None:
        """Move the piece of evidence that the cursor is in."""
        piece = self._piece()
        if piece is None:
            return
        at = self._pieces.index(piece)
        if 0 <= at + step < len(self._pieces):
            beside = self._pieces[at + step]
            self._pieces[at], self._pieces[at + step] = beside, piece
            if step < 0:
                self.query_one("#pieces").move_child(piece, before=beside)
            else:
                self.query_one("#pieces").move_child(piece, after=beside)
            self.call_after_refresh(piece.scroll_visible, animate=False)
            self._rearranged()

    def _piece(self) -> PieceForm | None:
        around = self.focused.ancestors_with_self if self.focused else []
        piece = next((node for node in around if isinstance(node, PieceForm) and node in self._pieces), None)
        if piece is None:
            self.notify("put the cursor into the piece of evidence that is meant", markup=False)
        return piece

    def _rearranged(self) -> None:
        self._number()
        self._touched()

    def _number(self) -> None:
        for number, piece in enumerate(self._pieces, start=1):
            piece.border_title = f"evidence {number} of {len(self._pieces)}"

    # ------------------------------------------------------------ ways out

    def action_save(self) -> None:
        """Close with the edited example, if every field is right."""
        if self._unfinished:
            self._complain(["what came back from $EDITOR has a mistake: ctrl+o mends it, escape gives it up"])
            return
        edited = self._check()
        if edited is not None:
            self._close(edited if edited != self._example else None)

    def action_cancel(self) -> None:
        """Close an open choice, or the form without a change; what was changed is given up only if that is meant."""
        for choice in self.query(Select):
            if choice.expanded:
                choice.expanded = False
                return
        if not self._unfinished and self.values() == self._untouched:
            self._close(None)
            return

        def confirmed(yes: bool | None) -> None:
            if yes:
                self._close(None)

        self.app.push_screen(Confirm("Leave without saving what you have changed?"), confirmed)

    def action_editor(self) -> None:
        """Edit what the form says as JSON in the person's own editor."""
        before = self._unfinished or as_json(self.values())
        try:
            text = self._in_editor(before)
        except SuspendNotSupported:
            self._complain(["no other program can take over this terminal"])
            return
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            self._complain([f"the editor: {clean(str(error))}"])
            return
        if text == before and not self._unfinished:
            return
        change, problem = read_json(text)
        edited, problems = checked(self._curriculum, self._example, change) if not problem else (None, [problem])
        if edited is not None:
            self._close(edited if edited != self._example else None)
            return
        self._unfinished = text
        self._complain([*problems, f"{key('edit.editor')} opens it again"])
        self._keep_draft()

    def _in_editor(self, text: str) -> str:
        """`text` after the person has edited it. Raises what keeps them from it."""
        command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi") or ["vi"]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{self._example.id}.json"
            path.write_text(text, encoding="utf-8")
            with self.app.suspend():
                subprocess.run([*command, str(path)], check=True)  # noqa: S603  the person's own command
            return path.read_text(encoding="utf-8")


def _choice(name: str, there: list[str], value: str) -> Select[str]:
    """A choice that also holds a value that the task no longer has."""
    names = there if value in there else [*there, value]
    return Select([(Content(clean(one)), one) for one in names], value=value, allow_blank=False, id=name)
