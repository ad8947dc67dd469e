"""Questions and explanations over a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import ClassVar

from textual.actions import parse
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import Action
from tui.keymap import keys_of
from tui.text import content

# So many cells are left beside a key in the widest box.
HELP_WIDTH = 54


class Modal(ModalScreen[bool]):
    """A box over a screen."""


class Confirm(Modal):
    """Asks a question: `y` is yes, `n` and Escape are no. Enter, which people press by habit, does nothing."""

    BINDINGS: ClassVar = [("y", "answer(True)", "Yes"), ("n,escape", "answer(False)", "No")]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        keys = Content.from_markup("[b]y[/b] yes   [b]n[/b] or [b]escape[/b] no")
        yield Static(Content.assemble(content(self._question), "\n\n", keys), id="box")

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)


def enabled_actions(node: DOMNode, actions: Sequence[Action]) -> list[Action]:
    """Those of `actions`, which belong to a screen or to the app, that do something now."""
    enabled = []
    for action in actions:
        _, name, parameters = parse(action.name)
        if node.check_action(name, parameters):
            enabled.append(action)
    return enabled


class Help(Modal):
    """Explains the keys, in groups with a heading, and the marks that the screen shows."""

    BINDINGS: ClassVar = [("escape,question_mark,q,enter", "close", "Close")]

    def __init__(
        self,
        title: str,
        groups: list[tuple[str, list[Action]]],
        keymap: Mapping[str, str],
        marks: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__()
        self._title = title
        self._groups = groups
        self._marks = marks
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        parts: list[Content | str | tuple[str, str]] = [(f"{self._title}\n", "bold")]
        for position, (heading, actions) in enumerate(self._groups):
            if position == 1:
                parts += self._explain_marks()
            parts.append((f"\n{heading}\n", "bold $text-accent"))
            for action in actions:
                keys = keys_of(action, self._keymap)
                first, *rest = wrap(action.help, HELP_WIDTH)
                parts += [(f"{keys:>14}  ", "bold"), f"{first}\n", *(f"{'':16}{continued}\n" for continued in rest)]
        parts += self._explain_marks() if len(self._groups) < 2 else []
        parts.append(("\nctrl+p finds actions by name; escape closes this", "$text-muted"))
        with VerticalScroll(id="box"):
            yield Static(Content.assemble(*parts))

    def _explain_marks(self) -> list[Content | str | tuple[str, str]]:
        """The marks of the screen, for below its own keys."""
        parts: list[Content | str | tuple[str, str]] = [("\nMarks\n", "bold $text-accent")] if self._marks else []
        for mark, meaning in self._marks:
            parts += [(f"{mark:>14}  ", "bold"), f"{meaning}\n"]
        return parts

    def action_close(self) -> None:
        """Close the help."""
        self.dismiss(False)


class Page(Modal):
    """Shows a text to read."""

    BINDINGS: ClassVar = [("escape,q,enter", "close", "Close")]

    def __init__(self, page: Content) -> None:
        super().__init__()
        self._page = page

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="box"):
            yield Static(Content.assemble(self._page, ("\n\nescape closes this", "$text-muted")))

    def action_close(self) -> None:
        """Close the page."""
        self.dismiss(False)
