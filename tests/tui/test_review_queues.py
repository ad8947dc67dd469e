"""The queues, the judge's rejections, the diff and the agreement, through the pilot."""

from __future__ import annotations

import sqlite3

import pytest
from textual.widgets import Input

from core.config.project import Project
from storage import attempts, runs
from storage.schema import Attempt, Outcome, Result, ReviewAction, Run, Status, Verdict
from tests.conftest import candidate, example
from tests.stored import decide, read_all
from tests.tui.conftest import SIZE, put, shown, told, until
from tests.tui.test_review_blind import begin, lines
from tui.app import SidequestApp


def attempt(
    db: sqlite3.Connection, number: int, *, result: Result, parent: Attempt | None = None, **change: object
) -> Attempt:
    """An attempt that QA has judged."""
    run = parent.run if parent else f"01R{number:023d}"
    if parent is None:
        runs.add(db, Run(id=run, kind="generate"))
    made = Attempt(
        id=f"01A{number:023d}", run=run, domain="market", level=1, decision="VALIDATED", slot=0,
        number=parent.number + 1 if parent else 0, idea=0, parent=parent.id if parent else None,
        outcome=Outcome.WRITTEN, candidate=candidate(**change), family=f"f{number}", source="openai", seed=0,
    )  # fmt: skip
    attempts.add_attempt(db, made, None)
    passed = result is Result.PASSED
    verdict = Verdict(
        attempt=made.id, result=result, stage="judge", reason="" if passed else "blind_disagreement",
        critique="Say which quarter.", blind_decision="VALIDATED" if passed else "REFINED", blind_confidence=0.62,
        rubric={"clarity": 0.7},
    )  # fmt: skip
    one = example(attempt=made.id, run=run, **change) if passed else None
    attempts.add_verdict(db, verdict, one)
    return made


async def test_what_the_judge_rejected_is_accepted_or_confirmed(project: Project, db: sqlite3.Connection) -> None:
    for number in range(4):
        attempt(db, number, result=Result.REJECTED, hypothesis=f"Refused claim {number}.")
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "o", "6")
        assert "rejected by QA" in shown(pilot)
        assert "1 of 4 · 4 left" in shown(pilot)
        assert "Refused claim 3" in shown(pilot)
        assert "REFINED" not in shown(pilot).partition("LABEL")[0]
        await pilot.press("a", "x", "1", "v", "r")
        await pilot.pause()
        for words in ("You decided REJECTED, the label is VALIDATED", "Refused claim 0", "decided REFINED with"):
            assert words in shown(pilot)
        assert lines(db) == [
            ("overrule", "", None),
            ("accept", "", None),
            ("reject", "", None),
            ("overrule", "", None),
            ("accept", "VALIDATED", 1),
            ("label", "REJECTED", 1),
        ]
        found = {one.hypothesis: one.status for one in read_all(db)}
        assert found == {
            "Refused claim 3.": Status.ACCEPTED,
            "Refused claim 2.": Status.REJECTED,
            "Refused claim 1.": Status.ACCEPTED,
            "Refused claim 0.": Status.REJECTED,
        }
        await pilot.press("u", "u")
        await pilot.pause()
        assert "Refused claim 1" in shown(pilot)
        assert "undone: accepted, blind as VALIDATED" in shown(pilot)
        assert "2 left" in shown(pilot)
        await pilot.press("slash", *"status:pending", "enter")
        await pilot.pause()
        assert "has no status" in told(pilot)
        pilot.app.screen.query_one("#filter", Input).value = "split:train"
        await pilot.press("enter")
        await pilot.pause()
        assert "what QA rejected has no split" in told(pilot)


async def test_what_the_judge_rejected_can_be_edited_and_then_accepted(
    project: Project, db: sqlite3.Connection
) -> None:
    attempt(db, 0, result=Result.REJECTED)
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "o", "6", "e")
        await pilot.press("X")
        await pilot.press("ctrl+s")
        await pilot.pause()
        await pilot.press("a")
        [one] = read_all(db)
        assert (one.status, one.version, one.hypothesis[:1]) == (Status.ACCEPTED, 2, "X")


async def test_each_queue_is_named_and_an_empty_one_says_what_to_do(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot)
        for number, title, words in (
            (2, "newest first", "Claim number 11"),
            (3, "oldest first", "Claim number 0"),
            (4, "by cell", "the order by cell tells it"),
            (5, "flagged", "Nothing here: what somebody flagged"),
            (6, "rejected by QA", "Nothing here: what QA rejected"),
            (7, "random sample", "12 left"),
            (8, "second opinion", "others have decided and you have not"),
            (9, "disagreements", "Nothing here: where people"),
            (1, "least certain first", "Claim number 0"),
        ):
            await pilot.press("o", str(number))
            await pilot.pause()
            assert title in shown(pilot)
            assert words in shown(pilot)
        await pilot.press("o")
        await pilot.pause()
        assert "What to review" in shown(pilot)
        await pilot.press("j", "k", "j", "enter")
        await pilot.pause()
        assert "newest first" in shown(pilot)
        await pilot.press("o", "escape")
        await pilot.pause()
        assert "newest first" in shown(pilot)


async def test_what_was_skipped_waits_at_the_beginning(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "s", *["a"] * 11)
        assert "1 are left that you skipped" in shown(pilot)
        await pilot.press("j")
        await pilot.pause()
        assert "Claim number 0" in shown(pilot)


async def test_the_filter_narrows_the_queue_and_a_decision_in_it_is_not_blind(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "o", "2", "slash", *"decision:refined", "enter")
        assert "newest first · decision:refined" in shown(pilot)
        assert "not blind: the filter tells it" in shown(pilot)
        assert "1 of 4 · 4 left" in shown(pilot)


async def test_the_diff_shows_what_the_rewrite_changed(project: Project, db: sqlite3.Connection) -> None:
    first = attempt(db, 0, result=Result.REJECTED, hypothesis="Sales rise.", decision="REFINED")
    attempt(db, 1, result=Result.PASSED, parent=first, hypothesis="Sales fall.")
    put(db, example(id="01Z" + "0" * 23))
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "d")
        assert "ATTEMPT 2 AGAINST 1" in shown(pilot)
        assert "Sales [-rise.-]{+fall.+}" in shown(pilot)
        assert "Say which quarter" not in shown(pilot)
        assert "VALIDATED" not in shown(pilot).partition("hidden")[0].partition("ATTEMPT")[2]
        await pilot.press("b")
        await pilot.pause()
        assert "CRITIQUE  Say which quarter." in shown(pilot)
        assert "[-REFINED-]" in shown(pilot)
        await pilot.press("d")
        await pilot.pause()
        assert "HYPOTHESIS" in shown(pilot)
        assert "clarity 0.70. Say which quarter" in " ".join(shown(pilot).split())
        await pilot.press("j", "d")
        await pilot.pause()
        assert "nothing came before it" in told(pilot)


async def test_agreement_is_computed_beside_the_app(app: SidequestApp, db: sqlite3.Connection) -> None:
    from core.review import agreement

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agreement, "RESAMPLES", 50)
        async with app.run_test(size=SIZE) as pilot:
            await begin(pilot, "g")
            await until(pilot, lambda: "nothing to compare yet" in shown(pilot))
            await pilot.press("escape")
            for number in range(6):
                key, value = (
                    f"01J{number:023d}",
                    "REFINED" if number == 1 else ("VALIDATED", "REJECTED", "REFINED")[number % 3],
                )
                decide(db, key, ReviewAction.LABEL, value=value, version=1, reviewer="[/ann")
            await pilot.press("g")
            await until(pilot, lambda: "Cohen's kappa" in shown(pilot))
            assert "[/ann with the label" in shown(pilot)
            assert "agree on 5/6 (44%–97%)" in shown(pilot)
            assert "1 × REFINED, where the label says REJECTED" in shown(pilot)
            await pilot.press("j", "k", "q")
            await pilot.pause()
            assert "Claim number 0" in shown(pilot)


async def test_an_empty_first_look_finds_what_comes_meanwhile(project: Project, db: sqlite3.Connection) -> None:
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot)
        assert "No example yet" in shown(pilot)
        await pilot.press("2")
        put(db, example(id=f"01J{0:023d}", certainty=0.4, hypothesis="It came late."))
        await pilot.press("3")
        await pilot.pause()
        assert "It came late." in shown(pilot)
        assert "1 of 1 · 1 left" in shown(pilot)
        await pilot.press("a")
        await pilot.pause()
        assert "That was the last one" in shown(pilot)
        put(db, example(id=f"01J{1:023d}", certainty=0.1, hypothesis="This one came later."))
        await until(pilot, lambda: "This one came later." in shown(pilot))


async def test_the_agreement_ends_in_words_and_says_how_to_close_it(
    app: SidequestApp, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.review import agreement

    monkeypatch.setattr(agreement, "RESAMPLES", 20)
    put(db, *(example(id=f"01K{n:023d}", family=f"k{n}", decision=("VALIDATED", "REFINED")[n % 2]) for n in range(40)))
    for number in range(40):
        value = ("VALIDATED", "REFINED")[number % 2]
        for who in ("ann", "ben", ""):
            decide(db, f"01K{number:023d}", ReviewAction.LABEL, value=value, version=1, reviewer=who)
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "g")
        await until(pilot, lambda: "agree on 40/40" in shown(pilot))
        assert "They agree far beyond chance" in shown(pilot)
        assert "the unnamed reviewer with the label" in shown(pilot)
        assert "escape closes" in shown(pilot)
        await pilot.press(*["j"] * 60)
        await pilot.pause()
        assert "`sidequest --as NAME` says who you are" in shown(pilot)
        assert "escape closes" in shown(pilot)
