"""How many planted wrong labels confident learning finds: precision at k, and recall.

    python -m tests.bench.label_errors [--json] [--places N] [--seed S]

Nine procedural examples from each of N places; of 2, 5 and 10 % of them the label is replaced by another one, drawn at
random. Probabilities come from the bag-of-words baseline, out of fold by family (core/dataset/out_of_fold.py), and the
suspects and their order from core/dataset/label_errors.py, as in `sidequest dataset check`. k is the number of planted
errors, so precision at k and recall at k are the same; `precision` and `recall` are those of all suspects.

The procedural source gives nothing away by words alone, so on its texts as they are the baseline knows nothing: that is
the case in which `dataset check` names no suspects. The other rows add to each example a word that goes with its true
decision in 60, 80 or 95 % of the cases, and with a random one in the rest: what the method is worth where a baseline is
so good.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from core.config.case import Case
from core.dataset.label_errors import rank_by_margin, suspected_errors
from core.dataset.out_of_fold import out_of_fold_probabilities
from core.dataset.shortcuts import score
from storage.schema import Evidence
from tests.bench.shortcuts import Row, rows

RATES = (0.02, 0.05, 0.10)
CUES = (0.0, 0.6, 0.8, 0.95)
WORDS = ("quorvane", "brimlock", "tessaly")


@dataclass(frozen=True)
class Figures:
    """What was found of `planted` errors among `examples`. `reported`: whether `dataset check` would name suspects."""

    cue: float
    rate: float
    examples: int
    planted: int
    accuracy: float
    reported: bool
    precision_at_k: float
    suspects: int
    precision: float
    recall: float


def case_of(row: Row, number: int, labels: Sequence[str], cue: float, rng: random.Random) -> Case:
    """The case of a row; with `cue`, a word is added that tells the decision so often."""
    evidence = list(row.candidate.evidence)
    if cue:
        word = WORDS[labels.index(row.candidate.decision)] if rng.random() < cue else rng.choice(WORDS)
        evidence.append(Evidence(source="Archive", content=f"Filed under {word}.", relevance=0.1))
    return Case(str(number), row.candidate.hypothesis, tuple(evidence))


def measure(data: Sequence[Row], rate: float, cue: float, seed: int) -> Figures:
    """Plant errors at `rate`, and look for them."""
    rng = random.Random(f"{seed}/{rate}/{cue}")
    labels = sorted({row.candidate.decision for row in data})
    cases = [case_of(row, number, labels, cue, rng) for number, row in enumerate(data)]
    planted = set(rng.sample(range(len(data)), round(rate * len(data))))
    given = [
        rng.choice([label for label in labels if label != row.candidate.decision])
        if position in planted
        else row.candidate.decision
        for position, row in enumerate(data)
    ]
    probabilities = out_of_fold_probabilities(
        labels, given, [row.family for row in data], lambda positions: [cases[position] for position in positions]
    )
    baseline = score([labels[row.index(max(row))] for row in probabilities], given)
    positions = [labels.index(label) for label in given]
    first = rank_by_margin(positions, probabilities)[: len(planted)]
    suspects = suspected_errors(positions, probabilities)
    right = sum(suspect.position in planted for suspect in suspects)
    return Figures(
        cue,
        rate,
        len(data),
        len(planted),
        baseline.right / len(data),
        baseline.exists,
        len(planted & set(first)) / len(planted),
        len(suspects),
        right / len(suspects) if suspects else 0.0,
        right / len(planted),
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one JSON list, a row for each rate and cue")
    parser.add_argument("--places", type=int, default=210, help="places, nine examples each")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    data = rows(options.places, options.seed)
    found = [measure(data, rate, cue, options.seed) for cue in CUES for rate in RATES]
    if options.json:
        print(json.dumps([asdict(figures) for figures in found]))
        return
    print(f"{len(data)} examples; k is the number of planted errors\n")
    print("cue   planted      baseline   named  precision at k   suspects  precision  recall")
    for figures in found:
        named = "yes" if figures.reported else "no"
        print(
            f"{figures.cue:4.0%}  {figures.planted:4} ({figures.rate:3.0%})  {figures.accuracy:8.1%}   {named:>5}  "
            f"{figures.precision_at_k:14.1%}   {figures.suspects:8}  {figures.precision:9.1%}  {figures.recall:6.1%}"
        )


if __name__ == "__main__":
    main()
