"""JMESPath expressions of mappings: checked, applied, and written for a field of any name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from collections.abc import Mapping as Dict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jmespath.parser import ParsedResult

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What an expression can run into on a record that is not as it expects, besides JMESPath's own errors.
_FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_QUOTING = "a name with a blank or a mark, or in another script, stands in double quotes"


class ExpressionError(ValueError):
    """An expression fails on a record; `str()` of it says where and why."""


def compile_expression(expression: str) -> ParsedResult | None:
    """The compiled `expression`, None if it is empty; raises ValueError that says what is wrong with it."""
    import jmespath
    from jmespath.exceptions import JMESPathError

    if not expression:
        return None
    try:
        compiled = jmespath.compile(expression)
        unknown = _functions(compiled.parsed) - set(_options().custom_functions.FUNCTION_TABLE)
    except JMESPathError as error:
        reason = " ".join(str(error).split())[:200]
        quoted = toml_text(json.dumps(expression, ensure_ascii=False))
        raise ValueError(f"{expression!r} is no JMESPath expression: {reason}; {_QUOTING}: {quoted}") from None
    except RecursionError:
        raise ValueError(f"{expression[:40]!r}… is no JMESPath expression: it is nested too deeply") from None
    if unknown:
        raise ValueError(f"{expression!r} is no JMESPath expression: there is no function {', '.join(sorted(unknown))}")
    return compiled


def search(expression: ParsedResult, value: Any) -> Any:
    """The result of `expression` in `value`; raises ExpressionError with the mistake if it fails on this value."""
    from jmespath.exceptions import JMESPathError

    try:
        return expression.search(value, options=_options())
    except (JMESPathError, *_FAULTS) as error:
        message = " ".join(str(error).split())[:200] or type(error).__name__
        raise ExpressionError(f"{expression.expression}: {message}") from None


def quote_name(name: str) -> str:
    """The expression that finds the field of this name: in double quotes, unless it is a plain name."""
    return name if _PLAIN_NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def toml_text(text: str) -> str:
    """`text` as a string of a TOML file, in the quotes that need no escapes where there are such."""
    if "'" not in text and not re.search(r"[\x00-\x1f\x7f]", text) and ('"' in text or "\\" in text):
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def root_fields(expression: str) -> set[str]:
    """The fields of the record itself that a valid `expression` reads; empty if it takes the record as a whole."""
    compiled = compile_expression(expression)
    return set() if compiled is None else _roots(compiled.parsed) - {_WHOLE}


def missing_fields(expression: str, fields: Collection[str]) -> set[str]:
    """What `expression` reads of a record that only has `fields`, and is not there; of `a || b` one is enough."""
    compiled = compile_expression(expression)
    return set() if compiled is None else _missing(compiled.parsed, fields)


def join_names(paths: list[str], limit: int = 30) -> str:
    """A list of fields or columns for a message, with how to write the names that are no plain ones."""
    listed = ", ".join(paths[:limit]) + (f" and {len(paths) - limit} more" if len(paths) > limit else "")
    quoted = next((path for path in paths if path.startswith('"')), None)
    return f"{listed}; {_QUOTING}: {toml_text(quoted)}" if quoted else listed


# Stands for the record itself among the fields that an expression begins with.
_WHOLE = ""
# Nodes whose parts all look into the same value.
_SIDE_BY_SIDE = frozenset(
    {"or_expression", "and_expression", "not_expression", "comparator", "function_expression", "key_val_pair"}
    | {"multi_select_list", "multi_select_dict"}
)


def _roots(node: Dict[str, Any]) -> set[str]:
    kind, children = node["type"], node.get("children", [])
    if kind == "field":
        return {node["value"]}
    if kind in {"identity", "current"}:
        return {_WHOLE}
    if kind in _SIDE_BY_SIDE:
        return {name for child in children for name in _roots(child)}
    if kind in {"expref", "literal", "index", "slice"} or not children:
        return set()
    # What follows the first part of a path looks into what the first part has found.
    first = _roots(children[0])
    return first if first != {_WHOLE} or len(children) == 1 or kind == "filter_projection" else _roots(children[1])


def _missing(node: Dict[str, Any], fields: Collection[str]) -> set[str]:
    if node["type"] != "or_expression":
        return _roots(node) - {_WHOLE} - set(fields)
    left, right = (_missing(child, fields) for child in node["children"])
    return left | right if left and right else set()


def _functions(node: Dict[str, Any]) -> set[str]:
    """The names of the functions that an expression calls."""
    own = {str(node["value"])} if node["type"] == "function_expression" else set()
    return own.union(*(_functions(child) for child in node.get("children", [])))


@lru_cache(maxsize=1)
def _options() -> Any:
    """JMESPath with functions that its own set lacks, named as its later versions name them."""
    from jmespath import Options
    from jmespath.functions import Functions, signature

    string, array = {"types": ["string"]}, {"types": ["array"]}
    declare: Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]] = signature

    class MappingFunctions(Functions):
        """`items`, `split` and `zip`."""

        @declare({"types": ["object", "null"]})
        def _func_items(self, value: dict[str, Any] | None) -> list[list[Any]]:
            return [[key, member] for key, member in (value or {}).items()]

        @declare(string, string)
        def _func_split(self, text: str, separator: str) -> list[str]:
            return text.split(separator) if separator else list(text)

        @declare(array, array)
        def _func_zip(self, left: list[Any], right: list[Any]) -> list[list[Any]]:
            if len(left) != len(right):
                raise ValueError(f"zip() of lists of {len(left)} and {len(right)} members")
            return [list(pair) for pair in zip(left, right, strict=True)]

    return Options(custom_functions=MappingFunctions())
