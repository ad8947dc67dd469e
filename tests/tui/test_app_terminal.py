"""The app in its terminal: hostile text, signals, colours."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.config.project import Project
from storage import runs
from storage.schema import Candidate, Evidence, Result, Run, RunState
from tests.conftest import HOSTILE, example
from tests.tui.conftest import RAW, SIZE, shown
from tui.app import SidequestApp


@pytest.mark.parametrize("size", [SIZE, (160, 45)])
async def test_no_hostile_text_reaches_the_screen_raw(
    project: Project, db: sqlite3.Connection, size: tuple[int, int]
) -> None:
    from storage import attempts
    from storage.schema import Attempt, Outcome, Verdict

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
        # The questions and forms are the same on a wide terminal: there it is enough to see each example.
        steps = (("x",), ("escape", "f", "e"), ("escape", "j")) if size == SIZE else (("j",),)
        for _ in texts:
            for keys in steps:
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


@pytest.mark.parametrize("theme", ["textual-light", "nord"])
async def test_every_theme_draws(app: SidequestApp, theme: str) -> None:
    async with app.run_test(size=SIZE) as pilot:
        app.theme = theme
        for key in "1238":
            await pilot.press(key)
            await pilot.pause()
        assert "no run yet" in shown(pilot)
