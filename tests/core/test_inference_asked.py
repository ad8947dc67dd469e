"""Generation of one kind of inference: what the source writes, and what a run refuses."""

from __future__ import annotations

import sqlite3

import pytest

from core.config.project import Project
from core.curriculum.cell import Cell
from core.generation.procedural.rebuild import inference_of
from core.generation.procedural.source import write_example
from core.generation.procedural.worlds import Inference, inferences
from core.generation.source import Request
from core.generation.start import check_params, plan_generation
from core.runs.control import RunError
from core.runs.params import GenerateParams
from tests.core.procedural_examples import candidate_of, check_steps, the_task


@pytest.mark.parametrize("kind", inferences(the_task().level(4)))
def test_the_source_writes_cases_of_the_kind_that_is_asked_for(kind: Inference) -> None:
    families = set()
    for slot in range(6):
        request = Request(Cell("market", 4, "REFINED"), slot, 0, 0, 1, inference=kind.value)
        written = write_example(the_task(), request)
        candidate = candidate_of(written)
        assert inference_of(the_task(), "market", 4, written.family, candidate.hypothesis) is kind
        assert candidate_of(write_example(the_task(), request)) == candidate
        check_steps(candidate)
        families.add(written.family)
    assert len(families) == 6


def test_what_the_source_did_not_write_is_of_no_kind() -> None:
    written = write_example(the_task(), Request(Cell("market", 4, "REFINED"), 0, 0, 0, 1))
    hypothesis = candidate_of(written).hypothesis
    assert inference_of(the_task(), "market", 4, written.family, hypothesis) is not None
    assert inference_of(the_task(), "market", 4, written.family, f"{hypothesis} Or not.") is None
    assert inference_of(the_task(), "sports", 4, written.family, hypothesis) is None
    assert inference_of(the_task(), "market", 77, written.family, hypothesis) is None


def test_a_kind_that_a_level_has_not_is_refused(project: Project, db: sqlite3.Connection) -> None:
    def problems(**change: object) -> list[str]:
        fields = {"source": "procedural", "judge": "solver", "n": 1, "inference": "trend"} | change
        return check_params(project.task, GenerateParams.model_validate(fields))

    assert problems(levels=[3, 4]) == []
    assert problems(levels=[1, 4])[0].startswith("level 1 has no cases of trend: choose of ")
    assert problems(inference="tarot")[0].startswith("no kind of inference 'tarot': there are stated, comparison")
    assert problems(source="gpt")[0] == "no generator 'gpt': use one of procedural, or add [models.gpt] to the file"
    assert any("only the procedural source knows kinds" in problem for problem in problems(source="gpt"))
    params = GenerateParams(source="procedural", judge="solver", n=2, levels=[1], inference="trend")
    with pytest.raises(RunError, match="level 1 has no cases of trend"):
        plan_generation(project.task, db, params)
    with pytest.raises(ValueError, match="level 1 has no cases of trend: stated"):
        write_example(the_task(), Request(Cell("market", 1, "REFINED"), 0, 0, 0, 1, inference="trend"))
