"""From a pydantic model to the JSON schema that endpoints accept as strict, and back from an answer to the model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)

# Strict mode refuses these; they go into the description instead, and pydantic holds them on this side.
_WORDED = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}
_DROPPED = {"title", "default", "examples", "pattern", "$defs"}
_SHOWN_PROBLEMS = 3


class UnfitError(ValueError):
    """An answer is JSON, but not what was asked for; the message says where, for a person or a model to mend."""


@dataclass(frozen=True)
class AnswerSchema(Generic[M]):
    """What an answer is to look like: made once, used for every request.

    `schema` is strict: the root an object, every field required, nothing additional, fields in the model's order.
    """

    name: str
    model: type[M]
    schema: dict[str, Any]
    labels: tuple[str, ...] = ()
    text: str = field(default="", repr=False)

    def read(self, value: object) -> M:
        """The model that `value` (decoded JSON) stands for. Raises UnfitError."""
        try:
            read = self.model.model_validate(value)
        except ValidationError as error:
            raise UnfitError(_problems(error)) from None
        decision = getattr(read, "decision", None)
        if self.labels and decision not in self.labels:
            raise UnfitError(f"decision: {str(decision)[:60]!r} is none of {', '.join(self.labels)}")
        return read


def answer_schema(model: type[M], labels: list[str] | None = None) -> AnswerSchema[M]:
    """The shape of answers that are a `model`; `labels` are the values that its field `decision` may have."""
    raw = model.model_json_schema()
    schema = _strict(raw, raw.get("$defs", {}))
    if labels and "decision" in schema["properties"]:
        schema["properties"]["decision"]["enum"] = list(labels)
    text = json.dumps(schema, ensure_ascii=False)
    return AnswerSchema(model.__name__.lower().strip("_"), model, schema, tuple(labels or ()), text)


def _strict(node: Any, definitions: dict[str, Any]) -> Any:
    """The schema `node` with references inlined, made strict. Recursive models are not supported: none is sent."""
    if isinstance(node, list):
        return [_strict(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[-1]]
        return _strict({**target, **{key: value for key, value in node.items() if key != "$ref"}}, definitions)
    strict: dict[str, Any] = {}
    notes: list[str] = []
    for key, value in node.items():
        if key in _WORDED:
            some = key in {"minLength", "minItems"} and value == 1
            notes.append("not empty" if some else _WORDED[key].format(f"{value:g}"))
        elif key == "properties":
            strict[key] = {name: _strict(child, definitions) for name, child in value.items()}
        elif key not in _DROPPED:
            strict[key] = _strict(value, definitions)
    if notes:
        strict["description"] = f"{strict.get('description', '')} ({', '.join(notes)})".strip()
    if strict.get("type") == "object":
        strict["required"] = list(strict.get("properties", {}))
        strict["additionalProperties"] = False
    return strict


def _problems(error: ValidationError) -> str:
    """The first problems of `error`, each as 'field: what is wrong'; values from the model are cut short."""
    details = error.errors(include_url=False, include_context=False)
    shown = [f"{'.'.join(map(str, one['loc'])) or 'the answer'}: {one['msg']}" for one in details[:_SHOWN_PROBLEMS]]
    more = len(details) - len(shown)
    return "; ".join(shown)[:600] + (f"; and {more} more" if more > 0 else "")
