"""Can the decision be told from one side alone? Accuracy of simple classifiers against the majority class.

    python -m tests.bench.shortcuts [--json] [--cells N] [--seed S]

Three classes, balanced: the first three examples of each decision in a cell. `hypothesis` and
`evidence` are logistic regressions on words and pairs of words (tf-idf); `numbers` sees lengths, counts and relevance
figures. Each accuracy is the higher one of two splits: five folds that keep families whole, and training on one half of
the seeds with the test on the other. What chance alone does to such a figure is about 1 point at 6,000 examples.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
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
from storage.schema import Candidate


@dataclass(frozen=True)
class Row:
    """One example with what the splits need."""

    candidate: Candidate
    family: str
    level: int
    half: int


def rows(cells: int, seed: int, slots: dict[str, int] | None = None) -> list[Row]:
    """The first `slots` (or three) examples of each decision in `cells` places, level and domain in turn.

    Every place has a seed of its own.
    """
    task = parse_task(template())
    found = []
    for number in range(cells):
        domain = task.domains[number % len(task.domains)].name
        level = task.levels[number // len(task.domains) % len(task.levels)].level
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


def measure(data: list[Row]) -> dict[str, tuple[float, float]]:
    """Both accuracies of each of the three classifiers."""
    words = classifier()
    plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    return {
        "hypothesis": accuracies(data, words, [hypothesis_text(row) for row in data]),
        "evidence": accuracies(data, words, [evidence_text(row) for row in data]),
        "numbers": accuracies(data, plain, np.array([numbers(row) for row in data])),
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
    cells = [f"{name} {grouped:.1%} / {fresh:.1%}" for name, (grouped, fresh) in figures.items()]
    print(f"{title:24} {'   '.join(cells)}   (by family / to fresh seeds)")


if __name__ == "__main__":
    main()
