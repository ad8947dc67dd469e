"""Asks an endpoint what it is capable of, once for each model: the best structured mode that really works."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.config.task import EndpointSettings
from core.llm.answer import Answer, Exchange
from core.llm.capabilities import Capabilities, StructuredMode, assumed_capabilities, learn, next_lower_mode
from core.llm.schemas import AnswerSchema, answer_schema
from core.llm.wire import M, Messages, request_body
from storage.schema import Outcome

# Sends a body that asks for a schema, with at most so many tokens of answer; again after faults that may pass.
Send = Callable[[dict[str, Any], AnswerSchema[M], int], Awaitable[Exchange[M]]]

# Enough for the answer, and little enough that a small model which never ends does not keep the run waiting.
_TOKENS = 256
# Modes, and parameters that may be refused in each.
_QUESTIONS = 12
_UNREADABLE = frozenset({Outcome.INVALID_JSON, Outcome.SCHEMA_VIOLATION, Outcome.TRUNCATED, Outcome.REFUSED})


class _Bird(BaseModel):
    model_config = ConfigDict(extra="forbid")

    plumage: str
    weight: float


class _Birds(BaseModel):
    """Fields that the question does not name: nobody answers with them by chance."""

    model_config = ConfigDict(extra="forbid")

    remark: str
    birds: list[_Bird]
    decision: str


ANSWER_SCHEMA: AnswerSchema[_Birds] = answer_schema(_Birds, ["HERON", "EGRET"])


def question(mode: StructuredMode) -> Messages:
    """What the probe asks. It says nothing of the fields, so that a server which ignores the schema is found out."""
    words = "Describe two birds that wade, in a few words" + (
        ", and decide for the heron or the egret."
        if mode in {StructuredMode.OBJECT, StructuredMode.PROMPT}
        else ". Answer in JSON."
    )
    return [{"role": "system", "content": "You answer briefly."}, {"role": "user", "content": words}]


async def probe(model: EndpointSettings, send: Send[_Birds]) -> tuple[Capabilities | None, Answer[Any]]:
    """What works, and the last answer; None if the endpoint cannot be asked (the answer's outcome says why)."""
    believed = assumed_capabilities(model.base_url, model.model)
    cut_before = False
    for _ in range(_QUESTIONS):
        tokens = model.max_output_tokens if believed.thinks else min(_TOKENS, model.max_output_tokens)
        reply = await send(
            request_body(model, believed, question(believed.mode), ANSWER_SCHEMA, tokens), ANSWER_SCHEMA, tokens
        )
        answer = reply.answer
        if answer.outcome in {Outcome.BAD_REQUEST, Outcome.SERVER_ERROR} and reply.fault is not None:
            # Some servers answer 500 to a format they do not know.
            learned = learn(believed, reply.fault.message, reply.fault.param)
            if learned is None:
                return None, answer
            believed = learned
            continue
        if answer.outcome is not Outcome.WRITTEN and answer.outcome not in _UNREADABLE:
            return None, answer
        thought, believed = believed.thinks, believed.model_copy(update={"thinks": believed.thinks or reply.thinks})
        below = next_lower_mode(believed.mode)
        if mode_works(believed.mode, answer.outcome, answer.raw) or below is None:
            usage = answer.usage.input_tokens is not None and answer.usage.output_tokens is not None
            return believed.model_copy(update={"reports_usage": usage, "probed": True}), answer
        if answer.outcome is Outcome.TRUNCATED and (not cut_before or believed.thinks > thought):
            # Cut off says little: a small model may have rambled, and one that thinks had too few tokens.
            cut_before = True
            continue
        cut_before = False
        believed = believed.model_copy(update={"mode": below})
    return None, answer


def mode_works(mode: StructuredMode, outcome: Outcome, raw: str) -> bool:
    """Whether an answer shows that the server heeds `mode`.

    Bare JSON is all that json_object promises, and the prompt alone promises nothing: there the answers are judged
    one by one.
    """
    if outcome is Outcome.WRITTEN or mode is StructuredMode.PROMPT:
        return True
    return mode is StructuredMode.OBJECT and outcome is Outcome.SCHEMA_VIOLATION and raw.lstrip().startswith("{")
