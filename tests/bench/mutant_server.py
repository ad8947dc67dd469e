"""Runs tests under one mutant after another, each in a fork of a process that holds libraries and nothing else.

    python -P tests/bench/mutant_server.py

`tests/bench/mutants.py` starts it in the copy. A line of its input is a JSON object with `mutant` (empty: none),
`tests`, `limit_s`, and `first` (stop at the first failure). The answer is a line with `outcome`: "passed", "failed" (a
test, or the import of its file), "timeout" (after `limit_s` seconds by the clock), "crashed" (the process died) or "not
run" (pytest ran no test); and with `failed`, the names of the tests that did. For the mutant "stats", which is no
mutant, it has `reach` as well: the functions that each test has called, and its seconds.

The project's own modules are imported in the fork, so a mutant is active while they are imported, too.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

# Imported once here, so that no fork has to. None of them starts a thread.
LIBRARIES = (
    "aiohttp",
    "hypothesis.strategies",
    "jinja2",
    "mutmut.configuration",
    "numpy",
    "pydantic",
    "pytest_asyncio",
    "rich.text",
)
MEMORY = 8 * 2**30
OUTCOMES = {0: "passed", 1: "failed", 2: "failed", 3: "failed"}


class Record:
    """A plugin of pytest that keeps what failed, and what mutmut saw each test call."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.reach: dict[str, tuple[list[str], float]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a test that failed, in its set-up or after it too; and how long it took."""
        if report.failed:
            self.failed.append(report.nodeid)
        if report.when == "call":
            self.reach[report.nodeid] = ([], report.duration)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Keep the functions that were called since the last test."""
        called = state()._stats
        if nodeid in self.reach:
            self.reach[nodeid][0].extend(sorted(called))
        called.clear()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep a file that cannot be imported."""
        if report.failed:
            self.failed.append(report.nodeid)


def run_tests(mutant: str, tests: Sequence[str], folder: str, first: bool) -> dict[str, object]:
    """Run `tests` in this process, which is used up by it; `first`: stop at the first failure."""
    set_mutant_under_test(mutant)
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = f"{folder}/hypothesis"
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    record = Record()
    options = ["-q", "-n", "0", "-m", "not slow", "-p", "no:cacheprovider", "--rootdir=.", "--tb=native"]
    options += ["--hypothesis-seed=0", f"--basetemp={folder}/tests", *(["-x"] if first else [])]
    code = int(pytest.main([*options, *tests], plugins=[record]))
    return {
        "outcome": OUTCOMES.get(code, "not run"),
        "failed": record.failed,
        "reach": record.reach if mutant == "stats" else {},
    }


def run_in_fork(mutant: str, tests: Sequence[str], limit_s: float, first: bool) -> dict[str, object]:
    """Run `tests` in a fork, and end it and all that it started after `limit_s` seconds."""
    folder = tempfile.mkdtemp(prefix="mutant-")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(reading)
        try:
            result = run_tests(mutant, tests, folder, first)
            with os.fdopen(writing, "w") as pipe:
                json.dump(result, pipe)
        finally:
            os._exit(0)
    os.close(writing)
    end = time.monotonic() + limit_s
    answer_text = b""
    late = False
    while not late:
        ready, _, _ = select.select([reading], [], [], max(0.0, end - time.monotonic()))
        late = not ready
        if ready:
            part = os.read(reading, 65536)
            answer_text += part
            if not part:
                break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    shutil.rmtree(folder, ignore_errors=True)
    if answer_text:
        answer: dict[str, object] = json.loads(answer_text)
        return answer
    return {"outcome": "timeout" if late else "crashed", "failed": [], "reach": {}}


def main() -> None:
    """Answer each line."""
    for library in LIBRARIES:
        importlib.import_module(library)
    for line in sys.stdin:
        request = json.loads(line)
        answer = run_in_fork(request["mutant"], request["tests"], request["limit_s"], request["first"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
