"""Steps in the edit form: their fields, what is wrong beside them, and how what was removed comes back."""

from __future__ import annotations

import json
import sqlite3

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select, TextArea

from core.review.editing import FORM_PIECES, fits_form
from storage import drafts, examples
from storage.schema import Evidence, Example, Finding, Holds, Step
from tests.conftest import HOSTILE, example
from tests.tui.conftest import RAW, SIZE, put, shown, told, until
from tests.tui.test_edit import editor_that, open_form
from tui.app import SidequestApp
from tui.screens.edit.screen import EditScreen
from tui.screens.edit.step_fields import FindingForm, StepForm

ID = "01A" + "0" * 23
TALL = (160, 60)
HERE = {"hypothesis": "Sales rose.", "decision": "REJECTED", "id": ID}


def finding(piece: int, quote: str) -> Finding:
    return Finding(piece=piece, quote=quote, source="trial", says="down")


def stepped(**change: object) -> Example:
    pieces = [
        Evidence(source="Trial", content="Sales fell by 3 %. Nobody knows why.", relevance=0.9),
        Evidence(source="Hearsay", content="They say that sales rose.", relevance=0.5),
    ]
    step = Step(
        part="sales", findings=[finding(1, "Sales fell by 3 %")], against=[finding(2, "sales rose")], why="source",
        found="down", claimed="up", holds=Holds.NO,
    )  # fmt: skip
    return example(**HERE | {"evidence": pieces, "steps": [step]} | change)


def steps_of(db: sqlite3.Connection) -> list[Step]:
    saved = examples.get(db, ID)
    assert saved is not None
    return saved.steps


async def save(pilot: Pilot[int]) -> None:
    await pilot.press("ctrl+s")
    await pilot.pause()
    assert not isinstance(pilot.app.screen, EditScreen), shown(pilot)


async def test_untouched_steps_are_no_change_and_edited_ones_make_a_version(
    app: SidequestApp, db: sqlite3.Connection
) -> None:
    put(db, stepped())
    async with app.run_test(size=TALL) as pilot:
        screen = await open_form(pilot)
        text = shown(pilot)
        assert "step 1 of 1" in text
        assert "steps" in text
        await pilot.press("escape")  # asks nothing: nothing has changed
        await pilot.pause()
        assert pilot.app.screen is not screen
        screen = await open_form(pilot)
        screen.query_one(".part", Input).value = "sales in May"
        finding_form = screen.query(FindingForm).last()
        finding_form.query_one(".side", Select).value = "counts"
        finding_form.query_one(".says", Input).value = "up"
        screen.query_one(".why", Select).value = ""
        await pilot.pause()
        await save(pilot)
    step = steps_of(db)[0]
    assert (step.part, step.why, step.against, step.holds) == ("sales in May", "", [], Holds.NO)
    assert [(found.piece, found.says, found.quote) for found in step.findings] == [
        (1, "down", "Sales fell by 3 %"),
        (2, "up", "sales rose"),
    ]


async def test_what_is_wrong_stands_beside_the_field(app: SidequestApp, db: sqlite3.Connection) -> None:
    put(db, stepped())
    async with app.run_test(size=TALL) as pilot:
        screen = await open_form(pilot)
        step = screen.query_one(StepForm)

        def beside(selector: str) -> str:
            panels = [panel for panel in step.query(selector) if panel.display]
            return "\n".join(str(panel.render()) for panel in panels)

        assert beside(".problem, .weighing") == ""
        step.query_one(".holds", Select).value = "yes"
        await pilot.pause()
        assert beside(".problem") == "Step 1 (sales) finds 'down' where 'up' is claimed, so it does not hold."
        # Said once: below, only that there is something to see.
        assert "QA would doubt the steps: 1 doubt stands there" in shown(pilot)
        assert shown(pilot).count("so it does not hold.") == 1
        step.query_one(".holds", Select).value = "no"
        step.query_one(".why", Select).value = ""
        await pilot.pause()
        assert beside(".problem") == ""
        assert beside(".weighing") == "Step 1 (sales) does not say why the others do not count."
        step.query_one(".part", Input).value = ""
        step.query(".piece").first(Input).value = "x"
        await pilot.pause()
        assert beside(".problem") == "part: is empty\npiece: the number of a piece of evidence, from 1"
        assert "steps 1 findings 1 piece: x is no number of a piece" in shown(pilot)
        step.query(".piece").first(Input).value = "7"
        await pilot.pause()
        assert "names piece 7, and there are 2." in beside(".problem")


async def test_the_nearest_sentence_is_taken_by_a_key(app: SidequestApp, db: sqlite3.Connection) -> None:
    put(db, stepped())
    async with app.run_test(size=TALL) as pilot:
        screen = await open_form(pilot)
        quote = screen.query(".quote").first(Input)
        quote.focus()
        await pilot.press("f2")
        assert "no sentence is offered here" in told(pilot)
        quote.value = "Sales fell by 30 %"
        await pilot.pause()
        assert 'The nearest there is "Sales fell by 3 %.".' in shown(pilot)
        assert "f2 takes that sentence" in shown(pilot)
        await pilot.press("f2")
        await pilot.pause()
        assert quote.value == "Sales fell by 3 %."
        assert "f2 takes" not in shown(pilot)
        await pilot.press("ctrl+z")
        assert quote.value == "Sales fell by 30 %"
        # Evidence that is being edited is what quotes are held against.
        screen.query(".content").first(TextArea).text = "Sales fell by 30 %, they say."
        await pilot.pause()
        assert "f2 takes" not in shown(pilot)


async def test_steps_and_findings_are_added_and_saved(app: SidequestApp, db: sqlite3.Connection) -> None:
    put(db, stepped(steps=[]))
    async with app.run_test(size=TALL) as pilot:
        screen = await open_form(pilot)
        await pilot.press("ctrl+g")
        assert "put the cursor into the step that is meant" in told(pilot)
        await pilot.press("ctrl+l")
        await pilot.pause()
        await pilot.press(*"sales")
        await pilot.press("ctrl+g")
        await pilot.pause()
        await pilot.press("end", "backspace", "2", "tab", *"talk", "tab", *"up", "tab", *"sales rose")
        step = screen.query_one(StepForm)
        step.query_one(".found", Input).value = step.query_one(".claimed", Input).value = "up"
        step.query_one(".holds", Select).value = "yes"
        await pilot.pause()
        await save(pilot)
    [step_saved] = steps_of(db)
    assert step_saved.model_dump(mode="json") == {
        "part": "sales",
        "findings": [{"piece": 2, "quote": "sales rose", "source": "talk", "says": "up"}],
        "against": [],
        "why": "",
        "found": "up",
        "claimed": "up",
        "holds": "yes",
    }


async def test_what_is_removed_comes_back_in_its_place(app: SidequestApp, db: sqlite3.Connection) -> None:
    base = stepped()
    put(db, stepped(steps=[base.steps[0].model_copy(update={"part": part}) for part in ("a", "b", "c")]))
    async with app.run_test(size=TALL) as pilot:
        screen = await open_form(pilot)
        initial = screen.values()

        def parts() -> list[str]:
            return [step["part"] for step in screen.values()["steps"]]

        forms = list(screen.query(StepForm))
        forms[1].query_one(".found").focus()
        await pilot.press("ctrl+d")
        await pilot.pause()
        assert parts() == ["a", "c"]
        assert "a step was removed: ctrl+z brings it back" in told(pilot)
        assert [str(form.border_title) for form in (forms[0], forms[2])] == ["step 1 of 2", "step 2 of 2"]
        forms[2].query(".quote").first().focus()
        await pilot.press("ctrl+d")
        await pilot.pause()
        assert screen.values()["steps"][1]["findings"] == []
        assert "a finding was removed" in told(pilot)
        screen.query(".source").first().focus()
        await pilot.press("ctrl+d")
        await pilot.pause()
        assert len(screen.values()["evidence"]) == 1
        for _ in range(3):
            await pilot.press("ctrl+z")
            await pilot.pause()
        assert screen.values() == initial
        forms[2].query_one(".part").focus()
        await pilot.press("ctrl+up", "ctrl+up", "ctrl+up")
        assert parts() == ["c", "a", "b"]
        await pilot.press("ctrl+down", "ctrl+l")
        await pilot.pause()
        assert parts() == ["a", "c", "", "b"]
        assert [form.border_title for form in screen.query(StepForm)] == [f"step {n} of 4" for n in (1, 2, 3, 4)]


async def test_steps_follow_the_pieces_that_they_name(app: SidequestApp, db: sqlite3.Connection) -> None:
    put(db, stepped())
    async with app.run_test(size=TALL) as pilot:
        screen = await open_form(pilot)
        initial = screen.values()

        def pieces() -> list[str]:
            step = screen.values()["steps"][0]
            return [entry["piece"] for entry in [*step["findings"], *step["against"]]]

        screen.query(".source").first().focus()
        await pilot.press("ctrl+down")
        assert pieces() == ["2", "1"]
        await pilot.press("ctrl+up")
        assert pieces() == ["1", "2"]
        await pilot.press("ctrl+d")
        await pilot.pause()
        assert pieces() == ["removed 1", "1"]
        assert "steps 1 findings 1 piece: removed 1 is no number of a piece" in shown(pilot)
        await pilot.press("ctrl+d")
        assert pieces() == ["removed 1", "removed 2"]
        await pilot.press("ctrl+z", "ctrl+z")
        await pilot.pause()
        assert screen.values() == initial
        screen.query(".piece").first().focus()
        await pilot.press("ctrl+z")  # what the form itself wrote is no change of the person's
        assert screen.values() == initial


async def test_the_editor_is_given_steps_with_numbers(
    app: SidequestApp, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(db, stepped())
    given = editor_that(monkeypatch, lambda text: text.replace('"part": "sales"', '"part": "revenue"'))
    async with app.run_test(size=SIZE) as pilot:
        await open_form(pilot)
        await pilot.press("ctrl+o")
        await pilot.pause()
    assert json.loads(given[0])["steps"] == [step.model_dump(mode="json") for step in stepped().steps]
    assert steps_of(db)[0].part == "revenue"


async def test_a_draft_keeps_steps_and_an_older_one_is_read(app: SidequestApp, db: sqlite3.Connection) -> None:
    put(db, stepped())
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(pilot)
        screen.query_one(".part", Input).value = "typed"
        await until(pilot, lambda: drafts.get(db, ID, "") is not None)
    draft = drafts.get(db, ID, "")
    assert draft is not None
    assert draft.content["form"]["steps"][0]["part"] == "typed"
    # An older version kept numbers as numbers.
    older = draft.content["form"] | {"steps": [step.model_dump(mode="json") for step in stepped().steps]}
    drafts.save(db, ID, "", 1, {"form": older})
    async with SidequestApp(app.folder).run_test(size=SIZE) as pilot:
        screen = await open_form(pilot)
        assert screen.values()["steps"][0]["findings"][0]["piece"] == "1"


async def test_hostile_steps_are_shown_as_signs_and_stay_exact(app: SidequestApp, db: sqlite3.Connection) -> None:
    texts = [text for text in HOSTILE if "\ud800" not in text]
    step = stepped().steps[0]
    steps = [
        Step.model_validate(
            step.model_dump() | {"part": text, "found": text, "findings": [finding(1, text)], "against": [], "why": ""}
        )
        for text in texts
    ]
    put(db, stepped(steps=steps))
    async with app.run_test(size=TALL) as pilot:
        screen = await open_form(pilot)
        for form in screen.query(StepForm):
            form.query_one(".part").focus()
            await pilot.pause()
            assert not RAW.search(shown(pilot))
        screen.query_one("#hypothesis", TextArea).text = "Sales rose again."
        await pilot.pause()
        await save(pilot)
    assert steps_of(db) == steps


def test_very_many_steps_are_left_to_the_editor() -> None:
    step = stepped().steps[0]
    assert fits_form(stepped(steps=[step] * (FORM_PIECES // 3)))
    assert not fits_form(stepped(steps=[step] * (FORM_PIECES // 3 + 1)))
    assert not fits_form(stepped(steps=[step.model_copy(update={"claimed": "x" * 50_000})]))
