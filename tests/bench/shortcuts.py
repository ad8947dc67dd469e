"""Can the decision be told from one side alone, or by a trick? Simple classifiers against the majority class.

    python -m tests.bench.shortcuts [--json] [--cells N] [--seed S]

Three classes, balanced: the first three examples of each decision in a cell. Words are logistic regressions on words
and pairs of words (tf-idf): of the `hypothesis` (the claim alone), the `evidence`, `both` together, and the names of
the `sources`. `numbers` sees lengths, counts and relevance figures, `relevance` those figures alone, `tone` how guarded
and how positive the evidence sounds, and `weakest` what the weakest piece says and whether it agrees with the claim, so
that it can follow or invert it. Each accuracy is the higher one of two splits: five folds that keep families whole, and
training on one half of the seeds with the test on the other. What chance alone does to such a figure is about 1 point
at 6,000 examples.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from core.config.project import parse_task, template
from core.curriculum.cell import Cell
from core.dataset.shortcuts import classifier, cross_validate
from core.generation.procedural.source import write_example
from core.generation.source import Request
from core.qa.claims import read_hypothesis
from core.qa.evidence_weights import WEIGHTS, count_hedges, trust_of
from core.qa.reports import direction, read_piece, sign
from storage.schema import Candidate


@dataclass(frozen=True)
class Row:
    """One example with what the splits need."""

    candidate: Candidate
    family: str
    level: int
    half: int


def rows(cells: int, seed: int, slots: dict[str, int] | None = None, only: int | None = None) -> list[Row]:
    """The first `slots` (or three) examples of each decision in `cells` places, level and domain in turn.

    Every place has a seed of its own. `only` is a level to which the places are kept.
    """
    task = parse_task(template())
    levels = [level.level for level in task.levels] if only is None else [only]
    found = []
    for number in range(cells):
        domain = task.domains[number % len(task.domains)].name
        level = levels[number // len(task.domains) % len(levels)]
        for decision in task.labels:
            for slot in range(slots[decision] if slots else 3):
                written = write_example(task, Request(Cell(domain, level, decision), slot, 0, 0, seed + number))
                assert written.candidate is not None
                found.append(Row(written.candidate, written.family, level, number % 2))
    return found


def hypothesis_text(row: Row) -> str:
    """The hypothesis alone."""
    return row.candidate.hypothesis


def evidence_text(row: Row) -> str:
    """The evidence alone: sources and contents."""
    return " ".join(f"{piece.source} {piece.content}" for piece in row.candidate.evidence)


def both_text(row: Row) -> str:
    """Hypothesis and evidence."""
    return f"{hypothesis_text(row)} {evidence_text(row)}"


def source_text(row: Row) -> str:
    """The names of the sources alone."""
    return " ".join(piece.source for piece in row.candidate.evidence)


def numbers(row: Row) -> list[float]:
    """Lengths, counts and relevance of an example; what the pieces say is not in it."""
    pieces = row.candidate.evidence
    relevance = sorted(piece.relevance for piece in pieces)
    lengths = [len(piece.content) for piece in pieces]
    return [
        len(row.candidate.hypothesis),
        len(row.candidate.hypothesis.split()),
        len(pieces),
        sum(lengths),
        min(lengths),
        max(lengths),
        relevance[0],
        relevance[-1],
        float(np.mean(relevance)),
        *(relevance + [0.0] * 8)[:8],
        *([piece.relevance for piece in pieces] + [0.0] * 8)[:8],
        row.level,
    ]


def relevances(row: Row) -> list[float]:
    """The relevance figures alone, in order and sorted."""
    figures = [piece.relevance for piece in row.candidate.evidence]
    return [len(figures), *(figures + [0.0] * 8)[:8], *(sorted(figures) + [0.0] * 8)[:8]]


def tone(row: Row) -> list[float]:
    """How the evidence sounds: guarded words, sentences by direction, negations, figures."""
    text = " ".join(piece.content for piece in row.candidate.evidence)
    directions = Counter(direction(sentence.casefold()) for sentence in re.split(r"(?<=[.!?])\s+", text))
    return [
        count_hedges(text),
        directions[1],
        directions[-1],
        directions[0],
        len(re.findall(r"\b(?:not|no|none|only|but)\b", text)),
        len(re.findall(r"\d+", text)),
        count_hedges(row.candidate.hypothesis),
    ]


def weakest(row: Row) -> list[float]:
    """What the first piece from a weak source says, and whether the claim says the same; zeros if there is none."""
    claim = read_hypothesis(row.candidate.hypothesis)
    for piece in row.candidate.evidence if claim else ():
        assert claim is not None
        reading = read_piece(piece.content, claim)
        if trust_of(piece.source, reading) != WEIGHTS["weak"]:
            continue
        for report in reading.reports:
            said = report.state if report.state is not None else sign(report.change) if report.change else None
            if said is not None:
                claimed = claim.claims[report.part].state
                carried = float(bool(claim.qualifiers))
                agrees = float(said == claimed)
                return [1.0, agrees, carried, agrees * carried, float(said == 0), float(claimed == 0), float(said)]
    return [0.0] * 7


def accuracies(data: list[Row], model: Any, features: Any) -> tuple[float, float]:
    """Accuracy with families kept whole over five folds, and from one half of the seeds to the other."""
    labels = np.array([row.candidate.decision for row in data])
    families = [row.family for row in data]
    halves = np.array([row.half for row in data])
    predicted = np.array(cross_validate(model, features, [str(label) for label in labels], families))
    train, test = np.flatnonzero(halves == 0), np.flatnonzero(halves == 1)
    model.fit(_take(features, train), labels[train])
    fresh = model.predict(_take(features, test))
    return float(np.mean(predicted == labels)), float(np.mean(fresh == labels[test]))


def _take(features: Any, places: Any) -> Any:
    return features[places] if isinstance(features, np.ndarray) else [features[place] for place in places]


def figure_classifier() -> Any:
    """A logistic regression on scaled figures."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))


def measure(data: list[Row]) -> dict[str, tuple[float, float]]:
    """Both accuracies of each of the classifiers."""
    words = classifier()
    plain = figure_classifier()
    texts = {"hypothesis": hypothesis_text, "evidence": evidence_text, "both": both_text, "sources": source_text}
    figures: dict[str, Callable[[Row], list[float]]] = {
        "numbers": numbers,
        "relevance": relevances,
        "tone": tone,
        "weakest": weakest,
    }
    return {name: accuracies(data, words, [text(row) for row in data]) for name, text in texts.items()} | {
        name: accuracies(data, plain, np.array([figure(row) for row in data])) for name, figure in figures.items()
    }


def majority(data: list[Row]) -> float:
    """The share of the most frequent decision."""
    return Counter(row.candidate.decision for row in data).most_common(1)[0][1] / len(data)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one JSON object: the accuracies as fractions")
    parser.add_argument("--cells", type=int, default=700, help="places, nine examples each")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    data = rows(options.cells, options.seed)
    overall = measure(data)
    if options.json:
        figures = {name: round(max(pair), 4) for name, pair in overall.items()}
        print(json.dumps({"majority": round(majority(data), 4), **figures}))
        return
    print(f"{len(data)} examples from {options.cells} places; majority {majority(data):.1%}")
    _print("all levels", overall)
    filled = rows(options.cells // 2, options.seed, {"VALIDATED": 6, "REJECTED": 4, "REFINED": 2})
    _print(f"as filled, majority {majority(filled):.0%}", measure(filled))
    for level in sorted({row.level for row in data}):
        _print(f"level {level}", measure([row for row in data if row.level == level]))


def _print(title: str, figures: dict[str, tuple[float, float]]) -> None:
    print(f"{title}   (by family / to fresh seeds)")
    for name, (grouped, fresh) in figures.items():
        print(f"    {name:12} {grouped:.1%} / {fresh:.1%}")


if __name__ == "__main__":
    main()
