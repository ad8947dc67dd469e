"""What an endpoint can do with a model: what is assumed before the first request, and what its refusals teach.

Decisions only; `core.llm.probe` and `core.llm.client` send the requests.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class StructuredMode(StrEnum):
    """How structured output is requested, the best mode first."""

    STRICT = "strict"  # response_format json_schema, strict
    SCHEMA = "schema"  # response_format json_schema, not strict
    OBJECT_SCHEMA = "object_schema"  # response_format json_object with a schema inside (llama.cpp)
    OBJECT = "object"  # response_format json_object, the schema in the prompt
    PROMPT = "prompt"  # the schema in the prompt, and nothing else


class Capabilities(BaseModel):
    """What works with one model of one endpoint; stored as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: StructuredMode = StructuredMode.STRICT
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True
    reasoning_effort: bool = True
    system_role: bool = True
    reports_usage: bool = False
    thinks: bool = Field(default=False, description="Answers come with thinking, which takes tokens of its own.")
    probed: bool = Field(default=False, description="Asked, and not only believed.")

    def to_json(self) -> dict[str, Any]:
        """As a dict of JSON values."""
        return self.model_dump(mode="json")


class CapabilityStore(Protocol):
    """Stores capabilities, by endpoint and model."""

    def load(self, base_url: str, model: str) -> dict[str, Any] | None:
        """What was saved last, or None."""
        ...

    def save(self, base_url: str, model: str, data: dict[str, Any]) -> None:
        """Save `data`, replacing what was saved."""
        ...


# Anchored, so that gpt-3.5-turbo is no relative of o3 and gpt-5; a path in front ("openai/o3") is allowed.
_PATH = r"^(?:[\w.-]+/)*"
_REASONING = re.compile(_PATH + r"(?:o\d+(?:-|$)|gpt-5(?:[.-]|$))")
_CHAT = re.compile(_PATH + r"gpt-5(?:\.\d+)?-chat")
# These know no json_schema.
_OLD = re.compile(_PATH + r"(?:gpt-3\.5-turbo|gpt-4$|gpt-4-|gpt-4o-2024-05-13$)")
_OPENAI = re.compile(r"^https?://(?:[\w-]+\.)?api\.openai\.com(?:[:/]|$)")


def assumed_capabilities(base_url: str, model: str) -> Capabilities:
    """The best assumption about a model before the first request."""
    if _REASONING.match(model) and not _CHAT.match(model):
        return Capabilities(max_tokens_field="max_completion_tokens", temperature=False, thinks=True)
    if _OPENAI.match(base_url):
        mode = StructuredMode.OBJECT if _OLD.match(model) else StructuredMode.STRICT
        return Capabilities(mode=mode, max_tokens_field="max_completion_tokens", reasoning_effort=False)
    return Capabilities()


def stored_capabilities(data: dict[str, Any] | None) -> Capabilities | None:
    """The saved capabilities in `data`; None if there are none, or if this version cannot read them."""
    if data is None:
        return None
    try:
        capabilities = Capabilities.model_validate(data)
    except ValidationError:
        return None
    return capabilities if capabilities.probed else None


def next_lower_mode(mode: StructuredMode) -> StructuredMode | None:
    """The next best mode after `mode`; None after the last."""
    modes = list(StructuredMode)
    following = modes[modes.index(mode) + 1 :]
    return following[0] if following else None


_FORMAT = re.compile(
    r"response_format|json_schema|json_object|structured.?output|guided|grammar|schema|additionalProperties", re.I
)
_SYSTEM = re.compile(r"system.?role|role.{0,40}system|'system'", re.I | re.S)
_OTHER: dict[str, Literal["max_tokens", "max_completion_tokens"]] = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}


def learn(capabilities: Capabilities, message: str, param: str | None = None) -> Capabilities | None:
    """The capabilities after a 400 or 422 with this `message` (and the parameter that it names, if any).

    None if it is not about a capability, or if there is nothing left to give up.
    """
    text = f"{param or ''} {message}"
    changes: dict[str, object] = {}
    if "reasoning_effort" in text and capabilities.reasoning_effort:
        changes = {"reasoning_effort": False}
    elif "temperature" in text and capabilities.temperature:
        changes = {"temperature": False}
    elif _refuses_length_field(text, capabilities.max_tokens_field):
        changes = {"max_tokens_field": _OTHER[capabilities.max_tokens_field]}
    elif _SYSTEM.search(text) and capabilities.system_role:
        changes = {"system_role": False}
    elif _FORMAT.search(text) and (mode := next_lower_mode(capabilities.mode)) is not None:
        changes = {"mode": mode}
    return capabilities.model_copy(update=changes) if changes else None


def _refuses_length_field(text: str, field: str) -> bool:
    """Whether the field itself is refused, and not just its value ('max_tokens is too large')."""
    if not re.search(rf"\b{field}\b", text):
        return False
    offered = re.search(rf"\b{_OTHER[field]}\b", text) is not None
    return (
        offered or re.search(r"unsupported|not supported|unrecogni[sz]ed|unknown|not permitted", text, re.I) is not None
    )
