"""The app through its pilot: every action on every screen; empty, full, wrong and hostile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Select, TextArea

from core.project import FILE, Project
from core.runs import control
from storage import examples, reviews, runs
from storage.examples import Filter
from storage.schema import Action, Candidate, Evidence, Run, RunState, Status
from tests.conftest import HOSTILE, example
from tests.tui.conftest import RAW, put, rendered, several
from tui.app import SidequestApp

SIZE = (80, 24)


def status(db: sqlite3.Connection, number: int) -> Status:
    found = examples.get(db, f"01J{number:023d}")
    assert found is not None
    return found.status


def shown(pilot: Pilot[int]) -> str:
    return rendered(pilot.app.screen)


def told(pilot: Pilot[int]) -> str:
    """What the app has told the person in notifications."""
    return "\n".join(notification.message for notification in pilot.app._notifications)


async def until(pilot: Pilot[int], condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, shown(pilot)
        await pilot.pause(0.05)


# ------------------------------------------------------------ opening


async def test_a_folder_without_a_project_leads_to_the_first_step(tmp_path: Path) -> None:
    app = SidequestApp(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        assert "No project here yet" in shown(pilot)
        await pilot.press("2")  # leads nowhere without a project
        assert "No project here yet" in shown(pilot)
        await pilot.press("i")
        await pilot.pause()
        assert (tmp_path / FILE).exists()
        assert "generate the first of 375" in shown(pilot)


async def test_a_broken_file_is_shown_with_its_lines_and_read_again(project: Project) -> None:
    path = project.folder / FILE
    right = path.read_text()
    path.write_text(right.replace("steps = 3", "steps = 99"))
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        assert "levels[5].steps" in shown(pilot).replace("\n", "")
        path.write_text(right)
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert "Pipeline" in shown(pilot)
        path.write_text(right.replace("steps = 3", "steps = 99"))
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert "Pipeline" in shown(pilot)  # the project that was open stays


async def test_keys_lead_everywhere_and_help_explains(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        for key, words in (("2", "Cells"), ("3", "HYPOTHESIS"), ("8", "no run yet"), ("1", "Pipeline")):
            await pilot.press(key)
            await pilot.pause()
            assert words in shown(pilot)
            await pilot.press("question_mark")
            await pilot.pause()
            assert "Everywhere" in shown(pilot) or "This screen" in shown(pilot)
            await pilot.press("escape")
        await pilot.press("q")
    assert app.return_value == 0


async def test_the_palette_holds_every_action(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        commands = {command.help for command in app.get_system_commands(app.screen)}
        assert {"Edit the example; a new version is made, the old one stays", "All runs with their logs"} <= commands
        accept = next(c for c in app.get_system_commands(app.screen) if c.title == "Accept")
        await accept.callback()
        await pilot.pause()
        assert status(app.db, 0) is Status.ACCEPTED


# ------------------------------------------------------------ home


async def test_home_counts_and_leads_on(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        assert "12 examples wait for review" in shown(pilot)
        assert "4 of 150–200" in shown(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert "HYPOTHESIS" in shown(pilot)


async def test_home_sees_what_another_process_decides(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        reviews.decide(db, f"01J{0:023d}", Action.ACCEPT)
        await until(pilot, lambda: "Accepted 1" in shown(pilot), 5)


async def test_home_names_a_lost_run(app: SidequestApp, db: sqlite3.Connection) -> None:
    long_ago = example().created.replace(year=2020)
    runs.add(db, Run(kind="generate", state=RunState.RUNNING, pid=1, pid_started=1.0, heartbeat=long_ago))
    async with app.run_test(size=SIZE) as pilot:
        assert "was lost" in shown(pilot)
        await pilot.press("8")
        await pilot.pause()
        assert "lost" in shown(pilot)


# ------------------------------------------------------------ review


async def test_decisions_are_saved_at_once_and_the_next_is_there(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        assert "Claim number 0" in shown(pilot)
        await pilot.press("a")
        assert status(db, 0) is Status.ACCEPTED
        await pilot.pause()
        assert "Claim number 1" in shown(pilot)
        await pilot.press("x")
        await pilot.pause()
        assert "1 wrong decision" in shown(pilot)
        await pilot.press("2")
        assert status(db, 1) is Status.REJECTED
        assert reviews.newest(db, 1)[0].reason == "ambiguous"
        await pilot.press("x", "escape")
        assert status(db, 2) is Status.PENDING
        await pilot.press("x", "enter")
        assert status(db, 2) is Status.REJECTED
        await pilot.press("s", "f")
        found = examples.get(db, f"01J{4:023d}")
        assert found is not None
        assert found.flagged
        await pilot.press("exclamation_mark")
        assert examples.count(db, Filter(flagged=True)) == 0
        await pilot.press("k")
        await pilot.pause()
        assert "Claim number 3" in shown(pilot)
        await pilot.press("j", "j")
        await pilot.pause()
        assert "Claim number 5" in shown(pilot)
        assert "9 wait" in shown(pilot)


async def test_undo_shows_what_it_took_back_even_after_a_restart(project: Project, app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("a", "a")
        await pilot.press("u")
        await pilot.pause()
        assert "Claim number 1" in shown(pilot)
    again = SidequestApp(project.folder)
    async with again.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("u")
        await pilot.pause()
        assert "Claim number 0" in shown(pilot)
        assert status(again.db, 0) is Status.PENDING
        await pilot.press("u")
        await pilot.pause()
        assert "nothing left to undo" in told(pilot)


async def test_the_end_of_the_queue_says_so(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press(*["a"] * 12)
        await pilot.pause()
        assert "That was the last one" in shown(pilot)
        await pilot.press("a", "x", "f", "e", "y")
        await pilot.pause()
        assert "That was the last one" in shown(pilot)


async def test_the_filter_chooses_and_names_a_mistake(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("slash")
        pilot.app.screen.query_one("#filter", Input).value = "domain:risk level:2"
        await pilot.press("enter")
        await pilot.pause()
        assert "Claim number 1 " in shown(pilot)
        await pilot.press("slash")
        pilot.app.screen.query_one("#filter", Input).value = "colour:red"
        await pilot.press("enter")
        await pilot.pause()
        assert "no field colour" in told(pilot)
        pilot.app.screen.query_one("#filter", Input).value = "zebra"
        await pilot.press("enter")
        await pilot.pause()
        assert "Nothing matches zebra" in shown(pilot)
        await pilot.press("slash", "escape")
        await pilot.pause()
        assert not pilot.app.screen.query_one("#filter").has_class("open")


async def test_an_example_that_does_not_fit_scrolls(app: SidequestApp, db: sqlite3.Connection) -> None:
    put(db, example(id="01A" + "0" * 23, reasoning="word " * 2000))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        scroll = pilot.app.screen.query_one("#example")
        await pilot.press("space")
        assert scroll.scroll_y > 0
        await pilot.press("pageup")
        assert scroll.scroll_y == 0
        await pilot.press("down", "down", "up")
        assert scroll.scroll_y == 1


async def test_copy_gives_ascii_json(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("y")
        assert json.loads(app.clipboard)["hypothesis"] == "Claim number 0 about paid conversion."
        assert app.clipboard.isascii()


async def test_an_edit_is_checked_field_by_field_and_makes_a_version(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("e")
        await pilot.pause()
        screen = pilot.app.screen
        screen.query_one("#confidence", Input).value = "2"
        screen.query_one("#hypothesis", TextArea).text = "Edited claim."
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "confidence: input should be less than or equal to 1" in shown(pilot)
        screen.query_one("#confidence", Input).value = "0.97"
        screen.query_one("#domain", Select).value = "risk"
        await pilot.press("ctrl+n")
        await pilot.pause()
        piece = screen.query(".panel").last()
        piece.query_one(".source", Input).value = "Third report"
        piece.query_one(".content", TextArea).text = "Sales rose again."
        await pilot.press("ctrl+s")
        await pilot.pause()
        found = examples.get(db, f"01J{0:023d}")
        assert found is not None
        assert (found.version, found.hypothesis, found.confidence, found.domain) == (2, "Edited claim.", 0.97, "risk")
        assert [one.source for one in found.evidence] == ["Report 0", "Survey 0", "Third report"]
        assert "Edited claim." in shown(pilot)
        await pilot.press("e")
        await pilot.pause()
        pilot.app.screen.query(".source").first().focus()
        await pilot.press("ctrl+d")
        await pilot.pause()
        await pilot.press("ctrl+s")
        await pilot.pause()
        found = examples.get(db, f"01J{0:023d}")
        assert found is not None
        assert len(found.evidence) == 2
        await pilot.press("e")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.press("u", "u")
        found = examples.get(db, f"01J{0:023d}")
        assert found is not None
        assert found.hypothesis == "Claim number 0 about paid conversion."


# ------------------------------------------------------------ generate and runs


async def test_a_run_is_started_watched_paused_stopped_and_resumed(project: Project, db: sqlite3.Connection) -> None:
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("2")
        await pilot.pause()
        screen = pilot.app.screen
        screen.query_one("#attempts_per_minute", Input).value = "600"
        screen.query_one("#n", Input).value = "60"
        await pilot.press("g")
        await until(pilot, lambda: "running" in shown(pilot) and "passed QA" in shown(pilot))
        run = runs.newest(db)[0]
        await pilot.press("p")
        await until(pilot, lambda: "paused" in shown(pilot))
        await pilot.press("p")
        await until(pilot, lambda: " running" in shown(pilot))
        await pilot.press("x")
        await pilot.pause()
        assert "Stop run" in shown(pilot)
        await pilot.press("n")
        await pilot.press("x", "y")
        await until(pilot, lambda: " stopped" in shown(pilot))
        await pilot.press("8")
        await until(pilot, lambda: "stopped on request" in shown(pilot))
        await pilot.press("r")
        await until(pilot, lambda: "goes on from where it was" in told(pilot))
        await pilot.press("q")
    # The app has gone; the run has not.
    deadline = time.monotonic() + 30
    while not control.look(found := runs.get(db, run.id) or run).state.ended:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert found.state is RunState.FINISHED
    assert examples.count(db) == 60


async def test_the_form_names_what_is_wrong_and_starts_nothing(project: Project, db: sqlite3.Connection) -> None:
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("2")
        await pilot.pause()
        screen = pilot.app.screen
        for field, text, message in (
            ("n", "many", "n: many is no number"),
            ("cells", "domain:sports", "no domain sports"),
            ("cells", "words", "words is no cell"),
            ("flaws", "7", "flaws"),
        ):
            before = screen.query_one(f"#{field}", Input).value
            screen.query_one(f"#{field}", Input).value = text
            screen.query_one("#grid").focus()
            await pilot.press("g")
            await pilot.pause()
            assert message in told(pilot)
            screen.query_one(f"#{field}", Input).value = before
            pilot.app.clear_notifications()
        await pilot.press("p", "x")
        await pilot.pause()
        assert runs.newest(db) == []


async def test_the_cell_under_the_cursor_can_be_chosen(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("2")
        await pilot.pause()
        screen = pilot.app.screen
        screen.query_one("#grid", DataTable).move_cursor(row=3, column=2)
        await pilot.press("c")
        assert screen.query_one("#cells", Input).value == "domain:risk level:2"
        await pilot.press("enter")
        assert screen.query_one("#cells", Input).value == ""
        screen.query_one("#n", Input).focus()
        await pilot.press("escape")
        assert screen.query_one("#grid").has_focus


# ------------------------------------------------------------ hostile text, the terminal


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_no_hostile_text_reaches_the_screen_raw(
    project: Project, db: sqlite3.Connection, size: tuple[int, int]
) -> None:
    from storage import attempts
    from storage.schema import Attempt, Outcome, Result, Verdict

    run = Run(kind="generate", state=RunState.FAILED, reason="".join(HOSTILE))
    runs.add(db, run)
    texts = [*HOSTILE, "x" * 1_048_576]
    for number, text in enumerate(texts):
        piece = Evidence(source=text, content=text, relevance=0.9)
        candidate = Candidate(hypothesis=text, evidence=[piece], reasoning=text, decision=text, confidence=0.5)
        attempt = Attempt(
            run=run.id, domain=text[:999], level=1, decision="V", slot=number, number=0, idea=0, candidate=candidate,
            outcome=Outcome.WRITTEN, family="f", source="s", model=text, seed=0, detail=text, raw=text,
        )  # fmt: skip
        attempts.add_attempt(db, attempt, None)
        verdict = Verdict(
            attempt=attempt.id, result=Result.PASSED, stage="judge", reason=text, critique=text, blind_decision=text
        )
        put_in = example(
            hypothesis=text, evidence=[piece], reasoning=text, decision=text, domain=text[:999], model=text,
            source=text, attempt=attempt.id, run=run.id,
        )  # fmt: skip
        attempts.add_verdict(db, verdict, put_in)
        runs.log(db, run.id, text)
    app = SidequestApp(project.folder)
    async with app.run_test(size=size) as pilot:
        screens = [shown(pilot)]
        for key in ("2", "8", "3"):
            await pilot.press(key)
            await pilot.pause()
            screens.append(shown(pilot))
        for _ in texts:
            for keys in (("x",), ("escape", "f"), ("e",), ("escape", "j")):
                await pilot.press(*keys)
                await pilot.pause()
                screens.append(shown(pilot))
        await pilot.press("u")
        await pilot.pause()
        screens.append(shown(pilot))
    for painted in screens:
        assert not RAW.search(painted), RAW.findall(painted)


def test_sigterm_gives_the_terminal_back(project: Project) -> None:
    import pty
    import select

    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        command = str(Path(sys.executable).with_name("sidequest"))
        os.execv(command, [command, "-C", str(project.folder)])  # noqa: S606
    seen = b""
    deadline = time.monotonic() + 30
    sent = False
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                break
        if b"Pipeline" in seen and not sent:
            os.kill(pid, signal.SIGTERM)
            sent = True
    _, code = os.waitpid(pid, 0)
    assert sent
    assert os.waitstatus_to_exitcode(code) == 0
    assert b"\x1b[?1049l" in seen  # the alternate screen was left
    assert b"\x1b[?25h" in seen  # the cursor is back


def test_no_colour_is_heeded(project: Project) -> None:
    code = (
        "import sys; from pathlib import Path; from tui.app import SidequestApp; "
        "app = SidequestApp(Path(sys.argv[1])); print(app.no_color)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(project.folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.parametrize("theme", ["textual-light", "textual-dark", "nord"])
async def test_every_theme_draws(app: SidequestApp, theme: str) -> None:
    async with app.run_test(size=SIZE) as pilot:
        app.theme = theme
        for key in "1238":
            await pilot.press(key)
            await pilot.pause()
        assert "no run yet" in shown(pilot)


async def test_a_narrow_and_a_tall_terminal(app: SidequestApp, db: sqlite3.Connection) -> None:
    put(db, *(one.model_copy(update={"id": f"01K{i:023d}"}) for i, one in enumerate(several(3))))
    async with app.run_test(size=(40, 10)) as pilot:
        for key in "1238":
            await pilot.press(key)
            await pilot.pause()
        await pilot.resize_terminal(200, 60)
        await pilot.press("3")
        await pilot.pause()
        assert "15 wait" in shown(pilot)
