"""Two apps, a generating worker and a command line that write to one project at once.

    python -m tests.bench.together [--json] [--seconds S]

Two people decide in two apps, each in a pseudo-terminal, as fast as they see the next example; the worker is a real run
of the procedural source; the command line accepts, flags, undoes and lists in a loop. Afterwards what each wrote down
of its own decisions is compared with the log of the project, and all that derives from the log is derived again.
`problems` is empty if nothing was lost, nothing differs, and nobody was shown a locked database or a traceback.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from core.config.project import open_project
from core.generation.start import start_generation
from core.runs import control
from core.runs.params import GenerateParams
from storage import review_log, reviews, runs
from storage.database import connect
from storage.schema import ReviewAction
from tests.bench import library
from tests.bench.figures import percentile
from tests.terminal import SIDEQUEST, Terminal, plain, shows

SIZE = (100, 40)
PEOPLE = ("one", "two")
COMMAND_LINE = "cli"
ATTEMPTS_PER_MINUTE = 1200
# A person decides faster than this nowhere; the two together ask for as many examples as this gives.
FASTEST_PER_S = 8
# What nobody may be shown. Notices are broken into lines, and the texts of the examples hold neither of these.
ALARM = re.compile(r"(?:database\W+is|not)\W+(?:locked|saved)|Traceback|OperationalError")
# What an undo tells, in a line of its own.
TOLD = re.compile("(?P<undid>undone: )|nothing of yours")
# Where Review names the example in front, by the end of its id.
FRONT = re.compile(r"level \d+ · ([0-9A-HJKMNP-TV-Z]{6})\b")


@dataclass
class Writer:
    """What one person, or the command line, did: (end of the id, action) in order, and what it was shown amiss."""

    name: str
    decisions: list[tuple[str, str]] = field(default_factory=list)
    undos: int = 0
    seconds: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What all writers did, how many lines and examples were written, the time each write took, and what went wrong."""

    decisions: dict[str, int]
    undos: int
    shared: int
    commands: int
    attempts: int
    slowest_s: dict[str, float]
    p95_s: dict[str, float]
    problems: list[str]


def front(than: str = "") -> re.Pattern[str]:
    """Where an example other than `than` is in front."""
    return re.compile(FRONT.pattern.replace("([", f"(?!{than})([", 1)) if than else FRONT


def last(pattern: re.Pattern[str], text: str) -> str | None:
    """What the group of `pattern` holds where it is found last in `text`."""
    found = list(pattern.finditer(text))
    return found[-1][1] if found else None


def person(writer: Writer, folder: Path, until: float, seed: int) -> None:
    """Decide examples in an app of one's own, until the clock says `until`."""
    rng = random.Random(seed)
    with Terminal([SIDEQUEST, "--as", writer.name], folder, SIZE) as app:

        def see(pattern: re.Pattern[str]) -> str:
            return app.until(lambda text: last(pattern, text))[0]

        try:
            app.until(shows("VALIDATED", "for review"))
            app.send("3")
            seen = see(front())
            while time.monotonic() < until:
                app.drain(0.05 + 0.1 * rng.random())
                chosen = rng.choices(("accept", "reject", "flag", "undo"), (70, 15, 7, 8))[0]
                if chosen == "undo":
                    app.send("u")
                    said = app.until(TOLD.search)[0]
                    writer.undos += said["undid"] is not None
                    app.drain(0.2)
                    # The example that was undone may be the one in front; the next one surely is painted.
                    app.send("j")
                    seen = see(front())
                    continue
                if chosen == "reject":
                    app.send("x")
                    app.until(shows("Reject the example:"))
                started = app.send({"accept": "a", "reject": str(rng.randint(1, 3)), "flag": "!"}[chosen])
                writer.decisions.append((seen, chosen))
                seen = see(front() if chosen == "flag" else front(seen))
                writer.seconds.append(time.perf_counter() - started)
            app.drain(0.5)
        except (EOFError, TimeoutError) as error:
            writer.problems.append(f"{writer.name}: {type(error).__name__}: {error}")
        shown = plain(app.painted)
        writer.problems += [f"{writer.name} was shown: {found[0]!r}" for found in ALARM.finditer(shown)]


def command_line(writer: Writer, folder: Path, until: float, ids: list[str]) -> int:
    """Run commands one after the other until the clock says `until`; returns how many."""
    said = ("--as", writer.name, "--json")
    number = 0
    while time.monotonic() < until:
        example = ids[number % len(ids)]
        turns = (
            ("review", "accept", example, *said),
            ("examples", "list", "--limit", "20", "--json"),
            ("review", "flag", example, *said),
            ("runs", "list", "--json"),
            ("review", "undo", "--json"),
            ("review", "list", "--json"),
        )
        command = turns[number % len(turns)]
        started = time.perf_counter()
        done = subprocess.run([SIDEQUEST, *command], cwd=folder, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        number += 1
        if done.returncode != 0 or ALARM.search(done.stdout + done.stderr):
            writer.problems.append(f"sidequest {' '.join(command)}: {done.returncode}: {done.stderr[-500:]}")
        elif command[1] in {"accept", "flag"}:
            writer.decisions.append((example[-6:], command[1]))
            writer.seconds.append(seconds)
        elif command[1] == "undo":
            writer.undos += 1
    return number


def together(folder: Path, seconds: float) -> Outcome:
    """Let all of them write for so long in a new project in `folder`, and say what came of it."""
    stock = 400 + round(2 * seconds * FASTEST_PER_S)
    wanted = stock + round(seconds * ATTEMPTS_PER_MINUTE / 60)
    library.want_all(folder, wanted)
    db = connect(folder / "sidequest.db")
    library.fill(db, stock)
    already = library.newest_review(db)
    project = open_project(folder)
    params = GenerateParams.of(project.task).model_copy(update={"attempts_per_minute": float(ATTEMPTS_PER_MINUTE)})
    run = start_generation(project, db, params)
    people = [Writer(name) for name in PEOPLE]
    commands = Writer(COMMAND_LINE)
    # The command line decides others than the people, who begin at an end of what waits; now and then the same.
    ids = [row["id"] for row in db.execute("SELECT id FROM examples WHERE status = 'pending' ORDER BY id").fetchall()]
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=person, args=(one, folder, until, seed)) for seed, one in enumerate(people)]
    for thread in threads:
        thread.start()
    count = command_line(commands, folder, until, ids[:: max(1, len(ids) // 97)])
    for thread in threads:
        thread.join()
    _end(db, run.id)
    writers = [*people, commands]
    told = (project.run_folder(run.id) / "worker.log").read_text(encoding="utf-8", errors="replace")
    problems = [problem for one in writers for problem in one.problems]
    problems += [f"the worker said: {told[-2000:]}"] if ALARM.search(told) else []
    problems += [*_lost(db, already, writers), *_differing(db)]
    both = Counter(example for one in writers for example in {example for example, _ in one.decisions})
    outcome = Outcome(
        decisions={one.name: len(one.decisions) for one in writers},
        undos=sum(one.undos for one in writers),
        shared=sum(several > 1 for several in both.values()),
        commands=count,
        attempts=db.execute("SELECT count(*) FROM attempts WHERE run = ?", (run.id,)).fetchone()[0],
        slowest_s={one.name: round(max(one.seconds, default=0.0), 3) for one in writers},
        p95_s={one.name: round(percentile(one.seconds, 95), 3) for one in writers if one.seconds},
        problems=problems,
    )
    db.close()
    return outcome


def _end(db: sqlite3.Connection, run_id: str) -> None:
    """Stop the run, and wait until it has ended."""
    while (run := runs.get(db, run_id)) is not None and not control.run_status(run).state.ended:
        if run.request is None:
            control.stop(db, run_id)
        time.sleep(0.1)


def _lost(db: sqlite3.Connection, already: int, writers: list[Writer]) -> list[str]:
    """Where the log since line `already` is not what the writers did, in their order."""
    rows = db.execute("SELECT * FROM reviews WHERE id > ? ORDER BY id", (already,)).fetchall()
    problems = []
    for one in writers:
        logged = [
            (row["example"][-6:], row["action"].removeprefix("un"))
            for row in rows
            if row["reviewer"] == one.name and row["action"] != ReviewAction.UNDO.value
        ]
        if logged != one.decisions:
            apart = next(
                (n for n, pair in enumerate(zip(logged, one.decisions, strict=False)) if pair[0] != pair[1]), -1
            )
            problems.append(f"{one.name} did {len(one.decisions)}, the log has {len(logged)}; they part at {apart}")
    undone = sum(row["action"] == ReviewAction.UNDO.value for row in rows)
    if undone != sum(one.undos for one in writers):
        problems.append(f"{sum(one.undos for one in writers)} were undone, the log has {undone}")
    return problems


def _differing(db: sqlite3.Connection) -> list[str]:
    """Where the state of the examples is not what their reviews say, or the counts not what the examples say."""
    problems = []
    for row in db.execute("SELECT id, status, flagged, version, refused FROM examples").fetchall():
        standing = review_log.derive_state(reviews.log(db, row["id"]), refused=bool(row["refused"]))
        if (standing.status.value, standing.flagged, standing.version) != tuple(row)[1:4]:
            problems.append(f"{row['id']} stands as {tuple(row)[1:4]}, its log says {standing}")
    try:
        library.check_counts(db)
    except AssertionError as error:
        problems.append(f"counts: {error}")
    if (found := db.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
        problems.append(f"integrity: {found}")
    return problems


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=300.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = together(Path(name) / "project", asked.seconds)
    if asked.json:
        print(json.dumps({name: getattr(found, name) for name in Outcome.__slots__}))
        return
    for name in Outcome.__slots__:
        print(f"{name:<10} {getattr(found, name)}")


if __name__ == "__main__":
    main()
