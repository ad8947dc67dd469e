"""What GRPO and PPO learn from given answers, by value: advantages, returns, objective, replaced groups, signals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

import torch
from trl import GRPOTrainer

from core.config.recipe import Algorithm, Curriculum, Recipe
from core.models.decoding import Completion
from core.training.data.cases import TrainingCase
from core.training.data.rewards import GradedAnswer
from core.training.data.sampler import CurriculumSampler, LevelSignal
from core.training.trainers.arguments import grpo_arguments
from core.training.trainers.grpo import GrpoTrainer
from core.training.trainers.policy import open_policy
from core.training.trainers.ppo import PpoTrainer
from core.training.trainers.rollout import Grading
from tests import tiny_model
from tests.core.papers import (
    reference_clipped_objective,
    reference_gae,
    reference_group_advantages,
    reference_value_loss,
)
from tests.core.trained_runs import case

GROUP = 4
# The answers to each case: right or wrong, and the reward. Flat groups earn the same throughout.
LIVELY = [(True, 0.9), (False, 0.1), (True, 0.4), (True, 0.8)]
TIMID = [(False, 0.2), (False, 0.3), (True, 0.6), (False, 0.2)]
FLAT = [(True, 0.5)] * GROUP
Answers = Sequence[tuple[bool, float]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.save(tmp_path_factory.mktemp("tiny"))


class Stage:
    """A trainer whose answers are given, case by case; `figures` are those of its steps."""

    def __init__(
        self, folder: Path, out: Path, patch: pytest.MonkeyPatch, answers: Sequence[Answers], kind: Any
    ) -> None:
        self.answers = answers
        self.figures: list[dict[str, float]] = []
        self.cases = [case([5, 6, 7, *range(8, 10 + i)], [9], level=1 + i % 2) for i in range(len(answers))]
        self.recipe = Recipe(
            algorithm=Algorithm.PPO if kind is PpoTrainer else Algorithm.GRPO, batch=2, micro_batch=2,
            generations=GROUP, max_answer_tokens=9, rewards={"worth": 1.0}, precision="fp32", gae_lambda=0.9,
        )  # fmt: skip
        self.sampler = CurriculumSampler(
            [made.position for made in self.cases], self.recipe.curriculum, batch=2, steps=2, seed=0
        )
        grading = Grading(("YES", "NO"), {"worth": worth}, {"worth": 1.0}, {})
        policy = open_policy(folder, self.recipe)
        self.trainer: Any = kind(
            policy, self.recipe, grpo_arguments(self.recipe, out), self.cases, self.sampler, grading,
            on_rollouts=lambda _step, _rollouts, figures: self.figures.append(figures),
        )  # fmt: skip
        self.trainer.model.train()
        self.trainer.current_gradient_accumulation_steps = 1
        patch.setattr("core.training.trainers.grpo.write_answers", self._write)

    def step(self, *cases: int) -> dict[str, Any]:
        """The batch of a step over these cases."""
        batch: dict[str, Any] = self.trainer._generate_and_score_completions(
            [{"prompt": str(number)} for number in cases for _ in range(GROUP)]
        )
        return batch

    def _write(self, _decoder: object, cases: Sequence[TrainingCase], times: int, *_: object) -> list[Completion]:
        return [self.completion(self.cases.index(asked), i) for asked in cases for i in range(times)]

    def completion(self, number: int, i: int) -> Completion:
        """The answer `i` to a case; no two have the same tokens, and lengths differ."""
        right, reward = self.answers[number][i]
        text = f"Decision: {'YES' if right else 'NO'}\nConfidence: {reward}\n"
        return Completion([20 + 10 * number + i] * (2 + i), text, complete=i != 1)

    def rewards(self, number: int) -> list[float]:
        """What the answers to a case earn."""
        return [reward for _, reward in self.answers[number]]


def worth(answer: GradedAnswer) -> float:
    """The confidence: it says what the answer is to earn. Cut or not changes nothing."""
    return float(answer.text.split()[-1])


@pytest.fixture
def grpo(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """GRPO on two cases whose answers differ, one whose answers earn the same, and a spare one."""
    return Stage(folder, tmp_path, monkeypatch, [LIVELY, TIMID, FLAT, TIMID[::-1]], GrpoTrainer)


@pytest.fixture
def ppo(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """PPO, with a critic that expects something."""
    stage = Stage(folder, tmp_path, monkeypatch, [LIVELY, TIMID, FLAT], PpoTrainer)
    torch.manual_seed(3)
    torch.nn.init.normal_(stage.trainer.critic.outer.weight, std=0.5)
    return stage


def rows_of(values: torch.Tensor, mask: torch.Tensor) -> list[list[float]]:
    """The numbers of the tokens, row by row."""
    return [row[: int(n)] for row, n in zip(values.tolist(), mask.sum(1), strict=True)]


def test_grpo_advantages_are_those_of_the_paper_and_of_trl(grpo: Stage, tmp_path: Path) -> None:
    batch = grpo.step(0, 1)
    expected = [*reference_group_advantages(grpo.rewards(0)), *reference_group_advantages(grpo.rewards(1))]
    assert batch["advantages"].tolist() == pytest.approx(expected, abs=1e-4)
    assert batch["advantages"].tolist() == pytest.approx(trl_advantages(grpo, tmp_path, 0, 1), abs=1e-5)


def trl_advantages(stage: Stage, out: Path, *cases: int) -> list[float]:
    """The advantages that trl's own trainer gives the same answers, with a reward function of the usual kind."""
    from datasets import Dataset

    completions = [stage.completion(number, i) for number in cases for i in range(GROUP)]
    rewards = [reward for number in cases for reward in stage.rewards(number)]

    trainer: Any = GRPOTrainer(
        model=stage.trainer.policy.causal,
        reward_funcs=lambda **_: rewards,
        args=grpo_arguments(stage.recipe, out),
        train_dataset=Dataset.from_dict({"prompt": ["A", "B"]}),
        processing_class=stage.trainer.policy.tokenizer,
    )
    trainer._generate_single_turn = lambda *_, **__: ([completion.ids for completion in completions], None)
    trainer.model.train()
    batch = trainer._generate_and_score_completions([{"prompt": str(number)} for number in cases for _ in range(GROUP)])
    advantages: list[float] = batch["advantages"].tolist()
    return advantages


LOG_RATIOS = [-1.0, -0.25, -0.1, 0.0, 0.1, 0.23, 0.26, 0.7]


@pytest.mark.parametrize("by_token", [False, True])
def test_the_objective_is_the_clipped_one(grpo: Stage, by_token: bool) -> None:
    """Per token, the worse of the plain and the clipped term, at advantages of both signs; the mean over tokens."""
    batch = grpo.step(0, 1)
    mask = batch["completion_mask"].float()
    generator = torch.Generator().manual_seed(4)
    log_ratios = torch.tensor(LOG_RATIOS)[torch.randint(len(LOG_RATIOS), mask.shape, generator=generator)]
    shape = mask.shape if by_token else mask.shape[:1]
    advantages = torch.randn(shape, generator=generator)
    with torch.no_grad():
        logps = grpo.trainer._get_per_token_logps_and_entropies(
            grpo.trainer.model, *(torch.cat([batch[f"prompt_{kind}"], batch[f"completion_{kind}"]], 1)
                                  for kind in ("ids", "mask")), mask.shape[1],
        )[0]  # fmt: skip
    loss = grpo.trainer._compute_loss(
        grpo.trainer.model, batch | {"advantages": advantages, "old_per_token_logps": logps - log_ratios}
    )
    per_token = advantages if by_token else advantages[:, None].expand(mask.shape)
    terms = [
        reference_clipped_objective(math.exp(log_ratio), advantage, grpo.recipe.clip_low, grpo.recipe.clip_high)
        for ratio_row, advantage_row in zip(rows_of(log_ratios, mask), rows_of(per_token, mask), strict=True)
        for log_ratio, advantage in zip(ratio_row, advantage_row, strict=True)
    ]
    assert loss.item() == pytest.approx(-statistics.fmean(terms), abs=1e-5)


def test_ppo_learns_from_scaled_rewards_by_the_critic(ppo: Stage) -> None:
    """Values are the critic's before each token; returns are advantages plus values; advantages are whitened."""
    earned: list[float] = []
    for cases in ((0, 1), (1, 2)):  # the second step is scaled by the rewards of both
        batch = ppo.step(*cases)
        mask = batch["completion_mask"]
        rewards = [reward for number in cases for reward in ppo.rewards(number)]
        earned += rewards
        mean, deviation = statistics.fmean(earned), statistics.pstdev(earned)
        values = list(critic_values(ppo, cases))
        advantages = [
            reference_gae((reward - mean) / deviation, own, ppo.recipe.gae_lambda)
            for reward, own in zip(rewards, values, strict=True)
        ]
        returns = [
            [advantage + value for advantage, value in zip(*pair, strict=True)]
            for pair in zip(advantages, values, strict=True)
        ]
        tokens = [advantage for row in advantages for advantage in row]
        mean, deviation = statistics.fmean(tokens), statistics.pstdev(tokens)
        whitened = [[(advantage - mean) / deviation for advantage in row] for row in advantages]
        for name, expected in (("values", values), ("returns", returns), ("advantages", whitened)):
            for row, expected_row in zip(rows_of(batch[name], mask), expected, strict=True):
                assert row == pytest.approx(expected_row, abs=1e-3), name


def critic_values(stage: Stage, cases: Sequence[int]) -> Iterator[list[float]]:
    """What the critic expects before each token of an answer, read alone."""
    for number in cases:
        for i in range(GROUP):
            prompt, answer = stage.cases[number].prompt, stage.completion(number, i).ids
            with torch.no_grad():
                output = stage.trainer.policy.causal.model(input_ids=torch.tensor([prompt + answer]))
                yield stage.trainer.critic(output.last_hidden_state)[0, len(prompt) - 1 : -1].tolist()


def test_the_critic_learns_the_returns(ppo: Stage) -> None:
    """Its loss is the clipped one against the values before; with its steps it falls."""
    batch = ppo.step(0, 1)
    mask = batch["completion_mask"]
    batch["values"] = batch["values"] + 0.3  # as if it had moved since: further than the clip
    now, before, returns = (
        [value for row in rows_of(tensor, mask) for value in row]
        for tensor in (batch["values"] - 0.3, batch["values"], batch["returns"])
    )
    losses = ppo.trainer._metrics["train"]["value_loss"]
    ppo.trainer._compute_loss(ppo.trainer.model, batch)
    assert losses[-1] == pytest.approx(reference_value_loss(now, before, returns, ppo.recipe.critic_clip), rel=1e-3)
    batch["values"] = batch["returns"]  # nothing is clipped near the target
    for _ in range(30):
        ppo.trainer._update_critic(batch)
    assert losses[-1] < losses[1]


def test_a_flat_group_is_replaced_by_one_that_differs(grpo: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows become those of another case, with their advantages; the group beside it stays as it is."""
    asked: list[tuple[list[int], int]] = []

    def draw(_number: int, used: Sequence[int], count: int) -> list[int]:
        asked.append((list(used), count))
        return [3]

    monkeypatch.setattr(grpo.sampler, "draw_replacements", draw)
    batch = grpo.step(0, 2)
    assert asked == [([0, 2], 1)]
    expected = [*reference_group_advantages(grpo.rewards(0)), *reference_group_advantages(grpo.rewards(3))]
    assert batch["advantages"].tolist() == pytest.approx(expected, abs=1e-4)
    for row, (number, i) in enumerate((number, i) for number in (0, 3) for i in range(GROUP)):
        for name, ids in (("prompt", grpo.cases[number].prompt), ("completion", grpo.completion(number, i).ids)):
            kept = batch[f"{name}_ids"][row][batch[f"{name}_mask"][row].bool()].tolist()
            assert kept[: len(ids)] == ids, (name, row)
    assert int(batch["num_items_in_batch"]) == int(batch["completion_mask"].sum())
    assert [rollout.case for rollout in grpo.trainer._rollouts[::GROUP]] == [grpo.cases[0], grpo.cases[3]]
    assert grpo.figures[-1]["no_signal"] == 0.5  # of what was drawn at first


@pytest.mark.parametrize("spare", [2, 0])
def test_a_group_is_replaced_only_if_it_is_flat_and_only_by_one_that_is_not(
    grpo: Stage, monkeypatch: pytest.MonkeyPatch, spare: int
) -> None:
    """As many rounds as the recipe allows; a step without a flat group draws none."""
    rounds: list[int] = []

    def draw(_number: int, _used: Sequence[int], count: int) -> list[int]:
        rounds.append(count)
        return [spare] * count

    monkeypatch.setattr(grpo.sampler, "draw_replacements", draw)
    grpo.step(0, 1)
    assert rounds == []
    batch = grpo.step(2, 1)
    assert rounds == ([1] * grpo.recipe.refills if spare == 2 else [1])
    expected = [0.0] * GROUP if spare == 2 else reference_group_advantages(grpo.rewards(0))
    assert batch["advantages"][:GROUP].tolist() == pytest.approx(expected, abs=1e-4)


def test_ppo_replaces_no_group(ppo: Stage) -> None:
    """Against a critic, answers that all earn the same teach as much as others."""
    batch = ppo.step(2, 0)
    assert batch["completion_ids"][0, 0] == ppo.completion(2, 0).ids[0]


def test_the_curriculum_hears_how_often_each_level_is_right(grpo: Stage) -> None:
    """The share of answers with the right decision, whatever they earned, as a moving average by level.

    An answer that was cut off decides nothing, so the second of each group is never right.
    """
    shares = [statistics.fmean(right and i != 1 for i, (right, _) in enumerate(answers)) for answers in (LIVELY, TIMID)]
    assert shares == [0.75, 0.25]
    grpo.step(0, 1)
    assert grpo.sampler.signal.right == pytest.approx({1: 0.75, 2: 0.25})
    grpo.step(1, 0)
    assert grpo.sampler.signal.right == pytest.approx({1: 0.75, 2: 0.25})
    grpo.step(3, 0)
    share = statistics.fmean(right and i != 1 for i, (right, _) in enumerate(TIMID[::-1]))
    assert grpo.sampler.signal.right == pytest.approx({1: 0.75, 2: 0.7 * 0.25 + 0.3 * share})


def test_an_adaptive_mix_is_by_the_variance_of_being_right() -> None:
    """p (1 - p) in shares, above the floor that each level has; unknown levels as if half were right."""
    signal = LevelSignal({1: 0.9, 2: 0.4})
    variances = [0.9 * 0.1, 0.4 * 0.6, 0.5 * 0.5]
    expected = [0.1 + 0.7 * variance / sum(variances) for variance in variances]
    shares = signal.shares(Curriculum(order="adaptive", floor=0.1), [1, 2, 3])
    assert list(shares.values()) == pytest.approx(expected)


def test_the_figures_say_how_many_answers_were_cut(grpo: Stage) -> None:
    """One of each four; it decides nothing, and so it is unread as well."""
    grpo.step(0, 1)
    figures = grpo.figures[-1]
    assert figures["cut"] == figures["unread"] == 0.25
    assert figures["right"] == statistics.fmean([0.75, 0.25])
    assert figures["reward"] == pytest.approx(statistics.fmean(grpo.rewards(0) + grpo.rewards(1)))
    assert figures["length"] == statistics.fmean(range(2, 2 + GROUP))


def test_an_answer_of_a_server_is_cut_after_its_decision(grpo: Stage) -> None:
    """What follows is not learned from; without a decision, an end token completes it, and the limit does not."""
    trainer = grpo.trainer
    encode = trainer.policy.tokenizer.encode
    decided = encode("Decision: YES\nConfidence: 0.7\n")
    written = trainer._cut_at_decision([*decided, *encode("The user asks once more")])
    assert (written.ids, written.complete) == (decided[: len(written.ids)], True)
    assert written.text.startswith("Decision: YES\nConfidence: 0.7")
    assert len(written.ids) <= len(decided)
    words = encode("It depends")
    ended = trainer._cut_at_decision([*words, trainer.policy.end, *decided])
    assert (ended.ids, ended.complete) == (words, True)
    assert trainer._ids(ended) == [*words, trainer.policy.end]
    limited = trainer._cut_at_decision(words)
    assert (limited.ids, limited.complete) == (words, False)
    assert trainer._ids(limited) == words
