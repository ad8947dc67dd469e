"""Time from start to the first painted screen, in a pseudo-terminal of 80x24, next to an empty Textual app.

`python -m tests.bench.startup [--json] [--rounds N]`: the medians of N rounds, in which the three take turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from core.config.project import create
from storage import examples
from storage.database import connect, transaction
from storage.schema import Evidence, Example
from tests.terminal import SIDEQUEST, Terminal, shows

EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("first screen")
Empty().run()
"""


def fill(folder: Path, count: int) -> None:
    """A project with `count` pending examples."""
    create(folder)
    connection = connect(folder / "sidequest.db")
    with transaction(connection):
        for i in range(count):
            pieces = [Evidence(source=f"Report {i}", content=f"In period {i} sales rose.", relevance=0.9)] * 2
            example = Example(
                hypothesis=f"Claim number {i} about sales.",
                evidence=pieces,
                reasoning="They rose.",
                decision=("VALIDATED", "REJECTED", "REFINED")[i % 3],
                confidence=0.9,
                family=f"f{i // 9}",
                domain=("market", "risk", "technical")[i % 3],
                level=1 + i % 5,
                source="import",
            )
            examples.add(connection, example)
    connection.close()


def first_paint(command: list[str], cwd: Path, marker: str) -> float:
    """Seconds from the start of `command` until `marker` is on its terminal; it is killed then."""
    with Terminal(command, cwd) as terminal:
        _, painted = terminal.until(shows(marker))
        return painted - terminal.started


def measure(rounds: int) -> dict[str, float]:
    """Medians in seconds: an empty Textual app, ours with an empty project, ours with 10,000 examples."""
    times: dict[str, list[float]] = {"empty_textual_s": [], "app_empty_s": [], "app_10k_s": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder / "empty", 0)
        fill(folder / "full", 10_000)
        script = folder / "empty.py"
        script.write_text(EMPTY, encoding="utf-8")
        for turn in range(rounds + 1):
            once = {
                "empty_textual_s": first_paint([sys.executable, str(script)], folder, "first screen"),
                "app_empty_s": first_paint([SIDEQUEST], folder / "empty", "VALIDATED"),
                "app_10k_s": first_paint([SIDEQUEST], folder / "full", "VALIDATED"),
            }
            if turn:  # the first warms the disk's cache
                for key, seconds in once.items():
                    times[key].append(seconds)
    return {key: round(statistics.median(values), 4) for key, values in times.items()}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    medians = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps(medians))
    else:
        for key, seconds in medians.items():
            print(f"{key:<16} {seconds * 1000:6.0f} ms  {seconds / medians['empty_textual_s']:.2f}x")


if __name__ == "__main__":
    main()
