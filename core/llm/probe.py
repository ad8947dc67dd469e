"""Probes what an endpoint is capable of, once for each model: the best structured mode that really works."""

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

# Sends a body that requests a schema, with at most this many tokens of answer; again after faults that may pass.
Send = Callable[[dict[str, Any], AnswerSchema[M], int], Awaitable[Exchange[M]]]

# Enough for the answer, and few enough that a small model which never ends does not delay the run.
_TOKENS = 256
# Room for all modes, and the parameters that may be refused in each.
_MAX_QUESTIONS = 12
_UNREADABLE = frozenset({Outcome.INVALID_JSON, Outcome.SCHEMA_VIOLATION, Outcome.TRUNCATED, Outcome.REFUSED})


class _Bird(BaseModel):
    model_config = ConfigDict(extra="forbid")

    plumage: str
    weight: float


class _Birds(BaseModel):
    """Fields that the question does not name: no model answers with them by chance."""

    model_config = ConfigDict(extra="forbid")

    remark: str
    birds: list[_Bird]
    decision: str


ANSWER_SCHEMA: AnswerSchema[_Birds] = answer_schema(_Birds, ["HERON", "EGRET"])


def question(mode: StructuredMode) -> Messages:
    """The messages of the probe.

    They do not mention the fields, so that a server which ignores the schema is detected.
    """
    words = "Describe two birds that wade, in a few words" + (
        ", and decide for the heron or the egret."
        if mode in {StructuredMode.OBJECT, StructuredMode.PROMPT}
        else ". Answer in JSON."
    )
    return [{"role": "system", "content": "You answer briefly."}, {"role": "user", "content": words}]


async def probe(model: EndpointSettings, send: Send[_Birds]) -> tuple[Capabilities | None, Answer[Any]]:
    """The capabilities that work, and the last answer.

    The capabilities are None if the endpoint cannot be probed: the answer's outcome says why.
    """
    capabilities = assumed_capabilities(model.base_url, model.model)
    was_truncated = False
    for _ in range(_MAX_QUESTIONS):
        tokens = model.max_output_tokens if capabilities.thinks else min(_TOKENS, model.max_output_tokens)
        reply = await send(
            request_body(model, capabilities, question(capabilities.mode), ANSWER_SCHEMA, tokens), ANSWER_SCHEMA, tokens
        )
        answer = reply.answer
        if answer.outcome in {Outcome.BAD_REQUEST, Outcome.SERVER_ERROR} and reply.fault is not None:
            # Some servers answer 500 to a format they do not know.
            learned = learn(capabilities, reply.fault.message, reply.fault.param)
            if learned is None:
                return None, answer
            capabilities = learned
            continue
        if answer.outcome is not Outcome.WRITTEN and answer.outcome not in _UNREADABLE:
            return None, answer
        thought_before, capabilities = (
            capabilities.thinks,
            capabilities.model_copy(update={"thinks": capabilities.thinks or reply.thinks}),
        )
        lower_mode = next_lower_mode(capabilities.mode)
        if mode_works(capabilities.mode, answer.outcome, answer.raw) or lower_mode is None:
            reports_usage = answer.usage.input_tokens is not None and answer.usage.output_tokens is not None
            return capabilities.model_copy(update={"reports_usage": reports_usage, "probed": True}), answer
        if answer.outcome is Outcome.TRUNCATED and (not was_truncated or capabilities.thinks > thought_before):
            # Truncation proves little: a small model may have rambled, and one that thinks had too few tokens.
            was_truncated = True
            continue
        was_truncated = False
        capabilities = capabilities.model_copy(update={"mode": lower_mode})
    return None, answer


def mode_works(mode: StructuredMode, outcome: Outcome, raw: str) -> bool:
    """Whether an answer shows that the server supports `mode`.

    json_object promises no more than bare JSON, and the prompt alone promises nothing: in these modes each answer is
    checked on its own.
    """
    if outcome is Outcome.WRITTEN or mode is StructuredMode.PROMPT:
        return True
    return mode is StructuredMode.OBJECT and outcome is Outcome.SCHEMA_VIOLATION and raw.lstrip().startswith("{")
