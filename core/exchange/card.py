"""The card of an exported data set: its content, how it was made, what QA and people said, and its limits."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from core.config.task import Task
from core.exchange.formats import UNASSIGNED, Format
from core.exchange.markdown import escape, format_rate, licence_lines, table, yaml_string
from core.exchange.record_reader import NO_REASONING
from core.qa.scorecard import PeopleRecord, Scorecard, people_record, scorecard
from storage import attempts, splits
from storage.examples import Filter
from storage.schema import Example, Result, Status
from storage.staleness import is_stale

# What each column holds; a card is read by people who have never seen the program.
COLUMNS = {
    "hypothesis": "the claim that is judged",
    "evidence": "pieces of evidence, each with source, content and relevance (0 to 1: how it bears on the claim)",
    "reasoning": "how the decision follows from the evidence",
    "decision": "the label",
    "steps": "the hypothesis part by part: what was found, what is claimed, and whether it holds; empty: not written",
    "confidence": "the probability, 0 to 1, that a careful expert reaches the same decision",
    "id": "a ULID; the same in every export",
    "version": "1 as it was made, one more for each edit",
    "family": "shared by examples that stem from one hypothesis or one world; a family is in one split",
    "domain": "the field of subject matter",
    "level": "the step of difficulty, from 1",
    "status": "what review said: accepted, pending or rejected",
    "flagged": "whether somebody marked it for a second look",
    "refused": "whether QA had rejected it and a person brought it in all the same",
    "split": "train, dev or test; empty while unassigned",
    "certainty": "how sure the judge of QA was of the label, 0 to 1; null where no judge read this version",
    "stale": "its fields that argue for an earlier decision, which a person changed since; leave them out of training",
    "source": "what wrote it",
    "model": "the model that the source used, if any",
    "prompt_version": "the version of the prompt, if any",
    "seed": "the seed of the source, if it has one",
    "run": "the run that made it",
    "attempt": "the attempt that became this example",
    "created": "when it was made, in UTC",
    "licence": "the licence, as it was named on export",
}


@dataclass(slots=True)
class ExportCounts:
    """Counts of the exported examples, updated as they are written; pairs are keyed by (row of a table, column)."""

    examples: int = 0
    edited: int = 0
    flagged: int = 0
    refused: int = 0
    unreasoned: int = 0
    unjudged: int = 0
    stale: int = 0
    stale_confidence: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    sources: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    by_split: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_level: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_domain: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, batch: Iterable[Example]) -> None:
        """Count the examples of `batch`."""
        for example in batch:
            split = example.split or UNASSIGNED
            self.examples += 1
            self.edited += example.version > 1
            self.flagged += example.flagged
            self.refused += example.refused
            self.unreasoned += example.reasoning == NO_REASONING
            self.unjudged += example.certainty is None
            self.stale += bool(example.stale)
            self.stale_confidence += is_stale(example, "confidence")
            self.splits[split] += 1
            self.statuses[example.status.value] += 1
            self.sources[example.source, example.model, example.prompt_version] += 1
            self.by_split[split, example.decision] += 1
            self.by_level[str(example.level), example.decision] += 1
            self.by_domain[example.domain, example.decision] += 1


def dataset_card(task: Task, connection: sqlite3.Connection, where: Filter, counts: ExportCounts, licence: str) -> str:
    """The card of the examples that match `where`, with their `counts`: YAML for the hub, Markdown for people."""
    names = [name for name in (*splits.SPLITS, UNASSIGNED) if counts.splits[name]]
    families = splits.family_counts(connection, where)
    family_counts = {name: families.get("" if name == UNASSIGNED else name, 0) for name in names}
    attempts_tally = attempts.tally(connection)
    qa_record = scorecard(attempts.flaw_records(connection)), people_record(attempts.reviewed_counts(connection))
    domains = _in_task_order([domain.name for domain in task.domains], (domain for domain, _ in counts.by_domain))
    parts = [
        _header(task, names, counts.examples, licence),
        f"# {escape(task.name)}",
        f"{counts.examples:,} examples of one narrow judgement. Each has a hypothesis, pieces of evidence, the "
        "decision that the evidence supports, why, and how sure of it one can be. Written by Sidequest.",
        f"Licence: {escape(licence) or 'none was named'}.",
        "## The task",
        escape(task.question),
        table(["decision", "meaning"], [(decision.name, decision.meaning) for decision in task.decisions]),
        "## What there is",
        "By split; all examples of a family are in one split, so that nothing in `test` has a sibling in `train`:",
        cross_table("split", names, counts.by_split, task, {"families": family_counts}),
        "By level of difficulty:",
        cross_table("level", sorted({row for row, _ in counts.by_level}, key=int), counts.by_level, task),
        "By domain:",
        cross_table("domain", domains, counts.by_domain, task),
        "## Columns",
        table(["column", "what it holds"], [(name, COLUMNS[name]) for name in (*Example.model_fields, "licence")]),
        "## How it was made",
        how_it_was_made(counts, {Result(name): number for name, number in attempts_tally.results.items()}, *qa_record),
        table(
            ["source", "model", "prompt", "examples"],
            [(*source, f"{number:,}") for source, number in counts.sources.most_common()],
        ),
        "## Known limits",
        "\n".join(f"- {sentence}" for sentence in known_limits(counts, family_counts)),
    ]
    return "\n\n".join(parts) + "\n"


def known_limits(counts: ExportCounts, families: dict[str, int]) -> list[str]:
    """What users of the data have to know, as sentences."""
    total, sentences = counts.examples, []
    if not_accepted := total - counts.statuses[Status.ACCEPTED.value]:
        sentences.append(f"{not_accepted:,} of {total:,} are not accepted: look at `status` before you use them.")
    if counts.unjudged:
        sentences.append(f"Of {counts.unjudged:,} of {total:,} no judge of QA has read the version that is here.")
    if counts.refused:
        sentences.append(
            f"{counts.refused:,} were rejected by QA, and brought in by a person all the same (`refused`)."
        )
    if counts.flagged:
        sentences.append(f"{counts.flagged:,} are flagged for a second look.")
    if counts.unreasoned:
        sentences.append(f"{counts.unreasoned:,} came without reasoning: theirs says so, and is nothing to learn from.")
    if counts.stale:
        sentences.append(
            f"{counts.stale:,} have fields that argue for an earlier decision than the label (`stale`): leave those "
            "fields out of training."
        )
    if counts.splits[UNASSIGNED]:
        sentences.append(f"{counts.splits[UNASSIGNED]:,} are in no split.")
    if 0 < (test_families := families.get("test", 0)) < 100:
        sentences.append(f"`test` has {test_families:,} families: what is measured on so few has a wide interval.")
    if any(source == "procedural" for source, _, _ in counts.sources):
        sentences.append(
            "What `procedural` wrote is synthetic English about worlds that do not exist: its labels follow from its "
            "text by rules, and its wording is narrower than that of people."
        )
    sentences.append("A decision is about the evidence of its example alone: it says nothing of the world.")
    sentences.append("The balance of decisions and levels follows quotas, not how often they occur in practice.")
    return sentences


def _header(task: Task, split_names: Sequence[str], examples: int, licence: str) -> str:
    """The YAML that the hub and `datasets` read. JSON strings are strings of YAML."""
    lines = ["---", f"pretty_name: {yaml_string(task.name)}"]
    lines += licence_lines(licence)
    sizes = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    size = next((name for bound, name in sizes if examples < bound), "n>1M")
    lines += ["task_categories:", "- text-classification", "size_categories:", f"- {size}", "configs:"]
    lines += ["- config_name: default", "  data_files:"]
    for split in split_names:
        lines += [f"  - split: {split}", f"    path: {split}{Format.DATASETS.suffix}"]
    return "\n".join([*lines, "---"])


def how_it_was_made(
    counts: ExportCounts, results: dict[Result, int], scorecard: Scorecard, people: PeopleRecord
) -> str:
    """How the project made its examples, and what QA and people said about them."""
    lines = [
        "A curriculum asks for examples by domain, level and decision. What a source writes goes through QA: rules, "
        "near-duplicates, and a judge that decides without seeing the label. Then people review it. The figures are of "
        "the whole project, with 95 % Wilson intervals.",
        "",
    ]
    passed, rejected = results.get(Result.PASSED, 0), results.get(Result.REJECTED, 0)
    if passed + rejected:
        lines.append(f"- QA rejected {format_rate(rejected, passed + rejected)} of the attempts that it decided on.")
    if scorecard.planted:
        caught = format_rate(scorecard.caught, scorecard.planted)
        lines.append(f"- QA caught {caught} of the flaws that were planted to measure it.")
    if scorecard.planted and scorecard.good:
        refused = format_rate(scorecard.refused, scorecard.good)
        lines.append(f"- QA refused {refused} of the attempts without a planted flaw.")
    if people.passed.decided:
        agreed = format_rate(people.passed.agreed, people.passed.decided)
        lines.append(f"- Of what QA passed and people decided on, they accepted {agreed}.")
    statuses = ", ".join(f"{number:,} {name}" for name, number in counts.statuses.most_common())
    lines.append(f"- Here are {statuses}; {counts.edited:,} of them were edited since they were made.")
    return "\n".join(lines)


def cross_table(
    name: str,
    rows: Sequence[str],
    counts: Counter[tuple[str, str]],
    task: Task,
    extra_columns: dict[str, dict[str, int]] | None = None,
) -> str:
    """A table of examples by `rows` and by decision, with columns of further numbers by row."""
    decisions = _in_task_order(task.labels, (decision for _, decision in counts))
    extra = extra_columns or {}
    lines = []
    for row in rows:
        numbers = [counts[row, decision] for decision in decisions]
        numbers += [sum(numbers), *(column[row] for column in extra.values())]
        lines.append((row, *(f"{number:,}" for number in numbers)))
    return table([name, *decisions, "all", *extra], lines)


def _in_task_order(task_names: Sequence[str], names: Iterable[str]) -> list[str]:
    """The names that occur, in the order of the task; those that the task no longer has come last."""
    occurring = set(names)
    return [*(name for name in task_names if name in occurring), *sorted(occurring.difference(task_names))]
