"""The procedural source: what holds for every example it writes."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config.project import parse_task, template
from core.config.task import Level, Task
from core.curriculum.cell import Cell
from core.generation.procedural.bodies import Aside, Role, plan_body
from core.generation.procedural.lexicon import UnknownDomainError, known_domains
from core.generation.procedural.source import ProceduralSource, UnsuitableTaskError, family_size, write_example
from core.generation.procedural.worlds import (
    BODIES,
    DECISIONS,
    PARTNERS,
    REFINED,
    REJECTED,
    VALIDATED,
    Inference,
    Shape,
    World,
    arrangements,
    build_world,
    random_stream,
)
from core.generation.source import Request, SourceResult
from core.qa.duplicates import candidate_words
from core.qa.reports import direction
from core.qa.rules import broken_rules
from storage.schema import Candidate, Flaw, Holds, Step
from tests.bench.near_duplicates import duplicated, lettered, sample
from tests.bench.shortcuts import majority, measure, rows


@cache
def the_task() -> Task:
    return parse_task(template())


def candidate_of(written: SourceResult) -> Candidate:
    assert written.candidate is not None
    return written.candidate


def example(cell: Cell, slot: int = 0, seed: int = 1, idea: int = 0, flaw_rate: float = 0.0) -> SourceResult:
    return write_example(the_task(), Request(cell, slot, idea, 0, seed), flaw_rate)


cells = st.builds(
    Cell,
    st.sampled_from([domain.name for domain in the_task().domains]),
    st.sampled_from([level.level for level in the_task().levels]),
    st.sampled_from(DECISIONS),
)


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


def decided(steps: list[Step]) -> str:
    """The decision that follows from `steps` by the rule of the task."""
    holds = {step.holds for step in steps}
    return VALIDATED if holds == {Holds.YES} else REJECTED if holds == {Holds.NO} else REFINED


def check_steps(written: Candidate) -> None:
    """Each step is short, quotes its pieces word for word, and leads to the decision."""
    assert decided(written.steps) == written.decision
    assert len(written.steps) <= 2
    for step in written.steps:
        assert step.findings
        assert bool(step.against) == bool(step.why)
        assert (step.holds is Holds.YES) == agrees(step)
        for finding in [*step.findings, *step.against]:
            assert finding.quote
            assert finding.quote in written.evidence[finding.piece - 1].content
            assert not re.search(r"[,:;.](?!\d)", finding.says), "a comma or colon would break the student's line"
        words = [step.part, step.found, step.claimed, *(finding.says for finding in step.findings)]
        assert max(len(word.split()) for word in words) <= 4


def agrees(step: Step) -> bool:
    """Whether what was found is what is claimed, or lies in its range."""
    bounds = re.fullmatch(r"(\d+) to (\d+) %", step.claimed)
    if bounds is None:
        return step.found == step.claimed
    return int(bounds[1]) <= int(step.found.removesuffix(" %")) <= int(bounds[2])


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


@pytest.mark.parametrize("level", [1, 3, 5])
def test_families_are_contrastive_both_ways_within_the_quota_of_a_cell(level: int) -> None:
    quotas = {VALIDATED: 6, REJECTED: 4, REFINED: 2}
    by_evidence: dict[str, set[str]] = {}
    by_hypothesis: dict[str, set[str]] = {}
    for decision, count in quotas.items():
        for slot in range(count):
            written_candidate = candidate_of(example(Cell("financial", level, decision), slot))
            body = repr([(piece.source, piece.content, piece.relevance) for piece in written_candidate.evidence])
            by_evidence.setdefault(body, set()).add(decision)
            by_hypothesis.setdefault(written_candidate.hypothesis, set()).add(decision)
    assert max(map(len, by_evidence.values())) == 3
    assert max(map(len, by_hypothesis.values())) == 3


def test_a_full_family_shows_a_hypothesis_under_all_three_decisions() -> None:
    for seed in range(20):
        observed: dict[str, set[str]] = {}
        for decision in DECISIONS:
            for slot in range(family_size(the_task(), decision)):
                written = example(Cell("customer", 2, decision), slot, seed)
                observed.setdefault(candidate_of(written).hypothesis, set()).add(decision)
        assert set(DECISIONS) in observed.values()


@pytest.mark.parametrize("level", [1, 2, 3])
def test_claims_and_truths_are_spread_alike_over_the_decisions(level: int) -> None:
    claims: dict[str, Counter[tuple[Shape, tuple[int, int]]]] = {name: Counter() for name in DECISIONS}
    truths: dict[str, Counter[tuple[Shape, tuple[int, int]]]] = {name: Counter() for name in DECISIONS}
    total = 6000
    for number in range(total):
        world = build_world(f"family-{number}", "risk", the_task().level(level))
        for decision in DECISIONS:
            body = BODIES[decision][number % 3]
            claims[decision][world.shape, world.states[world.partner(body, decision)]] += 1
            truths[decision][world.shape, world.states[body]] += 1
    for table in (claims, truths):
        for key in table[VALIDATED]:
            shares = [table[name][key] / total for name in DECISIONS]
            assert max(shares) - min(shares) < 0.012, key


@pytest.mark.parametrize("shape", Shape)
def test_partners_share_one_part_where_the_claim_is_refined_and_none_where_it_is_rejected(shape: Shape) -> None:
    for states in arrangements(shape):
        for position, claimed in enumerate(states):
            shared = {
                decision: [
                    one == other for one, other in zip(claimed, states[PARTNERS[decision][position]], strict=True)
                ]
                for decision in (REFINED, REJECTED)
            }
            assert shared[REFINED] == [True, False] if shape.carried else sum(shared[REFINED]) == 1
            assert not shared[REJECTED][0]
            assert shape.carried or not any(shared[REJECTED])


def level_worlds(level: int, number: int) -> list[World]:
    """Worlds of a level, over all domains."""
    domains = known_domains()
    return [build_world(f"w{n}", domains[n % len(domains)], the_task().level(level)) for n in range(number)]


def test_the_first_level_has_one_claim_stated_in_words_and_the_second_some_of_two_parts() -> None:
    first = Counter(world.shape for world in level_worlds(1, 300))
    second = Counter(world.shape for world in level_worlds(2, 600))
    assert set(first) == {Shape.SCOPE, Shape.CONDITION, Shape.TIME, Shape.SIZE, Shape.CAUSE}
    assert set(first) < set(second)
    pairs = sum(count for shape, count in second.items() if not shape.carried)
    assert 0.2 < pairs / 600 < 0.5


def test_from_the_third_level_on_decisions_come_from_eight_kinds_of_inference() -> None:
    for level in (3, 4, 5):
        kinds = {world.inference for world in level_worlds(level, 200)}
        assert kinds == set(Inference) - {Inference.STATED}
    assert {world.inference for world in level_worlds(1, 50) + level_worlds(2, 50)} == {Inference.STATED}


def test_an_intervention_bears_on_what_its_vocabulary_lists_for_it() -> None:
    for world in level_worlds(2, 300) + level_worlds(4, 300):
        if world.shape != Shape.BALANCE:
            names = world.lexicon.interventions[world.intervention]
            assert {metric.name for metric in world.metrics} <= set(names)


def test_what_does_not_count_is_right_no_more_often_than_tells_nothing() -> None:
    """Half of it where a part has two directions; less where it can stay the same, too."""
    agreed: dict[tuple[bool, bool], Counter[bool]] = {}
    for number, world in enumerate(level_worlds(4, 900)):
        body = plan_body(world, number % 4, the_task().level(4), random_stream(number))
        for piece in body.pieces:
            if piece.aside:
                key = (world.shape.carried, piece.aside == Aside.HEARSAY)
                agreed.setdefault(key, Counter())[piece.role == Role.ECHO] += 1
    assert len(agreed) == 4
    for (carried, _), counts in agreed.items():
        low, high = (0.42, 0.55) if carried else (0.3, 0.45)
        assert counts.total() > 200
        assert low < counts[True] / counts.total() < high


def test_figures_that_are_compared_come_from_one_study() -> None:
    apart = 0
    for number in range(400):
        written = candidate_of(example(Cell("technical", 3 + number % 3, DECISIONS[number % 3]), number % 3, number))
        for step in written.steps:
            arms = [f.piece for f in step.findings if f.says.endswith((" with", " without")) and "is" not in f.says]
            sources = {written.evidence[piece - 1].source.rpartition(", ")[0] for piece in arms}
            apart += len(set(arms)) > 1
            assert len(set(arms)) < 2 or len(sources) == 1
    assert apart > 40


def test_a_case_has_a_group_without_or_a_time_before_and_never_both() -> None:
    for number in range(600):
        written = candidate_of(example(Cell("operations", 3 + number % 3, DECISIONS[number % 3]), number % 3, number))
        text = " ".join(f"{piece.source} {piece.content}" for piece in written.evidence)
        controlled = re.search(r"control group|comparison group|by lot|Matched cohort", text)
        assert not (controlled and re.search(r"parallel group|Before-and-after|no control for", text)), text


def test_a_family_has_the_decisions_in_the_proportion_of_the_whole() -> None:
    assert [family_size(the_task(), name) for name in (VALIDATED, REJECTED, REFINED)] == [3, 2, 1]
    families: dict[str, Counter[str]] = {}
    for decision, count in {VALIDATED: 6, REJECTED: 4, REFINED: 2}.items():
        for slot in range(count):
            families.setdefault(example(Cell("risk", 4, decision), slot).family, Counter())[decision] += 1
    assert list(families.values()) == [Counter({VALIDATED: 3, REJECTED: 2, REFINED: 1})] * 2


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


def planted(flaw: Flaw, level: int) -> list[tuple[Request, SourceResult]]:
    flawed = []
    for seed in range(60):
        for slot in (1, 2, 3):
            request = Request(Cell("technical", level, DECISIONS[seed % 3]), slot, 0, 0, seed)
            written = write_example(the_task(), request, 0.6)
            if written.flaw == flaw:
                flawed.append((request, written))
    assert len(flawed) >= 5
    return flawed


def test_flaws_come_at_their_rate_and_only_in_first_attempts() -> None:
    flawed = [example(Cell("market", 1, VALIDATED), 2, seed, flaw_rate=0.3).flaw for seed in range(1500)]
    assert abs(sum(flaw is not None for flaw in flawed) / 1500 - 0.3) < 0.04
    assert {flaw for flaw in flawed if flaw} == set(Flaw)
    assert example(Cell("market", 1, VALIDATED), 0, flaw_rate=0.0).flaw is None
    for request, written in planted(Flaw.WRONG_DECISION, 1):
        mended = write_example(
            the_task(),
            Request(request.cell, request.slot, 0, 1, request.seed, draft=written.candidate, critique="no"),
            1.0,
        )
        assert mended.flaw is None


@pytest.mark.parametrize("level", [1, 2, 3, 5])
def test_a_wrong_step_does_not_bear_checking(level: int) -> None:
    for request, written in planted(Flaw.WRONG_STEP, level):
        written_candidate, sound = candidate_of(written), candidate_of(write_example(the_task(), request, 0.0))
        assert (written_candidate.hypothesis, written_candidate.decision) == (sound.hypothesis, sound.decision)
        assert written_candidate.steps != sound.steps
        with pytest.raises(AssertionError):
            check_steps(written_candidate)
            assert len(written_candidate.steps) == len(sound.steps)
        assert broken_rules(the_task(), request.cell, written_candidate) == []


@pytest.mark.parametrize("flaw", [Flaw.MISSING_EVIDENCE, Flaw.FOREIGN_EVIDENCE, Flaw.AMBIGUOUS, Flaw.WRONG_DECISION])
def test_a_flaw_changes_the_case_but_not_what_counts_can_show(flaw: Flaw) -> None:
    for request, written in planted(flaw, 1):
        written_candidate, sound = candidate_of(written), candidate_of(write_example(the_task(), request, 0.0))
        assert (written_candidate.hypothesis, written_candidate.evidence) != (sound.hypothesis, sound.evidence)
        problems = {problem.reason for problem in broken_rules(the_task(), request.cell, written_candidate)}
        assert problems <= ({"hedged"} if flaw == Flaw.AMBIGUOUS else set())


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [(Flaw.RELEVANCE_OUT_OF_BAND, "relevance_band"), (Flaw.CONFIDENCE_OUT_OF_BAND, "confidence_band")],
)
@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_a_band_that_is_left_breaks_its_rule(flaw: Flaw, reason: str, level: int) -> None:
    for request, written in planted(flaw, level):
        problems = [problem.reason for problem in broken_rules(the_task(), request.cell, candidate_of(written))]
        assert problems == [reason]


def test_a_planted_near_duplicate_is_one() -> None:
    for request, written in planted(Flaw.NEAR_DUPLICATE, 2):
        copies = []
        for slot in range(request.slot):
            earlier = write_example(the_task(), Request(request.cell, slot, 0, 0, request.seed), 0.6)
            pair = lettered([candidate_words(candidate_of(written)), candidate_words(candidate_of(earlier))])
            copies.append(duplicated(pair, the_task().limits.near_duplicate)[0] > 0)
        assert any(copies)


def test_an_example_that_the_cell_does_not_have_is_not_repeated() -> None:
    for request, written in planted(Flaw.NEAR_DUPLICATE, 2):
        with_sibling = replace(request, siblings=(candidate_of(written).hypothesis,))
        assert write_example(the_task(), with_sibling, 0.6).flaw == Flaw.NEAR_DUPLICATE
        with_stranger = replace(request, siblings=("Something that another run wrote.",))
        assert write_example(the_task(), with_stranger, 0.6).flaw not in (None, Flaw.NEAR_DUPLICATE)


def test_a_rewrite_mends_the_flaw_in_other_words_and_keeps_the_family() -> None:
    for request, written in planted(Flaw.MISSING_EVIDENCE, 3):
        again = Request(request.cell, request.slot, 0, 1, request.seed, draft=written.candidate, critique="mend it")
        mended, sound = write_example(the_task(), again, 0.6), write_example(the_task(), request, 0.0)
        assert mended.family == written.family
        assert candidate_of(mended) not in (candidate_of(written), candidate_of(sound))
        assert broken_rules(the_task(), request.cell, candidate_of(mended)) == []


def test_writing_gives_what_drawing_gives() -> None:
    source = ProceduralSource(the_task(), 0.2)
    request = Request(Cell("risk", 1, REJECTED), 3, 0, 0, 11)
    written = asyncio.run(source.write(request))
    assert written.candidate == write_example(the_task(), request, 0.2).candidate
    asyncio.run(source.close())
    assert written.usage.cost == 0.0


def test_independent_draws_are_not_near_duplicates() -> None:
    texts = lettered([words for decision, words in sample(the_task(), 2000, 5) if decision == REFINED])
    count, _ = duplicated(texts, the_task().limits.near_duplicate)
    assert len(texts) > 600
    assert count <= 6


@pytest.mark.slow
def test_neither_side_alone_tells_the_decision() -> None:
    data = rows(420, 3)
    for name, accuracy in measure(data).items():
        assert max(accuracy) <= majority(data) + 0.05, name
