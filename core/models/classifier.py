"""Answers cases with a classifier on this machine: one pass over a batch, and a probability for each decision."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import torch

from core.config.case import Case
from core.models.batching import pack
from core.models.case_encoder import CaseEncoder, EncodedCase
from core.models.classifier_weights import ClassifierWeights
from core.models.confidence import at_temperature
from core.models.model import Reply
from storage.schema import Outcome, Usage

# Tokens, padding included, and cases that are read at once.
MAX_BATCH_TOKENS, MAX_BATCH_ROWS = 16_384, 64


class ClassifierModel:
    """Answers with the likeliest label; its probabilities are its only confidence, softened by a temperature.

    An answer about a case that was too long says in its detail how many pieces of evidence were left out.
    """

    max_in_flight = 1  # a second batch would wait for the same processor

    def __init__(self, name: str, weights: ClassifierWeights, encoder: CaseEncoder, temperature: float = 1.0) -> None:
        self.name = name
        self.prompt_version = encoder.version
        self.runs_on = f"{str(weights.model.dtype).removeprefix('torch.')} on {weights.model.device.type}"
        self._weights, self._encoder, self._temperature = weights, encoder, temperature

    def batches(self, cases: Sequence[Case]) -> list[list[Case]]:
        """`cases` in groups of similar length."""
        lengths = [len(self._encode(case).ids) for case in cases]
        return [[cases[position] for position in group] for group in pack(lengths, MAX_BATCH_TOKENS, MAX_BATCH_ROWS)]

    async def answer(self, batch: Sequence[Case]) -> list[Reply]:
        """A reply for each case of one batch; a batch takes milliseconds, and is not cut short when cancelled."""
        return await asyncio.to_thread(self._answer, batch)

    async def close(self) -> None:
        """Release the model."""
        del self._weights

    def _encode(self, case: Case) -> EncodedCase:
        return self._encoder.encode(case.hypothesis, case.evidence)

    def _answer(self, batch: Sequence[Case]) -> list[Reply]:
        started = time.perf_counter()
        encoded_cases = [self._encode(case) for case in batch]
        rows = classify(
            self._weights.model, self._weights.pad, [(case.ids, case.token_types) for case in encoded_cases]
        )
        seconds = (time.perf_counter() - started) / max(1, len(batch))
        replies = []
        for encoded, row in zip(encoded_cases, rows, strict=True):
            shares = at_temperature(dict(zip(self._weights.labels, row, strict=True)), self._temperature)
            replies.append(
                Reply(
                    Outcome.WRITTEN,
                    max(shares, key=shares.__getitem__),
                    detail=describe_shortening(encoded),
                    probabilities=shares,
                    usage=Usage(input_tokens=len(encoded.ids), output_tokens=0, seconds=seconds),
                    model=self.name,
                )
            )
        return replies


def describe_shortening(encoded: EncodedCase) -> str:
    """What of a case was left out, because it is longer than the classifier can read; '' if nothing was."""
    parts = []
    if encoded.dropped:
        parts.append(f"{encoded.dropped} of its pieces of evidence, the least relevant first")
    if encoded.cut:
        parts.append("the end of the piece that was left")
    return f"too long: it was read without {', and '.join(parts)}" if parts else ""


@torch.inference_mode()
def classify(
    model: torch.nn.Module, pad: int, cases: Sequence[tuple[Sequence[int], Sequence[int]]]
) -> list[list[float]]:
    """The probability of each label of each case, in their order; a case is its tokens, and their types if any."""
    rows: dict[int, list[float]] = {}
    device = next(model.parameters()).device
    for group in pack([len(ids) for ids, _ in cases], MAX_BATCH_TOKENS, MAX_BATCH_ROWS):
        inputs = pad_cases([cases[position] for position in group], pad)
        logits = model(**{name: tensor.to(device) for name, tensor in inputs.items()}).logits
        rows.update(zip(group, torch.softmax(logits.float(), -1).tolist(), strict=True))
    return [rows[position] for position in range(len(cases))]


def pad_cases(cases: Sequence[tuple[Sequence[int], Sequence[int]]], pad: int) -> dict[str, torch.Tensor]:
    """Cases (tokens, and their types if the model has any) as a batch that is padded on the right."""
    width = max(len(ids) for ids, _ in cases)
    inputs = {
        "input_ids": torch.tensor([[*ids, *[pad] * (width - len(ids))] for ids, _ in cases]),
        "attention_mask": torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in cases]),
    }
    if all(types for _, types in cases):
        inputs["token_type_ids"] = torch.tensor([[*types, *[0] * (width - len(types))] for _, types in cases])
    return inputs
