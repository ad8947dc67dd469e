"""How fast Benchmark opens on a finished run of 100,000 predictions, in a pseudo-terminal of 80x24.

    python -m tests.bench.benchmark_screen [--json] [--predictions N] [--rounds N]

The real command runs. All times are from the key `6` on Home to the end of the frame, as a person sees it: `headline`
with counts, accuracy and its interval, `whole` with all figures and the newest answers (latency, levels, domains: they
are kept when a run ends), `read` with the curve, for which each answer is read. Each round is a new process; the median
is over the rounds, after one that warms the disk's cache.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import tempfile
from pathlib import Path

from core.benchmark.figures_cache import dump_figures
from core.benchmark.metrics import figures
from core.benchmark.results import scored_answers
from core.config.project import create, open_project
from core.models.parse_answer import PARSER_VERSION
from core.statistics import wilson
from storage import predictions, runs
from storage.database import connect, transaction
from storage.schema import Evidence, Outcome, Prediction, PredictionOutcome, Question, Run, RunState, Usage
from tests.conftest import candidate
from tests.terminal import SIDEQUEST, Terminal, shows

EVIDENCE = Evidence(source="Cohort analysis", content="Conversion rose from 4.1 % to 6.0 %. " * 6, relevance=0.9)
RATIONALE = "The cohort analysis shows the rise, and the survey does not contradict it. " * 4


def fill(folder: Path, count: int, seed: int = 1) -> None:
    """A project with one finished benchmark of the reference with `count` predictions."""
    create(folder)
    project = open_project(folder)
    connection = connect(project.database)
    labels, domains = project.task.labels, [domain.name for domain in project.task.domains]
    rng = random.Random(seed)
    run = Run(kind="benchmark", state=RunState.FINISHED, params={"model": "bag-of-words", "mode": "direct"})
    case = candidate(evidence=[EVIDENCE] * 3)
    questions, answers = [], []
    for position in range(count):
        label, right = labels[position % len(labels)], rng.random() < 0.6
        key = f"e{position:07d}"
        questions.append(
            Question(
                run=run.id, position=position, example=key, label=label, family=f"f{position // 9}",
                level=1 + position % 5, domain=domains[position % len(domains)],
            )
        )  # fmt: skip
        decision = label if right else labels[(position + 1) % len(labels)]
        answers.append(
            Prediction(
                run=run.id, example=key, ended=Outcome.WRITTEN, raw=RATIONALE, reader=PARSER_VERSION, decision=decision,
                outcome=PredictionOutcome.ANSWERED, confidence=rng.random(), rationale=RATIONALE,
                usage=Usage(input_tokens=400, output_tokens=80, seconds=rng.random()),
            )
        )  # fmt: skip
    correct = sum(answer.decision == question.label for answer, question in zip(answers, questions, strict=True))
    low, high = wilson(correct, count)
    progress = {"total": count, "done": count, "n": count, "right": correct, "low": low, "high": high}
    with transaction(connection):
        runs.write(connection, run)
        predictions.add_questions(connection, ((question, case) for question in questions))
    predictions.add(connection, answers)
    kept = dump_figures(figures(scored_answers(connection, run.id), labels))
    runs.update(connection, run.id, progress={**progress, "accuracy": correct / count, "kept": kept.model_dump()})
    _compact(connection)


def _compact(connection: sqlite3.Connection) -> None:
    """Leave the database as a run that ended long ago leaves it: nothing in the log that is written ahead."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def once(folder: Path, count: int) -> dict[str, float]:
    """Milliseconds from the key to the headline, to the whole, and to the curve over all answers."""
    with Terminal([SIDEQUEST], folder) as app:
        app.until(shows("VALIDATED"))
        app.drain(1.0)
        pressed = app.send("6")
        _, headline = app.until(shows(f"{count:,}/{count:,}"))
        _, all_figures = app.until(shows("p50", "newest answers"))
        _, curve = app.until(shows("100 %"))
    times = {"headline_ms": headline, "whole_ms": all_figures, "read_ms": curve}
    return {name: 1000 * (shown - pressed) for name, shown in times.items()}


def measure(count: int, rounds: int) -> dict[str, float]:
    """The medians."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        fill(folder, count)
        times = [once(folder, count) for _ in range(rounds + 1)][1:]
    return {key: round(statistics.median(round_times[key] for round_times in times), 1) for key in times[0]}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--predictions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    medians = measure(arguments.predictions, arguments.rounds)
    if arguments.json:
        print(json.dumps(medians))
        return
    times = ", ".join(f"{name.removesuffix('_ms')} {value:.0f} ms" for name, value in medians.items())
    print(f"{arguments.predictions:,} predictions: {times}")


if __name__ == "__main__":
    main()
