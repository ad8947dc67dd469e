"""Writes a classifier as ONNX, runs it with onnxruntime, and quantizes it to int8."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.models.weights import WeightsError

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
# Rows that are run at once, and the opset: int8 needs 13 at least, and every onnxruntime of today reads 18.
_ROWS, _OPSET = 16, 18

EncodedCases = Sequence[tuple[Sequence[int], Sequence[int]]]


def write_onnx(path: Path, model: Any, pad: int, cases: EncodedCases) -> None:
    """Write a classifier of transformers, in fp32 on the processor, to `path`; batch and length stay open.

    `cases` are samples to trace it by. Raises WeightsError if torch cannot.
    """
    import torch

    from core.models.classifier import pad_cases

    inputs = pad_cases([cases[0], cases[-1]], pad)
    dynamic = torch.export.Dim.DYNAMIC
    try:
        with _quiet():
            torch.onnx.export(
                model,
                kwargs=inputs,
                f=str(path),
                dynamo=True,
                input_names=list(inputs),
                output_names=["logits"],
                dynamic_shapes={name: {0: dynamic, 1: dynamic} for name in inputs},
                opset_version=_OPSET,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # exporting meets whatever a model's own code does
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"torch cannot write {model.config.model_type} as ONNX ({first}): the format merged writes it for "
            "transformers"
        ) from error


def run_onnx(path: Path, pad: int, cases: EncodedCases) -> list[list[float]]:
    """The probabilities of the labels of each case, by the model at `path` in onnxruntime."""
    import numpy as np
    import onnxruntime

    from core.models.classifier import pad_cases

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = {entry.name for entry in session.get_inputs()}
    rows: list[list[float]] = []
    for start in range(0, len(cases), _ROWS):
        batch = pad_cases(cases[start : start + _ROWS], pad)
        (logits,) = session.run(None, {name: tensor.numpy() for name, tensor in batch.items() if name in names})
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        rows += (weights / weights.sum(-1, keepdims=True)).tolist()
    return rows


def quantize_onnx(path: Path, target: Path) -> None:
    """Write the model at `path` with its matrices in int8 to `target`; what goes in is rounded as it comes."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(str(path), str(target), weight_type=QuantType.QInt8)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the libraries say of themselves while they write."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
