"""Two apps, a worker and the command line write to one project at once: nothing is lost, and nobody sees a lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.together import COMMAND_LINE, PEOPLE, together

# The same for five minutes: `python -m tests.bench.together`.
SECONDS = 8.0


@pytest.mark.slow
def test_all_write_at_once(tmp_path: Path) -> None:
    found = together(tmp_path / "project", SECONDS)
    assert not found.problems
    assert all(found.decisions[name] for name in (*PEOPLE, COMMAND_LINE)), found
    assert found.attempts, found
    assert found.commands, found
