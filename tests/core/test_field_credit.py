"""Credit for the fields of steps at their own tokens: which tokens, which advantages, and nothing paid twice."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

import torch

from core.config.recipe import Algorithm, Recipe
from core.config.steps import StepWording
from core.training.data.rewards import BUILT_IN
from core.training.trainers.arguments import grpo_arguments
from core.training.trainers.critic import gae
from core.training.trainers.field_credit import FieldCredit, field_credits, group_advantages, token_rewards
from core.training.trainers.grpo import GrpoTrainer
from core.training.trainers.ppo import PpoTrainer
from core.training.trainers.rollout import Grading, Rollout
from storage.schema import Finding, Holds, Step
from tests import tiny_model
from tests.core.test_policy_gradient import FLAT, GROUP, LIVELY, TIMID, Stage, worth
from tests.core.trained_runs import case

STEP = Step(
    part="time",
    findings=[Finding(piece=1, quote="fell", source="", says="down")],
    against=[],
    why="",
    found="down",
    claimed="up",
    holds=Holds.NO,
)
# A token for each word with the blank behind it.
RIGHT = ["time: ", "down, ", "claimed ", "up, ", "wrong.\n", "Decision: ", "NO"]


def rollout(words: list[str], decision: str | None = "NO") -> tuple[Rollout, list[str]]:
    asked = replace(case([1], [2], label="NO"), steps=(STEP,))
    ids = list(range(len(words)))
    return Rollout(asked, ids, "".join(words), True, decision, None, {"steps": 1.0}, 1.0), words


def credited(words: list[str], decision: str | None = "NO") -> list[FieldCredit]:
    answer, tokens = rollout(words, decision)
    return field_credits(answer, StepWording(), lambda ids: "".join(tokens[number] for number in ids))


def test_each_field_has_the_tokens_that_hold_its_letters() -> None:
    by_field = {credit.field: (credit.start, credit.end, credit.is_right) for credit in credited(RIGHT)}
    assert by_field == {
        "part": (0, 1, True),
        "found": (1, 2, True),
        "claimed": (3, 4, True),
        "holds": (4, 5, True),
    }


def test_a_wrong_field_is_wrong_at_its_own_tokens_and_the_comparison_is_not_judged() -> None:
    words = ["time: ", "u", "p, ", "claimed ", "up, ", "right.\n", "Decision: ", "YES"]
    by_field = {credit.field: (credit.start, credit.end, credit.is_right) for credit in credited(words, "YES")}
    assert by_field == {"part": (0, 1, True), "found": (1, 3, False), "claimed": (4, 5, True)}


def test_an_answer_that_does_not_decide_earns_no_credit() -> None:
    assert credited(RIGHT[:5], None) == []
    assert credited(["I ", "cannot ", "say."]) == []


def credit(is_right: bool, start: int = 1, end: int = 3, field: str = "found") -> FieldCredit:
    return FieldCredit(field, 0, is_right, start, end)


def test_advantages_are_those_of_the_field_in_its_group() -> None:
    rows = [[credit(True)], [credit(False)], [credit(True, 2, 4)], [], [credit(True)], [credit(True)], [], []]
    advantages = group_advantages(rows, 4, 5, 0.5)
    deviation = statistics.stdev([1, 0, 1])
    good, bad = 0.5 * (1 - 2 / 3) / (deviation + 1e-4), 0.5 * (0 - 2 / 3) / (deviation + 1e-4)
    assert advantages[0].tolist() == pytest.approx([0, good, good, 0, 0])
    assert advantages[1].tolist() == pytest.approx([0, bad, bad, 0, 0])
    assert advantages[2].tolist() == pytest.approx([0, 0, good, good, 0])
    assert not advantages[3:].any()


def test_fields_are_compared_with_the_same_field_only() -> None:
    rows = [[credit(True), credit(False, 3, 4, "claimed")], [credit(True), credit(False, 3, 4, "claimed")]]
    assert not group_advantages(rows, 2, 5, 1.0).any()


def test_what_is_earned_is_paid_at_the_last_tokens_of_what_is_right_and_in_sum() -> None:
    rows = [[credit(True), credit(True, 3, 4, "claimed"), credit(False, 4, 5, "holds")], [credit(False)]]
    rewards = token_rewards(rows, 6, [0.6, 0.9])
    assert rewards.tolist() == [pytest.approx([0, 0, 0.3, 0.3, 0, 0]), [0] * 6]


def test_the_reward_of_steps_is_not_paid_to_the_whole_answer_too(tmp_path: Path) -> None:
    recipe = Recipe(algorithm=Algorithm.GRPO, rewards={"steps": 0.5, "correct": 1.0})
    assert grpo_arguments(recipe, tmp_path).reward_weights == [0.0, 1.0]


GIVEN = [[credit(is_right, 0, 2)] for is_right in (True, False, True, True)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.save(tmp_path_factory.mktemp("tiny"))


def staged(folder: Path, out: Path, patch: pytest.MonkeyPatch, kind: type[GrpoTrainer]) -> Stage:
    """A stage whose answers have fields, as given above, and earn a fixed 0.8 for their steps."""
    stage = Stage(folder, out, patch, [LIVELY, TIMID, FLAT], kind)
    rewards = {"worth": worth, "steps": lambda _: 0.8}
    stage.trainer.grading = Grading(("YES", "NO"), rewards, {"worth": 1.0, "steps": 0.5}, {})
    stage.trainer.reward_weights = torch.tensor([1.0, 0.0])
    stage.trainer.reward_funcs = stage.trainer.reward_funcs * 2
    stage.trainer.reward_func_names = ["worth", "steps"]
    given = iter(GIVEN * 2)
    patch.setattr("core.training.trainers.grpo.field_credits", lambda *_: next(given))
    return stage


def test_grpo_adds_what_a_field_earned_to_its_tokens(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Stage(folder, tmp_path, monkeypatch, [LIVELY, TIMID, FLAT], GrpoTrainer).step(0, 1)["advantages"]
    batch = staged(folder, tmp_path, monkeypatch, GrpoTrainer).step(0, 1)
    width = batch["completion_mask"].shape[1]
    expected = plain[:, None] + group_advantages(GIVEN * 2, GROUP, width, 0.5)
    assert torch.allclose(batch["advantages"], expected, atol=1e-5)


def test_ppo_is_paid_at_the_fields_and_in_sum_what_the_answer_earned(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []

    def recording(earned: torch.Tensor, *rest: Any) -> torch.Tensor:
        seen.append(earned)
        return gae(earned, *rest)

    stage = staged(folder, tmp_path, monkeypatch, PpoTrainer)
    monkeypatch.setattr("core.training.trainers.ppo.gae", recording)
    stage.step(0, 1)
    earned, scale = seen[0], stage.trainer.scale
    totals = torch.tensor([reward + 0.5 * 0.8 for number in (0, 1) for reward in stage.rewards(number)])
    assert torch.allclose(earned.sum(1), scale.scaled(totals), atol=1e-5)
    # The field of the third answer ends at its second token, and the answer at its fourth.
    assert float(earned[2, 1]) == pytest.approx(0.4 / scale.deviation, abs=1e-5)


def test_the_reward_is_known_by_its_name() -> None:
    assert "steps" in BUILT_IN
