"""`train compare` over seeds: what differs in the seed alone is one group, with mean and spread, and pairs are
corrected for being many."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from core.benchmark.calibration import calibration
from core.benchmark.results import scored_answers
from core.benchmark.sequential_gate import GateVerdict
from core.benchmark.step_fields import FieldScore
from core.benchmark.summary import BenchmarkSummary
from core.config.project import Project
from core.statistics import holm
from core.training.comparison import comparison_table
from core.training.comparison_words import describe_fields, describe_group, describe_row, describe_share
from core.training.measured import MeasuredModel, measured_model
from core.training.seed_groups import SeedSpread, spread
from storage import listing, runs
from storage.examples import Filter
from storage.schema import Example
from tests.core.judged_runs import fill
from tests.core.training_runs import training, with_student
from tests.tui.benchmark_pilot import RIGHT, WRONG, write_benchmark
from tui.cli import main
from tui.screens.training.comparison_table import render_table

KEYS = [f"01K0000000000000000{letter * 6}A" for letter in "ABCD"]
N = 60


@pytest.fixture
def tiny(project: Project, tmp_path: Path) -> Project:
    """A project with a student that is there in name."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    for file in ("model.safetensors", "config.json"):
        (folder / file).touch()
    return with_student(project, folder)


@pytest.fixture
def cases(db: sqlite3.Connection) -> list[Example]:
    fill(db, N)
    return listing.read_examples(db, listing.read_numbers(db, Filter(split=("test",))))


def figures(spread: SeedSpread | None) -> list[float | None]:
    """The figures of a spread, rounded."""
    assert spread is not None
    values = (spread.seeds, spread.mean, spread.sd, spread.low, spread.high)
    return [None if value is None else round(value, 4) for value in values]


def answers(right: int) -> list[str]:
    return [RIGHT] * right + [WRONG] * (N - right)


@pytest.fixture
def three_seeds(tiny: Project, db: sqlite3.Connection, cases: list[Example]) -> Project:
    """A recipe with the seeds 2, 0 and 1, another one, and the base, all asked the same."""
    for key, seed in zip(KEYS, (2, 0, 1), strict=False):
        training(tiny, db, "sft", key=key, mode="direct", seed=seed)
    training(tiny, db, "classify", key=KEYS[3], mode="direct")
    for model, right in (("tiny", 20), ("sft-aaaaaa", 42), ("sft-bbbbba", 48), ("sft-ccccca", 45)):
        write_benchmark(db, cases, model, answers(right))
    write_benchmark(db, cases, "classify-ddddda", answers(50))
    return tiny


def test_mean_and_spread_over_seeds(three_seeds: Project, db: sqlite3.Connection) -> None:
    table = comparison_table(three_seeds, db, [])
    assert [(group.what, group.models, group.seeds) for group in table.groups] == [
        ("SFT", ["sft-bbbbba", "sft-ccccca", "sft-aaaaaa"], [0, 1, 2])
    ]
    group = table.groups[0]
    assert group.waiting == []
    assert figures(group.accuracy) == [3, 0.75, 0.05, 0.7, 0.8]
    # What each answer took, as it was written.
    for name, value in (("latency_p50", 1.5), ("input_tokens", 100), ("output_tokens", 20), ("cost_per_thousand", 1)):
        assert figures(group.beside[name]) == [3, value, 0, value, value]
    measured = {row.model: row.measured for row in table.rows}
    stated = []
    for name in group.models:
        row = measured[name]
        assert row is not None
        scores = calibration(scored_answers(db, row.benchmark)).stated
        assert (row.auroc, row.ece, row.e_aurc) == (scores.auroc, scores.ece, scores.e_aurc)
        stated.append(scores.auroc or 0.0)
    assert group.beside["auroc"].mean == pytest.approx(sum(stated) / 3)
    assert (group.beside["auroc"].low, group.beside["auroc"].high) == (min(stated), max(stated))


def test_pairs_are_corrected_together_and_seeds_are_none(three_seeds: Project, db: sqlite3.Connection) -> None:
    pairs = comparison_table(three_seeds, db, []).pairs
    assert [(pair.first, pair.second) for pair in pairs] == [
        ("tiny", "sft-aaaaaa"),
        ("tiny", "sft-bbbbba"),
        ("tiny", "sft-ccccca"),
        ("tiny", "classify-ddddda"),
        ("sft-ccccca", "classify-ddddda"),
    ]
    assert [pair.found.corrected for pair in pairs] == pytest.approx(holm([pair.found.p for pair in pairs]))
    # Five answers more, and none fewer: p = 2 / 2 ** 5, the largest of all, so that it stays; the least is times five.
    assert [pairs[4].found.p, pairs[4].found.corrected] == pytest.approx([0.0625, 0.0625])
    assert pairs[3].found.corrected == pytest.approx(5 * pairs[3].found.p)
    assert [pair.found.differs for pair in pairs] == [True, True, True, True, False]


def test_what_differs_in_more_than_the_seed_is_no_group(tiny: Project, db: sqlite3.Connection) -> None:
    training(tiny, db, "sft", key=KEYS[0], seed=0)
    training(tiny, db, "sft", key=KEYS[1], seed=1, batch=4)
    assert comparison_table(tiny, db, []).groups == []
    training(tiny, db, "sft", key=KEYS[2], seed=0)
    assert comparison_table(tiny, db, []).groups == [], "the same seed again is no spread"
    training(tiny, db, "sft", key=KEYS[3], seed=7)
    group = comparison_table(tiny, db, []).groups[0]
    assert (group.models, group.seeds) == (["sft-ccccca", "sft-ddddda"], [0, 7]), "the newest of a seed counts"
    assert (group.accuracy, group.waiting) == (None, group.models)


def test_a_parent_of_another_recipe_is_another_group(tiny: Project, db: sqlite3.Connection) -> None:
    """RL from students that differ in their seed alone is a group; from another student it is not."""
    for key, seed in zip(KEYS[:2], (0, 1), strict=True):
        training(tiny, db, "sft", "grpo", key=key, seed=seed)
    training(tiny, db, "grpo", key=KEYS[2], seed=2)
    groups = comparison_table(tiny, db, []).groups
    assert [(group.what, group.seeds) for group in groups] == [("SFT", [0, 1]), ("SFT+GRPO", [0, 1])]


def test_recipes_of_other_names_that_differ_in_the_seed(tiny: Project, db: sqlite3.Connection) -> None:
    """Whatever a project file calls them."""
    for key, name, seed in zip(KEYS, ("one", "two"), (0, 1), strict=False):
        run = training(tiny, db, "sft", key=key, seed=seed)
        params = run.params | {"name": name, "phases": {name: run.params["phases"]["sft"]}}
        runs.update(db, run.id, params=params)
    assert comparison_table(tiny, db, []).groups[0].seeds == [0, 1]


def test_the_command_line_and_the_screen_show_it(three_seeds: Project, db: sqlite3.Connection) -> None:
    completed = CliRunner().invoke(main, ["-C", str(three_seeds.folder), "train", "compare"])
    assert completed.exit_code == 0, completed.output
    line = next(line for line in completed.stdout.splitlines() if "0, 1, 2" in line)
    assert line.startswith("SFT")
    assert "75.0 % ± 5.0 (70.0–80.0, 3 seeds)" in line
    assert "1.50 s ± 0.00" in line
    row = next(line for line in completed.stdout.splitlines() if "sft-aaaaaa" in line)
    assert all(words in row for words in ("42/60, 70.0 % (57.5–80.1)", "1.50 s", "100 / 20", "1.00"))
    assert "p after Holm is corrected for 5 pairs at once" in completed.stdout
    document = json.loads(
        CliRunner().invoke(main, ["-C", str(three_seeds.folder), "train", "compare", "--json"]).stdout
    )
    assert document["groups"][0]["accuracy"]["mean"] == pytest.approx(0.75)
    assert document["groups"][0]["accuracy"]["sd"] == pytest.approx(0.05)
    assert document["pairs"][4]["found"]["corrected"] == pytest.approx(0.0625)
    assert document["rows"][1]["measured"]["output_tokens"] == pytest.approx(20)
    text = render_table(comparison_table(three_seeds, db, [])).plain
    assert "SFT over 3 seeds\n  sft-bbbbba, sft-ccccca, sft-aaaaaa" in text
    assert "75.0 % ± 5.0 (70.0–80.0, 3 seeds)" in text
    assert "p = 0.062" in text
    assert "without a benchmark" not in text


def test_a_spread_of_what_is_known() -> None:
    assert figures(spread([None, 0.5, None, 0.7])) == [2, 0.6, 0.1414, 0.5, 0.7]
    assert spread([0.5, None]) == SeedSpread(1, 0.5, None, 0.5, 0.5)
    assert spread([None]) is None
    assert describe_share(SeedSpread(1, 0.5, None, 0.5, 0.5)) == "50.0 % (50.0–50.0, 1 seed)"
    assert describe_share(None) == "not measured"


def test_fields_of_the_steps_over_seeds(
    three_seeds: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a student writes its steps, each field has its accuracy, in each row and over seeds."""
    shares = {"sft-aaaaaa": 30, "sft-bbbbba": 45, "sft-ccccca": 36}

    def with_fields(summary: BenchmarkSummary, verdict: GateVerdict) -> MeasuredModel:
        measured = measured_model(summary, verdict)
        right = shares.get(summary.params.model)
        if right is not None:
            measured.fields.append(FieldScore("found", 60, right, right / 60 - 0.1, right / 60 + 0.1))
        return measured

    monkeypatch.setattr("core.training.comparison.measured_model", with_fields)
    table = comparison_table(three_seeds, db, [])
    assert list(table.groups[0].fields) == ["found"]
    assert figures(table.groups[0].fields["found"]) == [3, 0.6167, 0.1258, 0.5, 0.75]
    row = next(row for row in table.rows if row.model == "sft-bbbbba")
    assert row.measured is not None
    assert describe_fields(row.measured) == {"found": "45/60, 75.0 % (65.0–85.0)"}
    assert describe_row(row)[0] == "48/60, 80.0 % (68.2–88.2)"
    assert describe_group(table.groups[0])[0] == "0, 1, 2"
    completed = CliRunner().invoke(main, ["-C", str(three_seeds.folder), "train", "compare"])
    assert "by field of the steps" in completed.stdout
    assert "61.7 % ± 12.6 (50.0–75.0, 3 seeds)" in completed.stdout
    text = render_table(table).plain
    assert "found             45/60, 75.0 % (65.0–85.0)" in text
    assert "found             61.7 % ± 12.6 (50.0–75.0, 3 seeds)" in text
