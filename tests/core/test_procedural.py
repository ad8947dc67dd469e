"""The procedural source: what holds for every example it writes."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config.task import Level
from core.curriculum.cell import Cell
from core.generation.procedural.bodies import Role, plan_body
from core.generation.procedural.lexicon import UnknownDomainError, known_domains
from core.generation.procedural.source import ProceduralSource, UnsuitableTaskError, write_example
from core.generation.procedural.worlds import DECISIONS, REFINED, REJECTED, VALIDATED, build_world, random_stream
from core.generation.source import Request
from core.qa.reports import direction
from core.qa.rules import broken_rules
from storage.schema import Holds
from tests.core.procedural_examples import candidate_of, cells, check_steps, example, the_task


@settings(max_examples=300, deadline=None)
@given(cells, st.integers(0, 40), st.integers(0, 3), st.integers(0, 2**63))
def test_any_example_keeps_the_rules_of_its_cell(cell: Cell, slot: int, idea: int, seed: int) -> None:
    written = example(cell, slot, seed, idea)
    written_candidate = candidate_of(written)
    assert broken_rules(the_task(), cell, written_candidate) == []
    assert written_candidate.decision == cell.decision
    assert written.flaw is None
    text = " ".join(
        [
            written_candidate.hypothesis,
            written_candidate.reasoning,
            *(f"{p.source}. {p.content}" for p in written_candidate.evidence),
        ]
    )
    assert not re.search(r"[{}]|  |\.\.|\s[.,;]|\bNone\b", text)
    assert not re.search(r"\b[Aa] (?:[aeio]|u(?!ni|se)|hour)|\b[Aa]n (?!hour)[^aeiou]", text)
    assert written_candidate.hypothesis[0].isupper()
    assert cell.decision in written_candidate.reasoning
    check_steps(written_candidate)


@st.composite
def levels(draw_: st.DrawFn) -> Level:
    irrelevant = sorted(draw_(st.tuples(st.integers(0, 2), st.integers(0, 2))))
    contrary = sorted(draw_(st.tuples(st.integers(0, 2), st.integers(0, 2))))
    least = irrelevant[1] + contrary[1] + draw_(st.integers(1, 2))
    low = draw_(st.integers(35, 80))
    return Level(
        level=1,
        name="any",
        meaning="any",
        evidence=(least, least + draw_(st.integers(0, 3))),
        irrelevant=(irrelevant[0], irrelevant[1]),
        contradicting=(contrary[0], contrary[1]),
        reliability=draw_(st.sampled_from(["high", "mixed", "low"])),
        steps=draw_(st.integers(1, 5)),
        hedging=draw_(st.sampled_from(["none", "some", "much"])),
        relevance=(low / 100, draw_(st.integers(low + 2, 100)) / 100),
        irrelevant_relevance=(0.0, 0.3),
        confidence=dict.fromkeys(DECISIONS, (0.6, 0.8)),
    )


@settings(max_examples=300, deadline=None)
@given(levels(), cells, st.integers(0, 20), st.integers(0, 2**32))
def test_any_level_has_its_knobs_kept(level: Level, cell: Cell, slot: int, seed: int) -> None:
    task = the_task().model_copy(update={"levels": [level]})
    first_level = Cell(cell.domain, 1, cell.decision)
    written_candidate = candidate_of(write_example(task, Request(first_level, slot, 0, 0, seed)))
    assert broken_rules(task, first_level, written_candidate) == []
    check_steps(written_candidate)
    world = build_world(f"{seed}-{slot}", cell.domain, level)
    body = plan_body(world, slot % 4, level, random_stream(seed))
    roles = Counter(piece.role for piece in body.pieces)
    assert level.evidence[0] <= len(body.pieces) <= level.evidence[1]
    assert level.irrelevant[0] <= roles[Role.IRRELEVANT] <= level.irrelevant[1]
    assert level.contradicting[0] <= roles[Role.CONTRARY] <= level.contradicting[1]
    assert roles[Role.SUPPORT] >= 1


def test_the_same_request_gives_the_same_bytes_in_another_process() -> None:
    code = (
        "from core.config.project import parse_task, template\n"
        "from core.generation.procedural.source import write_example\n"
        "from core.curriculum.cell import Cell\nfrom core.generation.source import Request\n"
        "task = parse_task(template())\n"
        "for level in task.levels:\n"
        "    for slot in range(6):\n"
        "        written = write_example(task, Request(Cell('risk', level.level, 'REFINED'), slot, 0, 0, 7), 0.5)\n"
        "        print(written.family, written.flaw, written.candidate.model_dump_json())\n"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": salt}, capture_output=True, check=True
        ).stdout
        for salt in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 10_000


def test_seeds_slots_and_ideas_give_different_examples() -> None:
    cell = Cell("market", 2, VALIDATED)
    texts = {
        candidate_of(example(cell, slot, seed, idea)).model_dump_json()
        for slot in range(6)
        for seed in range(5)
        for idea in range(3)
    }
    assert len(texts) == 90


@pytest.mark.parametrize("level", [1, 2])
def test_where_one_step_decides_the_pieces_say_what_they_found(level: int) -> None:
    balances = ("saved more than it cost", "broke even", "cost more than it saved")
    for number, domain in enumerate(known_domains() * 12):
        written = candidate_of(example(Cell(domain, level, DECISIONS[number % 3]), number % 4, number))
        for step in written.steps:
            for finding in step.findings:
                if finding.says in ("up", "down", "same"):
                    assert direction(finding.quote) is not None, finding
                if finding.says in ("gain", "even", "loss"):
                    assert any(words in finding.quote for words in balances)
            assert {finding.says for finding in step.findings} == {step.found}


@settings(max_examples=200, deadline=None)
@given(cells, st.integers(0, 40), st.integers(0, 2**63))
def test_the_reasoning_follows_the_steps(cell: Cell, slot: int, seed: int) -> None:
    written = candidate_of(example(cell, slot, seed))
    parts = [verdict == "holds" for verdict in re.findall(r": this part (holds|does not hold)\.", written.reasoning)]
    assert parts == [step.holds is Holds.YES for step in written.steps]
    allowed = {VALIDATED: [[True, True]], REFINED: [[True, False], [False, True]], REJECTED: [[False], [False, False]]}
    assert parts in allowed[cell.decision]
    assert written.reasoning.endswith(f": {cell.decision}.")


def test_an_unknown_domain_and_other_decisions_are_named() -> None:
    task = the_task()
    strange = task.domains[0].model_copy(update={"name": "astrology"})
    with pytest.raises(UnknownDomainError, match=r"astrology.*market"):
        ProceduralSource(task.model_copy(update={"domains": [strange]}))
    odd = task.decisions[0].model_copy(update={"name": "MAYBE"})
    with pytest.raises(UnsuitableTaskError, match=r"MAYBE.*VALIDATED is missing"):
        ProceduralSource(task.model_copy(update={"decisions": [odd, *task.decisions[1:]]}))
    with pytest.raises(UnsuitableTaskError, match="REFINED is missing"):
        ProceduralSource(task.model_copy(update={"decisions": task.decisions[:2]}))
    with pytest.raises(ValueError, match="flaw_rate"):
        ProceduralSource(task, 1.5)


def test_writing_gives_what_drawing_gives() -> None:
    source = ProceduralSource(the_task(), 0.2)
    request = Request(Cell("risk", 1, REJECTED), 3, 0, 0, 11)
    written = asyncio.run(source.write(request))
    assert written.candidate == write_example(the_task(), request, 0.2).candidate
    asyncio.run(source.close())
    assert written.usage.cost == 0.0
