"""The chat completions protocol: the body of a request, and what a response or a fault says. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel

from core.config.task import EndpointSettings
from core.llm.answers import json_objects, split_thinking
from core.llm.capabilities import Capabilities, StructuredMode
from core.llm.schemas import AnswerSchema, UnfitError
from storage.schema import Outcome

M = TypeVar("M", bound=BaseModel)
Messages = list[dict[str, str]]

# An answer that cannot be read is kept, but not without end.
_RAW = 100_000
_SAID = 500


def request_body(
    model: EndpointSettings,
    capabilities: Capabilities,
    messages: Messages,
    shape: AnswerSchema[M] | None,
    max_output_tokens: int,
) -> dict[str, Any]:
    """The JSON body of a request that asks for `shape` (None: for words), within what the endpoint is capable of."""
    asked = list(messages)
    if shape is not None and capabilities.mode in {StructuredMode.OBJECT, StructuredMode.PROMPT}:
        asked[-1] = {**asked[-1], "content": f"{asked[-1]['content']}\n\n{_in_words(shape)}"}
    if not capabilities.system_role:
        asked = without_system(asked)
    made: dict[str, Any] = {"model": model.model, "messages": asked, capabilities.max_tokens_field: max_output_tokens}
    if model.temperature is not None and capabilities.temperature:
        made["temperature"] = model.temperature
    if model.reasoning_effort is not None and capabilities.reasoning_effort:
        made["reasoning_effort"] = model.reasoning_effort
    if shape is None:
        return made
    match capabilities.mode:
        case StructuredMode.STRICT:
            named = {"name": shape.name, "strict": True, "schema": shape.schema}
            made["response_format"] = {"type": "json_schema", "json_schema": named}
        case StructuredMode.SCHEMA:
            made["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": shape.name, "schema": shape.schema},
            }
        case StructuredMode.OBJECT_SCHEMA:
            made["response_format"] = {"type": "json_object", "schema": shape.schema}
        case StructuredMode.OBJECT:
            made["response_format"] = {"type": "json_object"}
        case StructuredMode.PROMPT:
            pass
    return made


def _in_words(shape: AnswerSchema[M]) -> str:
    return (
        "Answer with one JSON object and nothing else: no introduction, no code fence. It satisfies this JSON schema "
        f"(an instance of it is wanted, not the schema):\n{shape.text}"
    )


def without_system(messages: Messages) -> Messages:
    """The same messages with the system's words at the head of the first user message."""
    words = [message["content"] for message in messages if message["role"] == "system"]
    rest = [message for message in messages if message["role"] != "system"]
    if words and rest:
        rest[0] = {**rest[0], "content": "\n\n".join([*words, rest[0]["content"]])}
    return rest


@dataclass(frozen=True, slots=True)
class WireResponse(Generic[M]):
    """What a response of status 200 says. Counts of tokens are None where the server reports none.

    `raw` is the answer as it came, `thought` what the server sent apart as thinking.
    """

    outcome: Outcome
    value: M | None = None
    raw: str = ""
    thought: str = ""
    detail: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    thinks: bool = False


def read_response(text: str, shape: AnswerSchema[M] | None) -> WireResponse[M]:
    """Read the text of a response as a completion of `shape`; without one, whatever was said will do.

    A refusal and an answer that was cut off are never read as JSON.
    """
    try:
        payload = json.loads(text)
        message = payload["choices"][0]["message"]
        finish = payload["choices"][0].get("finish_reason")
        content = _plain(message.get("content"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        detail = f"the server answered with something that is no chat completion: {_said(text)!r}"
        return WireResponse(Outcome.BAD_REQUEST, raw=text[:_RAW], detail=f"{detail}; base_url usually ends in /v1")
    usage = payload.get("usage")
    counts = (_count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))
    thought = _plain(message.get("reasoning_content") or message.get("reasoning"))
    said = split_thinking(content, thought)
    thinks = bool(said.thinking) or bool(_reasoning_tokens(usage))

    def ended(outcome: Outcome, detail: str, raw: str = content) -> WireResponse[M]:
        return WireResponse(outcome, None, raw[:_RAW], thought[:_RAW], detail, *counts, thinks)

    refusal = message.get("refusal")
    if refusal:
        return ended(Outcome.REFUSED, f"the model refused: {_said(_plain(refusal))}", _plain(refusal))
    if finish == "content_filter":
        return ended(Outcome.REFUSED, "the content filter of the endpoint stopped the answer")
    if finish == "length":
        count = "" if counts[1] is None else f" after {counts[1]} tokens"
        return ended(Outcome.TRUNCATED, f"the answer was cut off{count}: max_output_tokens is too low for this model")
    if said.cut:
        return ended(Outcome.TRUNCATED, "the model was cut off while it was thinking: there is no answer")
    if not said.text:
        return ended(Outcome.INVALID_JSON, "the answer is empty")
    if shape is None:
        return ended(Outcome.WRITTEN, "")
    problem = ""
    for found in json_objects(said.text):
        try:
            return replace(ended(Outcome.WRITTEN, ""), value=shape.read(found))
        except UnfitError as error:
            # The first object is the likeliest one to have been meant.
            problem = problem or str(error)
    if problem:
        return ended(Outcome.SCHEMA_VIOLATION, problem)
    return ended(Outcome.INVALID_JSON, f"the answer is not JSON; it begins {said.text[:80]!r}")


def _plain(content: object) -> str:
    """The text of a content field: a string, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return ""


def _count(usage: object, key: str) -> int | None:
    value = usage.get(key) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _reasoning_tokens(usage: object) -> int:
    details = usage.get("completion_tokens_details") if isinstance(usage, dict) else None
    return _count(details, "reasoning_tokens") or 0


@dataclass(frozen=True, slots=True)
class Fault:
    """A response that is no answer. `message` and `param` are the server's own; `retry_after` is in seconds."""

    outcome: Outcome
    message: str
    param: str | None = None
    retry_after: float | None = None


# Gemini says "quota" of ordinary rate limits too: only the code tells.
_NO_MONEY = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance"}
_TOO_LONG = re.compile(
    r"context_length_exceeded|maximum context length|exceed\w* .{0,40}context|context (?:window|length)", re.I
)
_FILTERED = re.compile(r"content_filter|content management policy|content_policy", re.I)


def classify_error(status: int, payload: object, headers: Mapping[str, str], now: datetime) -> Fault:
    """What an HTTP error means. `payload` is the decoded body, or what of it the client could make out."""
    error = payload.get("error", payload) if isinstance(payload, dict) else payload
    fields = error if isinstance(error, dict) else {}
    message = fields.get("message") or fields.get("detail") or (error if isinstance(error, str) else "")
    message = message if isinstance(message, str) else json.dumps(message)
    codes = {str(fields.get("code")), str(fields.get("type"))}
    param = fields.get("param")
    text = f"{message} {' '.join(codes)}"
    wait = retry_after(headers, now)
    if status == 402 or codes & _NO_MONEY:
        outcome = Outcome.QUOTA_EXHAUSTED
    elif status in {401, 403}:
        outcome = Outcome.BAD_KEY
    elif status == 429:
        outcome = Outcome.RATE_LIMITED
    elif status == 408:
        outcome = Outcome.TIMEOUT
    elif status >= 500 or status in {409, 425}:
        outcome = Outcome.SERVER_ERROR
    elif _TOO_LONG.search(text):
        outcome = Outcome.TRUNCATED
    elif _FILTERED.search(text):
        outcome = Outcome.REFUSED
    else:
        outcome = Outcome.BAD_REQUEST
    return Fault(outcome, message, param if isinstance(param, str) else None, wait)


def explain_fault(fault: Fault, status: int, url: str, model: str, key_env: str) -> str:
    """A fault in words for a person: what, where, and what to do."""
    said = f" It says: {_said(fault.message)}" if fault.message else ""
    match fault.outcome:
        case Outcome.QUOTA_EXHAUSTED:
            return f"the account at {url} has no quota left ({status}): top it up, then resume.{said}"
        case Outcome.BAD_KEY:
            where = f"the key in {key_env}" if key_env else "a request without a key (no key_env is set)"
            return f"{url} does not accept {where} for {model} ({status}).{said}"
        case Outcome.RATE_LIMITED:
            return f"{url} limits the rate of {model} ({status}).{said}"
        case Outcome.TRUNCATED:
            return f"prompt and answer do not fit the context of {model} at {url} ({status}).{said}"
        case Outcome.REFUSED:
            return f"the content filter of {url} refused the prompt ({status}).{said}"
        case Outcome.BAD_REQUEST if status == 404:
            return f"{url} knows no model {model!r}, or base_url is wrong (404).{said}"
        case Outcome.BAD_REQUEST:
            return f"{url} does not accept the request for {model} ({status}).{said}"
        case _:
            return f"{url} failed ({status}).{said}"


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait that a response asks for, from Retry-After as seconds or as a date; None if it does not."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    return seconds if 0 < seconds < float("inf") else 0.0


def public_url(url: str) -> str:
    """The address without what could be a secret in it: user, password and query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


_KEY_LIKE = re.compile(r"\b(?:sk|rk|pk|gsk|hf|key)[-_][A-Za-z0-9_*-]{6,}")


def redact(text: str, key: str) -> str:
    """`text` without the key, and without what looks like one."""
    return _KEY_LIKE.sub("[key]", text.replace(key, "[key]") if key else text)


def _said(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SAID else f"{flat[:_SAID]}…"
