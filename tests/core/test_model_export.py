"""What was trained, exported: transformers loads each format, and it gives the logits of the model that was asked."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft")

from core.config.project import Project
from core.model_export import export, gguf
from core.model_export.export import CARD, GGUF
from core.models.weights import Precision, WeightsError, open_weights
from core.runs.control import RunError
from core.runs.params import ExportParams, ModelFormat
from core.runs.session import Ending, Session
from storage import examples, listing, runs
from storage.database import transaction
from storage.examples import Filter
from storage.schema import Run, RunState, Status
from tests import tiny_model
from tests.conftest import HOSTILE, example
from tests.core.judged_runs import fill
from tests.core.training_runs import training, with_student
from tests.tui.benchmark_pilot import RIGHT, WRONG, write_benchmark

KEY = "01K0000000000000000AAAAAAA"
NAME = "sft-aaaaaa"
TEXT = "Decide whether 123 hypotheses are VALIDATED<|end|>, it's REFINED."


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.save(tmp_path_factory.mktemp("tiny") / "tiny")


@pytest.fixture(scope="module")
def adapter(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random adapter, and beside it the one that RL measured its distance from."""
    folder = tiny_model.adapt(tiny, tmp_path_factory.mktemp("made") / "adapter")
    tiny_model.adapt(tiny, folder / "ref")
    return folder


@pytest.fixture
def trained(
    project: Project, db: sqlite3.Connection, tiny: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> Project:
    monkeypatch.setattr("core.runs.launch.spawn", lambda *_: None)
    project = with_student(project, tiny, precision="fp32")
    training(project, db, "sft", key=KEY, adapter=adapter, precision="fp32")
    runs.log(db, KEY, "sft: sft, 60 steps, 24 cases, 6 to watch")
    return project


async def export_as(
    project: Project, db: sqlite3.Connection, output: Path, format_: ModelFormat, **more: Any
) -> Ending:
    """Do what a worker does."""
    run = export.start_export(project, db, ExportParams(model="sft", format=format_, output=output, **more))
    return await work(project, db, run)


async def work(project: Project, db: sqlite3.Connection, run: Run) -> Ending:
    with Session(project, db, run) as session:
        ending = await export.export(session)
    runs.update(db, run.id, state=ending.state, progress=session.progress)
    return ending


def logits(model: Any, ids: list[int]) -> Any:
    import torch

    with torch.inference_mode():
        return model.eval()(torch.tensor([ids])).logits.float()


@pytest.mark.parametrize("format_", [ModelFormat.ADAPTER, ModelFormat.MERGED, ModelFormat.GGUF])
async def test_each_format_gives_the_same_logits(
    trained: Project, db: sqlite3.Connection, tiny: Path, adapter: Path, tmp_path: Path, format_: ModelFormat
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    output = tmp_path / "out"
    assert await export_as(trained, db, output, format_) == Ending(RunState.FINISHED)
    assert {file.name for file in output.iterdir()} <= export.FILES
    assert len({file.stat().st_mode for file in output.iterdir()}) == 1
    for file in output.glob("*.json"):
        assert str(tiny.parent) not in file.read_text()
    reopened = open_weights(tiny, adapter, Precision.FP32)
    ids = reopened.tokenizer(TEXT)["input_ids"]
    if format_ is ModelFormat.ADAPTER:
        base = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
        back, tokenizer = PeftModel.from_pretrained(base, str(output)), None
        assert json.loads((output / "adapter_config.json").read_text())["base_model_name_or_path"] == "tiny"
        assert not (output / "ref").exists()
    else:
        location: dict[str, Any] = {"gguf_file": GGUF} if format_ is ModelFormat.GGUF else {}
        back = AutoModelForCausalLM.from_pretrained(output, **location, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(output, **location)
    assert torch.allclose(logits(back, ids), logits(reopened.model, ids), atol=1e-4)
    assert not torch.allclose(logits(back, ids), logits(open_weights(tiny).model, ids), atol=0.1)
    if format_ is ModelFormat.GGUF:
        rounded = open_weights(output / GGUF, precision=Precision.BF16)
        assert (logits(rounded.model, ids).float() - logits(reopened.model, ids)).abs().mean() < 0.05
    if tokenizer is not None:
        assert tokenizer(TEXT)["input_ids"] == ids
        assert (tokenizer.eos_token_id, tokenizer.chat_template) == (
            reopened.tokenizer.eos_token_id,
            tiny_model.TEMPLATE,
        )


@pytest.mark.parametrize("kind", ["Qwen2", "Qwen3"])
def test_other_families_are_written_as_gguf(tmp_path: Path, tiny: Path, kind: str) -> None:
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    config = getattr(transformers, f"{kind}Config")(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=len(tokenizer) + 3, max_position_embeddings=512, initializer_range=0.3, tie_word_embeddings=True,
        **({"head_dim": 128} if kind == "Qwen3" else {}),
    )  # fmt: skip
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}ForCausalLM")(config)
    for name, weight in model.named_parameters():
        if weight.ndim == 1:
            torch.nn.init.normal_(weight, 0.0 if name.endswith("bias") else 1.0, 0.3)
    gguf.write_gguf(tmp_path / GGUF, "x", model, tokenizer)
    back = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=GGUF, dtype=torch.float32)
    ids = tokenizer(TEXT)["input_ids"]
    assert torch.allclose(logits(back, ids), logits(model, ids), atol=1e-4)


def test_what_gguf_cannot_hold_is_refused(tmp_path: Path, tiny: Path) -> None:
    from tokenizers import pre_tokenizers
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(gguf.GgufError, match="parts text in a way"):
        gguf.write_gguf(tmp_path / GGUF, "x", model, tokenizer)
    config = AutoConfig.from_pretrained(tiny)
    config.rope_parameters = config.rope_parameters | {"rope_type": "llama3"}
    with pytest.raises(gguf.GgufError, match="positions are scaled"):
        gguf.check_architecture(config)
    config.model_type = "bloom"
    with pytest.raises(gguf.GgufError, match="family bloom"):
        gguf.check_architecture(config)


async def test_the_card_says_what_it_is(trained: Project, db: sqlite3.Connection, tmp_path: Path) -> None:
    """Task, prompt, data, recipe, figures with intervals, hashes, limits; stored text in it is text."""
    fill(db, 24, split="train")
    fill(db, 30)
    with transaction(db):
        hostile = example(family="h", split="train", source=HOSTILE[4], model="|`<b>", status=Status.ACCEPTED)
        examples.add(db, hostile)
    cases = listing.read_examples(db, listing.read_numbers(db, Filter(split=("test",))))
    write_benchmark(db, cases, "tiny", [RIGHT] * 10 + [WRONG] * 20, mode="reason")
    write_benchmark(db, cases, NAME, [RIGHT] * 25 + [WRONG] * 3 + ["refused"] * 2, mode="reason")
    output = tmp_path / "out"
    assert await export_as(trained, db, output, ModelFormat.MERGED, licence="CC-BY-4.0") == Ending(RunState.FINISHED)
    card = (output / CARD).read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: cc-by-4.0\nlibrary_name: transformers\n")
    (run,) = runs.of_kind(db, "export")
    for phrase in (
        trained.task.question,
        "HYPOTHESIS",
        "Confidence: 0.90",
        "| train | 9 | 8 | 8 | 25 | 25 |",
        "sft: sft, 60 steps, 24 cases, 6 to watch",
        'algorithm = "sft"',
        "25/30, 83.3 % (66.4–92.7)",
        "2 refused",
        "50.0 (",
        f"| model.safetensors | {run.progress['files']['model.safetensors']} |",
        "model.safetensors (the base)",
        "## Known limits",
    ):
        assert phrase in card, phrase
    assert "\x1b" not in card
    assert "|`<b>" not in card
    assert str(tmp_path) not in card
    assert not re.search(r"\bNone\b", card)


async def test_a_folder_is_whole_or_not_there_and_nothing_is_overwritten(
    trained: Project, db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    monkeypatch.setattr(export, "weight_hashes", broken)
    ending = await export_as(trained, db, output, ModelFormat.MERGED)
    assert (ending.state, "nothing was written" in ending.reason) == (RunState.FAILED, True)
    assert list(tmp_path.glob("*out*")) == list(tmp_path.glob(".sidequest*")) == []
    monkeypatch.undo()
    monkeypatch.setattr("core.runs.launch.spawn", lambda *_: None)
    assert (await export_as(trained, db, output, ModelFormat.ADAPTER)).state is RunState.FINISHED
    with pytest.raises(RunError, match="is there already"):
        await export_as(trained, db, output, ModelFormat.GGUF)
    assert (await export_as(trained, db, output, ModelFormat.GGUF, overwrite=True)).state is RunState.FINISHED
    assert {file.name for file in output.iterdir()} == {CARD, GGUF}
    (output / "mine.txt").touch()
    with pytest.raises(RunError, match=r"holds what no export wrote, such as mine\.txt"):
        await export_as(trained, db, output, ModelFormat.GGUF, overwrite=True)


def broken(_: Path) -> dict[str, str]:
    raise OSError(28, "No space left on device")


async def test_what_cannot_be_exported_is_said(trained: Project, db: sqlite3.Connection, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="majority was not trained here"):
        export.start_export(
            trained, db, ExportParams(model="majority", format=ModelFormat.GGUF, output=tmp_path / "out")
        )
    run = export.start_export(trained, db, ExportParams(model="sft", format=ModelFormat.GGUF, output=tmp_path / "out"))
    (trained.folder / "runs" / KEY / "sft" / "adapter" / "adapter_model.safetensors").unlink()
    ending = await work(trained, db, run)
    assert ending.state is RunState.FAILED
    assert "its adapter is gone from runs/" in ending.reason


def test_an_adapter_of_another_model_is_refused(tiny: Path, tmp_path: Path) -> None:
    other = tiny_model.save(tmp_path / "other", hidden_size=48)
    with pytest.raises(WeightsError, match="cannot be merged"):
        export.merge_adapter(other, tiny_model.adapt(tiny, tmp_path / "adapter"))


def test_an_adapter_whose_keys_match_nothing_is_not_merged(tiny: Path, tmp_path: Path) -> None:
    adapter = tiny_model.rename_keys(tiny_model.adapt(tiny, tmp_path / "adapter"), "lora_B", "lora_up")
    with pytest.raises(WeightsError, match=r"adapter_model\.safetensors has weights that match nothing .*lora_up"):
        export.merge_adapter(tiny, adapter)


def test_a_gguf_base_keeps_its_tokenizer_and_may_be_quantized(tiny: Path, tmp_path: Path) -> None:
    """It is unpacked, so that an adapter is put on it as it was in training."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = tmp_path / GGUF
    gguf.write_gguf(file, "x", AutoModelForCausalLM.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny))
    adapter = tiny_model.adapt(tiny, tmp_path / "adapter")
    model, tokenizer = export.merge_adapter(file, adapter)
    again = tmp_path / "again.gguf"
    gguf.write_gguf(again, "x", model, tokenizer, gguf.tokenizer_fields(file))
    assert {name: field[0] for name, field in gguf.tokenizer_fields(again).items()} == {
        name: field[0] for name, field in gguf.tokenizer_fields(file).items()
    }
    ids = tokenizer(TEXT)["input_ids"]
    reopened = open_weights(tiny, adapter, Precision.FP32)
    assert torch.allclose(logits(model, ids), logits(reopened.model, ids), atol=1e-4)
    small = open_weights(file, adapter, Precision.FP32, "nf4")
    assert any("4bit" in type(module).__name__ for module in small.model.modules())
    same = open_weights(tiny, adapter, Precision.FP32, "nf4")
    assert torch.allclose(logits(small.model, ids), logits(same.model, ids), atol=1e-3)
