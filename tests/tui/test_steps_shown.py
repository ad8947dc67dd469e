"""Steps of an example on the screen and on the command line: lines, lit quotes, blindness, hostile text."""

from __future__ import annotations

import re
import sqlite3
from functools import partial

from click.testing import CliRunner
from textual.pilot import Pilot

from core.config.project import Project
from storage import training
from storage.schema import Evidence, Example, Finding, Holds, Step
from tests.conftest import HOSTILE, example
from tests.tui.conftest import RAW, SIZE, put, shown, until
from tests.tui.training_pilot import add_training_run, dev_figures, open_training
from tui.app import SidequestApp
from tui.cli import main
from tui.widgets.example import body
from tui.widgets.steps import against_lines, lit_evidence, step_block, step_line


def finding(piece: int, quote: str) -> Finding:
    return Finding(piece=piece, quote=quote, source="hearsay", says="up")


def step(**change: object) -> Step:
    plain = {"part": "new users", "findings": [finding(1, "Sales FELL")], "against": [], "why": ""}
    return Step.model_validate(plain | {"found": "down", "claimed": "up", "holds": Holds.NO} | change)


def stepped(*steps: Step) -> Example:
    pieces = [Evidence(source="a", content="In May “sales  fell” by 3.", relevance=1.0)]
    pieces.append(Evidence(source="b", content="They say it rose.", relevance=0.5))
    return example(evidence=pieces, steps=list(steps))


def lit(case: Example, position: int, limit: int = 1000) -> list[str]:
    text = lit_evidence(case.evidence, position, case.steps, limit)
    return [text.plain[span.start : span.end] for span in text.spans]


def test_a_step_is_a_line_with_what_stands_against_it_and_why() -> None:
    weighed = step(against=[finding(2, "it rose")], why="source")
    assert step_line(weighed) == "new users · down · up · ✗"
    assert against_lines(weighed) == ["against: piece 2 (hearsay) up, “it rose” · piece 1 counts, by source"]
    assert step_line(step(holds=Holds.YES))[-1] + step_line(step(holds=Holds.OPEN))[-1] == "✓?"


def test_quotes_are_lit_where_they_stand() -> None:
    case = stepped(step(against=[finding(2, "it rose")], why="source"), step(findings=[finding(9, "gone")]))
    assert (lit(case, 0), lit(case, 1)) == (["sales  fell"], ["it rose"])
    cut = lit_evidence(case.evidence, 0, case.steps, 10)
    assert cut.plain == "In May “sa … cut here: 26 characters in all"


def test_steps_are_hidden_with_the_label_and_absent_without_steps() -> None:
    case = stepped(step())
    assert "new users · down · up · ✗" in body(case).plain
    hidden = body(case, hidden=True)
    assert "STEPS" not in hidden.plain
    assert not [span for span in hidden.spans if "underline" in str(span.style)]
    assert "STEPS" not in body(stepped()).plain


def test_hostile_and_long_steps_neither_act_nor_get_lost() -> None:
    hostile = step(part="[red]x[/]\x1b[2J\nnew\u202e", found="y" * 3000)
    text = step_block([hostile]).plain
    assert "[red]x[/]␛[2J new⟨202E⟩" in text
    assert "y" * 3000 in text
    assert "… and 3 more steps" in step_block([step(found="y" * 10_000)] * 5).plain


def lit_on_screen(pilot: Pilot[int]) -> list[str]:
    """What the screen paints underlined below its bar, where keys are."""
    strips = pilot.app.screen._compositor.render_strips()[1:-1]
    return [part.text for strip in strips for part in strip if part.style is not None and part.style.underline]


async def test_review_shows_steps_and_lights_quotes_once_the_label_is_shown(
    app: SidequestApp, db: sqlite3.Connection
) -> None:
    case = stepped(step(against=[finding(2, "it rose")], why="source"), step(part="size", holds=Holds.OPEN))
    put(db, case.model_copy(update={"id": "01A" + "0" * 23}))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        assert "They say it rose." in shown(pilot)
        assert "STEPS" not in shown(pilot)
        assert lit_on_screen(pilot) == []
        await pilot.press("b")
        await pilot.pause()
        text = shown(pilot)
        assert "STEPS  part · found · claimed" in text
        assert re.search(r"(?m)^ *new users · down · up · ✗ *$", text)
        assert re.search(r"(?m)^ *size · down · up · \? *$", text)
        assert "against: piece 2 (hearsay) up, “it rose” · piece 1 counts, by source" in text
        assert lit_on_screen(pilot) == ["sales  fell", "it rose"]


async def test_the_marks_of_steps_are_explained(app: SidequestApp) -> None:
    async with app.run_test(size=(100, 100)) as pilot:
        for keys in (["3"], ["5"], ["enter"]):
            await pilot.press(*keys)
            await pilot.pause()
            await pilot.press("question_mark")
            await pilot.pause()
            assert "✓ ✗ ?  a step: holds · does not · the evidence leaves it open" in shown(pilot), keys
            await pilot.press("escape")
            await pilot.pause()


async def test_hostile_steps_are_signs_in_review(app: SidequestApp, db: sqlite3.Connection) -> None:
    steps = [step(part=text, found=text, claimed=text) for text in HOSTILE]
    put(db, stepped(*steps).model_copy(update={"id": "01A" + "0" * 23}))
    async with app.run_test(size=(160, 45)) as pilot:
        await pilot.press("3", "b")
        await pilot.pause()
        assert "[red]not red[/red] · [red]not red[/red] · [red]not red[/red] · ✗" in shown(pilot)
        assert not RAW.search(shown(pilot))


def is_shown(pilot: Pilot[int], words: str) -> bool:
    return words in shown(pilot)


async def test_training_shows_fields_at_each_look(app: SidequestApp, db: sqlite3.Connection) -> None:
    run = add_training_run(db, 8)
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        assert "steps found" not in shown(pilot)
        for at, right, line in ((12, 74, "steps found 74 %"), (16, 94, "steps found 74 → 94 %")):
            fields = {"found": [right, 100], "holds": [98, 100]}
            training.add_evaluation(db, run.id, "small", at, dev_figures(at) | {"fields": fields})
            await until(pilot, partial(is_shown, pilot, line), 5)
        assert "holds 98 → 98 %" in shown(pilot)


def test_the_command_line_shows_steps(project: Project, db: sqlite3.Connection) -> None:
    case = stepped(step(part="\x1b[2Jnew", against=[finding(2, "it rose")], why="source"))
    put(db, case)
    printed = CliRunner().invoke(main, ["-C", str(project.folder), "examples", "show", case.id])
    assert printed.exit_code == 0
    assert (
        "STEPS  part · found · claimed\n  ␛[2Jnew · down · up · ✗\n"
        "    against: piece 2 (hearsay) up, “it rose” · piece 1 counts, by source\n" in printed.output
    )
