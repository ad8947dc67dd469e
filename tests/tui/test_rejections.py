"""The map of rejections, what is behind its cells, and what can be done about it."""

from __future__ import annotations

import sqlite3

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from core.config.project import FILE, Project
from storage import attempts, examples, listing, reviews, runs, shelves
from storage.schema import Attempt, Candidate, Flaw, Outcome, Result, ReviewAction, Run, RunState, Status, Verdict
from storage.shelves import Shelf
from tests.conftest import HOSTILE, candidate
from tests.stored import decide, read_all
from tests.tui.conftest import RAW, SIZE, shown, told, until
from tui.app import SidequestApp
from tui.screens.rejections.screen import RejectionsScreen


def rejected(
    db: sqlite3.Connection,
    run: Run,
    slot: int,
    *,
    domain: str = "risk",
    reason: str = "ambiguous",
    critique: str = "Say which source is right.",
    parent: Attempt | None = None,
    result: Result = Result.REJECTED,
    written: Candidate | None = None,
) -> Attempt:
    """An attempt at REFINED, level 1, with its verdict."""
    attempt = Attempt(
        run=run.id,
        domain=domain,
        level=1,
        decision="REFINED",
        slot=slot,
        number=parent.number + 1 if parent else 0,
        idea=0,
        parent=parent.id if parent else None,
        outcome=Outcome.WRITTEN,
        candidate=written or candidate(decision="REFINED", hypothesis=f"Claim {slot} on {domain}."),
        family=f"f{slot}",
        source="procedural",
        seed=0,
    )
    attempts.add_attempt(db, attempt, Flaw.AMBIGUOUS if slot % 2 and parent is None else None)
    verdict = Verdict(
        attempt=attempt.id,
        result=result,
        stage="judge",
        reason="" if result is Result.PASSED else reason,
        critique=critique,
        blind_decision="VALIDATED",
        blind_confidence=0.62,
        rubric={"decision_follows": 0.3},
    )
    attempts.add_verdict(db, verdict, None)
    return attempt


@pytest.fixture
def run(db: sqlite3.Connection) -> Run:
    one = Run(kind="generate", state=RunState.FINISHED)
    runs.add(db, one)
    return one


@pytest.fixture
def troubled(db: sqlite3.Connection, run: Run) -> None:
    """Risk at level 1 fails 17 of 20, market 1 of 15: the story's insight."""
    for slot in range(20):
        bad = slot < 17
        reason = "ambiguous" if slot < 12 else "decision_follows"
        rejected(db, run, slot, reason=reason, result=Result.REJECTED if bad else Result.PASSED)
    for slot in range(15):
        rejected(db, run, slot, domain="market", result=Result.REJECTED if slot == 0 else Result.PASSED)


async def opened(pilot: Pilot[int]) -> RejectionsScreen:
    await pilot.press("4")
    await until(pilot, lambda: isinstance(pilot.app.screen, RejectionsScreen) and "QA rejections" in shown(pilot))
    screen = pilot.app.screen
    assert isinstance(screen, RejectionsScreen)
    return screen


async def test_an_empty_project_says_so(project: Project) -> None:
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        assert "no attempt is judged yet" in shown(pilot)
        await pilot.press("enter", "o")
        assert "no candidate here" in told(pilot)
        for key in ("y", "h", "escape", "escape", "escape", "d", "f", "t", "escape", "j", "k", "u"):
            await pilot.press(key)
        assert "nothing of yours left to undo" in told(pilot)


@pytest.mark.usefixtures("troubled")
async def test_it_opens_on_the_cell_that_fails_and_says_why(project: Project) -> None:
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: "17 of 20 rejected, 85% (64–95%)" in shown(pilot))
        drawn = shown(pilot)
        assert screen.heat.cursor_cell == ("risk", 1)
        assert "[17/20!]" in drawn
        assert "1/15" in drawn
        assert "the rest 1/15; p =" in drawn.replace("\n", " ").replace("  ", " ")
        assert "12 ambiguous" in drawn
        assert "35 attempts, 18 rejected" in drawn


@pytest.mark.usefixtures("troubled")
async def test_the_cursor_moves_and_one_decision_can_be_seen_alone(project: Project) -> None:
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        screen = await opened(pilot)
        await pilot.press("up", "up", "up")
        await until(pilot, lambda: "1 of 15 rejected" in shown(pilot))
        await pilot.press("right", "up", "left", "left")
        assert screen.heat.cursor_cell == ("market", 1)
        await pilot.press("d")
        await until(pilot, lambda: "by decision: VALIDATED" in shown(pilot))
        assert "no attempt is judged yet" in shown(pilot)
        await pilot.press("d", "d")
        await until(pilot, lambda: "by decision: REFINED" in shown(pilot))
        assert "1 of 15 rejected" in shown(pilot)
        await pilot.press("d")
        await until(pilot, lambda: "by decision: all" in shown(pilot))
        await pilot.click("#heat", offset=(14 + 2, 4))
        assert screen.heat.cursor_cell == ("risk", 1)
        await pilot.click("#heat", offset=(14 + 2, 4))
        await until(pilot, lambda: "Rejected attempts of risk" in shown(pilot))


async def test_from_the_cell_to_the_lineage_and_back(project: Project, db: sqlite3.Connection, run: Run) -> None:
    first = rejected(db, run, 0)
    mended = candidate(decision="REFINED", hypothesis="Claim 0 on risk, in winter.")
    rejected(db, run, 0, parent=first, written=mended, reason="difficulty_fits", critique="Too hard.")
    async with SidequestApp(project.folder).run_test(size=(80, 40)) as pilot:
        screen = await opened(pilot)
        screen.heat.cursor = (3, 0)
        await pilot.press("enter")
        await until(pilot, lambda: "difficulty does not fit" in shown(pilot))
        await pilot.press("f")
        await until(pilot, lambda: "only: ambiguous" in shown(pilot))
        assert screen.query_one("#attempts", OptionList).option_count == 1
        await pilot.press("f", "f")
        await until(pilot, lambda: screen.query_one("#attempts", OptionList).option_count == 2)
        await pilot.press("enter")
        await until(pilot, lambda: "{+risk, in winter.+}" in shown(pilot))
        drawn = shown(pilot)
        assert "▸ ATTEMPT 2" in drawn
        assert "row 1 of 2" in drawn
        assert "✗ rejected by judge: ambiguous" in drawn
        assert "without the label: VALIDATED 0.62 · decision follows 0.30" in drawn
        await pilot.press("j")
        await until(pilot, lambda: "▸ ATTEMPT 1" in shown(pilot))
        await pilot.press("j")
        assert "that was the last one" in told(pilot)
        await pilot.press("k", "k")
        assert "that was the first one" in told(pilot)
        await pilot.press("y")
        assert "sent to the terminal's clipboard" in told(pilot)
        assert '"reason": "difficulty_fits"' in pilot.app.clipboard
        await pilot.press("escape", "escape")
        await until(pilot, lambda: "QA rejections" in shown(pilot))


@pytest.mark.usefixtures("troubled")
async def test_overruled_it_waits_for_review_and_undo_takes_it_back(project: Project, db: sqlite3.Connection) -> None:
    async with SidequestApp(project.folder, "ann").run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Rejected attempts of risk" in shown(pilot))
        await pilot.press("o")
        await until(pilot, lambda: examples.count(db) == 1)
        (one,) = read_all(db)
        assert (one.status, one.refused, one.domain) == (Status.PENDING, True, "risk")
        assert [review.reviewer for review in reviews.log(db, one.id)] == ["ann"]
        await until(pilot, lambda: "brought in, waits · Claim 16" in shown(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "brought in, waits, against QA" in shown(pilot))
        await pilot.press("escape")
        await pilot.press("o")
        await until(pilot, lambda: "already, and pending" in told(pilot))
        await pilot.press("u")
        await until(pilot, lambda: "undone: ann: brought in against QA" in told(pilot))
        undone = examples.get(db, one.id)
        assert undone is not None
        assert undone.status is Status.REJECTED
        assert not listing.read_numbers(db)
        await until(pilot, lambda: "brought in" not in shown(pilot).split("\n", 2)[2].partition("undone")[0])
        decide(db, one.id, ReviewAction.FLAG, reviewer="ann")
        await pilot.press("u")
        await until(pilot, lambda: "Take back what you did before, or on another screen?" in shown(pilot))


@pytest.mark.usefixtures("troubled")
async def test_a_cell_is_shelved_after_a_question_and_taken_back(project: Project, db: sqlite3.Connection) -> None:
    async with SidequestApp(project.folder).run_test(size=(100, 30)) as pilot:
        await opened(pilot)
        await pilot.press("z")
        await until(pilot, lambda: "Shelve risk at level 1?" in shown(pilot))
        box = pilot.app.screen.query_one("#box", Static)
        assert "12 are missing in it, and 12 more will be generated in 12 other cells. It has none." in str(box.content)
        await pilot.press("n")
        assert shelves.read_all(db) == []
        await pilot.press("z")
        await until(pilot, lambda: "Shelve risk at level 1?" in shown(pilot))
        await pilot.press("y")
        await until(pilot, lambda: shelves.read_all(db) == [Shelf("risk", 1)])
        await until(pilot, lambda: "[17/20!~]" in shown(pilot))
        assert "the cell is shelved" in shown(pilot)
        await pilot.press("z")
        await until(pilot, lambda: shelves.read_all(db) == [])
        assert "is taken back" in told(pilot)


async def test_the_last_cells_of_a_decision_cannot_be_shelved(project: Project, db: sqlite3.Connection) -> None:
    for domain in project.task.domains:
        for level in project.task.levels:
            if (domain.name, level.level) != ("market", 1):
                shelves.shelve(db, Shelf(domain.name, level.level))
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("z")
        await until(pilot, lambda: "no other cell of VALIDATED" in told(pilot))


@pytest.mark.usefixtures("troubled")
async def test_a_hint_needs_a_model_that_reads_it(project: Project, db: sqlite3.Connection) -> None:
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        screen = await opened(pilot)
        field = screen.query_one("#hint", Input)
        await pilot.press("h")
        await until(pilot, lambda: "it reads no hints" in shown(pilot))
        assert not field.display
        await pilot.press("n")
        assert len(runs.newest(db)) == 1
        path = project.folder / FILE
        text = path.read_text(encoding="utf-8").replace('generator = "procedural"', 'generator = "writer"')
        path.write_text(f'{text}\n[models.writer]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n', encoding="utf-8")
        await pilot.press("ctrl+r", "h")
        await until(pilot, lambda: field.has_focus)
        await pilot.press("q", "x", "escape")
        assert not field.display


@pytest.mark.usefixtures("troubled")
async def test_without_a_hint_the_critique_alone_goes_to_the_source(project: Project, db: sqlite3.Connection) -> None:
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Rejected attempts of risk" in shown(pilot))
        await pilot.press("h", "y")
        await until(pilot, lambda: "writes it anew" in told(pilot))
        await until(pilot, lambda: runs.newest(db)[0].state.ended)
        (made,) = read_all(db)
        assert (made.domain, made.level, made.decision) == ("risk", 1, "REFINED")
        lineage = attempts.chain(db, made.attempt or "")
        assert lineage[0].attempt.candidate == candidate(decision="REFINED", hypothesis="Claim 16 on risk.")
        assert lineage[1].attempt.parent == lineage[0].attempt.id


@pytest.mark.usefixtures("troubled")
async def test_a_held_database_changes_nothing_and_says_so(project: Project, db: sqlite3.Connection) -> None:
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("enter", "o")
        await until(pilot, lambda: "waits for review" in told(pilot))
        app.db.execute("PRAGMA busy_timeout = 0")
        db.execute("BEGIN IMMEDIATE")
        await pilot.press("u")
        await until(pilot, lambda: "not undone: another process holds the database" in told(pilot))
        pilot.app.clear_notifications()
        await pilot.press("h", "y")
        await until(pilot, lambda: "another process holds the database" in told(pilot))
        db.execute("ROLLBACK")
        assert len(runs.newest(db)) == 1


@pytest.mark.usefixtures("troubled")
async def test_the_record_of_the_judge(project: Project) -> None:
    async with SidequestApp(project.folder).run_test(size=(100, 30)) as pilot:
        await opened(pilot)
        await pilot.press("t")
        await until(pilot, lambda: "MISTAKES PLANTED" in shown(pilot))
        assert "ambiguous" in shown(pilot)
        assert "nobody has decided on one yet" in shown(pilot)
        await pilot.press("g")
        await until(pilot, lambda: "Agreement" in shown(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "MISTAKES PLANTED" in shown(pilot))


@pytest.mark.usefixtures("troubled")
async def test_a_filter_does_not_outlast_the_visit(project: Project) -> None:
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("enter", "d", "d", "d", "f")
        await until(pilot, lambda: "· 12 · decision: REFINED · only: ambiguous" in shown(pilot))
        await pilot.press("question_mark", "escape")
        await until(pilot, lambda: "· 12 · decision: REFINED · only: ambiguous" in shown(pilot))
        await pilot.press("1", "4")
        await until(pilot, lambda: "· 17 · decision: all" in shown(pilot))


async def test_hostile_and_endless_text_stays_text(project: Project, db: sqlite3.Connection, run: Run) -> None:
    first = None
    for slot, text in enumerate([*HOSTILE, "endless " * 4000]):
        hostile = candidate(decision="REFINED", hypothesis=text, reasoning=text)
        first = rejected(db, run, 0, parent=first, written=hostile, reason=text[:40], critique=text)
        assert first.number == slot
    assert first is not None
    unread = Attempt.model_validate(
        first.model_dump() | {"id": "01JZZZZZZZZZZZZZZZZZZZZZZZ", "number": 99, "candidate": None}
        | {"outcome": Outcome.INVALID_JSON, "raw": "\x1b[2J{", "detail": "line 1: [/not markup]"}
    )  # fmt: skip
    attempts.add_attempt(db, unread, None)
    for size in (SIZE, (160, 45)):
        async with SidequestApp(project.folder).run_test(size=size) as pilot:
            screen = await opened(pilot)
            screen.heat.cursor = (3, 0)
            for keys in (["enter"], ["enter"], ["j", "j"], ["escape"], ["f"], ["escape"], ["t"]):
                await pilot.press(*keys)
                await pilot.pause()
                assert not RAW.search(shown(pilot))


async def test_a_long_list_is_read_page_by_page(project: Project, db: sqlite3.Connection, run: Run) -> None:
    for slot in range(130):
        rejected(db, run, slot)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        screen = await opened(pilot)
        screen.heat.cursor = (3, 0)
        await pilot.press("enter")
        await until(pilot, lambda: "50 or more" in shown(pilot))
        listed = screen.query_one("#attempts", OptionList)
        for count in (100, 130):
            await pilot.press("end")
            await until(pilot, lambda count=count: listed.option_count == count)  # type: ignore[misc]
        await pilot.press("end", "enter")
        await until(pilot, lambda: "row 130 of 130" in shown(pilot))
