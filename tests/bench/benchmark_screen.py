"""How soon a benchmark of 100,000 predictions is in sight, and how long it takes until all of it is counted.

`python -m tests.bench.benchmark_screen [--json] [--predictions N]`. The real app, in a pseudo-terminal of 80x24, on a
project with two runs of so many predictions; from the key 6 to the end of the first frame with their figures, and to
the frame with all pairs.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from pathlib import Path

from core.benchmark.metrics import Tally
from core.benchmark.reading import READER
from core.benchmark.results import results
from core.benchmark.start import KIND, BenchParams
from core.models.model import Mode
from core.project import create, open_project
from storage import predictions, runs
from storage.database import connect, transaction
from storage.schema import Outcome, Prediction, PredictionOutcome, Question, Run, RunState, Usage
from tests.conftest import example
from tests.terminal import SIDEQUEST, Terminal, shows

LABELS = ("VALIDATED", "REJECTED", "REFINED")
PIECE = 5000


def fill(folder: Path, number: int) -> None:
    """A project with two benchmarks of `number` predictions each."""
    create(folder)
    project = open_project(folder)
    db = connect(project.database)
    rng = random.Random(1)
    case = example()
    for model, share in (("smollm2-135m", 0.5), ("bag-of-words", 0.7)):
        params = BenchParams(model=model, mode=Mode.DIRECT, split="test").model_dump(mode="json")
        run = Run(kind=KIND, state=RunState.FINISHED, params=params)
        asked = [
            Question(
                run=run.id, position=at, example=f"01J{at:023d}", label=LABELS[at % 3], domain=f"domain {at % 7}",
                level=1 + at % 5, family=f"f{at}",
            )
            for at in range(number)
        ]  # fmt: skip
        with transaction(db):
            runs.write(db, run)
            predictions.ask(db, [(one, case) for one in asked])
        for start in range(0, number, PIECE):
            predictions.add(
                db,
                [
                    Prediction(
                        run=run.id, example=one.example, ended=Outcome.WRITTEN, reader=READER, confidence=0.8,
                        outcome=PredictionOutcome.ANSWERED, usage=Usage(seconds=1.0),
                        decision=one.label if rng.random() < share else LABELS[(LABELS.index(one.label) + 1) % 3],
                    )
                    for one in asked[start : start + PIECE]
                ],
            )  # fmt: skip
        counts = Tally(project.task.labels, results(db, run.id)).counts()
        shown = {"total": number, "done": number, "n": counts.n, "right": counts.right}
        runs.update(db, run.id, progress=shown)
    db.close()


def opened(folder: Path, number: int) -> tuple[float, float]:
    """Seconds to the first frame with figures, and to the one with all pairs."""
    with Terminal([SIDEQUEST, "-C", str(folder)], folder) as terminal:
        terminal.until(shows("Pipeline"))
        at = terminal.send("6")
        _, first = terminal.until(shows(f"{number:,}/{number:,}"))
        _, whole = terminal.until(shows(f"{number:,} pairs"))
        return first - at, whole - at


def main() -> None:
    """Print both, as medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--predictions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "p"
        fill(folder, asked.predictions)
        found = [opened(folder, asked.predictions) for _ in range(asked.rounds)]
    first, whole = (round(statistics.median(one), 3) for one in zip(*found, strict=True))
    if asked.json:
        print(json.dumps({"predictions": asked.predictions, "open_s": first, "counted_s": whole}))
    else:
        print(
            f"{asked.predictions:,} predictions in each of two runs: in sight after {first} s, counted after {whole} s"
        )


if __name__ == "__main__":
    main()
