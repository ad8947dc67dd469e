"""The table after training: which benchmarks count, what is compared with what, and what is missing."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from core.benchmark import start as bench
from core.benchmark.sequential_gate import GateVerdict
from core.config.case import Mode
from core.config.project import Project
from core.runs.control import RunError
from core.runs.params import BenchmarkParams, params_of
from core.training.comparison import comparison_table, start_missing
from storage import listing, predictions, runs
from storage.examples import Filter
from storage.schema import Example, RunState
from tests.core.judged_runs import fill
from tests.core.training_runs import training, with_student
from tests.tui.benchmark_pilot import RIGHT, WRONG, write_benchmark
from tui.cli import main

SFT, GRPO, PPO = (f"01K0000000000000000{letter * 6}A" for letter in "ABC")
N = 60


@pytest.fixture
def tiny(project: Project, tmp_path: Path) -> Project:
    """A project with a student that is there in name, and a test split."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    for file in ("model.safetensors", "config.json"):
        (folder / file).touch()
    return with_student(project, folder)


@pytest.fixture
def cases(db: sqlite3.Connection) -> list[Example]:
    fill(db, N)
    return listing.read_examples(db, listing.read_numbers(db, Filter(split=("test",))))


def answers(right: int, n: int = N) -> list[str]:
    return [RIGHT] * right + [WRONG] * (n - right)


def test_base_sft_and_two_ways_of_rl_in_one_table(tiny: Project, db: sqlite3.Connection, cases: list[Example]) -> None:
    """What they started from comes in by itself; each is against the base, its parent, and the row before."""
    training(tiny, db, "sft", key=SFT, mode="direct")
    training(tiny, db, "grpo", key=GRPO, start_from=f"runs/{SFT}/adapter", mode="direct")
    ppo = training(tiny, db, "ppo", key=PPO, start_from=f"runs/{SFT}/adapter", mode="direct")
    grpo = runs.get(db, GRPO)
    assert grpo is not None
    for model, right in (("tiny", 20), ("sft-aaaaaa", 48), ("grpo-bbbbba", 50)):
        write_benchmark(db, cases, model, answers(right))
    write_benchmark(db, cases, "bag-of-words", answers(58))
    table = comparison_table(tiny, db, [grpo, ppo])
    assert [(row.what, row.model) for row in table.rows] == [
        ("base", "tiny"),
        ("SFT", "sft-aaaaaa"),
        ("SFT+GRPO", "grpo-bbbbba"),
        ("SFT+PPO", "ppo-ccccca"),
    ]
    assert table.examples == N
    base, sft, rl, missing = table.rows
    assert base.measured is not None
    assert (base.measured.right, base.measured.n, base.measured.verdict) == (20, N, GateVerdict.WORTH_TRAINING)
    assert sft.measured is not None
    assert sft.measured.low < 48 / N < sft.measured.high
    assert sft.measured.balanced_accuracy == pytest.approx(48 / N)
    assert rl.measured is not None
    assert missing.measured is None
    assert missing.command.startswith("sidequest bench run --model ppo-ccccca --mode direct --like ")
    assert [(pair.first, pair.second) for pair in table.pairs] == [
        ("tiny", "sft-aaaaaa"),
        ("tiny", "grpo-bbbbba"),
        ("sft-aaaaaa", "grpo-bbbbba"),
    ]
    gap = table.pairs[0].found
    assert (gap.b, gap.c) == (0, 28)
    assert gap.gap == pytest.approx(28 / N)
    assert gap.p == pytest.approx(2 * 0.5**28)
    assert table.reference


def test_only_the_same_examples_in_the_mode_of_training_count(
    tiny: Project, db: sqlite3.Connection, cases: list[Example]
) -> None:
    training(tiny, db, "sft", key=SFT, mode="direct")
    write_benchmark(db, cases, "tiny", answers(20))
    newest = write_benchmark(db, cases, "tiny", answers(30))
    write_benchmark(db, cases, "tiny", answers(50), mode="reason")
    write_benchmark(db, cases[:5], "tiny", answers(5, 5), sniff=True)
    write_benchmark(db, cases[:40], "sft-aaaaaa", answers(40, 40))
    write_benchmark(db, cases, "sft-aaaaaa", answers(10, 30), stop_when_settled=True)
    table = comparison_table(tiny, db, [])
    # One model each was asked 60 and 40: those that were asked last count.
    assert table.examples == 40
    write_benchmark(db, cases, "sft-aaaaaa", answers(45))
    table = comparison_table(tiny, db, [])
    assert table.examples == N
    base, sft = table.rows
    assert base.measured is not None
    assert base.measured.benchmark == newest.id
    assert sft.measured is not None
    assert sft.measured.right == 45
    assert table.reference == ""


def test_what_is_at_work_or_stopped_is_not_started_again(
    tiny: Project, db: sqlite3.Connection, cases: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "spawn", lambda *_: None)
    training(tiny, db, "sft", key=SFT, mode="direct")
    first = comparison_table(tiny, db, [])
    assert first.examples is None
    assert [row.command for row in first.rows] == [
        "sidequest bench run --model tiny --mode direct",
        "sidequest bench run --model sft-aaaaaa --mode direct",
    ]
    started = start_missing(tiny, db, first, first.rows[0])
    assert (started.params["split"], predictions.count_questions(db, started.id)) == ("test", N)
    assert comparison_table(tiny, db, []).rows[0].going == started.id
    runs.update(db, started.id, state=RunState.STOPPED)
    stopped = comparison_table(tiny, db, []).rows[0]
    assert (stopped.going, stopped.command) == ("", f"sidequest runs resume {started.id[-6:]}")


def test_a_missing_benchmark_asks_exactly_the_same(
    tiny: Project, db: sqlite3.Connection, cases: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever has become of the examples since."""
    monkeypatch.setattr(bench, "spawn", lambda *_: None)
    training(tiny, db, "sft", key=SFT)
    asked_run = write_benchmark(
        db, cases[:20], "tiny", answers(8, 20), mode="reason", split="", where="level:1", seed=7
    )
    db.execute("UPDATE examples SET status = 'rejected'")
    table = comparison_table(tiny, db, [])
    started = start_missing(tiny, db, table, table.rows[1])
    assert predictions.question_versions(db, started.id) == predictions.question_versions(db, asked_run.id)
    assert [question.hypothesis for question in predictions.read_questions(db, started.id)] == [
        question.hypothesis for question in cases[:20]
    ]
    params = params_of(started, BenchmarkParams)
    assert (params.like, params.where, params.seed, params.model, params.mode) == (
        asked_run.id,
        "level:1",
        7,
        "sft-aaaaaa",
        Mode.REASON,
    )


def test_what_cannot_be_compared_is_said(tiny: Project, db: sqlite3.Connection) -> None:
    with pytest.raises(RunError, match="nothing was trained yet"):
        comparison_table(tiny, db, [])
    sft = training(tiny, db, "sft", key=SFT)
    idle = training(tiny, db, "grpo", key=GRPO, state=RunState.RUNNING, done=0)
    with pytest.raises(RunError, match="has finished no phase"):
        comparison_table(tiny, db, [idle])
    other_student = training(tiny, db, "sft", key=PPO)
    runs.update(db, other_student.id, params=other_student.params | {"student": "smollm2-135m"})
    with pytest.raises(RunError, match="different students"):
        comparison_table(tiny, db, [sft, other_student])


def test_the_command_line_shows_it(tiny: Project, db: sqlite3.Connection, cases: list[Example]) -> None:
    training(tiny, db, "sft", key=SFT, mode="direct")
    write_benchmark(db, cases, "tiny", answers(20))
    write_benchmark(db, cases, "sft-aaaaaa", [*answers(40, 58), "refused", "truncated"])
    completed = CliRunner().invoke(main, ["-C", str(tiny.folder), "train", "compare", "aaaaaa"])
    assert completed.exit_code == 0, completed.output
    assert "60 examples, the same for all" in completed.stdout
    assert "40/60, 66.7 % (54.1–77.3)" in completed.stdout
    assert "1 refused, 1 truncated" in completed.stdout
    assert "33.3 points" in completed.stdout
    document = json.loads(CliRunner().invoke(main, ["-C", str(tiny.folder), "train", "compare", "--json"]).stdout)
    assert [row["measured"]["right"] for row in document["rows"]] == [20, 40]
    assert document["pairs"][0]["found"]["n"] == N
    shown_run = CliRunner().invoke(main, ["-C", str(tiny.folder), "train", "show", SFT])
    assert "made sft-aaaaaa: `sidequest train compare AAAAAA`" in shown_run.stdout
    gate = CliRunner().invoke(main, ["-C", str(tiny.folder), "gate", "--student", "sft", "--json"])
    assert json.loads(gate.stdout)["student"]["right"] == 40
