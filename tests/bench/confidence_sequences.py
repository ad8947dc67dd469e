"""The confidence sequences of the gate against those of the published package confseq: the same bets, the same capital.

    python -m tests.bench.confidence_sequences --package FOLDER [--json] [--seeds N] [--n N]

FOLDER is where confseq can be imported from (Waudby-Smith and Ramdas; its source distribution, unpacked, has
it in `src`, and it needs matplotlib and multiprocess). For streams of right and wrong answers, each share of the grid
is bet by both, and the log capital compared at the end; then the interval is compared with confseq's hedged one, which
bets otherwise and so has another width, but has to cover as often.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import sys
from typing import Any

import numpy as np

from core.benchmark.sequential import ConfidenceSequence, _gains, _grid

LEVEL = 0.95


def stream(seed: int, n: int, rate: float) -> np.ndarray:
    """`n` answers, right (1) with the probability `rate`."""
    rng = random.Random(f"{seed}/{rate}")
    return np.array([float(rng.random() < rate) for _ in range(n)])


def capital_difference(betting: Any, answers: np.ndarray, null: float) -> float:
    """The largest difference in log capital over the shares of the grid, for bets that the mean is above `null`."""
    blocks = np.stack([answers, np.ones(len(answers))], axis=1)
    ours = _gains(blocks, null, mirrored=False, largest=1).sum(axis=0)
    differences = []
    for share, our_capital in zip(_grid()[0], ours, strict=True):
        theirs = betting.betting_mart(
            answers,
            null,
            lambdas_fn_positive=lambda x, m, share=share: np.full(len(x), share / m),
            lambdas_fn_negative=lambda x, _: np.zeros(len(x)),
            theta=1.0,
            convex_comb=True,
            trunc_scale=1.0,
        )
        differences.append(abs(float(np.log(theirs[-1])) - float(our_capital)))
    return max(differences)


def interval(answers: np.ndarray) -> tuple[float, float]:
    """Our interval after all answers, each a family of its own."""
    sequence = ConfidenceSequence(above=0.85, below=0.85, largest=1, level=LEVEL)
    sequence.add([(float(value), 1) for value in answers])
    return sequence.interval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", required=True, help="folders that hold confseq and what it needs, with : between")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--n", type=int, default=300)
    options = parser.parse_args()
    sys.path += options.package.split(":")
    # confseq 0.0.11 names a type that numpy 2 has dropped.
    vars(np).setdefault("float_", np.float64)
    betting = importlib.import_module("confseq.betting")
    results = []
    for rate in (0.5, 0.8, 0.9):
        streams = [stream(seed, options.n, rate) for seed in range(options.seeds)]
        difference = max(capital_difference(betting, answers, null) for answers in streams[:5] for null in (0.4, 0.85))
        ours = [interval(answers) for answers in streams]
        theirs = []
        for answers in streams:
            low, high = betting.betting_cs(answers, alpha=1 - LEVEL, breaks=1000, running_intersection=False)
            theirs.append((float(low[-1]), float(high[-1])))
        results.append(
            {
                "rate": rate,
                "n": options.n,
                "streams": options.seeds,
                "log_capital_difference": difference,
                "missed": sum(not low <= rate <= high for low, high in ours),
                "missed_confseq": sum(not low <= rate <= high for low, high in theirs),
                "width": float(np.mean([high - low for low, high in ours])),
                "width_confseq": float(np.mean([high - low for low, high in theirs])),
            }
        )
    if options.json:
        print(json.dumps(results))
        return
    for row in results:
        print(", ".join(f"{name} {value:.4g}" for name, value in row.items()))


if __name__ == "__main__":
    main()
