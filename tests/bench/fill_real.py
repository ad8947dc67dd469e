"""How many steps that were written for real examples pass the checks of `sidequest steps fill`.

`python -m tests.bench.fill_real EXAMPLES STEPS [--json]`. EXAMPLES is a file of PubMedQA, an object keyed by PubMed id;
STEPS is a JSON object from some of these ids to the steps of each, as a model would answer. A server on loopback
replays them, so the examples go all the way: import, run, checks, retries, stored edits. With steps written by hand it
tests the pipeline; with recorded answers of a model, that model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.config.project import Project
from core.exchange.importing import import_file
from core.exchange.mappings import load_mapping, override
from core.generation.fill.start import start_fill
from storage import fills, listing
from storage.database import connect
from tests.core.test_loop import make_project, wait_until_ended
from tests.core.test_repair import answer
from tests.loopback import Body, Loopback, Reaction

_CASE = re.compile(r"<data>\n(.+?)\n</data>", re.DOTALL)


def replaying(steps: dict[str, list[Any]]) -> Callable[[Body], Reaction]:
    """A server's answers: the steps of the example whose hypothesis the prompt has."""

    def react(body: Body) -> Reaction:
        case = _CASE.search(body["messages"][-1]["content"])
        hypothesis = "" if case is None else json.loads(case[1])["hypothesis"]
        return answer({"steps": steps.get(hypothesis, [])})

    return react


async def fill(project: Project, db: sqlite3.Connection, hypotheses: set[str]) -> dict[str, Any]:
    """Fill the examples with these hypotheses; returns what came of them in figures."""
    selected = [example for example in listing.iterate_examples(db) if example.hypothesis in hypotheses]
    run = await wait_until_ended(db, start_fill(project, db, selected, source="loop"), seconds=600)
    states = fills.of_run(db, run.id)
    return {
        "examples": len(selected),
        "not_imported": len(hypotheses) - len(selected),
        "passed": sum(state.stored is not None for state in states),
        "reasons": dict(Counter(state.reason for state in states if state.refused).most_common()),
        "refused": [state.model_dump(include={"example", "reason", "detail"}) for state in states if state.refused],
    }


async def measure(examples: Path, written: dict[str, list[Any]]) -> dict[str, Any]:
    """Import `examples`, and fill those that have steps in `written`, by PubMed id, in a project of its own."""
    questions = {key: record["QUESTION"] for key, record in json.loads(examples.read_text(encoding="utf-8")).items()}
    if unknown := sorted(written.keys() - questions.keys()):
        raise SystemExit(f"{examples} has no record {unknown[0]}")
    steps = {questions[key]: answered for key, answered in written.items()}
    with tempfile.TemporaryDirectory() as folder:
        async with Loopback(react=replaying(steps)) as server:
            project = make_project(Path(folder), server)
            with connect(project.database) as db:
                cell = {"domain": project.task.domains[0].name, "level": str(project.task.levels[0].level)}
                mapping = override(load_mapping(project, "pubmedqa"), defaults=cell)
                import_file(project, db, examples, mapping)
                return await fill(project, db, set(steps))


def main() -> None:
    """Print how many pass, and what is wrong with the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", type=Path)
    parser.add_argument("steps", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.examples, json.loads(options.steps.read_text(encoding="utf-8"))))
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{figures['passed']} of {figures['examples']} pass; {figures['not_imported']} were not imported")
    for refused in figures["refused"]:
        print(f"  {refused['example']}: {refused['reason']}: {refused['detail']}")


if __name__ == "__main__":
    main()
