"""Classifiers, exported: other programs open them, and they answer as the one that was trained."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

import torch

from core.config.project import Project
from core.config.recipe import Recipe
from core.model_export import classifier as classifier_export
from core.model_export import export
from core.model_export.classifier import ONNX, ONNX_INT8, compare_answers
from core.models.classifier import classify
from core.models.student_format import StudentFormat, load_format, save_format
from core.runs.control import RunError
from core.runs.params import ExportParams, ModelFormat
from core.runs.session import Ending, Session
from core.training.trainers.classifier import open_trainable_classifier, save_classifier
from storage import runs
from storage.schema import Run, RunState
from tests import tiny_model
from tests.core.judged_runs import LABELS, fill
from tests.core.training_runs import training, with_student

pytestmark = pytest.mark.slow

WORDS = ("Hypothesis train dev test f Figure Source x " + " ".join(map(str, range(30))),)
FORMAT = {"kind": "classifier", "mode": "direct", "rationale": "none", "prompt": "short", "max_tokens": 60}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.save_encoder(tmp_path_factory.mktemp("tiny") / "encoder", texts=WORDS)


@pytest.fixture(params=[4, 0])
def rank(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def trained(
    project: Project, db: sqlite3.Connection, encoder: Path, rank: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Project:
    monkeypatch.setattr("core.runs.launch.spawn", lambda *_: None)
    project = with_student(project, encoder, precision="fp32")
    fill(db, 9, split="train")
    fill(db, 12, split="dev")
    settings: dict[str, Any] = {"algorithm": "classify", "precision": "fp32", "lora": {"rank": rank}}
    made = open_trainable_classifier(encoder, Recipe.model_validate(settings), LABELS)
    torch.manual_seed(3)
    for weight in made.model.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.3)
    adapter = tmp_path / "adapter"
    save_classifier(made, adapter)
    save_format(adapter, StudentFormat.model_validate(FORMAT | {"labels": LABELS, "temperature": 1.7}))
    training(project, db, "head", adapter=adapter, **settings)
    return project


async def export_as(project: Project, db: sqlite3.Connection, output: Path, format_: ModelFormat) -> Ending:
    """Do what a worker does."""
    run = export.start_export(project, db, ExportParams(model="head", format=format_, output=output))
    with Session(project, db, run) as session:
        return await export.export(session)


def notes(db: sqlite3.Connection) -> str:
    run: Run = runs.of_kind(db, "export")[0]
    return " ".join(event.message for event in runs.events(db, run.id))


async def test_merged_weights_answer_as_the_classifier_did(
    trained: Project, db: sqlite3.Connection, tmp_path: Path, rank: int
) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    output = tmp_path / "out"
    assert await export_as(trained, db, output, ModelFormat.MERGED) == Ending(RunState.FINISHED)
    assert {file.name for file in output.iterdir()} <= export.FILES
    assert "The merged weights: 0 of 21 decisions differ" in notes(db)
    assert load_format(output) == StudentFormat.model_validate(FORMAT | {"labels": LABELS, "temperature": 1.7})
    model: Any = AutoModelForSequenceClassification.from_pretrained(output, dtype=torch.float32)
    assert [model.config.id2label[i] for i in range(3)] == list(LABELS)
    tokenizer = AutoTokenizer.from_pretrained(output)
    encoded = tokenizer("Source 3: Figure 3", "Hypothesis dev f 3.")
    case = (encoded["input_ids"], encoded["token_type_ids"])
    card = (output / "README.md").read_text()
    assert "pipeline_tag: text-classification" in card and "## Compared with the original" in card
    adapter = tmp_path / "adapter"
    from core.models.classifier_weights import open_classifier

    base = trained.task.local["tiny"].path
    assert base is not None
    original = open_classifier(trained.folder / base, adapter, LABELS, "fp32")
    expected = classify(original.model, original.pad, [case])[0]
    assert classify(model.eval(), 0, [case])[0] == pytest.approx(expected, abs=1e-5)


async def test_an_adapter_is_exported_where_there_is_one(
    trained: Project, db: sqlite3.Connection, tmp_path: Path, rank: int
) -> None:
    if not rank:
        with pytest.raises(RunError, match="was trained whole, and has no adapter: use the format merged or onnx"):
            await export_as(trained, db, tmp_path / "out", ModelFormat.ADAPTER)
        return
    assert await export_as(trained, db, tmp_path / "out", ModelFormat.ADAPTER) == Ending(RunState.FINISHED)
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()
    with pytest.raises(RunError, match="is a classifier, for which"):
        await export_as(trained, db, tmp_path / "gguf", ModelFormat.GGUF)


async def test_onnx_answers_as_the_classifier_did(
    trained: Project, db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    output = tmp_path / "out"
    assert await export_as(trained, db, output, ModelFormat.ONNX) == Ending(RunState.FINISHED)
    assert {file.name for file in output.iterdir()} <= export.FILES
    assert "ONNX: 0 of 21 decisions differ" in notes(db)
    assert (output / ONNX).is_file()
    # int8 is there if, and only if, it changes no decision.
    assert (output / ONNX_INT8).is_file() != ("int8 was not kept" in notes(db))
    import onnxruntime
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(output)
    session = onnxruntime.InferenceSession(str(output / ONNX))
    texts = ["Source 3: Figure 3", "x"], ["Hypothesis dev f 3.", "Hypothesis train f 1."]
    (logits,) = session.run(None, dict(tokenizer(*texts, padding=True, return_tensors="np")))
    assert logits.shape == (2, 3)


async def test_an_export_whose_answers_are_others_is_not_kept(
    trained: Project, db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([[[0.9, 0.1, 0.0]] * 21, [[0.8, 0.1, 0.1]] * 21])

    def changing(_model: object, _pad: int, _cases: Sequence[object]) -> list[list[float]]:
        return next(answers)

    monkeypatch.setattr("core.models.classifier.classify", changing)
    ending = await export_as(trained, db, tmp_path / "out", ModelFormat.MERGED)
    assert ending.state is RunState.FAILED
    assert "no probability by more than 0.1. That is more than rounding (0.02)" in ending.reason
    assert not (tmp_path / "out").exists()
    assert classifier_export.COMPARED >= 21


def test_a_comparison_counts_the_decisions_that_change() -> None:
    compared = compare_answers([[0.6, 0.4], [0.2, 0.8]], [[0.45, 0.55], [0.21, 0.79]])
    assert (compared.n, compared.changed) == (2, 1)
    assert compared.largest == pytest.approx(0.15)
