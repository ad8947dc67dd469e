"""Does a student that writes steps follow the text? Cases that are changed so that the label stays, or turns.

    python -m tests.bench.robustness PROJECT MODEL [--n 120] [--levels 1-2] [--threads N] [--json]

MODEL is a model of the project, as `sidequest models list` names it. Cases are fresh ones of the procedural source, of
families that the project does not have. Changes that keep the label: the pieces in reverse order (`order`), a piece
about another case added (`beside`), other blanks and line breaks (`layout`). Changes that turn it, where the solver
says so with certainty: one verb of the claim turned (`claim`), and the directions in the evidence turned (`evidence`).
And `third`: the evidence on the intervention is replaced by evidence on another one, so that nothing validates the
claim. Of each: how many answers are right before and after, how many did what they should (kept or turned; for `third`,
did not validate), and how many decide as their own steps say.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config.case import Case, Mode
from core.config.project import Project, open_project
from core.models.model import Model
from core.models.parse_answer import parse_answer
from core.models.resolve import model_for, resolve_name
from core.models.step_lines import decision_of, parse_steps
from core.models.student_format import load_format
from core.models.trained import trained_models
from core.qa.evidence_weights import EvidenceText, decide
from core.statistics import wilson
from core.training.data.fresh import fresh_examples
from storage.database import connect
from storage.schema import Evidence, Example

_SEED = 2_000_003
# Verbs of claims and of evidence in both directions; the first of the other side takes the place of each.
_CLAIM = (
    ("raises", "increases", "lifts", "drives up", "pushes up", "pushing up", "raising"),
    ("lowers", "decreases", "reduces", "cuts", "drives down", "pushes down", "brings down"),
)
_EVIDENCE = (
    ("rose", "grew", "climbed", "went up", "was higher", "increased"),
    ("fell", "came down", "dropped", "declined", "went down", "was lower", "decreased", "shrank"),
)
CERTAIN = 0.8


@dataclass(frozen=True, slots=True)
class Changed:
    """A case and what became of it; `label` is that of the changed case, '' where only validating it is wrong."""

    before: Case
    after: Case
    old_label: str
    label: str


def turn(text: str, words: tuple[tuple[str, ...], tuple[str, ...]], limit: int = 0) -> str:
    """`text` with each word of direction, or the first `limit` ones, turned into the other direction."""
    up, down = words
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, sorted((*up, *down), key=len, reverse=True)))})\b")
    return pattern.sub(lambda match: down[0] if match[1] in up else up[0], text, count=limit)


def certain_label(case: Case) -> str:
    """The solver's decision on a case; '' where it is not certain."""
    weighed = decide(case.hypothesis, [EvidenceText(piece.source, piece.content) for piece in case.evidence])
    return "" if weighed.unsettled or weighed.torn or weighed.confidence < CERTAIN else weighed.decision


def with_pieces(case: Case, pieces: Sequence[Evidence]) -> Case:
    """`case` with other evidence."""
    return Case(case.example, case.hypothesis, tuple(pieces))


def order(case: Case, _: Case) -> Case | None:
    """The pieces in reverse order."""
    return with_pieces(case, case.evidence[::-1]) if len(case.evidence) > 1 else None


def beside(case: Case, other: Case) -> Case | None:
    """A piece about another case at the end."""
    return with_pieces(case, [*case.evidence, other.evidence[0]])


def layout(case: Case, _: Case) -> Case | None:
    """Other blanks and line breaks."""
    pieces = [
        piece.model_copy(update={"content": piece.content.replace(". ", ".\n\n").replace(", ", ",  ")})
        for piece in case.evidence
    ]
    return Case(case.example, f"  {case.hypothesis.replace(' the ', '  the ')} ", tuple(pieces))


def claim(case: Case, _: Case) -> Case | None:
    """One verb of the claim turned."""
    return Case(case.example, turn(case.hypothesis, _CLAIM, 1), case.evidence)


def evidence(case: Case, _: Case) -> Case | None:
    """All directions in the evidence turned."""
    return with_pieces(
        case, [piece.model_copy(update={"content": turn(piece.content, _EVIDENCE)}) for piece in case.evidence]
    )


def third(case: Case, other: Case) -> Case | None:
    """Evidence on something else."""
    return with_pieces(case, other.evidence)


KEEP: dict[str, Callable[[Case, Case], Case | None]] = {"order": order, "beside": beside, "layout": layout}
TURN: dict[str, Callable[[Case, Case], Case | None]] = {"claim": claim, "evidence": evidence}


def changes(examples: Sequence[Example]) -> dict[str, list[Changed]]:
    """By kind of change, the cases that it applies to."""
    cases = [Case(example.id, example.hypothesis, tuple(example.evidence)) for example in examples]
    # Half of all further on: another domain.
    others = [*cases[len(cases) // 2 :], *cases[: len(cases) // 2]]
    made: dict[str, list[Changed]] = {name: [] for name in (*KEEP, *TURN, "third")}
    for example, case, other in zip(examples, cases, others, strict=True):
        for name, change in KEEP.items():
            if (after := change(case, other)) is not None:
                made[name].append(Changed(case, after, example.decision, example.decision))
        for name, change in TURN.items():
            after = change(case, other)
            label = "" if after is None or after == case else certain_label(after)
            if after is not None and label not in ("", example.decision):
                made[name].append(Changed(case, after, example.decision, label))
        made["third"].append(Changed(case, third(case, other) or case, example.decision, ""))
    return made


def ask(model: Model, cases: Sequence[Case], labels: Sequence[str]) -> list[tuple[str | None, str]]:
    """The decision on each of `cases`, and the whole answer."""

    async def replies() -> list[tuple[str | None, str]]:
        numbered = [Case(str(number), case.hypothesis, case.evidence) for number, case in enumerate(cases)]
        answers: dict[str, tuple[str | None, str]] = {}
        for batch in model.batches(numbered):
            for case, reply in zip(batch, await model.answer(batch), strict=True):
                parsed = parse_answer(reply.raw, reply.thought, reply.outcome, labels)
                answers[case.example] = parsed.decision, reply.raw
        return [answers[case.example] for case in numbered]

    return asyncio.run(replies())


def open_student(project: Project, name: str) -> tuple[Model, Path]:
    """The model and the folder of its adapter."""
    with connect(project.database) as db:
        trained = trained_models(project, db).get(resolve_name(project, db, name))
        if trained is None:
            sys.exit(f"the project has no trained model {name}: `sidequest models list` shows them")
        return model_for(project, db, name, Mode.REASON), project.folder / trained.adapter


def main() -> None:
    """Ask, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("model")
    parser.add_argument("--n", type=int, default=120)
    parser.add_argument("--levels", default="1-2")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    project = open_project(options.project.resolve())
    first, _, last = options.levels.partition("-")
    chosen = [level for level in project.task.levels if int(first) <= level.level <= int(last or first)]
    with connect(project.database) as db:
        known = {row["family"] for row in db.execute("SELECT DISTINCT family FROM examples")}
    examples = fresh_examples(project.task.model_copy(update={"levels": chosen}), options.n, _SEED, known)
    model, adapter = open_student(project, options.model)
    answer_format = load_format(adapter)
    if answer_format is None:
        sys.exit(f"{adapter} does not say how its student writes steps")
    rule, labels = project.task.steps.rule, project.task.labels

    def follows(decision: str | None, text: str) -> bool:
        """Whether the answer decides as its own steps say."""
        return rule is not None and decision == decision_of(parse_steps(text, answer_format.wording), rule)

    answered = {}
    rows: list[dict[str, Any]] = []
    for name, changed in changes(examples).items():
        missing = [change.before for change in changed if change.before.example not in answered]
        for case, answer in zip(missing, ask(model, missing, labels), strict=True):
            answered[case.example] = answer
        after = ask(model, [change.after for change in changed], labels)
        before = [answered[change.before.example][0] for change in changed]
        did = [
            new != "VALIDATED" if not change.label else new == old if name in KEEP else new != old
            for change, old, (new, _) in zip(changed, before, after, strict=True)
        ]
        n = len(changed)
        rows.append(
            {
                "change": name,
                "n": n,
                "right_before": sum(old == change.old_label for change, old in zip(changed, before, strict=True)),
                "right_after": sum(new == change.label for change, (new, _) in zip(changed, after, strict=True))
                if name != "third"
                else None,
                "did_as_it_should": sum(did),
                "low": wilson(sum(did), n)[0],
                "high": wilson(sum(did), n)[1],
                "follows_its_steps": sum(follows(decision, text) for decision, text in after),
            }
        )
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps(rows))
        return
    print("| change | cases | right before | right after | did as it should | decides as its steps say |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        right = "–" if row["right_after"] is None else row["right_after"]
        did_text = f"{row['did_as_it_should']} ({100 * row['low']:.0f}–{100 * row['high']:.0f} %)"
        print(
            f"| {row['change']} | {row['n']} | {row['right_before']} | {right} | {did_text} | "
            f"{row['follows_its_steps']} |"
        )


if __name__ == "__main__":
    main()
