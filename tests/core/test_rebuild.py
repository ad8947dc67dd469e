"""What the procedural source knows of its own examples: which decision their evidence bears, and why."""

from __future__ import annotations

import pytest

from core.config.project import parse_task, template
from core.curriculum.cell import Cell
from core.generation.procedural.rebuild import known_answer
from core.generation.procedural.source import write_example
from core.generation.repair.start import offline_proposal
from core.generation.source import Request, SourceResult
from storage.schema import Evidence, Example, Flaw, StaleField
from storage.staleness import stale_fields
from tests.conftest import example

pytestmark = pytest.mark.pure

TASK = parse_task(template())
DOMAINS = [domain.name for domain in TASK.domains]
CELLS = [
    Cell(DOMAINS[(level + number) % len(DOMAINS)], level, decision)
    for level in range(1, 6)
    for number, decision in enumerate(TASK.labels)
]


def as_example(cell: Cell, written: SourceResult, **change: object) -> Example:
    """The example that an attempt of the procedural source becomes."""
    assert written.candidate is not None
    values = written.candidate.model_dump() | {"family": written.family, "domain": cell.domain, "level": cell.level}
    return Example.model_validate(values | {"source": "procedural"} | change)


def relabelled(before: Example, decision: str) -> Example:
    after = before.model_copy(update={"decision": decision})
    return after.model_copy(update={"stale": stale_fields(before, after)})


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.domain}-{cell.level}-{cell.decision}")
def test_it_knows_each_of_its_examples_whatever_the_label_says(cell: Cell) -> None:
    for slot in range(4):
        for number, draft in ((0, None), (2, example())):
            written = write_example(TASK, Request(cell, slot, 0, number, 5, draft=draft))
            assert written.candidate is not None
            answer = known_answer(TASK, as_example(cell, written, decision="REFINED", reasoning="Lost.", confidence=0))
            assert answer is not None
            expected = (written.candidate.decision, written.candidate.reasoning, written.candidate.confidence)
            assert (answer.decision, answer.reasoning, answer.confidence) == expected
            assert answer.steps == written.candidate.steps


def test_it_knows_what_a_planted_wrong_decision_should_have_been() -> None:
    for cell in CELLS:
        for slot in range(6):
            written = write_example(TASK, Request(cell, slot, 0, 0, 5), flaw_rate=1.0)
            answer = known_answer(TASK, as_example(cell, written))
            if written.flaw is Flaw.WRONG_DECISION:
                assert answer is not None
                assert answer.decision != cell.decision
                assert answer.reasoning.endswith(f": {answer.decision}.")
            elif written.flaw in {Flaw.MISSING_EVIDENCE, Flaw.FOREIGN_EVIDENCE, Flaw.AMBIGUOUS}:
                assert answer is None


def first(level: int = 4) -> Example:
    cell = Cell("market", level, "VALIDATED")
    return as_example(cell, write_example(TASK, Request(cell, 0, 0, 0, 5)))


def test_it_knows_it_after_pieces_were_moved_removed_or_weighed_anew() -> None:
    whole = first()
    answer = known_answer(TASK, whole)
    assert answer is not None
    pieces = [piece.model_copy(update={"relevance": 0.5}) for piece in reversed(whole.evidence)]
    moved = known_answer(TASK, whole.model_copy(update={"evidence": pieces}))
    assert moved is not None
    assert moved.decision == answer.decision
    removed = whole.evidence[-1]
    shorter = known_answer(TASK, whole.model_copy(update={"evidence": whole.evidence[:-1]}))
    assert shorter is not None
    assert f'"{removed.source}"' not in shorter.reasoning


@pytest.mark.parametrize(
    "change",
    [
        {"hypothesis": "Another claim."},
        {"evidence": [Evidence(source="A", content="Worded anew.", relevance=0.5)]},
        {"source": "import"},
        {"domain": "astrology"},
        {"level": 99},
        {"family": "f1"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_it_does_not_know_what_it_did_not_write(change: dict[str, object]) -> None:
    assert known_answer(TASK, first().model_copy(update=change)) is None


def test_its_proposal_for_a_right_relabel_replaces_what_is_stale() -> None:
    cell = Cell("market", 3, "VALIDATED")
    slots = (Request(cell, slot, 0, 0, 5) for slot in range(40))
    written = next(
        written
        for written in (write_example(TASK, request, flaw_rate=1.0) for request in slots)
        if written.flaw is Flaw.WRONG_DECISION
    )
    wrong = as_example(cell, written)
    answer = known_answer(TASK, wrong)
    assert answer is not None
    right = relabelled(wrong, answer.decision)
    proposal = offline_proposal(TASK, right)
    assert proposal is not None
    assert not proposal.contradicts
    assert proposal.fields == {
        "reasoning": answer.reasoning,
        "confidence": answer.confidence,
        "steps": answer.steps,
    }
    assert (proposal.judge, proposal.judge_decision, proposal.cost) == ("solver", answer.decision, 0.0)
    assert proposal.repaired == right.model_copy(update=proposal.fields)
    only_reasoning = right.model_copy(update={"stale": [StaleField(field="reasoning", written_for="VALIDATED")]})
    partly = offline_proposal(TASK, only_reasoning)
    assert partly is not None
    assert list(partly.fields) == ["reasoning"]


def test_it_contradicts_a_wrong_relabel_with_the_solvers_decision() -> None:
    wrong = relabelled(first(), "REJECTED")
    proposal = offline_proposal(TASK, wrong)
    assert proposal is not None
    assert (proposal.contradicts, proposal.decision, proposal.judge_decision) == (True, "VALIDATED", "VALIDATED")
    assert list(proposal.fields) == ["reasoning", "confidence", "steps"]
    assert proposal.repaired.decision == "VALIDATED"
