"""How near a benchmark over an endpoint comes to what the endpoint allows, with the app watching.

`python -m tests.bench.client [--json] [--rounds N]`. A server on loopback, a process of its own, answers 128 requests
a second: 64 in flight with 0.5 s each, and 256 with 2 s. The app is open on the benchmark, in a pseudo-terminal.
Efficiency is the ideal time, questions x latency / in flight, over the time from the first request to the last commit;
the first seconds, in which the number in flight grows from 20, are counted. A round asks until they weigh little: 4,000
questions of 64, 24,000 of 256.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
from pathlib import Path

from core.benchmark.start import start_benchmark
from core.config.case import Mode
from core.config.project import FILE, Project, create, open_project
from core.runs.params import BenchmarkParams
from storage.database import connect
from tests.bench.generation import finish, server
from tests.core.judged_runs import fill
from tests.terminal import SIDEQUEST, Terminal, shows

# In flight: seconds of an answer, and how many are asked for.
LOADS = {64: (0.5, 4_000), 256: (2.0, 24_000)}

MODEL = """
[models.loopback]
model = "loopback"
base_url = "{url}"
key_env = ""
max_in_flight = {in_flight}
"""


def project(folder: Path, url: str, in_flight: int) -> Project:
    """A project that knows the endpoint at `url`."""
    create(folder)
    path = folder / FILE
    path.write_text(path.read_text(encoding="utf-8") + MODEL.format(url=url, in_flight=in_flight), encoding="utf-8")
    return open_project(folder)


def efficiency(folder: Path, in_flight: int, asked: int | None) -> float:
    """Efficiency of one benchmark, by the times of its predictions."""
    latency_s, number = LOADS[in_flight]
    with server(latency_s) as url:
        made = project(folder, url, in_flight)
        connection = connect(made.database)
        fill(connection, asked or number)
        with Terminal([SIDEQUEST, "-C", str(folder)], folder, (160, 45)) as terminal:
            terminal.until(shows("Home"))
            run = start_benchmark(made, connection, BenchmarkParams(model="loopback", mode=Mode.SCHEMA, split="test"))
            terminal.send("6")
            while not ended(connection, run.id):
                terminal.drain(0.5)
        finish(connection, run)
        count, first, last = connection.execute(
            "SELECT count(*), min(julianday(created) - seconds / 86400), max(julianday(created)) "
            "FROM predictions WHERE run = ?",
            (run.id,),
        ).fetchone()
    return float(count * latency_s / in_flight / ((last - first) * 86400))


def ended(connection: sqlite3.Connection, run: str) -> bool:
    """Whether the run has an end."""
    return connection.execute("SELECT ended FROM runs WHERE id = ?", (run,)).fetchone()[0] is not None


def main() -> None:
    """Print the figures: the median of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--questions", type=int, help="Instead of the loads' own.")
    asked = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as name:
        for in_flight in LOADS:
            rounds = [
                efficiency(Path(name) / f"{in_flight}-{turn}", in_flight, asked.questions)
                for turn in range(asked.rounds)
            ]
            found.append({"in_flight": in_flight, "efficiency": round(statistics.median(rounds), 4)})
    if asked.json:
        print(json.dumps(found))
        return
    for one in found:
        print(f"{one['in_flight']} in flight: {one['efficiency']:.1%} of the ideal rate")


if __name__ == "__main__":
    main()
