"""How near generation comes to what the endpoint allows, and how fast the embedded source is.

`python -m tests.bench.generation [--json] [--attempts N]`. A server on loopback, a process of its own, answers each
request after 0.5 s; 64 may be in flight. Efficiency is the ideal time, attempts x latency / in flight, over the time
from the first request to the last commit, or to the last answer for the bare asyncio loop over the same client library.
Every attempt of the run is judged, and committed with its verdict. Both are done in turns, twice; medians are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.config.project import FILE, Project, create, open_project
from core.generation.start import start_generation
from core.runs.control import run_status
from core.runs.params import GenerateParams
from storage import runs
from storage.database import connect
from storage.schema import Run, RunState

LATENCY_S = 0.5
IN_FLIGHT = 64

MODEL = """
[models.loopback]
model = "loopback"
base_url = "{url}"
key_env = ""
max_in_flight = {in_flight}
"""


@contextmanager
def server(latency_s: float) -> Iterator[str]:
    """A loopback server in a process of its own; yields its base URL."""
    command = [sys.executable, "-m", "tests.loopback", "--port", "0", "--latency", str(latency_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def project(folder: Path, examples: int, url: str) -> Project:
    """A project that wants so many examples, and knows the endpoint at `url`."""
    create(folder)
    path = folder / FILE
    share = examples // 2, examples - examples // 2 - examples // 4, examples // 4
    quotas = iter(share)

    def quota(_: re.Match[str]) -> str:
        n = next(quotas)
        return f"min = {n}\nmax = {n}"

    text = re.sub(r"min = \d+\nmax = \d+", quota, path.read_text(encoding="utf-8"))
    path.write_text(text + MODEL.format(url=url, in_flight=IN_FLIGHT), encoding="utf-8")
    return open_project(folder)


def finish(connection: sqlite3.Connection, run: Run) -> Run:
    """Wait for the run to end well."""
    while True:
        found = runs.get(connection, run.id)
        if found is not None and run_status(found).state.ended:
            if found.state is not RunState.FINISHED:
                raise RuntimeError(f"the run is {found.state}: {found.reason}")
            return found
        time.sleep(0.1)


def endpoint_run(folder: Path, attempts: int, url: str) -> float:
    """Efficiency of a run over the endpoint, by the times of its stored attempts and verdicts."""
    made = project(folder, attempts, url)
    connection = connect(made.database)
    params = GenerateParams.of(made.task).model_copy(update={"source": "loopback"})
    finish(connection, start_generation(made, connection, params))
    count, first, last = connection.execute(
        "SELECT count(*), min(julianday(a.created) - a.seconds / 86400), max(julianday(v.created)) "
        "FROM attempts AS a JOIN verdicts AS v ON v.attempt = a.id"
    ).fetchone()
    return float(count * LATENCY_S / IN_FLIGHT / ((last - first) * 86400))


def bare_loop(attempts: int, url: str) -> float:
    """Efficiency of an asyncio loop over the client library, that keeps nothing."""
    import openai

    async def work() -> float:
        client = openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0)
        messages = [{"role": "user", "content": "Write an example." * 100}]
        left = iter(range(attempts))

        async def line() -> None:
            for _ in left:
                await client.chat.completions.create(model="loopback", messages=messages)  # type: ignore[arg-type]

        started = time.perf_counter()
        await asyncio.gather(*(line() for _ in range(IN_FLIGHT)))
        seconds = time.perf_counter() - started
        await client.close()
        return attempts * LATENCY_S / IN_FLIGHT / seconds

    return asyncio.run(work())


def procedural_rate(folder: Path, examples: int) -> float:
    """Examples per second of the embedded source with QA and commits, from the worker's claim to its end."""
    made = project(folder, examples, "http://127.0.0.1:9/v1")
    connection = connect(made.database)
    run = finish(connection, start_generation(made, connection, GenerateParams.of(made.task)))
    if run.started is None or run.ended is None:
        raise RuntimeError("the run has no times")
    return examples / (run.ended - run.started).total_seconds()


def measure(attempts: int, rounds: int) -> dict[str, float]:
    """The three figures, each the median of `rounds`."""
    ours, bare, rate = list[float](), list[float](), list[float]()
    with tempfile.TemporaryDirectory() as name, server(LATENCY_S) as url:
        for turn in range(rounds):
            bare.append(bare_loop(attempts, url))
            ours.append(endpoint_run(Path(name) / f"endpoint{turn}", attempts, url))
            rate.append(procedural_rate(Path(name) / f"procedural{turn}", 1000))
    return {
        "efficiency": round(statistics.median(ours), 4),
        "bare_efficiency": round(statistics.median(bare), 4),
        "examples_per_s": round(statistics.median(rate), 1),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--attempts", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    found = measure(asked.attempts, asked.rounds)
    if asked.json:
        print(json.dumps(found))
        return
    print(f"run over an endpoint   {found['efficiency']:.1%} of the ideal rate, every result committed")
    print(f"bare asyncio loop      {found['bare_efficiency']:.1%}, nothing kept")
    print(f"procedural with QA     {found['examples_per_s']:.0f} examples/s")


if __name__ == "__main__":
    main()
