"""Benchmark through the pilot: what it shows, live and after, and what its keys do."""

from __future__ import annotations

import os
import sqlite3

import psutil
import pytest
from textual.widgets import Input, OptionList, Select

from core.config.project import FILE, Project
from core.runs import control
from storage import predictions, runs
from storage.schema import ReviewAction, RunState, now
from tests.conftest import HOSTILE, example
from tests.stored import decide
from tests.tui.benchmark_pilot import RIGHT, WRONG, open_benchmark, prediction_for, wait_until_computed, write_benchmark
from tests.tui.conftest import RAW, SIZE, put, several, shown, told, until
from tui.app import SidequestApp
from tui.screens.benchmark.form import BenchmarkForm
from tui.screens.benchmark.pairs import PairsScreen
from tui.screens.runs.screen import RunsScreen

RUNNING_HERE = {"state": RunState.RUNNING, "pid": os.getpid(), "pid_started": psutil.Process().create_time()}


@pytest.fixture
def two_benchmarks(project: Project, db: sqlite3.Connection) -> SidequestApp:
    """The app on a benchmark of the student and one of the reference, over twelve examples."""
    cases = several(12)
    write_benchmark(db, cases, "smollm2-135m", [RIGHT, WRONG, "refused", WRONG, RIGHT, "timeout"] * 2)
    write_benchmark(db, cases, "bag-of-words", [RIGHT, RIGHT, RIGHT, WRONG, WRONG, RIGHT] * 2)
    return SidequestApp(project.folder)


async def test_without_a_benchmark_the_first_step_is_shown(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        assert "No benchmark yet" in shown(pilot)
        assert "g starts one" in shown(pilot)
        for key, sentence in (
            ("p", "no run of the student to pause"),
            ("x", "to stop"),
            ("f", "to ask again"),
            ("l", "to look into"),
            ("enter", "no benchmark yet"),
            ("o", "no benchmark yet"),
            ("w", "no benchmark yet"),
        ):
            await pilot.press(key)
            assert sentence in told(pilot)
        assert "No benchmark yet" in shown(pilot)


async def test_two_runs_are_compared(two_benchmarks: SidequestApp) -> None:
    async with two_benchmarks.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        text = shown(pilot)
        assert "smollm2-135m vs bag-of-words · split test" in text
        assert "12/12 33.3 % (13.8–60.9) finished" in text
        assert "12/12 66.7 % (39.1–86.2) finished" in text
        assert "both 2 · only reference 6 · only student 2 · neither 2 · gap 33" in text
        assert "p50 1.5 s · p95 1.5 s · tokens 1,200 in, 240 out · cost 0.0120, 1.00 per 1,000" in text
        assert "without an answer: 2 refused, 2 time-out" in text
        assert "settled: no" in text
        assert "· time-out, is REFINED" in text
        assert "✗ VALIDATED 0.80, is REFINED" not in text
        await pilot.press("s")
        assert "▸reference" in shown(pilot)
        assert "without an answer: none" in shown(pilot)


async def test_views_open_and_close(two_benchmarks: SidequestApp) -> None:
    async with two_benchmarks.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        for key, words in (
            ("c", ("CONFUSION · student", "no answer", "precision", "balanced accuracy")),
            ("v", ("BY LEVEL", "BY DOMAIN", "risk        2/4 50.0 % (15.0–85.0)")),
            ("w", ("NOT SETTLED YET", "Student: 4 of 12 right", "Without an answer")),
            ("r", ("RELIABILITY · student", "ECE", "says 50 %")),
        ):
            await pilot.press(key)
            await wait_until_computed(pilot)
            for word in words:
                assert word in shown(pilot), word
            await pilot.press("escape")
            await pilot.pause()
            assert "newest answers" in shown(pilot)
            await pilot.press(key, key)
            assert "newest answers" in shown(pilot)


async def test_a_running_benchmark_is_followed(project: Project, db: sqlite3.Connection) -> None:
    cases = several(12)
    run = write_benchmark(db, cases, "smollm2-135m", [RIGHT] * 4, run={**RUNNING_HERE, "heartbeat": now()})
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        assert "4/12 100.0 % (51.0–100.0) 12/min eta 7 m" in shown(pilot)
        assert "reference no benchmark yet: g starts one, o chooses one" in shown(pilot)
        questions = [case.question for case in predictions.read_questions(db, run.id)]
        predictions.add(db, [prediction_for(question, WRONG) for question in questions[4:8]])
        runs.update(db, run.id, progress=run.progress | {"done": 8, "accuracy": 0.5, "low": 0.215, "high": 0.785})
        await until(pilot, lambda: "8/12 50.0 %" in shown(pilot) and "✗" in shown(pilot), 5)
        control.pause(db, run.id)
        runs.update(db, run.id, state=RunState.PAUSED)
        await until(pilot, lambda: "(21.5–78.5) paused" in shown(pilot), 5)
        await pilot.press("p")
        assert "goes on" in told(pilot)
        await pilot.press("x")
        await pilot.pause()
        assert "Stop run" in shown(pilot)
        await pilot.press("y")
        await pilot.pause()
        assert "stops after what is in flight" in told(pilot)


async def test_a_failed_run_shows_the_reason_and_how_to_resume(project: Project, db: sqlite3.Connection) -> None:
    reason = "bad_key: Incorrect API key provided"
    write_benchmark(db, several(6), "smollm2-135m", [RIGHT], run={"state": RunState.FAILED, "reason": reason})
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        assert "failed: bad_key" in shown(pilot)
        assert "p resumes" in shown(pilot)
        await pilot.press("f")
        assert "has an answer to all that it asked" in told(pilot)


async def test_a_smoke_test_is_labelled_as_one(project: Project, db: sqlite3.Connection) -> None:
    write_benchmark(db, several(5), "smollm2-135m", [RIGHT] * 5, sniff=True)
    app = SidequestApp(project.folder)
    async with app.run_test(size=(160, 45)) as pilot:
        await open_benchmark(pilot)
        assert "5 of 5 right" in shown(pilot)
        assert "100.0 %" not in shown(pilot)
        assert "A smoke test" in shown(pilot)
        await pilot.press("w")
        await pilot.pause()
        assert "The gate needs a whole benchmark" in shown(pilot)


async def test_the_log_of_the_chosen_run_opens_on_runs(two_benchmarks: SidequestApp, db: sqlite3.Connection) -> None:
    older = runs.newest(db)[1]
    runs.log(db, older.id, "56 questions to small")
    async with two_benchmarks.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        await pilot.press("l")
        await until(pilot, lambda: isinstance(two_benchmarks.screen, RunsScreen) and "56 questions" in shown(pilot))
        assert f"▸ {older.id[-6:]}" in shown(pilot)


async def test_the_shown_runs_can_be_chosen(two_benchmarks: SidequestApp, db: sqlite3.Connection) -> None:
    third = write_benchmark(db, several(12), "majority", [WRONG] * 12)
    async with two_benchmarks.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        await pilot.press("o")
        await pilot.pause()
        assert f"{third.id[-6:]} majority" in shown(pilot)
        assert two_benchmarks.screen.query_one(OptionList).option_count == 3
        await pilot.press("enter")
        await wait_until_computed(pilot)
        assert "majority vs bag-of-words" in shown(pilot)
        await pilot.press("o", "r")
        await wait_until_computed(pilot)
        assert "bag-of-words vs majority" in shown(pilot)
        await pilot.press("o", "n")
        await wait_until_computed(pilot)
        assert "no second run to hold it against" in shown(pilot)
        await pilot.press("o", "escape")
        assert "Benchmark · bag-of-words · split test" in shown(pilot)


async def test_pairs_are_filtered_by_kind_and_cell(two_benchmarks: SidequestApp) -> None:
    async with two_benchmarks.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(two_benchmarks.screen, PairsScreen)
        assert "only reference right: 6 · f: only student right 2" in shown(pilot)
        assert "✗ ✓ REJECTED     risk 2         Claim number 1" in shown(pilot)
        assert "STUDENT ✗ REFINED 0.60" in shown(pilot)
        assert "REFERENCE ✓ REJECTED 0.60" in shown(pilot)
        assert "The cohort says so." in shown(pilot)
        await pilot.press("j")
        assert "STUDENT · refused" in shown(pilot)
        assert "it gives no reasons" not in shown(pilot)
        await pilot.press("y")
        assert "copied as JSON" in told(pilot)
        assert '"label": "REFINED"' in two_benchmarks.clipboard
        await pilot.press("f")
        assert "only student right: 2" in shown(pilot)
        await pilot.press("f", "slash", *"level:3 domain:market", "enter")
        assert "both wrong: 0 of 2 · only level:3 domain:market" in shown(pilot)
        assert "no example here" in shown(pilot)
        await pilot.press("y")
        assert "nothing here to copy" in told(pilot)
        await pilot.press("slash", "ctrl+u", *"words", "enter")
        assert "only cells can be named here" in told(pilot)
        await pilot.press("escape")
        assert isinstance(two_benchmarks.screen, PairsScreen)
        await pilot.press("escape")
        assert "newest answers" in shown(pilot)


async def test_the_answers_of_a_single_run_can_be_read(project: Project, db: sqlite3.Connection) -> None:
    write_benchmark(db, several(6), "smollm2-135m", [RIGHT, WRONG] * 3)
    app = SidequestApp(project.folder)
    async with app.run_test(size=(160, 45)) as pilot:
        await open_benchmark(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert "wrong: 3 · f: right 3" in shown(pilot)
        assert "ANSWER ✗" in shown(pilot)
        await pilot.press("f")
        assert "ANSWER ✓" in shown(pilot)


@pytest.mark.parametrize("size", [SIZE, (160, 45)])
async def test_hostile_text_is_shown_inert(project: Project, db: sqlite3.Connection, size: tuple[int, int]) -> None:
    """Every place shows text of models and of runs, and none of it acts as markup or control characters."""
    hostile = " ".join(HOSTILE).encode(errors="ignore").decode()
    cases = [
        example(id=f"01H{number:023d}", hypothesis=hostile, domain=hostile[:60], level=number % 5 + 1)
        for number in range(6)
    ]
    for model, answers in (("smollm2-135m", [WRONG] * 6), ("bag-of-words", [RIGHT, WRONG, "unparseable"] * 2)):
        run = {"state": RunState.FAILED, "reason": hostile}
        write_benchmark(db, cases, model, answers, run=run, rationale=hostile * 40, where=hostile, split="")
    app = SidequestApp(project.folder)
    async with app.run_test(size=size) as pilot:
        await open_benchmark(pilot)
        for keys, text in (
            ([], "[red]not"),
            (["c"], "CONFUSION"),
            (["v"], "[/"),
            (["w"], "NOT SETTLED"),
            (["r"], "RELIABILITY"),
            (["escape", "o"], "[red]not"),
            (["escape", "enter"], "[red]not red[/red] a[i]=b[j]"),
            (["f"], "both right"),
        ):
            await pilot.press(*keys)
            await pilot.pause()
            assert not RAW.search(shown(pilot)), keys
            await until(pilot, lambda text=text: text in shown(pilot), 5)  # type: ignore[misc]


# ------------------------------------------------------------ starting one


@pytest.fixture
def accepted(project: Project, db: sqlite3.Connection) -> SidequestApp:
    """The app on 24 accepted examples that are shared out; none is like another."""
    for number, case in enumerate(several(24)):
        own_words = " ".join(f"w{number}x{position}" for position in range(10))
        put(db, case.model_copy(update={"hypothesis": f"{case.hypothesis} It is about {own_words}."}))
    for number in range(24):
        decide(db, f"01J{number:023d}", ReviewAction.ACCEPT)
        split = "test" if number % 2 else "train"
        db.execute("UPDATE examples SET split = ?, family = ? WHERE number = ?", (split, f"f{number}", number + 1))
    return SidequestApp(project.folder)


async def test_a_benchmark_started_from_the_form_outlives_the_app(
    accepted: SidequestApp, db: sqlite3.Connection
) -> None:
    async with accepted.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        await pilot.press("g")
        await until(pilot, lambda: "asks 12 examples" in shown(pilot))
        assert "it costs no money" in shown(pilot)
        accepted.screen.query_one("#model", Select).value = "majority"
        accepted.screen.query_one("#limit", Input).value = "10"
        await until(pilot, lambda: "asks 10 examples" in shown(pilot))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "10/10" in shown(pilot) and "finished" in shown(pilot))
        assert "▸student" in shown(pilot)
        run = runs.newest(db)[0]
        assert (run.params["model"], run.params["limit"], run.params["mode"]) == ("majority", 10, "direct")
        # The reference is offered next, on the same examples and paired with the student's run.
        await pilot.press("g")
        await until(pilot, lambda: "asks 12 examples" in shown(pilot))
        form = accepted.screen
        assert isinstance(form, BenchmarkForm)
        assert form.query_one("#model", Select).value == "bag-of-words"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "▸reference" in shown(pilot))
        assert runs.newest(db)[0].params["student"] == run.id
        await pilot.press("q")
    again = SidequestApp(accepted.folder)
    async with again.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        assert "majority vs bag-of-words" in shown(pilot)
        await until(pilot, lambda: "12/12" in shown(pilot) and "running" not in shown(pilot))


async def test_an_invalid_form_shows_the_problem_and_starts_nothing(
    accepted: SidequestApp, db: sqlite3.Connection
) -> None:
    async with accepted.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        await pilot.press("g")
        form = accepted.screen
        for field, text, message in (
            ("limit", "many", "limit: many is no whole number"),
            ("limit", "0", "limit: Input should be greater than or equal to 1"),
            ("samples", "500", "samples: Input should be less than or equal to 99"),
            ("budget", "much", "budget: write a number"),
            ("where", "level:1", "only: choose 'all accepted'"),
        ):
            before = form.query_one(f"#{field}", Input).value
            form.query_one(f"#{field}", Input).value = text
            await until(pilot, lambda message=message: message in shown(pilot))  # type: ignore[misc]
            await pilot.press("ctrl+s")
            assert accepted.screen is form
            form.query_one(f"#{field}", Input).value = before
        form.query_one("#split", Select).value = "all accepted"
        form.query_one("#where", Input).value = "level:9"
        await until(pilot, lambda: "no level 9" in shown(pilot))
        form.query_one("#where", Input).value = "level:x"
        await until(pilot, lambda: "level:x is no level" in shown(pilot))
        await pilot.press("ctrl+s")
        await pilot.pause(0.2)
        assert accepted.screen is form
        await pilot.press("escape")
        assert runs.newest(db) == []


async def test_enter_moves_through_the_form_and_starts_at_its_end(
    accepted: SidequestApp, db: sqlite3.Connection
) -> None:
    async with accepted.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        await pilot.press("g")
        form = accepted.screen
        form.query_one("#model", Select).value = "random"
        form.query_one("#seed", Input).focus()
        await pilot.press("enter")
        assert form.query_one("#budget").has_focus
        await pilot.press("enter")
        await until(pilot, lambda: "12/12" in shown(pilot))
        assert runs.newest(db)[0].params["model"] == "random"


async def test_the_cost_of_a_priced_model_is_shown_before_the_start(accepted: SidequestApp) -> None:
    path = accepted.folder / FILE
    priced = (
        '\n[models.big]\nmodel = "big"\nkey_env = ""\nbase_url = "http://127.0.0.1:9/v1"\nmax_output_tokens = 1000\n'
    )
    path.write_text(path.read_text(encoding="utf-8") + priced, encoding="utf-8")
    async with accepted.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        await pilot.press("g")
        accepted.screen.query_one("#model", Select).value = "big"
        await until(pilot, lambda: "up to 12,000 out" in shown(pilot))
        assert "the cost is not known" in shown(pilot)
        await pilot.press("escape")
        with path.open("a", encoding="utf-8") as file:
            file.write("\n[prices.big]\ninput = 1.0\noutput = 10.0\n")
        await pilot.press("ctrl+r", "g")
        accepted.screen.query_one("#model", Select).value = "big"
        await until(pilot, lambda: "up to 0.12" in shown(pilot))


async def test_questions_without_an_answer_are_asked_again(accepted: SidequestApp, db: sqlite3.Connection) -> None:
    cases = several(24)[1::2]
    write_benchmark(db, cases, "majority", [RIGHT] * 6 + ["timeout"] * 6)
    async with accepted.run_test(size=SIZE) as pilot:
        await open_benchmark(pilot)
        assert "without an answer: 6 time-out" in shown(pilot)
        await pilot.press("f")
        assert "asks 6 again" in told(pilot)
        await until(pilot, lambda: "without an answer: none" in shown(pilot))
        assert runs.newest(db)[0].params["number"] == 1
