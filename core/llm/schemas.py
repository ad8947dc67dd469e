"""From a pydantic model to the JSON schema that endpoints accept as strict, and from an answer back to the model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)

# Strict mode refuses these keywords. They go into the description instead, and pydantic checks them here.
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
    """An answer is JSON, but does not fit the schema; the message says where, for a person or a model."""


@dataclass(frozen=True)
class AnswerSchema(Generic[M]):
    """The schema of an answer: made once, used for every request.

    `schema` is strict: the root is an object, every field is required, nothing additional is allowed, and the fields
    are in the model's order.
    """

    name: str
    model: type[M]
    schema: dict[str, Any]
    labels: tuple[str, ...] = ()
    text: str = field(default="", repr=False)

    def read(self, value: object) -> M:
        """Parse `value` (decoded JSON) as the model. Raises UnfitError."""
        try:
            parsed = self.model.model_validate(value)
        except ValidationError as error:
            raise UnfitError(_problems(error)) from None
        decision = getattr(parsed, "decision", None)
        if self.labels and decision not in self.labels:
            raise UnfitError(f"decision: {str(decision)[:60]!r} is none of {', '.join(self.labels)}")
        return parsed


def answer_schema(model: type[M], labels: list[str] | None = None) -> AnswerSchema[M]:
    """The schema of answers that are a `model`; `labels` are the allowed values of its field `decision`."""
    raw = model.model_json_schema()
    schema = _strict(raw, raw.get("$defs", {}))
    if labels and "decision" in schema["properties"]:
        schema["properties"]["decision"]["enum"] = list(labels)
    text = json.dumps(schema, ensure_ascii=False)
    return AnswerSchema(model.__name__.lower().strip("_"), model, schema, tuple(labels or ()), text)


def _strict(node: Any, definitions: dict[str, Any]) -> Any:
    """Inline the references of the schema `node`, and make it strict. Recursive models are not supported."""
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
            not_empty = key in {"minLength", "minItems"} and value == 1
            notes.append("not empty" if not_empty else _WORDED[key].format(f"{value:g}"))
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
    """The first problems of `error`, each as 'field: message'; values from the model are cut short."""
    details = error.errors(include_url=False, include_context=False)
    problems = [
        f"{'.'.join(map(str, problem['loc'])) or 'the answer'}: {problem['msg']}"
        for problem in details[:_SHOWN_PROBLEMS]
    ]
    hidden = len(details) - len(problems)
    return "; ".join(problems)[:600] + (f"; and {hidden} more" if hidden > 0 else "")
