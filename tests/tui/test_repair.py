"""Repairing stale fields through the pilot: the key, the run, the diff, and what a person makes of it."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select, TextArea

from core.config.project import Project, open_project
from core.curriculum.cell import Cell
from core.generation.procedural.source import write_example
from core.generation.source import Request
from storage import examples, repairs, reviews, runs
from storage.database import connect
from storage.repairs import Repair
from storage.schema import Example, Outcome, Run, RunState
from tests.conftest import HOSTILE, example
from tests.core.test_loop import make_project
from tests.core.test_repair import NEW, reacting
from tests.loopback import Loopback
from tests.tui.conftest import RAW, put, shown, told, until
from tests.tui.dataset_pilot import open_dataset
from tui.app import SidequestApp
from tui.screens.dataset.example_screen import ExampleScreen
from tui.screens.edit.screen import EditScreen
from tui.screens.repair.screen import RepairScreen

SIZE = (110, 40)
OLD = "Both parts hold and nothing has to change: VALIDATED."


def relabel(db: sqlite3.Connection, **change: object) -> Example:
    """A stored example that a person has given the decision REJECTED."""
    before = example(**{"id": "01A" + "0" * 23, "reasoning": OLD, "confidence": 0.95} | change)
    put(db, before)
    return reviews.edit(db, before.model_copy(update={"decision": "REJECTED"}))


def written_for(db: sqlite3.Connection, stale: Example, **change: object) -> Repair:
    """A repair of the example, written and judged, as a run has left it."""
    run = Run(kind="repair", state=RunState.FINISHED, params=_params(stale))
    runs.add(db, run)
    values = {
        "run": run.id,
        "example": stale.id,
        "version": stale.version,
        "decision": "REJECTED",
        "outcome": Outcome.WRITTEN,
        "proposed": NEW,
        "model": "gpt-9",
        "judged": Outcome.WRITTEN,
        "blind_decision": "REJECTED",
        "blind_confidence": 0.7,
    }
    repair = Repair.model_validate(values | change)
    repairs.put(db, repair)
    return repair


def _params(stale: Example) -> dict[str, object]:
    return {"source": "gpt", "judge": "judge-1", "examples": [[stale.id, stale.version]]}


def current(db: sqlite3.Connection, stale: Example) -> Example:
    found = examples.get(db, stale.id)
    assert found is not None
    return found


async def open_review(pilot: Pilot[int]) -> None:
    """Go to Review, with the label shown, and the relabelled example in front."""
    await pilot.press("3")
    await pilot.pause()
    await pilot.press("b")
    await pilot.pause()


async def test_review_shows_what_is_stale_and_hides_it_with_the_label(project: Project, db: sqlite3.Connection) -> None:
    relabel(db)
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        assert "written for" not in shown(pilot)
        await pilot.press("b")
        await pilot.pause()
        assert "reasoning: written for VALIDATED, stale" in shown(pilot)
        assert "confidence: written for VALIDATED, stale (R: repair)" in shown(pilot)


async def test_the_diff_shows_both_and_accepting_stores_the_new_one(project: Project, db: sqlite3.Connection) -> None:
    stale = relabel(db)
    written_for(db, stale, critique="Name the pieces.")
    app = SidequestApp(project.folder, "ann")
    async with app.run_test(size=SIZE) as pilot:
        await open_review(pilot)
        await pilot.press("R")
        await pilot.pause()
        assert isinstance(app.screen, RepairScreen)
        screen = shown(pilot)
        old, new = screen.index("REASONING, WRITTEN FOR VALIDATED"), screen.index("REASONING FOR REJECTED, BY gpt-9")
        assert "\n" not in screen[old:new]  # side by side
        assert "judge-1 decides REJECTED without the label with confidence 0.70" in screen
        assert all(text in screen for text in ("0.95", "0.80", "Name the pieces."))
        assert "HYPOTHESIS" in screen
        assert "QA would doubt it: " in screen  # 0.80 is below the level's band
        await pilot.press("question_mark")
        await pilot.pause()
        assert "Decide later: what was written is kept" in shown(pilot)
        await pilot.press("escape", "a")
        await pilot.pause()
        repaired = current(db, stale)
        assert (repaired.version, repaired.stale) == (3, [])
        assert (repaired.decision, repaired.reasoning, repaired.confidence) == ("REJECTED", NEW["reasoning"], 0.8)
        line = reviews.log(db, stale.id)[-1]
        assert (line.reviewer, line.note) == ("ann", "repaired by gpt-9")
        assert "stale (R" not in shown(pilot)
        await pilot.press("u")
        await pilot.pause()
        assert current(db, stale) == stale
        await pilot.press("R")
        await pilot.pause()
        assert isinstance(app.screen, RepairScreen)  # what was paid for is there again


async def test_keeping_the_old_says_that_it_is_right_and_later_changes_nothing(
    project: Project, db: sqlite3.Connection
) -> None:
    stale = relabel(db)
    written_for(db, stale)
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await open_review(pilot)
        await pilot.press("R")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert current(db, stale) == stale
        await pilot.press("R")
        await pilot.pause()
        await pilot.press("k")
        await pilot.pause()
        kept = current(db, stale)
        assert (kept.version, kept.stale, kept.reasoning, kept.decision) == (3, [], OLD, "REJECTED")
        assert reviews.log(db, stale.id)[-1].note == "still right for REJECTED"
        await pilot.press("R")
        await pilot.pause()
        assert "nothing to repair" in told(pilot)


async def test_the_new_text_can_be_edited_before_it_is_stored(project: Project, db: sqlite3.Connection) -> None:
    stale = relabel(db)
    written_for(db, stale)
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await open_review(pilot)
        await pilot.press("R")
        await pilot.pause()
        await pilot.press("e")
        await pilot.pause()
        assert isinstance(app.screen, EditScreen)
        area = app.screen.query_one("#reasoning", TextArea)
        assert area.text == NEW["reasoning"]
        area.text = "In fact neither holds."
        # The confidence of before, which the person leaves in the form, counts as theirs.
        app.screen.query_one("#confidence", Input).value = "0.95"
        await pilot.press("ctrl+s")
        await pilot.pause()
        edited = current(db, stale)
        assert (edited.reasoning, edited.confidence, edited.stale) == ("In fact neither holds.", 0.95, [])


async def test_a_judge_that_disagrees_and_hostile_text_are_shown_for_what_they_are(
    project: Project, db: sqlite3.Connection
) -> None:
    stale = relabel(db)
    proposed = {"reasoning": " ".join(HOSTILE), "confidence": 0.5}
    written_for(db, stale, proposed=proposed, blind_decision="REFINED", critique=" ".join(HOSTILE))
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await open_review(pilot)
        await pilot.press("R")
        await pilot.pause()
        assert "judge-1 decides REFINED without the label" in shown(pilot)
        assert RAW.search(shown(pilot)) is None


def procedural(db: sqlite3.Connection, project: Project) -> Example:
    """A VALIDATED example of the procedural source that a person has given the decision REJECTED."""
    written = write_example(project.task, Request(Cell("market", 1, "VALIDATED"), 0, 0, 0, 5))
    assert written.candidate is not None
    change = written.candidate.model_dump() | {"family": written.family, "source": "procedural"}
    return relabel(db, **change)


async def test_a_relabel_that_the_source_contradicts_is_said_and_can_be_taken_back(
    project: Project, db: sqlite3.Connection
) -> None:
    stale = procedural(db, project)
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await open_review(pilot)
        await pilot.press("R")
        await pilot.pause()
        assert "The evidence bears VALIDATED, not REJECTED" in shown(pilot)
        assert "solver decides VALIDATED without the label" in shown(pilot)
        await pilot.press("e")
        await pilot.pause()
        assert isinstance(app.screen, EditScreen)
        assert app.screen.query_one("#decision", Select).value == "REJECTED"
        assert app.screen.query_one("#reasoning", TextArea).text == ""
        await pilot.press("escape")
        await pilot.pause()
        await pilot.press("R")
        await pilot.pause()
        await pilot.press("a")
        await pilot.pause()
        back = current(db, stale)
        assert (back.decision, back.stale) == ("VALIDATED", [])
        assert back.reasoning.endswith(": VALIDATED.")


async def test_where_nothing_can_write_the_fields_are_asked_for(project: Project, db: sqlite3.Connection) -> None:
    stale = relabel(db)
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await open_review(pilot)
        await pilot.press("R")
        await pilot.pause()
        form = app.screen
        assert isinstance(form, EditScreen)
        assert "nothing here can write reasoning and confidence anew: please do" in told(pilot)
        assert app.focused is form.query_one("#reasoning", TextArea)
        assert (form.query_one("#reasoning", TextArea).text, form.query_one("#confidence", Input).value) == ("", "")
        assert "reasoning: is empty" in shown(pilot)
        assert "reasoning (stale)" in shown(pilot)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert app.screen is form
        await pilot.press(*"No.")
        form.query_one("#confidence", Input).value = "0.95"  # the same number, but written for the new decision
        await pilot.press("ctrl+s")
        await pilot.pause()
        repaired = current(db, stale)
        assert (repaired.reasoning, repaired.confidence, repaired.stale) == ("No.", 0.95, [])


async def test_edit_says_what_will_be_stale_and_a_person_can_say_that_it_is_not(
    project: Project, db: sqlite3.Connection
) -> None:
    put(db, example(id="01A" + "0" * 23, reasoning=OLD))
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await open_review(pilot)
        for confirm in (False, True):
            await pilot.press("e")
            await pilot.pause()
            assert "stale once saved" not in shown(pilot)
            app.screen.query_one("#decision", Select).value = "REFINED"
            await pilot.pause()
            assert "reasoning and confidence: written for VALIDATED, stale once saved" in shown(pilot)
            if confirm:
                await pilot.press("ctrl+t")
                await pilot.pause()
                assert "reasoning and confidence: right for REFINED too, you say" in shown(pilot)
            await pilot.press("ctrl+s")
            await pilot.pause()
            saved = examples.get(db, "01A" + "0" * 23)
            assert saved is not None
            assert bool(saved.stale) is not confirm
            if not confirm:
                assert "reasoning and confidence stale: R repairs" in shown(pilot)
                await pilot.press("u")
                await pilot.pause()


async def test_dataset_repairs_the_example_it_shows(project: Project, db: sqlite3.Connection) -> None:
    stale = relabel(db)
    written_for(db, stale)
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, ExampleScreen)
        assert "reasoning: written for VALIDATED, stale" in shown(pilot)
        await pilot.press("R")
        await pilot.pause()
        assert isinstance(app.screen, RepairScreen)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, ExampleScreen))
        assert current(db, stale).reasoning == NEW["reasoning"]
        assert "(R: repair)" not in shown(pilot)
        await pilot.press("escape", "u")
        await pilot.pause()
        assert current(db, stale) == stale


async def test_a_key_starts_the_run_and_a_notice_says_that_it_is_ready(tmp_path: Path) -> None:
    async with Loopback(react=reacting()) as server:
        project = make_project(tmp_path, server)
        path = project.folder / "sidequest.toml"
        text = re.sub('generator = "[a-z]+"', 'generator = "loop"', path.read_text(encoding="utf-8"))
        path.write_text(re.sub('judge = "[a-z]+"', 'judge = "loop"', text), encoding="utf-8")
        project = open_project(tmp_path)
        db = connect(project.database)
        stale = relabel(db)
        app = SidequestApp(project.folder)
        async with app.run_test(size=SIZE) as pilot:
            await open_review(pilot)
            await pilot.press("R")
            await pilot.pause()
            assert "loop writes reasoning and confidence for REJECTED, loop reads it" in told(pilot)
            await pilot.press("R")
            await pilot.pause()
            if not isinstance(app.screen, RepairScreen):
                assert "still works on it" in told(pilot)
                await until(pilot, lambda: f"the repair of {stale.id[-6:]} is ready: R shows it" in told(pilot), 30)
                await pilot.press("R")
                await until(pilot, lambda: isinstance(app.screen, RepairScreen))
            await pilot.press("a")
            await pilot.pause()
            assert current(db, stale).reasoning == NEW["reasoning"]
            assert len(runs.of_kind(db, "repair")) == 1
        db.close()


async def test_a_run_that_failed_is_told_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Loopback() as server:
        project = make_project(tmp_path, server)
        path = project.folder / "sidequest.toml"
        path.write_text(re.sub('generator = "[a-z]+"', 'generator = "loop"', path.read_text(encoding="utf-8")))
        monkeypatch.setattr("core.runs.launch.spawn", lambda *_: None)
        with connect(project.database) as db:
            stale = relabel(db)
            app = SidequestApp(project.folder)
            async with app.run_test(size=SIZE) as pilot:
                await open_review(pilot)
                await pilot.press("R")
                await pilot.pause()
                [run] = runs.of_kind(db, "repair")
                runs.update(db, run.id, state=RunState.FAILED, reason="source: bad_key: no")
                failed = f"{stale.id[-6:]} was not repaired: source: bad_key: no"
                await until(pilot, lambda: failed in told(pilot))


STEPS = [
    {
        "part": "conversion",
        "findings": [{"piece": 1, "quote": "Conversion rose", "source": "analysis", "says": "up"}],
        "against": [],
        "why": "",
        "found": "up",
        "claimed": "up",
        "holds": "yes",
    }
]


async def test_stale_steps_are_shown_line_by_line_and_emptied_where_nothing_can_write_them(
    project: Project, db: sqlite3.Connection
) -> None:
    stale = relabel(db, steps=STEPS)
    assert [field.field for field in stale.stale] == ["reasoning", "confidence", "steps"]
    proposed = NEW | {"steps": [STEPS[0] | {"found": "down", "holds": "no", "part": "no such part"}]}
    repair = written_for(db, stale, proposed=proposed)
    app = SidequestApp(project.folder)
    async with app.run_test(size=(140, 45)) as pilot:
        await open_review(pilot)
        await pilot.press("R")
        await pilot.pause()
        assert "conversion: up; claimed: up; holds: yes" in shown(pilot)
        assert "holds: " in shown(pilot)
        assert "no such" in shown(pilot)
        await pilot.press("a")
        await pilot.pause()
        repaired = current(db, stale)
        assert ([step.found for step in repaired.steps], repaired.stale) == (["down"], [])
        await pilot.press("u")
        await pilot.pause()
        repairs.put(db, repair.model_copy(update={"proposed": None, "outcome": Outcome.REFUSED}))
        await pilot.press("R")
        await pilot.pause()
        form = app.screen
        assert isinstance(form, EditScreen)
        form.query_one("#reasoning", TextArea).text = "Neither holds."
        form.query_one("#confidence", Input).value = "0.6"
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert (current(db, stale).steps, current(db, stale).stale) == ([], [])
