"""What a model is asked about, and how."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from storage.schema import Evidence


class Mode(StrEnum):
    """How a model is asked to answer."""

    SCHEMA = "schema"  # reasoning, then the answer, as JSON of a given schema
    REASON = "reason"  # reasoning, then the answer, in the model's own words
    DIRECT = "direct"  # the decision at once; a model on this machine gives each decision's probability


@dataclass(frozen=True, slots=True)
class Case:
    """What a model is asked about, without the label. `sample` counts from 0 if an example is asked several times."""

    example: str
    hypothesis: str
    evidence: tuple[Evidence, ...]
    sample: int = 0


def fingerprint(hypothesis: str, evidence: list[tuple[str, str]], decision: str) -> bytes:
    """A hash that two examples share if hypothesis, pieces (source, content) and decision are the same."""
    content = json.dumps([hypothesis, evidence, decision], ensure_ascii=False)
    return sha256(content.encode(errors="replace")).digest()[:16]
