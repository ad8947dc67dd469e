"""The app as a whole through its pilot: opening, Home, sizes, the palette, notices."""

from __future__ import annotations

import os
import pkgutil
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import psutil
import pytest
from textual.dom import DOMNode
from textual.widgets import TextArea

from core.config.project import FILE, Project
from storage import runs
from storage.schema import Result, ReviewAction, Run, RunState, Status
from tests.conftest import example
from tests.storage.test_database import EXTRA, one_more
from tests.stored import decide
from tests.tui.conftest import SIZE, put, several, shown, status, told, until
from tests.tui.test_review_queues import attempt
from tui import screens, widgets
from tui.app import SidequestApp
from tui.screens import project_screen

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
        assert "Make a project" not in shown(pilot)  # there is one
        path.write_text(right.replace("steps = 3", "stepps = 3"))
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert "levels[5].stepps" in shown(pilot).replace("\n", "")
        assert "levels[5].steps:" not in shown(pilot).replace("\n", "")
        path.write_text(right)
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert "Pipeline" in shown(pilot)
        path.write_text(right.replace("steps = 3", "steps = 99"))
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert "Pipeline" in shown(pilot)  # the project that was open stays
        words = " ".join(shown(pilot).replace("│", "").split())
        assert "! sidequest.toml:" in words
        assert "levels[5].steps: input should be" in words
        assert "mend it, then ctrl+r reads it again; until then all is as before" in words
        await pilot.press("8")
        await until(pilot, lambda: "! sidequest.toml:" in shown(pilot))


async def test_a_database_that_was_migrated_is_said_once(
    project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_more(monkeypatch, EXTRA)
    for said in (True, False):
        async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
            await pilot.pause()
            assert ("was brought from version" in told(pilot)) is said


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
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert len(titles) == len(set(titles))
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
        decide(db, f"01J{0:023d}", ReviewAction.ACCEPT)
        await until(pilot, lambda: "Accepted 1" in shown(pilot), 5)


async def test_home_names_a_lost_run(app: SidequestApp, db: sqlite3.Connection) -> None:
    long_ago = example().created.replace(year=2020)
    runs.add(db, Run(kind="generate", state=RunState.RUNNING, pid=1, pid_started=1.0, heartbeat=long_ago))
    async with app.run_test(size=SIZE) as pilot:
        assert "was lost" in shown(pilot)
        await pilot.press("8")
        await pilot.pause()
        assert "lost" in shown(pilot)


async def test_home_lists_one_of_many_lost_runs(app: SidequestApp, db: sqlite3.Connection) -> None:
    long_ago = example().created.replace(year=2020)
    for number in range(30):
        lost = Run(kind="generate", state=RunState.RUNNING, pid=1, pid_started=1.0, heartbeat=long_ago)
        runs.add(db, lost.model_copy(update={"id": f"01J{number:023d}"}))
    async with app.run_test(size=SIZE) as pilot:
        assert shown(pilot).count("✗") == 1
        assert "✗ generate  000029" in shown(pilot)
        assert "and 29 more that were lost: 8 Runs" in shown(pilot)
        assert "generate run 000029 was lost (and 29 more)" in shown(pilot)


async def test_what_was_imported_passed_no_judge(project: Project, db: sqlite3.Connection) -> None:
    put(db, *several(3))
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        assert "Curriculum 375 ▸ Imported 3 ▸ Reviewed 0 ▸ Accepted 0" in shown(pilot)
    attempt(db, 0, result=Result.PASSED)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        assert "Generated 1 ▸ QA passed 1 ▸ Imported 3 ▸ Reviewed 0 " in shown(pilot)
        assert "│  ▸ Accepted 0 " in shown(pilot)  # in a line of its own, whole


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is there until it is killed."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


async def test_the_bar_is_right_where_nothing_is_written(
    app: SidequestApp, db: sqlite3.Connection, worker: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time passes, and a worker that is killed writes nothing."""
    started = psutil.Process(worker.pid).create_time()
    long_ago = example().created.replace(year=2020)
    runs.add(db, Run(kind="generate", state=RunState.RUNNING, pid=worker.pid, pid_started=started, heartbeat=long_ago))
    monkeypatch.setattr(project_screen, "clock", lambda: "14:02")
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("3")
        await pilot.pause()
        assert "1 run · 14:02" in shown(pilot)
        worker.kill()
        worker.wait()
        monkeypatch.setattr(project_screen, "clock", lambda: "14:03")
        await until(pilot, lambda: "14:03" in shown(pilot), 5)
        assert "1 run" not in shown(pilot)


# ------------------------------------------------------------ sizes, the palette, the footer


async def test_a_narrow_and_a_tall_terminal(app: SidequestApp, db: sqlite3.Connection) -> None:
    put(db, *(one.model_copy(update={"id": f"01K{i:023d}"}) for i, one in enumerate(several(3))))
    async with app.run_test(size=(40, 10)) as pilot:
        for key in "1238":
            await pilot.press(key)
            await pilot.pause()
        await pilot.resize_terminal(200, 60)
        await pilot.press("3")
        await pilot.pause()
        assert "15 left" in shown(pilot)


async def test_an_action_of_the_palette_and_of_the_mouse_acts(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("ctrl+p")
        await pilot.pause(0.2)
        await pilot.press(*"Accept")
        await until(pilot, lambda: "Accept the example" in shown(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: status(db, 0) is Status.ACCEPTED)
        await until(pilot, lambda: "Claim number 1" in shown(pilot))
        footer = shown(pilot).splitlines()[-1]
        await pilot.click(offset=(footer.index("Accept"), 23))
        await until(pilot, lambda: status(db, 1) is Status.ACCEPTED)
        bar = shown(pilot).splitlines()[0]
        await pilot.click(offset=(bar.index("8 Runs"), 0))
        await until(pilot, lambda: "no run yet" in shown(pilot))


async def test_the_footer_shows_only_keys_that_act(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        for keys, there in ((["x"], False), (["escape"], True), (["slash"], False), (["escape"], True)):
            await pilot.press(*keys)
            await until(pilot, lambda: "a Accept" in shown(pilot), 3, so=there)


async def test_the_palette_leads_to_the_actions_of_other_screens(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"Go to Runs: Kill")
        await until(pilot, lambda: "(K, there)" in " ".join(shown(pilot).split()))
        await pilot.press("enter")
        await until(pilot, lambda: "no run yet" in shown(pilot))


def titles(app: SidequestApp) -> set[str]:
    return {command.title for command in app.get_system_commands(app.screen)}


async def test_the_palette_offers_only_what_acts(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        assert {"Go there", "Runs", "Go to Runs: Kill", "Help", "Quit"} <= titles(app)
        assert not {"Home", "Suspend", "Go to Home: Go there"} & titles(app)  # here already; no terminal to go back to
        await pilot.press("3", "x")
        await until(pilot, lambda: app.screen.check_action("answer", (0,)) is True)
        assert not {"Accept", "Home", "Go to Runs: Kill"} & titles(app)  # a question waits for its answer
        await pilot.press("escape", "slash")
        await until(pilot, lambda: "Accept" not in titles(app))
        await pilot.press("escape")
        await until(pilot, lambda: "Accept" in titles(app))
        await pilot.press("e")
        await until(pilot, lambda: "Save" in titles(app))
        assert not {"Home", "Accept", "Go to Runs: Kill"} & titles(app)


async def test_the_palette_asks_the_screen_that_it_lies_over(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("ctrl+p")
        await until(pilot, lambda: len(app.screen_stack) > 1)
        assert {"Accept", "Home"} <= {c.title for c in app.get_system_commands(app.screen_stack[0])}


async def test_a_folder_without_a_project_offers_no_place(tmp_path: Path) -> None:
    app = SidequestApp(tmp_path)
    async with app.run_test(size=SIZE):
        assert "Make a project here" in titles(app)
        assert not {"Home", "Runs", "Go to Runs: Kill"} & titles(app)


async def test_ctrl_z_puts_the_app_aside_but_not_what_was_typed(
    app: SidequestApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = list[tuple[int, int]]()
    async with app.run_test(size=SIZE) as pilot:
        monkeypatch.setattr(type(app._driver), "can_suspend", property(lambda _: True))
        monkeypatch.setattr("textual.app.os.kill", lambda *call: sent.append(call))
        await pilot.press("ctrl+z")
        assert sent == [(os.getpid(), signal.SIGTSTP)]
        await pilot.press("3", "question_mark")
        await until(pilot, lambda: "This screen" in shown(pilot))
        await pilot.press("ctrl+z")  # under the help as well
        assert len(sent) == 2
        await pilot.press("escape", "e")
        await until(pilot, lambda: isinstance(app.focused, TextArea))
        assert isinstance(app.focused, TextArea)
        before = app.focused.text
        await pilot.press("w", "ctrl+z")
        assert app.focused.text == before
        assert len(sent) == 2


# ------------------------------------------------------------ notices


async def test_no_more_than_a_notice_and_an_error_at_once(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        for number in range(4):
            app.notify(f"error {number}", markup=False, severity="error")
            app.notify(f"notice {number}", markup=False)
        await until(pilot, lambda: [one.message for one in app._notifications] == ["error 3", "notice 3"])
        await until(pilot, lambda: "notice 3" in shown(pilot))
        lines = shown(pilot).splitlines()
        assert lines[0].rstrip().endswith("error 3")  # over the bar, not over what one works on
        assert lines[1].rstrip().endswith("notice 3")


async def test_under_a_question_the_screen_goes_on_and_offers_no_key(app: SidequestApp, db: sqlite3.Connection) -> None:
    run = Run(kind="generate", state=RunState.RUNNING, pid=os.getpid(), progress={"done": 1, "total": 9})
    run = run.model_copy(update={"pid_started": psutil.Process().create_time()})
    runs.add(db, run)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("8")
        await until(pilot, lambda: "1/9" in shown(pilot))
        await until(pilot, lambda: "p Pause" in shown(pilot))
        await pilot.press("x")
        await until(pilot, lambda: "It can be resumed" in " ".join(shown(pilot).split()))
        await until(pilot, lambda: "p Pause" not in shown(pilot))
        runs.update(db, run.id, progress={"done": 2, "total": 9})
        await until(pilot, lambda: "2/9" in shown(pilot))
        await pilot.press("n")
        await until(pilot, lambda: "p Pause" in shown(pilot))


async def test_the_reviewer_is_named_and_a_small_terminal_says_so(project: Project) -> None:
    async with SidequestApp(project.folder, "ann").run_test(size=(120, 30)) as pilot:
        assert "as ann" in shown(pilot)
        await pilot.resize_terminal(50, 10)
        await until(pilot, lambda: "too small: 60x15 shows all" in shown(pilot))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "Pipeline" in shown(pilot) and "5 Dataset" in shown(pilot))


def test_the_style_sheet_names_only_classes_that_exist(app: SidequestApp) -> None:
    """A selector of a class that was renamed styles nothing, and no error says so."""
    for package in (screens, widgets):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    classes, names = [DOMNode], set()
    while classes:
        names.add((node := classes.pop()).__name__)
        classes += node.__subclasses__()
    (sheet,) = app.css_path
    selectors = re.sub(r"\{.*?\}", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert set(re.findall(r"(?<![\w.#-])[A-Z]\w*", selectors)) <= names
