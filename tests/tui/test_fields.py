"""Fields that take text: what is pasted arrives once, with line breaks as the store has them."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import textual
from textual import events
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input, TextArea

import tui
from storage import examples
from storage.schema import Evidence
from tests.conftest import example
from tests.tui.conftest import SIZE, put, shown, until
from tests.tui.test_edit import first, open_form
from tui.app import SidequestApp
from tui.screens.benchmark.form import BenchmarkForm
from tui.widgets.fields import Area, Field

HANDLER = re.compile(r"\bdef (_on_\w+)")
# A field of Textual's own is made, or derived from.
PLAIN = re.compile(r"(?<![.\w])(Input|TextArea)\(|\((Input|TextArea)\):")
BREAKS = ["\r", "\r\n", "\n"]


def sources(package: Path) -> dict[str, str]:
    return {str(path.relative_to(package)): path.read_text(encoding="utf-8") for path in package.rglob("*.py")}


def test_no_handler_of_textual_is_overridden() -> None:
    """Textual calls `_on_…` of each class of a widget: an override that calls the base class acts twice."""
    textual_handlers = {name for text in sources(Path(textual.__path__[0])).values() for name in HANDLER.findall(text)}
    assert "_on_paste" in textual_handlers
    overrides = [
        f"{path}: {name}"
        for path, text in sources(Path(tui.__path__[0])).items()
        for name in HANDLER.findall(text)
        if name in textual_handlers
    ]
    assert overrides == []


def test_every_field_is_one_of_ours() -> None:
    plain = [
        path
        for path, text in sources(Path(tui.__path__[0])).items()
        if path != str(Path("widgets", "fields.py"))
        and re.search(r"(?<![.\w])(Input|TextArea)\(|\((Input|TextArea)\):", text)
    ]
    assert plain == []


async def paste_into_all(pilot: Pilot[int], seen: set[str]) -> None:
    """Paste text with each kind of line break into each field of the screen in front, and note its id or class."""
    for field in pilot.app.screen.query(Widget):
        if not isinstance(field, Input | TextArea):
            continue
        assert isinstance(field, Field | Area)
        seen |= {field.id} if field.id else set(field.classes)
        shown = [node for node in field.ancestors_with_self if isinstance(node, Widget) and not node.display]
        for node in shown:
            node.display = True
        for line_break in BREAKS:
            if isinstance(field, Input):
                field.value, expected = "", "one two"
            else:
                field.text, expected = "", "one\ntwo"
            pilot.app.screen.set_focus(field)
            pilot.app.post_message(events.Paste(f"one{line_break}two"))
            await pilot.pause()
            assert (field.value if isinstance(field, Input) else field.text) == expected, field
        if isinstance(field, Input):
            field.value = ""
        for node in shown:
            node.display = False


async def test_every_field_of_the_app_takes_a_paste_once(app: SidequestApp) -> None:
    seen: set[str] = set()
    async with app.run_test(size=(120, 50)) as pilot:
        for key in "12345678":
            await pilot.press(key)
            await pilot.pause()
            await paste_into_all(pilot, seen)
            pilot.app.screen.set_focus(None)
        await pilot.press("6", "g")
        await until(pilot, lambda: isinstance(app.screen, BenchmarkForm) and "asks" in shown(pilot))
        await paste_into_all(pilot, seen)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, BenchmarkForm))
        await open_form(pilot)
        await paste_into_all(pilot, seen)
    assert {"filter", "note", "hint", "find", "where", "budget", "hypothesis", "reasoning", "confidence"} <= seen
    assert {"source", "relevance", "content"} <= seen


async def test_what_was_pasted_is_stored_with_newlines_only(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(pilot)
        area = screen.query_one("#hypothesis", TextArea)
        area.text = ""
        app.post_message(events.Paste("One.\rTwo.\r\nThree.\nFour."))
        await pilot.pause()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is not screen)
    assert first(db).hypothesis == "One.\nTwo.\nThree.\nFour."


async def test_an_edit_keeps_the_line_breaks_that_were_stored(app: SidequestApp, db: sqlite3.Connection) -> None:
    piece = Evidence(source="Report\nof May\tA", content="Sales\rrose.\r\nAgain.", relevance=0.9)
    put(db, example(id="01A" + "0" * 23, evidence=[piece]))
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(pilot)
        screen.query_one(".source", Input).value += "!"
        screen.query_one(".content", TextArea).insert("Once. ", (0, 0))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is not screen)
    stored = examples.get(db, "01A" + "0" * 23)
    assert stored is not None
    assert (stored.evidence[0].source, stored.evidence[0].content) == (
        "Report\nof May\tA!",
        "Once. Sales\nrose.\nAgain.",
    )


async def test_what_was_copied_in_the_app_is_one_line_in_a_field(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        source = (await open_form(pilot)).query(".source").first(Input)
        source.value = ""
        source.focus()
        app.copy_to_clipboard("one\ntwo\tthree\n")
        await pilot.press("ctrl+v")
        await pilot.pause()
        assert source.value == "one two three"
