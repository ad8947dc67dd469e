"""The loss over the labels alone, by value: soft targets, costs, and the scores of a benchmark."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest

pytest.importorskip("trl")

import torch

from core.config.case import Mode
from core.config.project import Project
from core.config.recipe import Algorithm, Curriculum, Recipe
from core.models.chat import Chat
from core.models.decoding import Decoder, Prefix
from core.models.student_format import StudentFormat
from core.training.data.cases import TrainingCase
from core.training.data.sampler import CasePosition, CurriculumSampler
from core.training.data.soft_targets import cost_matrix, group_votes, soft_target
from core.training.run.phase import run_phase
from core.training.run.setup import PhaseSetup
from core.training.trainers.arguments import sft_arguments
from core.training.trainers.labels import AnswerScorer, LabelTrainer, label_loss
from core.training.trainers.policy import open_policy
from storage import attempts, blind_reviews, examples, reviews
from storage.blind_reviews import BlindVote
from storage.schema import Attempt, Outcome, Result, Review, ReviewAction, RunState, Verdict
from tests import tiny_model
from tests.conftest import example
from tests.core.test_student_format import Quiet
from tests.core.test_student_format import example as student_example

LABELS = ["VALIDATED", "REJECTED", "REFINED"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    return tiny_model.save(folder / "tiny", texts=["The coach lowers wait. Claim 1."], max_position_embeddings=2048)


# ------------------------------------------------------------------ targets


def test_votes_share_a_part_of_the_target() -> None:
    votes = [BlindVote("a", "VALIDATED", 1.0), BlindVote("a", "REFINED", 0.6)]
    # The mean vote is (1 + 0.2) / 2, 0.2 / 2 and 0.6 / 2; half of it, and half of the label.
    assert soft_target("VALIDATED", votes, LABELS, 0.5) == pytest.approx([0.8, 0.05, 0.15])
    assert soft_target("VALIDATED", votes, LABELS, 0.0) == [1.0, 0.0, 0.0]
    assert soft_target("REJECTED", votes, LABELS, 1.0) == pytest.approx([0.6, 0.1, 0.3])
    assert soft_target("REJECTED", [], LABELS, 0.5) == [0.0, 1.0, 0.0]
    assert soft_target("REJECTED", [BlindVote("a", "GONE", 1.0)], LABELS, 0.5) == [0.0, 1.0, 0.0]


def test_votes_are_those_of_judges_and_people_about_the_example_as_it_is(db: sqlite3.Connection) -> None:
    attempt = Attempt(
        run="", domain="market", level=1, decision="REFINED", slot=0, number=0, idea=0, outcome=Outcome.WRITTEN,
        family="f", source="procedural", seed=1,
    )  # fmt: skip
    db.execute("PRAGMA foreign_keys = OFF")
    attempts.add_attempt(db, attempt, None)
    first = example(decision="REFINED", attempt=attempt.id)
    verdict = Verdict(
        attempt=attempt.id, result=Result.PASSED, stage="judge", blind_decision="REFINED", blind_confidence=0.7
    )
    attempts.add_verdict(db, verdict, first)
    stored = examples.get(db, first.id)
    assert stored is not None
    label = Review(example=first.id, action=ReviewAction.LABEL, value="VALIDATED", reviewer="ada", version=1)
    reviews.record(db, stored, [label])
    votes = group_votes(blind_reviews.read_votes(db))[first.id]
    assert sorted((vote.decision, vote.confidence) for vote in votes) == [("REFINED", 0.7), ("VALIDATED", 1.0)]
    current = examples.get(db, first.id)
    assert current is not None
    reviews.edit(db, current.model_copy(update={"hypothesis": "Another claim, in other words."}))
    assert blind_reviews.read_votes(db) == []


def test_what_the_recipe_does_not_name_costs_as_much_as_any_mistake() -> None:
    assert cost_matrix({}, LABELS) is None
    matrix = cost_matrix({"VALIDATED": {"REFINED": 0.3}}, LABELS)
    assert matrix == [[0.0, 1.0, 0.3], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]


# ------------------------------------------------------------------ the loss


def test_the_loss_by_hand() -> None:
    scores, target = [[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]], [[0.8, 0.05, 0.15], [0.0, 1.0, 0.0]]
    costs = [[0.0, 1.0, 0.3], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    entropy, expected = 0.0, 0.0
    for row, shares in zip(scores, target, strict=True):
        total = sum(math.exp(score) for score in row)
        p = [math.exp(score) / total for score in row]
        entropy -= sum(share * math.log(chance) for share, chance in zip(shares, p, strict=True)) / 2
        expected += sum(shares[label] * costs[label][d] * p[d] for label in range(3) for d in range(3)) / 2
    assert label_loss(torch.tensor(scores), torch.tensor(target)).item() == pytest.approx(entropy, rel=1e-6)
    weighed = label_loss(torch.tensor(scores), torch.tensor(target), torch.tensor(costs))
    assert weighed.item() == pytest.approx(entropy + expected, rel=1e-6)
    assert expected > 0.1


def case(prompt: list[int], label: str) -> TrainingCase:
    return TrainingCase(
        example=str(prompt),
        version=1,
        prompt=prompt,
        answer=[],
        label=label,
        level=1,
        domain="",
        family="",
        evidence=(),
    )


def test_labels_are_scored_as_a_benchmark_does_and_gradients_are_those_of_a_plain_loss(
    weights: Path, tmp_path: Path
) -> None:
    recipe = Recipe(algorithm=Algorithm.SFT, mode=Mode.DIRECT, loss="labels", precision="fp32", batch=2, steps=1)
    policy = open_policy(weights, recipe)
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    tokens = Chat(policy.tokenizer, thinks=False).label_tokens(LABELS)
    assert len({len(ids) for ids in tokens}) > 1
    cases = [case([5, 6, 7, 8], "REJECTED"), case([5, 6, 9], "REFINED")]
    targets = [[0.2, 0.7, 0.1], [0.0, 0.0, 1.0]]
    sampler = CurriculumSampler([CasePosition(1, "a")] * 2, Curriculum(), batch=2, steps=1, seed=0)
    settings = sft_arguments(recipe, tmp_path)
    trainer = LabelTrainer(
        policy.model, policy.tokenizer, settings, cases, targets, sampler, AnswerScorer(policy, tokens)
    )
    inputs = trainer.data_collator([{"case": 0}, {"case": 1}])
    policy.model.eval()
    loss = trainer.compute_loss(policy.model, inputs)
    loss.backward()
    gradients = {name: w.grad.clone() for name, w in policy.model.named_parameters() if w.grad is not None}
    policy.model.zero_grad()
    decoder = Decoder(policy.causal, policy.text, policy.ends)
    scores = torch.tensor(decoder.score([case.prompt for case in cases], Prefix(), tokens))
    assert loss.item() == pytest.approx(label_loss(scores, torch.tensor(targets)).item(), rel=1e-4)
    # Each label after each prompt, by itself.
    plain: list[torch.Tensor] = []
    for each in cases:
        for label in tokens:
            ids = torch.tensor([[*each.prompt, *label]])
            logps = torch.log_softmax(policy.model(input_ids=ids).logits[0, len(each.prompt) - 1 : -1].float(), -1)
            plain.append(logps[torch.arange(len(label)), torch.tensor(label)].sum())
    expected = label_loss(torch.stack(plain).view(2, 3), torch.tensor(targets))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    expected.backward()
    assert gradients
    for name, weight in policy.model.named_parameters():
        if name in gradients and weight.grad is not None:
            torch.testing.assert_close(gradients[name], weight.grad, rtol=1e-3, atol=1e-5)


def test_a_direct_student_learns_what_the_votes_say(project: Project, weights: Path, tmp_path: Path) -> None:
    """Every case is labelled REJECTED, and judges say REFINED: with soft = 1, that is what it learns."""
    recipe = Recipe(
        algorithm=Algorithm.SFT, mode=Mode.DIRECT, loss="labels", soft=1.0, steps=12, batch=4, micro_batch=4,
        evaluate_every=12, evaluate_on=4, learning_rate=0.02, precision="fp32", rationale="none", prompt="short",
    )  # fmt: skip
    train = [student_example(number, steps=False) for number in range(4)]
    votes = {made.id: [BlindVote(made.id, "REFINED", 1.0)] for made in train}
    reporter = Quiet()
    dev = [student_example(9, steps=False, split="dev")]
    phase = PhaseSetup("direct", recipe, weights, None, tmp_path / "run", train, dev, votes)
    assert run_phase(project, phase, reporter).state is RunState.FINISHED
    policy = open_policy(weights, recipe, adapter=phase.adapter)
    chat = Chat(policy.tokenizer, thinks=False)
    prompting = StudentFormat(mode=Mode.DIRECT, prompt="short").prompting(project.task, project.folder)
    prompt = chat.prompt(prompting.messages(train[0].hypothesis, train[0].evidence))
    policy.model.eval()
    decoder = Decoder(policy.causal, policy.text, policy.ends)
    (scores,) = decoder.score([prompt], Prefix(), chat.label_tokens(project.task.labels))
    shares = dict(zip(project.task.labels, torch.softmax(torch.tensor(scores), -1).tolist(), strict=True))
    assert shares["REFINED"] > 0.8
