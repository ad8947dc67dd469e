"""What the examples say against each other: contradictions, leaks between splits, shortcuts, suspected label errors."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from core.config.task import Task
from core.dataset.coverage import NOT_REJECTED
from core.dataset.fingerprints import ComparedExample, read_compared
from core.dataset.leaks import COMPARED, Leak, LeakKind, find_leaks
from core.dataset.shortcuts import Shortcut, score, side_alone, too_little
from storage import listing
from storage.examples import Filter
from storage.schema import Example

# One side alone is tried on at most this many examples; of more, a random sample.
SAMPLE = 3000
# Of each kind so many findings are listed, and so many examples of each.
LISTED, MEMBERS = 200, 100


class FindingKind(StrEnum):
    """What is wrong, or may be."""

    TWO_LABELS = "two_labels"
    FAMILY = "family"
    CASE = "same_case"
    HYPOTHESIS = "same_hypothesis"
    NEAR_DUPLICATE = "near_duplicate"
    EVIDENCE = "same_evidence"
    HYPOTHESIS_ALONE = "hypothesis_alone"
    EVIDENCE_ALONE = "evidence_alone"
    LABEL_ERROR = "label_error"


class Severity(StrEnum):
    """Whether a benchmark is refused because of a finding, or the finding only advises."""

    STOPS = "stops"
    ADVISES = "advises"


@dataclass(frozen=True, slots=True)
class Concern:
    """Examples that a finding is about: the ids of the first `MEMBERS`, of `examples` in all.

    `hypothesis` is that of the first, `detail` says in a few words what is wrong with them.
    """

    ids: list[str]
    examples: int
    hypothesis: str
    detail: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """All that was found of one kind: `count` concerns, of which the first `LISTED` are listed, those that stop first.

    `summary` is a sentence; `advice` says what to do.
    """

    kind: FindingKind
    severity: Severity
    count: int
    summary: str
    advice: str
    concerns: list[Concern] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Check:
    """What is known of `total` examples, as far as it is found; `doing` says what is under way, '' in the end.

    `sides` has the score of each side alone ('hypothesis', 'evidence'), `baseline` that of the bag-of-words baseline,
    which ranks suspected label errors. `compared` is False if there were too many to look for near-duplicates.
    """

    total: int
    doing: str = ""
    compared: bool = True
    findings: list[CheckFinding] = field(default_factory=list)
    sides: dict[str, Shortcut] = field(default_factory=dict)
    baseline: Shortcut | None = None

    @property
    def stops(self) -> bool:
        """Whether a finding stops a benchmark."""
        return any(finding.severity is Severity.STOPS for finding in self.findings)


_LEAKS = {
    LeakKind.FAMILY: "{} in two splits: what a model has learned from one answers the other",
    LeakKind.CASE: "{} in two splits, in different families",
    LeakKind.HYPOTHESIS: "{} in two splits, in different families",
    LeakKind.NEAR_DUPLICATE: "{} in two splits",
    LeakKind.EVIDENCE: "{} in two splits, with another hypothesis",
}
_NAMES = {
    FindingKind.TWO_LABELS: ("case with two labels", "cases with two labels"),
    FindingKind.FAMILY: ("family", "families"),
    FindingKind.CASE: ("case", "cases"),
    FindingKind.HYPOTHESIS: ("hypothesis", "hypotheses"),
    FindingKind.NEAR_DUPLICATE: ("group of near-duplicates", "groups of near-duplicates"),
    FindingKind.EVIDENCE: ("text of evidence", "texts of evidence"),
    FindingKind.LABEL_ERROR: ("label", "labels"),
}
TOGETHER = "`sidequest splits put none id:... --yes`, then `sidequest splits assign --yes`, puts them into one split"


def check_dataset(
    task: Task, connection: sqlite3.Connection, where: Filter = NOT_REJECTED, *, seed: int = 1
) -> Iterator[Check]:
    """Check the examples that match; yields what is known after each step, the last one complete."""
    check = Check(0, "reading the examples")
    yield check
    compared = read_compared(connection, where)
    findings = [*_contradiction_finding(connection, compared)]
    check = Check(len(compared), "looking for leaks between the splits", findings=findings)
    yield check
    placed = sum(bool(example.split) for example in compared)
    findings = findings + leak_findings(connection, find_leaks(compared, task.limits.near_duplicate))
    check = replace(check, doing="training on one side alone", compared=placed <= COMPARED, findings=findings)
    yield check
    sides = _try_sides(connection, compared, seed)
    findings = findings + list(_side_findings(sides))
    check = replace(check, doing="training on the examples, fold by fold", findings=findings, sides=sides)
    yield check
    baseline, suspects = _suspect_labels(connection, compared, seed)
    yield replace(check, doing="", findings=findings + suspects, baseline=baseline)


# ------------------------------------------------------------------ contradictions and leaks


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Examples with the same case and different decisions; it stops a benchmark if accepted ones differ."""

    members: list[ComparedExample]
    stops: bool


def find_contradictions(examples: Iterable[ComparedExample]) -> list[Contradiction]:
    """The cases that have two labels, those that stop a benchmark first."""
    cases: dict[bytes, list[ComparedExample]] = defaultdict(list)
    for example in examples:
        cases[example.case].append(example)
    contradictions = [
        Contradiction(members, len({member.decision for member in members if member.accepted}) > 1)
        for members in cases.values()
        if len({member.decision for member in members}) > 1
    ]
    return sorted(contradictions, key=lambda contradiction: not contradiction.stops)


def _contradiction_finding(
    connection: sqlite3.Connection, examples: Sequence[ComparedExample]
) -> Iterator[CheckFinding]:
    contradictions = find_contradictions(examples)
    if contradictions:
        concerns = [
            (contradiction.members, _tally(member.decision for member in contradiction.members), contradiction.stops)
            for contradiction in contradictions
        ]
        summary = f"{count_of(FindingKind.TWO_LABELS, len(contradictions))}: one of them is wrong"
        advice = "reject or edit what is wrong, on Review or with `sidequest review reject ID`"
        yield _finding(connection, FindingKind.TWO_LABELS, summary, advice, concerns)


def leak_findings(connection: sqlite3.Connection, leaks: Sequence[Leak]) -> list[CheckFinding]:
    """A finding for each kind of leak."""
    findings = []
    for kind in LeakKind:
        of_kind = [leak for leak in leaks if leak.kind is kind]
        if not of_kind:
            continue
        concerns = []
        for leak in of_kind:
            detail = _tally(member.split for member in leak.members)
            detail += f", {leak.similarity:.0%} alike" if kind is LeakKind.NEAR_DUPLICATE else ""
            detail += f", family {leak.members[0].family}" if kind is LeakKind.FAMILY else ""
            concerns.append((leak.members, detail, leak.stops))
        name = FindingKind(kind.value)
        findings.append(
            _finding(connection, name, _LEAKS[kind].format(count_of(name, len(of_kind))), TOGETHER, concerns)
        )
    return findings


def count_of(kind: FindingKind, number: int) -> str:
    """So many of a kind, in words: '2 families'."""
    one, several = _NAMES[kind]
    return f"{number:,} {one if number == 1 else several}"


def _tally(values: Iterable[str]) -> str:
    return ", ".join(f"{value} {number}" for value, number in sorted(Counter(values).items()))


def _finding(
    connection: sqlite3.Connection,
    kind: FindingKind,
    summary: str,
    advice: str,
    concerns: Sequence[tuple[list[ComparedExample], str, bool]],
) -> CheckFinding:
    """A finding of `concerns` (members, detail, whether it stops), with the hypotheses of those that are listed."""
    listed = concerns[:LISTED]
    firsts = [members[0].number for members, _, _ in listed]
    hypotheses = {row.id: row.hypothesis for row in listing.read_rows(connection, firsts)}
    severities = [Severity.STOPS if stops else Severity.ADVISES for _, _, stops in concerns]
    return CheckFinding(
        kind,
        Severity.STOPS if Severity.STOPS in severities else Severity.ADVISES,
        len(concerns),
        summary,
        advice,
        [
            Concern(
                [member.id for member in members[:MEMBERS]],
                len(members),
                hypotheses.get(members[0].id, ""),
                detail,
                severity,
            )
            for (members, detail, _), severity in zip(listed, severities, strict=False)
        ],
    )


# ------------------------------------------------------------------ what words alone tell


def _try_sides(connection: sqlite3.Connection, examples: Sequence[ComparedExample], seed: int) -> dict[str, Shortcut]:
    chosen = examples if len(examples) <= SAMPLE else random.Random(seed).sample(examples, SAMPLE)
    stored = listing.read_examples(connection, sorted(example.number for example in chosen))
    labels, families = [example.decision for example in stored], [example.family for example in stored]
    return {
        "hypothesis": side_alone([example.hypothesis for example in stored], labels, families),
        "evidence": side_alone([_evidence_text(example) for example in stored], labels, families),
    }


def _evidence_text(example: Example) -> str:
    return " ".join(f"{piece.source} {piece.content}" for piece in example.evidence)


def _side_findings(sides: dict[str, Shortcut]) -> Iterator[CheckFinding]:
    others = {"hypothesis": "evidence", "evidence": "hypothesis"}
    for side, shortcut in sides.items():
        if shortcut.exists:
            summary = f"the {side} alone tells {describe_score(shortcut)}"
            advice = f"a model can be right without the {others[side]}: write examples that differ in it alone"
            yield CheckFinding(FindingKind(f"{side}_alone"), Severity.ADVISES, 1, summary, advice)


def describe_score(shortcut: Shortcut) -> str:
    """A score with its count, its interval and the majority rate, or why there is none."""
    if shortcut.problem:
        return f"no figure: it {shortcut.problem}"
    rate = shortcut.right / shortcut.examples
    return (
        f"{shortcut.right:,}/{shortcut.examples:,} decisions, {rate:.1%} ({shortcut.low:.1%}–{shortcut.high:.1%}); "
        f"the most frequent decision: {shortcut.majority:.1%}"
    )


def _suspect_labels(
    connection: sqlite3.Connection, examples: Sequence[ComparedExample], seed: int
) -> tuple[Shortcut, list[CheckFinding]]:
    """The score of the baseline, and a finding of suspected label errors if it is better than the majority."""
    from core.config.case import Case
    from core.dataset.label_errors import suspected_errors
    from core.dataset.out_of_fold import out_of_fold_probabilities

    decisions, families = [example.decision for example in examples], [example.family for example in examples]
    if problem := too_little(decisions, families):
        return Shortcut(len(examples), problem=problem), []
    labels = sorted(set(decisions))

    def read(positions: Sequence[int]) -> list[Case]:
        stored = listing.read_examples(connection, [examples[position].number for position in positions])
        return [Case(example.id, example.hypothesis, tuple(example.evidence)) for example in stored]

    try:
        probabilities = out_of_fold_probabilities(labels, decisions, families, read, seed=seed)
    except ValueError as error:
        return Shortcut(len(examples), problem=f"cannot be learnt from these: {str(error).splitlines()[0]}"), []
    baseline = score([labels[row.index(max(row))] for row in probabilities], decisions)
    if not baseline.exists:
        return baseline, []
    positions = [labels.index(decision) for decision in decisions]
    suspects = suspected_errors(positions, probabilities)
    concerns = []
    for suspect in suspects:
        example, row = examples[suspect.position], probabilities[suspect.position]
        detail = (
            f"labelled {example.decision} ({row[positions[suspect.position]]:.2f}), "
            f"its words say {labels[suspect.likelier]} ({row[suspect.likelier]:.2f})"
        )
        concerns.append(([example], detail, False))
    if not concerns:
        return baseline, []
    summary = f"{count_of(FindingKind.LABEL_ERROR, len(concerns))} may be wrong, the most suspect first"
    advice = "read them: a baseline that knows words alone suspects them, and may be wrong itself"
    return baseline, [_finding(connection, FindingKind.LABEL_ERROR, summary, advice, concerns)]
