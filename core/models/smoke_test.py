"""Asks a model about one case, for `sidequest models check`: whether it works, what it says, and how fast it is."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from core.config.case import Case, Mode
from core.config.project import Project
from core.llm.prompts import PromptError
from core.models.parse_answer import parse_answer
from core.models.resolve import ModelError, default_mode, model_for
from storage import listing
from storage.examples import Filter
from storage.schema import Evidence, Outcome, Status

# For a project without examples. The answer does not matter.
_CASE = Case(
    "check",
    "The model can be asked.",
    (Evidence(source="Log of a check", content="The model was asked, and it gave an answer.", relevance=1.0),),
)


@dataclass(frozen=True, slots=True)
class SmokeTestResult:
    """The result of one question. If not `ok`, the model could not be asked, and `detail` says why.

    `decision` is None if none was found in the answer. `tokens_per_s` is None for a model that writes no tokens.
    `runs_on` is its number type and device, '' if they are unknown.
    """

    ok: bool
    mode: Mode
    outcome: Outcome | None = None
    detail: str = ""
    decision: str | None = None
    opened_s: float = 0.0
    seconds: float = 0.0
    tokens_per_s: float | None = None
    runs_on: str = ""


async def smoke_test(project: Project, connection: sqlite3.Connection, name: str) -> SmokeTestResult:
    """Open the model `name`, ask it about one case, and close it. A model of the hub is downloaded if it is missing."""
    mode = default_mode(project, connection, name)
    began = time.perf_counter()
    try:
        model = model_for(project, connection, name, mode)
    except (ModelError, PromptError) as error:
        return SmokeTestResult(False, mode, detail=str(error).removeprefix(f"{name}: "))
    opened = time.perf_counter() - began
    try:
        ((case,),) = model.batches([_case(connection)])
        (reply,) = await model.answer([case])
    finally:
        await model.close()
    tokens, seconds = reply.usage.output_tokens, reply.usage.seconds
    return SmokeTestResult(
        # An answer that was cut off counts too: a small model that has learnt nothing gives no other.
        ok=reply.outcome in {Outcome.WRITTEN, Outcome.TRUNCATED},
        mode=mode,
        outcome=reply.outcome,
        detail=reply.detail,
        decision=parse_answer(reply.raw, reply.thought, reply.outcome, project.task.labels).decision,
        opened_s=opened,
        seconds=seconds,
        tokens_per_s=tokens / seconds if tokens and seconds > 0 else None,
        runs_on=getattr(model, "runs_on", ""),
    )


def _case(connection: sqlite3.Connection) -> Case:
    """The newest accepted example as a case; a built-in case if there is none."""
    newest = next(listing.numbers(connection, Filter(status=(Status.ACCEPTED.value,))), None)
    examples = listing.read_examples(connection, newest[:1]) if newest else []
    return Case(examples[0].id, examples[0].hypothesis, tuple(examples[0].evidence)) if examples else _CASE
