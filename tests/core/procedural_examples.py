"""Examples of the procedural source, and what holds for the steps of each."""

from __future__ import annotations

import re
from functools import cache

from hypothesis import strategies as st

from core.config.project import parse_task, template
from core.config.task import Task
from core.curriculum.cell import Cell
from core.generation.procedural.lexicon import known_domains
from core.generation.procedural.source import write_example
from core.generation.procedural.worlds import DECISIONS, REFINED, REJECTED, VALIDATED, World, build_world
from core.generation.source import Request, SourceResult
from storage.schema import Candidate, Holds, Step


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


def level_worlds(level: int, number: int) -> list[World]:
    """Worlds of a level, over all domains."""
    domains = known_domains()
    return [build_world(f"w{n}", domains[n % len(domains)], the_task().level(level)) for n in range(number)]
