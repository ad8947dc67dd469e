"""Wording that all modules share: numbers with units, contexts, and the style of one document."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from core.generation.procedural.lexicon import Metric

T = TypeVar("T", bound=Hashable)

_MARKED = re.compile(r"\[(\w):([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class Mark:
    """What a sentence says on one part of a claim: in short, and in its deciding words."""

    part: int
    says: str
    quote: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with what it says on the parts of a claim."""

    text: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Style:
    """How one document writes: a space before the per cent sign, the euro sign or the word."""

    spaced: bool
    sign: bool


def random_style(rng: Random) -> Style:
    """A random style."""
    return Style(rng.random() < 0.5, rng.random() < 0.5)


def amount(metric: Metric, value: float, document_style: Style, decimals: int | None = None) -> str:
    """`value` of `metric` with its unit; `decimals` overrides the metric's own."""
    digits = max(metric.decimals, 0) if decimals is None else decimals
    number = f"{value:,.{digits}f}"
    if metric.unit == "%":
        return f"{number} %" if document_style.spaced else f"{number}%"
    if metric.unit == "€":
        return f"€{number}" if document_style.sign else f"{number} euros"
    return f"{number} {metric.unit}"


def percent(value: int, document_style: Style) -> str:
    """A whole number of per cent."""
    return f"{value} %" if document_style.spaced else f"{value}%"


def capitalize(text: str) -> str:
    """`text` with a capital first letter."""
    return text[:1].upper() + text[1:]


def fronted(context: str) -> str:
    """`context` before a sentence: 'Among new users, ', or nothing."""
    return f"{capitalize(context)}, " if context else ""


def trailing(context: str) -> str:
    """`context` inside a sentence: ' among new users', or nothing."""
    return f" {context}" if context else ""


def pick_unused(options: Sequence[T], used: set[object], rng: Random) -> T:
    """A random one of `options` that is not in `used`, or any if all are; it is added to `used`."""
    chosen = rng.choice([option for option in options if option not in used] or list(options))
    used.add(chosen)
    return chosen


def sentence(text: str) -> str:
    """`text` as a sentence: capital letter, full stop."""
    text = capitalize(text.strip())
    return text if text.endswith(".") else f"{text}."


def compose(template: str, words: Mapping[str, str], says: Mapping[str, tuple[int, str]]) -> Sentence:
    """The sentence that `template` gives with `words` filled in.

    `[k:words]` in the template marks the deciding words of what `says` has under `k`: a part of the claim, and what is
    said of it in short. What is marked with a key that `says` does not have is not kept as a mark.
    """
    text, spans, end = "", [], 0
    filled = template.format_map(words)
    for marked in _MARKED.finditer(filled):
        text += filled[end : marked.start()]
        if marked[1] in says:
            spans.append((marked[1], len(text), len(text) + len(marked[2])))
        text += marked[2]
        end = marked.end()
    text = sentence(text + filled[end:])
    return Sentence(text, tuple(Mark(*says[key], text[start:stop]) for key, start, stop in spans))
