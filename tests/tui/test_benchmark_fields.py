"""The fields view of Benchmark through the pilot: the table, the worst answers, and what to make more of."""

from __future__ import annotations

import re
import sqlite3

import pytest
from textual.widgets import Input, Select

from core.benchmark.field_report import field_report
from core.config.project import FILE, Project
from storage import predictions
from storage.schema import Run
from tests.conftest import HOSTILE, example
from tests.tui.benchmark_pilot import RIGHT, benchmark_screen, open_benchmark, wait_until_computed, write_benchmark
from tests.tui.conftest import RAW, SIZE, put, several, shown, told, until
from tests.tui.fields_pilot import stepped_examples, write_stepped_benchmark
from tui.app import SidequestApp
from tui.screens.benchmark.pairs import PairsScreen
from tui.screens.generate.screen import GenerateScreen


@pytest.fixture
def stepped(project: Project, db: sqlite3.Connection) -> SidequestApp:
    """The app on a benchmark whose student misreads the evidence at level 3, in nine of eighteen cases."""
    write_stepped_benchmark(project, db, stepped_examples(project, (1, 3), 3))
    return SidequestApp(project.folder)


async def test_the_table_names_the_field_that_goes_wrong_and_where(stepped: SidequestApp) -> None:
    async with stepped.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        await pilot.press("t")
        await wait_until_computed(pilot)
        text = shown(pilot)
        assert "FIELDS · student · own" in text
        assert "but misreads the evidence at level 3 (0 % right)." in re.sub(r"\s+", " ", text)
        assert "18 answers to 18 examples with steps" in text
        assert re.search(r"▸ found +\d+/\d+ +\d+\.\d \(\d+\.\d–\d+\.\d\) +100! +0!", text)
        assert re.search(r"field +right +% +L1 +L3", text)
        assert re.search(r"  claimed +(\d+)/\1 +100\.0 \(\d+\.\d–100\.0\) +100 +100", text)
        assert "found: wrong though surest" in text
        assert len(re.findall(r"market 3 +“\w+” for “", text)) == 3
        assert "m opens Generate for more: level 3" in text
        assert "where found is right in 0 of " in text


async def test_cursors_choose_a_field_and_an_answer_which_enter_opens(
    stepped: SidequestApp, db: sqlite3.Connection
) -> None:
    async with stepped.run_test(size=SIZE) as pilot:
        screen = await open_benchmark(pilot)
        await pilot.press("up", "m", "left")  # these act on fields alone
        assert "newest answers" in shown(pilot)
        await pilot.press("t")
        await wait_until_computed(pilot)
        assert "found: wrong though surest" in shown(pilot)
        await pilot.press("down")
        assert "claimed is right in each answer." in shown(pilot)
        # More is made of what is wrong.
        assert "where found is right in 0 of" in shown(pilot)
        await pilot.press("up", "up", "up", "up", "up")
        assert "▸ part" in shown(pilot)
        await pilot.press(*["down"] * 9)
        assert "▸ concludes" in shown(pilot)
        while "▸ found" not in shown(pilot):
            await pilot.press("up")
        await pilot.press("right", "right", "right", "left")
        surest = [
            case.question.example
            for case in reversed(predictions.read_questions(db, screen._shown.ids["student"] or ""))
        ]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PairsScreen))
        await pilot.pause()
        pairs = pilot.app.screen
        assert isinstance(pairs, PairsScreen)
        assert pairs._current is not None
        assert pairs._current.example == surest[1]
        assert surest[1][-6:] in shown(pilot)
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert "newest answers" in shown(pilot)


async def test_one_key_fills_generate_in_for_what_goes_wrong(stepped: SidequestApp) -> None:
    async with stepped.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        await pilot.press("t")
        await wait_until_computed(pilot)
        assert "m More like it" in shown(pilot)
        spot = re.search(r"more: level 3, (\w+), where", shown(pilot))
        assert spot is not None
        await pilot.press("m")
        await until(pilot, lambda: isinstance(pilot.app.screen, GenerateScreen))
        await until(pilot, lambda: "cells: level:3" in told(pilot))
        assert re.search(
            rf"level:3, {spot[1]}, since found is right in 0 of \d+ there. g asks, then starts", told(pilot)
        )
        form = pilot.app.screen
        assert (form.query_one("#cells", Input).value, form.query_one("#inference", Select).value) == (
            "level:3",
            spot[1],
        )
        await pilot.press("g")
        await until(pilot, lambda: "Generate " in shown(pilot) and "example" in shown(pilot))
        await pilot.press("n", "1", "2")
        await pilot.pause()
        # A wish is heeded once.
        form.query_one("#cells", Input).value = ""
        await pilot.press("1", "2")
        await pilot.pause()
        assert form.query_one("#cells", Input).value == ""


async def test_of_full_cells_generate_says_what_to_raise(
    project: Project, db: sqlite3.Connection, stepped: SidequestApp
) -> None:
    file = project.folder / FILE
    file.write_text(re.sub(r"(?m)^(min|max) = .*$", lambda match: f"{match[1]} = 1", file.read_text()))
    cells = [(domain.name, decision) for domain in project.task.domains for decision in project.task.labels]
    put(db, *(example(id=f"01K{n:023d}", domain=d, level=3, decision=x) for n, (d, x) in enumerate(cells)))
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        await pilot.press("t")
        await wait_until_computed(pilot)
        await pilot.press("m")
        await until(pilot, lambda: "They lack nothing: raise target in sidequest.toml, then ctrl+r" in told(pilot))


@pytest.mark.parametrize(
    ("mode", "raw", "sentence"),
    [
        ("direct", "VALIDATED", "g starts one in the mode reason."),
        ("reason", "Decision: VALIDATED", "None of 9 answers holds steps as the task words them. A student learns"),
    ],
)
async def test_a_run_without_steps_in_its_answers_says_why(
    project: Project, db: sqlite3.Connection, mode: str, raw: str, sentence: str
) -> None:
    cases = stepped_examples(project, (1,), 3)
    write_stepped_benchmark(project, db, cases, raw={case.id: raw for case in cases}, mode=mode)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        await pilot.press("t")
        await wait_until_computed(pilot)
        assert sentence in re.sub(r"\s+", " ", shown(pilot))
        await pilot.press("m", "down", "right")
        assert "there is nothing to make more of" in told(pilot)


async def test_a_run_of_examples_without_steps_says_what_to_do(project: Project, db: sqlite3.Connection) -> None:
    write_benchmark(db, several(6), "smollm2-135m", [RIGHT] * 6)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        await pilot.press("t")
        await wait_until_computed(pilot)
        text = re.sub(r"\s+", " ", shown(pilot))
        assert "None of the examples that this run asks about has steps." in text
        assert "Edit takes them by hand (e on Review)." in text


async def test_hostile_steps_are_shown_as_signs(project: Project, db: sqlite3.Connection) -> None:
    cases = stepped_examples(project, (1, 3), 3)
    texts = [text.replace("\n", " ").replace(",", " ") for text in HOSTILE]
    raw = {
        case.id: f"{text}: {text}, claimed {text}, right.\nDecision: {case.decision}"
        for case, text in zip(cases, texts, strict=False)
    }
    hostile = [example(**case.model_dump() | {"hypothesis": text}) for case, text in zip(cases, HOSTILE, strict=False)]
    write_stepped_benchmark(project, db, [*hostile, *cases[len(hostile) :]], raw=raw)
    async with SidequestApp(project.folder).run_test(size=(160, 45)) as pilot:
        await open_benchmark(pilot)
        await pilot.press("t")
        await wait_until_computed(pilot)
        for _ in range(6):
            assert not RAW.search(shown(pilot))
            await pilot.press("up")
        assert "names the parts of the claim" in shown(pilot)
        assert "“" in shown(pilot)


async def test_fields_are_computed_once_and_for_the_run_that_is_chosen(
    project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[str] = []

    def counting(project: Project, connection: sqlite3.Connection, run: Run) -> object:
        computed.append(run.id)
        return field_report(project, connection, run)

    monkeypatch.setattr("tui.screens.benchmark.fields_view.field_report", counting)
    run = write_stepped_benchmark(project, db, stepped_examples(project, (1, 3), 3))
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        assert computed == []
        await pilot.press("t")
        await wait_until_computed(pilot)
        await pilot.press("down", "down", "right", "escape", "t")
        put(db, *several(1))
        benchmark_screen(pilot).redraw()
        await wait_until_computed(pilot)
        assert computed == [run.id]
        await pilot.press("s")
        await pilot.pause()
        assert "no benchmark in this role" in shown(pilot)
