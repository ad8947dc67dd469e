"""How many of N independent draws are near-duplicates of another one.

    python -m tests.bench.near_duplicates [--json] [--draws N] [--seed S]

Each draw has a seed of its own, so that no two share a family; domains, levels and decisions take turns. Two draws are
near-duplicates by the project's own measure (core/qa/duplicates.py): same decision, and a normalized Indel similarity
of their words of at least the threshold of the project file. All pairs with the same decision are compared, across
domains and levels. `within` is the highest similarity of two examples of one family and decision in the same sample.
"""

from __future__ import annotations

import argparse
import itertools
import json

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Indel

from core.config.project import parse_task, template
from core.config.task import Task
from core.curriculum.cell import Cell
from core.generation.procedural.source import write_example
from core.generation.source import Request
from core.qa.duplicates import candidate_words
from storage.schema import Candidate


def sample(task: Task, draws: int, seed: int) -> list[tuple[str, list[str]]]:
    """Decision and words of `draws` independent examples."""
    cells = list(itertools.product(task.labels, [level.level for level in task.levels], task.domains))
    found = []
    for number in range(draws):
        decision, level, domain = cells[number % len(cells)]
        request = Request(Cell(domain.name, level, decision), number % 3, 0, 0, seed + number)
        candidate = write_example(task, request).candidate
        assert candidate is not None
        found.append((decision, candidate_words(candidate)))
    return found


def lettered(texts: list[list[str]]) -> list[str]:
    """Each text with one character for each word: the same similarity, computed faster."""
    letters: dict[str, str] = {}
    for word in itertools.chain.from_iterable(texts):
        letters.setdefault(word, chr(0x10000 + len(letters)))
    return ["".join(letters[word] for word in text) for text in texts]


def duplicated(texts: list[str], threshold: float) -> tuple[int, float]:
    """How many of `texts` have another at or above `threshold`, and the highest similarity seen above it (or 0)."""
    count, highest = 0, 0.0
    for start in range(0, len(texts), 500):
        block = process.cdist(
            texts[start : start + 500],
            texts,
            scorer=Indel.normalized_similarity,
            score_cutoff=threshold,
            dtype=np.float32,
            workers=-1,
        )
        rows = np.arange(block.shape[0])
        block[rows, rows + start] = 0
        count += int((block > 0).any(axis=1).sum())
        highest = max(highest, float(block.max(initial=0)))
    return count, highest


def within_families(task: Task, families: int, seed: int) -> float:
    """The highest similarity of two examples that share family and decision."""
    highest = 0.0
    for number in range(families):
        domain, level = task.domains[number % len(task.domains)].name, task.levels[number % len(task.levels)].level
        for decision in task.labels:
            texts: list[Candidate] = []
            for slot in range(3):
                candidate = write_example(
                    task, Request(Cell(domain, level, decision), slot, 0, 0, seed + number)
                ).candidate
                assert candidate is not None
                texts.append(candidate)
            for one, two in itertools.combinations(texts, 2):
                highest = max(highest, Indel.normalized_similarity(candidate_words(one), candidate_words(two)))
    return highest


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Near-duplicates among independent draws.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    task = parse_task(template())
    threshold = task.limits.near_duplicate
    drawn = sample(task, options.draws, options.seed)
    texts = lettered([words for _, words in drawn])
    count, highest = 0, 0.0
    for label in task.labels:
        group = [text for (decision, _), text in zip(drawn, texts, strict=True) if decision == label]
        found, top = duplicated(group, threshold)
        count, highest = count + found, max(highest, top)
    share, within = count / len(drawn), within_families(task, 1000, options.seed)
    if options.json:
        print(json.dumps({"draws": len(drawn), "near_duplicates": count, "share": share, "within": round(within, 4)}))
        return
    print(f"{count} of {len(drawn)} draws ({share:.2%}) have another at {threshold} or above")
    if count:
        print(f"highest similarity {highest:.3f}")
    print(f"highest similarity within 1,000 families, same decision: {within:.3f}")


if __name__ == "__main__":
    main()
