"""Classifiers on tiny models: what they read, learn and answer, and that their weights come back as they were."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

import torch

from core.config.case import Case, Mode
from core.config.project import FILE, Project, open_project
from core.config.recipe import Algorithm, Recipe
from core.models.case_encoder import CaseEncoder, order_to_drop
from core.models.classifier import classify, describe_shortening
from core.models.classifier_weights import load_classifier, load_tokenizer, open_classifier
from core.models.registry import registered_models
from core.models.resolve import ModelError, check_mode, default_mode, model_for
from core.models.student_format import load_format, save_format
from core.models.trained import trained_models
from core.models.weights import WeightsError, find_weights, open_weights
from core.runs.session import Ending
from core.training.run import start
from core.training.trainers.classifier import open_trainable_classifier, save_classifier
from storage import runs, training
from storage.schema import Evidence, RunState
from tests import tiny_model
from tests.core.judged_runs import LABELS, fill
from tests.core.test_training_runs import carry_out, losses

pytestmark = pytest.mark.slow

WORDS = ("Hypothesis train dev f Figure Source x rises falls wait time coach " + " ".join(map(str, range(30))),)


def piece(content: str, relevance: float = 1.0, source: str = "Note") -> Evidence:
    return Evidence(source=source, content=content, relevance=relevance)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started: the test does the work itself."""
    monkeypatch.setattr("core.runs.launch.spawn", lambda *_: None)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.save_encoder(tmp_path_factory.mktemp("tiny") / "encoder", texts=WORDS)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.save(tmp_path_factory.mktemp("tiny") / "decoder", texts=WORDS, max_position_embeddings=512)


def trainable(project: Project, db: sqlite3.Connection, weights: Path, **recipe: Any) -> Project:
    """The project with examples, the student `tiny` and the recipe `head`."""
    fill(db, 24, split="train")
    fill(db, 6, split="dev")
    settings: dict[str, Any] = {
        "algorithm": "classify",
        "student": "tiny",
        "steps": 4,
        "batch": 4,
        "micro_batch": 2,
        "evaluate_every": 2,
        "evaluate_on": 6,
        "checkpoint_every": 2,
        "learning_rate": 0.01,
    } | recipe
    lines = [f"\n[local.tiny]\npath = {json.dumps(str(weights))}\n\n[train.head]\n"]
    lines += [
        f"{name} = {value if name in {'lora', 'costs'} else json.dumps(value)}\n" for name, value in settings.items()
    ]
    path = project.folder / FILE
    path.write_text(path.read_text() + "".join(lines))
    return open_project(project.folder)


# ------------------------------------------------------------------ what it reads


def test_the_least_relevant_piece_is_left_out_first() -> None:
    rated = [piece("a", 0.9), piece("b", 0.1), piece("c", 0.5), piece("d", 0.1)]
    assert [each.content for each in order_to_drop("It.", rated)] == ["d", "b", "c", "a"]
    unrated = [piece("The coach left."), piece("Wait times fell with the coach."), piece("Rain.")]
    order = order_to_drop("The coach lowers wait times.", unrated)
    assert [each.content for each in order] == ["Rain.", "The coach left.", "Wait times fell with the coach."]


def test_an_encoder_reads_a_pair_and_a_decoder_the_prompt(encoder: Path, decoder: Path) -> None:
    def messages(hypothesis: str, evidence: Any) -> Any:
        return [{"role": "user", "content": f"Claim {hypothesis} of {len(evidence)}"}]

    def made(path: Path, limit: int = 100) -> tuple[Any, CaseEncoder]:
        location = find_weights(path)
        model, _ = load_classifier(location, torch.float32, LABELS)
        tokenizer = load_tokenizer(location, model)
        return tokenizer, CaseEncoder(tokenizer, messages, "student-1", limit)

    tokenizer, pairs = made(encoder)
    read = pairs.encode("wait falls", [piece("time rises [SEP] x")])
    # A special token in a case stays words.
    assert tokenizer.decode(read.ids).count("[SEP]") == 2
    assert read.token_types == [0] * (len(read.ids) - 3) + [1] * 3
    assert pairs.version == "pair-1"
    tokenizer, text = made(decoder)
    assert tokenizer.decode(text.encode("x", [piece("a"), piece("b")]).ids) == "Claim x of 2"
    assert text.version == "student-1"
    tokenizer, short = made(encoder, limit=14)
    pieces = [piece("wait wait wait wait", 0.2), piece("coach coach", 0.9), piece("time time", 0.1)]
    read = short.encode("wait falls", pieces)
    assert (len(read.ids) <= 14, read.dropped, read.cut) == (True, 2, False)
    assert "coach coach" in tokenizer.decode(read.ids) and "time" not in tokenizer.decode(read.ids)
    read = short.encode("wait falls", [piece("coach " * 40)])
    assert (len(read.ids), read.dropped, read.cut) == (14, 0, True)
    assert describe_shortening(read) == "too long: it was read without the end of the piece that was left"


def test_a_batch_answers_as_each_case_alone(encoder: Path, decoder: Path) -> None:
    cases = [([2, 5, 6, 3, 7, 3], [0, 0, 0, 0, 1, 1]), ([2, 5, 3, 7, 8, 9, 3], [0, 0, 0, 1, 1, 1, 1])]
    location = find_weights(encoder)
    model, new_layers = load_classifier(location, torch.float32, LABELS)
    assert new_layers == ["classifier"]
    batch = classify(model.eval(), 0, cases)
    for position, case in enumerate(cases):
        assert classify(model, 0, [case])[0] == pytest.approx(batch[position], abs=1e-6)
    ids, types = torch.tensor([cases[0][0]]), torch.tensor([cases[0][1]])
    logits = model(input_ids=ids, token_type_ids=types, attention_mask=torch.ones_like(ids)).logits
    assert batch[0] == pytest.approx(torch.softmax(logits, -1)[0].tolist(), abs=1e-6)
    location = find_weights(decoder)
    model, new_layers = load_classifier(location, torch.float32, LABELS)
    load_tokenizer(location, model)
    assert new_layers == ["score"]
    texts: list[tuple[list[int], list[int]]] = [([4, 5, 6], []), ([4, 5, 6, 7, 8, 9], [])]
    batch = classify(model.eval(), model.config.pad_token_id, texts)
    assert classify(model, model.config.pad_token_id, [texts[0]])[0] == pytest.approx(batch[0], abs=1e-5)


# ------------------------------------------------------------------ training


@pytest.mark.parametrize(
    ("kind", "recipe"),
    [
        ("encoder", {}),
        ("encoder", {"lora": "{ rank = 0 }"}),
        ("encoder", {"precision": "bf16"}),
        ("decoder", {"costs": "{ VALIDATED = { REJECTED = 0.2 } }"}),
        ("decoder", {"quantization": "nf4"}),
    ],
)
async def test_to_the_end_and_stopped_and_resumed(
    project: Project, db: sqlite3.Connection, kind: str, recipe: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """The losses after a stop are those of a run that nobody disturbed, and the model answers as a benchmark asks."""
    if recipe.get("quantization"):
        pytest.importorskip("bitsandbytes")
    project = trainable(project, db, request.getfixturevalue(kind), **recipe)
    calm = start.start_training(project, db, "head")
    assert await carry_out(project, db, calm) == Ending(RunState.FINISHED, "")
    assert [record.step for record in training.evaluations(db, calm.id)] == [0, 2, 4]
    first = runs.events(db, calm.id)[0].message
    assert "head: classify, 4 steps, 24 cases, 6 to watch; a classifier of" in first
    run = start.start_training(project, db, "head")
    assert (await carry_out(project, db, run, stop_at=3)).state is RunState.STOPPED
    assert len(losses(db, run)) == 3
    assert await carry_out(project, db, run) == Ending(RunState.FINISHED, "")
    assert losses(db, run) == pytest.approx(losses(db, calm), rel=1e-4, abs=1e-6)
    # A model of the registry like others.
    assert [entry.problem for entry in registered_models(project, db) if entry.run == run.id] == [""]
    assert default_mode(project, db, "head") is Mode.DIRECT
    assert "is a classifier" in check_mode(project, db, "head", Mode.REASON)
    folder = trained_models(project, db)
    adapter = project.folder / next(reversed(folder.values())).adapter
    kept = load_format(adapter)
    assert kept is not None and kept.kind == "classifier" and kept.temperature != 1.0
    model = model_for(project, db, "head", Mode.DIRECT)
    cases = [Case("a", "Hypothesis rises 3", (piece("Figure 3 x"), piece("time")), 0), Case("b", "wait", (piece("x"),))]
    (batch,) = model.batches(cases)
    replies = await model.answer(batch)
    for reply in replies:
        assert reply.probabilities is not None
        shares = dict(reply.probabilities)
        assert list(shares) == list(LABELS)
        assert sum(reply.probabilities.values()) == pytest.approx(1)
        assert reply.raw == max(shares, key=shares.__getitem__)
        assert reply.usage.output_tokens == 0 and reply.usage.input_tokens
    await model.close()


async def test_what_was_saved_answers_as_what_was_trained(encoder: Path, tmp_path: Path) -> None:
    """The head, and an adapter that changes its layers, come back; so do whole weights."""
    cases = [([2, 5, 6, 3, 7, 3], [0, 0, 0, 0, 1, 1])]
    for rank in (4, 0):
        recipe = Recipe.model_validate({"algorithm": "classify", "precision": "fp32", "lora": {"rank": rank}})
        trained = open_trainable_classifier(encoder, recipe, LABELS)
        torch.manual_seed(3)
        for weight in trained.model.parameters():
            if weight.requires_grad:
                torch.nn.init.normal_(weight, std=0.3)
        save_classifier(trained, tmp_path / str(rank))
        expected = classify(trained.model.eval(), 0, cases)
        assert max(expected[0]) > 0.4
        opened = open_classifier(encoder, tmp_path / str(rank), LABELS, "fp32")
        assert classify(opened.model, opened.pad, cases)[0] == pytest.approx(expected[0], abs=1e-5)
        # Training goes on from there.
        again = open_trainable_classifier(encoder, recipe, LABELS, start=tmp_path / str(rank))
        assert classify(again.model.eval(), 0, cases)[0] == pytest.approx(expected[0], abs=1e-5)
        assert sum(weight.requires_grad for weight in again.model.parameters()) == sum(
            weight.requires_grad for weight in trained.model.parameters()
        )
    with pytest.raises(WeightsError, match=r"holds whole weights: set lora\.rank = 0"):
        open_trainable_classifier(encoder, Recipe(algorithm=Algorithm.CLASSIFY), LABELS, start=tmp_path / "0")


def test_an_encoder_cannot_write(encoder: Path) -> None:
    with pytest.raises(WeightsError, match=r'an encoder \(bert\), which cannot write answers: .*"classify"'):
        open_weights(encoder)


async def test_a_task_with_other_decisions_is_refused(project: Project, db: sqlite3.Connection, encoder: Path) -> None:
    project = trainable(project, db, encoder, steps=1)
    run = start.start_training(project, db, "head")
    await carry_out(project, db, run)
    adapter = project.folder / next(iter(trained_models(project, db).values())).adapter
    kept = load_format(adapter)
    assert kept is not None
    save_format(adapter, kept.model_copy(update={"labels": ("YES", "NO")}))
    with pytest.raises(ModelError, match="was trained to decide between YES, NO, and the task has VALIDATED"):
        model_for(project, db, "head", Mode.DIRECT)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mode": "reason"}, "writes no reasoning"),
        ({"first": "sft"}, "a classify recipe starts from the student itself"),
        ({"lora": {"rank": 0}, "quantization": "nf4"}, "whole weights are not trained quantized"),
        ({"algorithm": "sft", "lora": {"rank": 0}}, "take a rank of 1 or more"),
        ({"algorithm": "sft", "loss": "labels"}, 'needs algorithm = "sft" and mode = "direct"'),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe.model_validate({"algorithm": "classify"} | fields)
