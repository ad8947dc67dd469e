"""A long run in small: a worker writes a million events while the app, in a pseudo-terminal of 160x45, watches.

    python -m tests.bench.watch [--json] [--events N] [--minutes M]

The worker is the real one (claim, heartbeat, progress, ending) with work that only logs: each event is a transaction
of its own, at the rate that fills the minutes. The app opens all screens that show a run, then follows the log on Runs,
shows Generate from a tenth to three tenths of the time, and Runs again to the end. Memory is the resident set of the
app, on Runs: before Generate, at half, at the end. The app's processor time is a share of one core, over the whole
time on a screen, and for the 95th percentile over windows of 10 s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil

from core.entry import worker
from core.generation.figures import GenerationFigures
from core.runs.child_process import start_python
from core.runs.control import run_status
from core.runs.session import Ending, Session
from storage import runs
from storage.database import connect
from storage.schema import Run, RunState
from tests.bench import library
from tests.bench.figures import percentile
from tests.terminal import SIDEQUEST, Terminal, shows

SIZE = (160, 45)
WINDOW_S = 10.0
EXAMPLES = 1000
MESSAGES = (
    "market level 2 VALIDATED slot {n}: written, 1.8 s, 412 tokens in, 655 out",
    "risk level 1 REJECTED slot {n}: rejected by the judge: the evidence is ambiguous",
    "technical level 4 REFINED slot {n}: passed QA at attempt 2, the judge is sure to 0.83",
    "rate limit: 18 in flight from now on",
)


async def write_events(session: Session) -> Ending:
    """Log as many events as the run asks for, evenly over its seconds."""
    events, seconds = int(session.run.params["events"]), float(session.run.params["seconds"])
    figures = GenerationFigures(total=events)
    started = time.monotonic()
    for number in range(events):
        severity = "warning" if number % 500 == 3 else "info"
        session.log(MESSAGES[number % len(MESSAGES)].format(n=number), severity=severity, slot=number)
        figures.accepted += 1
        if number % 50 == 49:
            session.progress = figures.snapshot()
            ahead = (number + 1) / events * seconds - (time.monotonic() - started)
            await asyncio.sleep(max(0.0, ahead))
            if not await session.proceed():
                return Ending(RunState.STOPPED, f"after {number + 1:,} events")
    session.progress = figures.snapshot()
    return Ending(RunState.FINISHED, f"{events:,} events")


def work(run: str) -> int:
    """Be the worker of a run, in the folder of its project, that only logs."""
    setattr(worker, "work_of", lambda kind: write_events)  # noqa: ARG005, B010
    return worker.main(run, Path.cwd())


def watch(events: int, minutes: float) -> dict[str, Any]:
    """The figures of one such run."""
    with tempfile.TemporaryDirectory() as name:
        folder = library.copy(EXAMPLES, Path(name))
        connection = connect(folder / "sidequest.db")
        run = Run(kind="generate", params={"events": events, "seconds": minutes * 60})
        runs.add(connection, run)
        with Terminal([SIDEQUEST], folder, SIZE) as app:
            for key, marker in (("1", "VALIDATED"), ("2", "Newest"), ("8", "Log")):
                app.send(key)
                app.until(shows(marker))
            with start_python("tests.bench.watch", "--work", run.id, cwd=folder) as process:
                try:
                    found = _sample(app, minutes * 60, process)
                finally:
                    if process.poll() is None:
                        process.send_signal(signal.SIGKILL)
        ended = runs.get(connection, run.id)
        assert ended is not None
        written = connection.execute("SELECT count(*) FROM events WHERE run = ?", (run.id,)).fetchone()[0]
        connection.close()
    return {"events": written, "state": str(run_status(ended).state)} | found


def _sample(app: Terminal, seconds: float, worker_process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Memory and processor time of the app, until the worker has ended."""
    process = psutil.Process(app.pid)
    plan = [(0.0, "8", "runs"), (0.1, "2", "generate"), (0.3, "8", "runs")]
    memory: list[tuple[float, float]] = []
    windows: dict[str, list[float]] = defaultdict(list)
    screen, started = "runs", time.monotonic()
    while worker_process.poll() is None:
        passed = time.monotonic() - started
        if plan and passed >= plan[0][0] * seconds:
            _, key, screen = plan.pop(0)
            app.send(key)
        before, since = sum(process.cpu_times()[:2]), time.monotonic()
        app.drain(min(WINDOW_S, seconds / 20))
        windows[screen].append((sum(process.cpu_times()[:2]) - before) / (time.monotonic() - since))
        if screen == "runs":
            memory.append((time.monotonic() - started, process.memory_info().rss / 1e6))
    half = [figure for at, figure in memory if at <= 0.5 * seconds]
    return {
        "seconds": round(time.monotonic() - started, 1),
        "rss_start_mb": round([figure for at, figure in memory if at <= 0.2 * seconds][-1], 1),
        "rss_half_mb": round(half[-1], 1),
        "rss_end_mb": round(memory[-1][1], 1),
        **{f"cpu_{name}": round(sum(shares) / len(shares), 4) for name, shares in windows.items()},
        **{f"cpu_{name}_p95": round(percentile(shares, 95), 4) for name, shares in windows.items()},
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        sys.exit(work(asked.work))
    found = watch(asked.events, asked.minutes)
    if asked.json:
        print(json.dumps(found))
        return
    print(f"{found['events']:,} events in {found['seconds']:.0f} s; the run is {found['state']}")
    print(
        "memory of the app: "
        + ", ".join(f"{found[f'rss_{when}_mb']} MB at {when}" for when in ("start", "half", "end"))
    )
    for name in ("runs", "generate"):
        print(f"its share of a core on {name}: {found[f'cpu_{name}']:.1%}, p95 {found[f'cpu_{name}_p95']:.1%}")


if __name__ == "__main__":
    main()
