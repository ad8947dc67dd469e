"""Edit: an example as a form; saved only if every field is right."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from textual.app import ComposeResult, SuspendNotSupported
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Label, Select, Static

from core.task import Task
from storage.examples import CONTENT
from storage.schema import Evidence, Example
from tui.actions import EDIT, bindings
from tui.text import clean
from tui.widgets.fields import Area, Field
from tui.widgets.modals import Confirm

# More than this in one example, and a form is no place for it.
FORM_LIMIT = 50_000


def fits_form(example: Example) -> bool:
    """Whether the example is short enough to be edited in a form."""
    texts = [example.hypothesis, example.reasoning, *(piece.source + piece.content for piece in example.evidence)]
    return sum(map(len, texts)) <= FORM_LIMIT


class Piece(Vertical):
    """The fields of one piece of evidence."""

    def __init__(self, piece: Evidence, *, new: bool = False) -> None:
        super().__init__(classes="panel")
        self.border_title = "evidence"
        self._piece = piece
        self._new = new

    def compose(self) -> ComposeResult:
        yield Field(self._piece.source, placeholder="source", classes="source")
        yield Field(str(self._piece.relevance), placeholder="relevance, 0 to 1", classes="relevance")
        yield Area(self._piece.content, classes="content")

    def on_mount(self) -> None:
        """A new piece wants to be written."""
        if self._new:
            self.query_one(".source").focus()

    def values(self) -> dict[str, Any]:
        """What the fields say."""
        return {
            "source": self.query_one(".source", Field).edited,
            "relevance": self.query_one(".relevance", Field).edited,
            "content": self.query_one(".content", Area).edited,
        }


class EditScreen(ModalScreen[Example | None]):
    """A form for the content and place of an example; closes with the edited one, or None."""

    TITLE = "Edit"
    ACTIONS = EDIT
    BINDINGS = bindings(EDIT)

    def __init__(self, task: Task, example: Example) -> None:
        super().__init__()
        self._curriculum = task
        self._example = example
        # What came back from the editor with a mistake in it, so that it can be mended there.
        self._unfinished = ""

    def compose(self) -> ComposeResult:
        one = self._example
        yield Static(Content.styled(f" Edit · {one.id} · version {one.version}", "bold"), id="bar")
        yield Static(id="problems")
        with VerticalScroll(id="fields"):
            yield Label("hypothesis")
            yield Area(one.hypothesis, id="hypothesis")
            with Vertical(id="pieces", classes="row"):
                for piece in one.evidence:
                    yield Piece(piece)
            with Horizontal(classes="row"):
                yield _choice("decision", self._curriculum.labels, one.decision)
                yield _choice("domain", [domain.name for domain in self._curriculum.domains], one.domain)
                yield _choice("level", [str(level.level) for level in self._curriculum.levels], str(one.level))
            yield Label("confidence, 0 to 1")
            yield Field(str(one.confidence), id="confidence")
            yield Label("reasoning")
            yield Area(one.reasoning, id="reasoning")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin with the hypothesis."""
        self.query_one("#hypothesis").focus()

    def values(self) -> dict[str, Any]:
        """What the form says, by field."""
        return {
            "hypothesis": self.query_one("#hypothesis", Area).edited,
            "evidence": [piece.values() for piece in self.query(Piece)],
            "reasoning": self.query_one("#reasoning", Area).edited,
            "confidence": self.query_one("#confidence", Field).edited,
            **{name: self.query_one(f"#{name}", Select).value for name in ("decision", "domain", "level")},
        }

    def action_save(self) -> None:
        """Close with the edited example, if every field is right."""
        edited, problems = checked(self._curriculum, self._example, self.values())
        if edited is None:
            self._complain(problems)
        elif edited == self._example:
            self.dismiss(None)
        else:
            self.dismiss(edited)

    def action_cancel(self) -> None:
        """Close an open choice, or the form without a change; what was changed is given up only if that is meant."""
        for choice in self.query(Select):
            if choice.expanded:
                choice.expanded = False
                return
        if not self._unfinished and checked(self._curriculum, self._example, self.values())[0] == self._example:
            self.dismiss(None)
            return

        def confirmed(yes: bool | None) -> None:
            if yes:
                self.dismiss(None)

        self.app.push_screen(Confirm("Leave without saving what you have changed?"), confirmed)

    def action_add(self) -> None:
        """Add an empty piece of evidence."""
        blank = Evidence.model_construct(source="", content="", relevance=0.5)
        self.query_one("#pieces").mount(Piece(blank, new=True))

    def action_remove(self) -> None:
        """Remove the piece of evidence that the cursor is in."""
        around = self.focused.ancestors_with_self if self.focused else []
        piece = next((node for node in around if isinstance(node, Piece)), None)
        if piece is None:
            self._complain(["put the cursor into the piece of evidence that is to go"])
        else:
            piece.remove()

    def action_editor(self) -> None:
        """Edit what the form says as JSON in the person's own editor."""
        before = self._unfinished or as_json(self.values())
        try:
            text = self._in_editor(before)
            if text == before and not self._unfinished:
                return
            self._unfinished = text
            change = json.loads(text)
        except SuspendNotSupported:
            self._complain(["no other program can take over this terminal"])
        except (OSError, subprocess.CalledProcessError, UnicodeDecodeError) as error:
            self._complain([f"the editor: {error}"])
        except ValueError as error:
            self._complain([f"{error} (ctrl+o opens it again)"])
        else:
            if not isinstance(change, dict):
                self._complain(["an object with the fields of the example is needed (ctrl+o opens it again)"])
                return
            known = {name: value for name, value in change.items() if name in CONTENT}
            edited, problems = checked(self._curriculum, self._example, known)
            if edited is None:
                self._complain([*problems, "ctrl+o opens it again"])
            else:
                self.dismiss(edited if edited != self._example else None)

    def _in_editor(self, text: str) -> str:
        """`text` after the person has edited it. Raises what keeps them from it."""
        command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi") or ["vi"]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{self._example.id}.json"
            path.write_text(text, encoding="utf-8")
            with self.app.suspend():
                subprocess.run([*command, str(path)], check=True)  # noqa: S603  the person's own command
            return path.read_text(encoding="utf-8")

    def _complain(self, problems: list[str]) -> None:
        shown = self.query_one("#problems", Static)
        shown.add_class("open")
        shown.update(Content(clean("\n".join(problems), limit=1000)))


def checked(task: Task, example: Example, values: dict[str, Any]) -> tuple[Example | None, list[str]]:
    """The example with `values`, or None and what is wrong with them, a sentence a field."""
    try:
        edited = Example.model_validate(example.model_dump() | values)
    except ValidationError as error:
        return None, _sentences(error)
    problems = task.misplaced(edited.domain, edited.level, edited.decision)
    return (None, problems) if problems else (edited, [])


def _sentences(error: ValidationError) -> list[str]:
    found = []
    for detail in error.errors():
        place = " ".join(str(part + 1) if isinstance(part, int) else part for part in detail["loc"])
        found.append(f"{place}: {detail['msg'][:1].lower()}{detail['msg'][1:]}")
    return found


def as_json(values: dict[str, Any]) -> str:
    """What a form says as a JSON document; numbers as numbers, where they are some."""
    pieces = [piece | {"relevance": _number(piece["relevance"])} for piece in values["evidence"]]
    numbers = {name: _number(values[name]) for name in ("confidence", "level")}
    return json.dumps(values | numbers | {"evidence": pieces}, indent=2, ensure_ascii=False) + "\n"


def _number(text: str) -> float | str:
    try:
        number = json.loads(text)
    except ValueError:
        return text
    return number if isinstance(number, int | float) else text


def _choice(name: str, there: list[str], value: str) -> Select[str]:
    """A choice that also holds a value that the task no longer has."""
    names = there if value in there else [*there, value]
    return Select([(Content(clean(one)), one) for one in names], value=value, allow_blank=False, id=name)
