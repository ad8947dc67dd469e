"""The chat completions protocol: the body of a request, and the meaning of a response or a fault. Pure functions."""

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

# Longer answers and longer thinking are not kept whole. The limit is for each of them: they are separated first.
_RAW = 100_000
_EXCERPT_LENGTH = 500


def request_body(
    model: EndpointSettings,
    capabilities: Capabilities,
    messages: Messages,
    shape: AnswerSchema[M] | None,
    max_output_tokens: int,
) -> dict[str, Any]:
    """The JSON body of a request for `shape` (None: any text), within what the endpoint is capable of."""
    prompt = list(messages)
    if shape is not None and capabilities.mode in {StructuredMode.OBJECT, StructuredMode.PROMPT}:
        prompt[-1] = {**prompt[-1], "content": f"{prompt[-1]['content']}\n\n{_schema_instructions(shape)}"}
    if not capabilities.system_role:
        prompt = without_system(prompt)
    body: dict[str, Any] = {"model": model.model, "messages": prompt, capabilities.max_tokens_field: max_output_tokens}
    if model.temperature is not None and capabilities.temperature:
        body["temperature"] = model.temperature
    if model.reasoning_effort is not None and capabilities.reasoning_effort:
        body["reasoning_effort"] = model.reasoning_effort
    if shape is None:
        return body
    match capabilities.mode:
        case StructuredMode.STRICT:
            schema_format = {"name": shape.name, "strict": True, "schema": shape.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema_format}
        case StructuredMode.SCHEMA:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": shape.name, "schema": shape.schema},
            }
        case StructuredMode.OBJECT_SCHEMA:
            body["response_format"] = {"type": "json_object", "schema": shape.schema}
        case StructuredMode.OBJECT:
            body["response_format"] = {"type": "json_object"}
        case StructuredMode.PROMPT:
            pass
    return body


def _schema_instructions(shape: AnswerSchema[M]) -> str:
    return (
        "Answer with one JSON object and nothing else: no introduction, no code fence. It satisfies this JSON schema "
        f"(an instance of it is wanted, not the schema):\n{shape.text}"
    )


def without_system(messages: Messages) -> Messages:
    """The same messages with the system message moved to the head of the first user message."""
    system_texts = [message["content"] for message in messages if message["role"] == "system"]
    remaining = [message for message in messages if message["role"] != "system"]
    if system_texts and remaining:
        remaining[0] = {**remaining[0], "content": "\n\n".join([*system_texts, remaining[0]["content"]])}
    return remaining


@dataclass(frozen=True, slots=True)
class WireResponse(Generic[M]):
    """The content of a response of status 200. Token counts are None where the server reports none.

    `raw` is the unparsed answer, `thought` the thinking that the server sent in a field of its own. Of an answer too
    long to keep, all thinking is in `thought`, and no longer in `raw`.
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
    """Parse the text of a response as a completion of `shape`; without a schema, any text is accepted.

    A refusal and a truncated answer are never parsed as JSON.
    """
    try:
        payload = json.loads(text)
        message = payload["choices"][0]["message"]
        finish = payload["choices"][0].get("finish_reason")
        content = _text_of(message.get("content"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        detail = f"the server answered with something that is no chat completion: {_excerpt(text)!r}"
        return WireResponse(Outcome.BAD_REQUEST, raw=text[:_RAW], detail=f"{detail}; base_url usually ends in /v1")
    usage = payload.get("usage")
    counts = (_count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))
    reasoning = _text_of(message.get("reasoning_content") or message.get("reasoning"))
    parts = split_thinking(content, reasoning)
    thinks = bool(parts.thinking) or bool(_reasoning_tokens(usage))

    def respond(outcome: Outcome, detail: str, raw: str = content) -> WireResponse[M]:
        return WireResponse(outcome, None, *_shorten(raw, reasoning), detail, *counts, thinks)

    refusal = message.get("refusal")
    if refusal:
        return respond(Outcome.REFUSED, f"the model refused: {_excerpt(_text_of(refusal))}", _text_of(refusal))
    if finish == "content_filter":
        return respond(Outcome.REFUSED, "the content filter of the endpoint stopped the answer")
    if finish == "length":
        count = "" if counts[1] is None else f" after {counts[1]} tokens"
        return respond(Outcome.TRUNCATED, f"the answer was cut off{count}: max_output_tokens is too low for this model")
    if parts.cut:
        return respond(Outcome.TRUNCATED, "the model was cut off while it was thinking: there is no answer")
    if not parts.text:
        return respond(Outcome.INVALID_JSON, "the answer is empty")
    if shape is None:
        return respond(Outcome.WRITTEN, "")
    problem = ""
    for value in json_objects(parts.text):
        try:
            return replace(respond(Outcome.WRITTEN, ""), value=shape.read(value))
        except UnfitError as error:
            # The first object is the likeliest answer, so its problem is the one to report.
            problem = problem or str(error)
    if problem:
        return respond(Outcome.SCHEMA_VIOLATION, problem)
    return respond(Outcome.INVALID_JSON, f"the answer is not JSON; it begins {parts.text[:80]!r}")


def _shorten(raw: str, reasoning: str) -> tuple[str, str]:
    """`raw` and `reasoning` as they are kept: whole, or so that the same decision can be read from them again.

    A long `raw` gives up its thinking to `reasoning`, and then all but its end, where the last decision stands.
    """
    if len(raw) <= _RAW:
        return raw, reasoning[:_RAW]
    parts = split_thinking(raw, reasoning)
    if parts.cut:
        return raw[:_RAW], reasoning[:_RAW]
    # The mark keeps what is left of a line from being read as the beginning of one.
    answer = parts.text if len(parts.text) <= _RAW else f"[cut] {parts.text[-_RAW:]}"
    return answer, parts.thinking[:_RAW]


def _text_of(content: object) -> str:
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


# Gemini says "quota" for ordinary rate limits too: only the code distinguishes them.
_NO_MONEY = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance"}
_TOO_LONG = re.compile(
    r"context_length_exceeded|maximum context length|exceed\w* .{0,40}context|context (?:window|length)", re.I
)
_FILTERED = re.compile(r"content_filter|content management policy|content_policy", re.I)


def classify_error(status: int, payload: object, headers: Mapping[str, str], now: datetime) -> Fault:
    """Classify an HTTP error. `payload` is the decoded body, or as much of it as the client could decode."""
    error = payload.get("error", payload) if isinstance(payload, dict) else payload
    fields = error if isinstance(error, dict) else {}
    message = fields.get("message") or fields.get("detail") or (error if isinstance(error, str) else "")
    message = message if isinstance(message, str) else json.dumps(message)
    codes = {str(fields.get("code")), str(fields.get("type"))}
    param = fields.get("param")
    text = f"{message} {' '.join(codes)}"
    delay = retry_after(headers, now)
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
    return Fault(outcome, message, param if isinstance(param, str) else None, delay)


def explain_fault(fault: Fault, status: int, url: str, model: str, key_env: str) -> str:
    """A fault in words for a person: what, where, and what to do."""
    server_message = f" It says: {_excerpt(fault.message)}" if fault.message else ""
    match fault.outcome:
        case Outcome.QUOTA_EXHAUSTED:
            return f"the account at {url} has no quota left ({status}): top it up, then resume.{server_message}"
        case Outcome.BAD_KEY:
            where = f"the key in {key_env}" if key_env else "a request without a key (no key_env is set)"
            return f"{url} does not accept {where} for {model} ({status}).{server_message}"
        case Outcome.RATE_LIMITED:
            return f"{url} limits the rate of {model} ({status}).{server_message}"
        case Outcome.TRUNCATED:
            return f"prompt and answer do not fit the context of {model} at {url} ({status}).{server_message}"
        case Outcome.REFUSED:
            return f"the content filter of {url} refused the prompt ({status}).{server_message}"
        case Outcome.BAD_REQUEST if status == 404:
            return f"{url} knows no model {model!r}, or base_url is wrong (404).{server_message}"
        case Outcome.BAD_REQUEST:
            return f"{url} does not accept the request for {model} ({status}).{server_message}"
        case _:
            return f"{url} failed ({status}).{server_message}"


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds to wait that a response asks for, from Retry-After as seconds or as a date; None if it has none."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    return seconds if 0 < seconds < float("inf") else 0.0


def public_url(url: str) -> str:
    """The address without user, password and query, which could be secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


_KEY_LIKE = re.compile(r"\b(?:sk|rk|pk|gsk|hf|key)[-_][A-Za-z0-9_*-]{6,}")


def redact(text: str, key: str) -> str:
    """`text` without the key, and without anything that looks like one."""
    return _KEY_LIKE.sub("[key]", text.replace(key, "[key]") if key else text)


def _excerpt(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _EXCERPT_LENGTH else f"{flat[:_EXCERPT_LENGTH]}…"
