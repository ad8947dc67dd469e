"""Examples whose decision was changed: a recipe that teaches reasoning leaves them out, and says how many."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("trl")

from core.config.project import Project
from core.config.recipe import Recipe
from core.machine import detect_machine
from core.models.chat import Chat
from core.models.student_format import StudentFormat, choose_format
from core.runs.control import RunError
from core.training.data.cases import LeftOut, training_cases
from core.training.data.stale import learned_fields, stale_note
from core.training.estimate.recipe_estimate import by_formula, combine_phases
from core.training.run import job, start
from core.training.run.phase import why_no_case
from storage import reviews, runs
from storage.schema import Example, ReviewAction, RunState
from tests import tiny_model
from tests.core.test_training_runs import RECIPES, carry_out, in_this_process, trainable, weights
from tests.stored import decide
from tui.cli import main
from tui.screens.training.form import formula_summary

__all__ = ["in_this_process", "weights"]

NOTE = (
    "2 examples are left out: reasoning, confidence or steps for another decision; "
    "`sidequest examples repair --stale` has them written anew"
)


def relabel(db: sqlite3.Connection, number: int, split: str = "train") -> list[Example]:
    """Give so many accepted examples of a split another decision."""
    accepted = job.accepted_examples(db, split)[:number]
    for one in accepted:
        decide(db, one.id, ReviewAction.ACCEPT)
        other = "REJECTED" if one.decision != "REJECTED" else "VALIDATED"
        reviews.edit(db, one.model_copy(update={"decision": other}))
    return accepted


@pytest.mark.parametrize(
    ("settings", "learned"),
    [
        ({"algorithm": "sft", "rationale": "full"}, ("reasoning", "confidence")),
        ({"algorithm": "sft", "rationale": "steps"}, ("steps",)),
        ({"algorithm": "sft", "rationale": "after"}, ("steps",)),
        ({"algorithm": "sft", "rationale": "none"}, ()),
        ({"algorithm": "sft", "mode": "direct"}, ()),
        ({"algorithm": "grpo", "rationale": "full"}, ()),
        ({"algorithm": "ppo", "rationale": "steps", "rewards": {"correct": 1.0, "steps": 0.5}}, ("steps",)),
    ],
)
def test_what_a_recipe_learns_from(project: Project, settings: dict[str, Any], learned: tuple[str, ...]) -> None:
    recipe = Recipe.model_validate(settings)
    answer_format = choose_format(recipe, project.task, project.folder, ())
    assert learned_fields(recipe, answer_format) == learned


@pytest.mark.slow
def test_cases_of_stale_examples_are_left_out(project: Project, db: sqlite3.Connection, weights: Path) -> None:
    project = trainable(project, db, weights, sft=RECIPES["sft"])
    stale = {one.id for one in relabel(db, 2)}
    examples = job.accepted_examples(db, "train")
    chat = Chat(tiny_model.tokenizer(tiny_model.TEXTS, tiny_model.TEMPLATE), thinks=False)
    answer_format = StudentFormat()
    prompting = answer_format.prompting(project.task, project.folder)
    for learned, number in ((("reasoning", "confidence"), 2), (("steps",), 0), ((), 0)):
        cases, left_out = training_cases(
            examples, prompting, chat, answer_format, end=0, max_tokens=10**6, learned=learned
        )
        assert (len(cases), left_out) == (24 - number, LeftOut(stale=number))
        assert len(stale & {case.example for case in cases}) == 2 - number


def test_an_empty_selection_says_why() -> None:
    assert why_no_case(LeftOut(stale=2), 32) == f"nothing is left to learn from: {NOTE}"
    assert why_no_case(LeftOut(too_long=3), 32).endswith("raise max_prompt_tokens")
    assert why_no_case(LeftOut(too_long=3, stale=2), 32).endswith(f"raise max_prompt_tokens; {NOTE}")
    assert stale_note(1).startswith("1 example is left out: ")


@pytest.mark.slow
async def test_a_training_goes_without_them_and_logs_it(
    project: Project, db: sqlite3.Connection, weights: Path
) -> None:
    project = trainable(project, db, weights, sft=RECIPES["sft"])
    relabel(db, 2)
    relabel(db, 3, split="dev")
    run = start.start_training(project, db, "sft")
    ending = await carry_out(project, db, run)
    assert ending.state is RunState.FINISHED
    log = [event.message for event in runs.events(db, run.id)]
    assert any("22 cases, 4 to watch" in message for message in log)
    assert NOTE in log


def test_what_it_takes_names_them(project: Project, db: sqlite3.Connection, weights: Path) -> None:
    project = trainable(project, db, weights, sft=RECIPES["sft"], grpo=RECIPES["grpo"] | {"first": "sft"})
    relabel(db, 2)
    params = start.check_recipe(project, db, "grpo")
    machine = detect_machine()
    size, phases = by_formula(project, db, params, machine)
    assert [(phase.name, phase.notes) for phase in phases] == [("sft", [NOTE]), ("grpo", [])]
    summary = formula_summary(params, 24, 6, combine_phases("grpo", params, size, machine, phases))
    assert f"sft: {NOTE}" in summary.plain


@pytest.mark.slow
def test_the_estimate_names_them(project: Project, db: sqlite3.Connection, weights: Path) -> None:
    project = trainable(project, db, weights, sft=RECIPES["sft"])
    relabel(db, 2)
    completed = CliRunner().invoke(main, ["-C", str(project.folder), "train", "estimate", "sft", "--json"])
    assert completed.exit_code == 0, completed.output
    assert json.loads(completed.stdout)["phases"][0]["notes"].count(NOTE) == 1


def test_a_recipe_with_nothing_left_to_learn_from_is_refused(
    project: Project, db: sqlite3.Connection, weights: Path
) -> None:
    project = trainable(
        project, db, weights, sft=RECIPES["sft"], direct=RECIPES["sft"] | {"mode": "direct"}, grpo=RECIPES["grpo"]
    )
    relabel(db, 24)
    with pytest.raises(RunError, match="nothing is left to learn from: 24 examples are left out"):
        start.check_recipe(project, db, "sft")
    for name in ("direct", "grpo"):
        assert start.check_recipe(project, db, name).name == name
