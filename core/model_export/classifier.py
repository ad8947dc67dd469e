"""Exports a classifier: its adapter, merged weights, or ONNX, kept only if its answers are those of the original."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.benchmark.sampling_order import sampling_order
from core.config.project import Project
from core.config.task import LocalSettings
from core.models.classifier_files import open_trained
from core.models.classifier_weights import ClassifierWeights, open_classifier
from core.models.model_files import locate_model
from core.models.student_format import StudentFormat, save_format
from core.models.weights import SAFE_OPTIONS, WeightsError
from core.runs.params import ModelFormat
from storage import listing
from storage.examples import Filter
from storage.schema import Example

ONNX, ONNX_INT8 = "model.onnx", "model-int8.onnx"
# Accepted examples whose answers are compared; those that were not learned from come first.
COMPARED = 64
# The most by which a probability of an exported model may differ: rounding to bf16 stays well below it.
TOLERANCE = 0.02

EncodedCases = Sequence[tuple[Sequence[int], Sequence[int]]]


@dataclass(frozen=True, slots=True)
class ExportComparison:
    """The answers of two models to the same `n` cases: the largest difference of a probability, and how many decisions
    are others."""

    n: int
    largest: float
    changed: int

    def describe(self, name: str) -> str:
        """The comparison as a sentence."""
        return (
            f"{name}: {self.changed} of {self.n} decisions differ from those of the original, and no probability by "
            f"more than {self.largest:.2g}."
        )


def compare_answers(original: Sequence[Sequence[float]], exported: Sequence[Sequence[float]]) -> ExportComparison:
    """Compare the probabilities of two models, row by row."""
    pairs = list(zip(original, exported, strict=True))
    largest = max((abs(a - b) for first, second in pairs for a, b in zip(first, second, strict=True)), default=0.0)
    changed = sum(first.index(max(first)) != second.index(max(second)) for first, second in map(_as_lists, pairs))
    return ExportComparison(len(pairs), largest, changed)


def _as_lists(pair: tuple[Sequence[float], Sequence[float]]) -> tuple[list[float], list[float]]:
    return list(pair[0]), list(pair[1])


def write_classifier(
    project: Project,
    connection: sqlite3.Connection,
    local: LocalSettings,
    answer_format: StudentFormat,
    format_: ModelFormat,
    folder: Path,
    on_step: Callable[[int, str], None],
) -> list[str]:
    """Write whole weights or ONNX into `folder`; returns what the comparison of its answers says, as sentences.

    Raises WeightsError, MissingError, and if the answers are not those of the original.
    """
    from core.models.classifier import classify

    if local.adapter is None:
        raise WeightsError("a classifier needs the folder that its training has made, as `adapter`")
    trained, labels = project.folder / local.adapter, answer_format.labels
    original, encoder = open_trained(project, local.model_copy(update={"quantization": "none"}), answer_format)
    encoded = [
        encoder.encode(example.hypothesis, example.evidence) for example in examples_to_compare(connection, COMPARED)
    ]
    cases = [(case.ids, case.token_types) for case in encoded]
    if not cases:
        raise WeightsError(
            "no accepted example is there to compare its answers with those of the original: accept some"
        )
    expected = classify(original.model, original.pad, cases)
    merged = open_classifier(locate_model(project.folder, local), trained, labels, "fp32")
    on_step(2, "writes it, and compares its answers")
    for option in SAFE_OPTIONS:  # how it was opened here is not part of it
        merged.tokenizer.init_kwargs.pop(option, None)
    merged.tokenizer.save_pretrained(folder)
    save_format(folder, answer_format)
    if format_ is ModelFormat.ONNX:
        merged.model.config.save_pretrained(folder)
        return _write_onnx(merged, folder, cases, expected)
    merged.model.save_pretrained(folder, max_shard_size="1000GB")
    reopened = open_classifier(folder, folder, labels, "fp32")
    comparison = compare_answers(expected, classify(reopened.model, reopened.pad, cases))
    return [_require_equal(comparison, "The merged weights")]


def examples_to_compare(connection: sqlite3.Connection, number: int) -> list[Example]:
    """Accepted examples, those that were not learned from first, in a random order that is always the same."""
    chosen: list[Example] = []
    for split in (("dev", "test"), ("train", "")):
        numbers = listing.read_numbers(connection, Filter(status=("accepted",), split=split))
        chosen += sampling_order(listing.read_examples(connection, numbers), 0)[: number - len(chosen)]
    return chosen


def _write_onnx(
    merged: ClassifierWeights, folder: Path, cases: EncodedCases, expected: Sequence[Sequence[float]]
) -> list[str]:
    from core.model_export import onnx

    onnx.write_onnx(folder / ONNX, merged.model.cpu(), merged.pad, cases)
    exact = compare_answers(expected, onnx.run_onnx(folder / ONNX, merged.pad, cases))
    notes = [_require_equal(exact, "ONNX")]
    onnx.quantize_onnx(folder / ONNX, folder / ONNX_INT8)
    rounded = compare_answers(expected, onnx.run_onnx(folder / ONNX_INT8, merged.pad, cases))
    if rounded.changed:
        (folder / ONNX_INT8).unlink()
        notes.append(f"int8 was not kept, as it changes answers. {rounded.describe('int8')}")
    else:
        notes.append(rounded.describe(f"int8 ({ONNX_INT8})"))
    return notes


def _require_equal(comparison: ExportComparison, name: str) -> str:
    """The comparison as a sentence; raises WeightsError if the answers are others."""
    sentence = comparison.describe(name)
    if comparison.largest > TOLERANCE:
        raise WeightsError(f"{sentence} That is more than rounding ({TOLERANCE}), so nothing was kept")
    return sentence


def classifier_usage(answer_format: StudentFormat, format_: str, base: str, limit: int) -> tuple[str, str]:
    """How a case is put to it, and how it is opened in Python."""
    labels = ", ".join(answer_format.labels)
    words = (
        f"It gives the probabilities of {labels}, in this order. Divide its logits by {answer_format.temperature:.3g} "
        f"first: that temperature was fitted on the dev split. It reads {limit} tokens at most; leave out the least "
        "relevant pieces of a longer case. An encoder reads a pair: the evidence, each piece as `SOURCE: TEXT` on a "
        "line of its own, and the hypothesis. A decoder reads the prompt."
    )
    opening = {
        "adapter": "from peft import AutoPeftModelForSequenceClassification\n"
        "from transformers import AutoTokenizer\n\n"
        "model = AutoPeftModelForSequenceClassification.from_pretrained(\n"
        f"    FOLDER, num_labels={len(answer_format.labels)}\n)\n"
        f'tokenizer = AutoTokenizer.from_pretrained("{base}")',
        "merged": "from transformers import AutoModelForSequenceClassification, AutoTokenizer\n\n"
        "tokenizer = AutoTokenizer.from_pretrained(FOLDER)\n"
        "model = AutoModelForSequenceClassification.from_pretrained(FOLDER)",
        "onnx": "import onnxruntime\nfrom transformers import AutoTokenizer\n\n"
        "tokenizer = AutoTokenizer.from_pretrained(FOLDER)\n"
        f'session = onnxruntime.InferenceSession(f"{{FOLDER}}/{ONNX}")\n'
        'inputs = dict(tokenizer([evidence], [hypothesis], return_tensors="np"))\n'
        "(logits,) = session.run(None, inputs)",
    }[format_]
    reading = 'logits = model(**tokenizer(evidence, hypothesis, return_tensors="pt")).logits'
    return words, opening if format_ == "onnx" else f"{opening}\n{reading}"
