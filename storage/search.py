"""The small query language of the app: `level:1-2 domain:risk decision:REFINED status:pending flagged words`."""

from __future__ import annotations

import re
import shlex

from storage.examples import Filter
from storage.schema import Status

_LEVELS = re.compile(r"^(\d{1,2})(?:-(\d{1,2}))?$")


class QueryError(ValueError):
    """The query means nothing; `str()` of it says which part, and what would be right."""


def parse_query(text: str) -> Filter:
    """The filter that `text` means. Parts of one field widen it, fields restrict each other; other words are searched.

    Raises QueryError for a field that is not known, or a value that the field cannot have.
    """
    found: dict[str, list[str]] = {"status": [], "decision": [], "domain": [], "family": [], "run": []}
    levels: list[int] = []
    words: list[str] = []
    flagged: bool | None = None
    for part in _parts(text):
        name, colon, value = part.partition(":")
        name = name.lower()
        if part.lower() in {"flagged", "unflagged"}:
            flagged = part.lower() == "flagged"
        elif not colon or not re.fullmatch("[a-z]+", name):
            words.append(part)
        elif not value:
            raise QueryError(f"{name}: needs a value right after the colon")
        elif name == "level":
            levels += _levels(value)
        elif name == "status":
            found["status"] += [_status(one) for one in value.split(",")]
        elif name == "decision":
            found["decision"] += [one.upper() for one in value.split(",")]
        elif name in found:
            found[name] += value.split(",")
        else:
            raise QueryError(f"no field {name}: there are level, domain, decision, status, family, run and flagged")
    return Filter(
        status=tuple(found["status"]),
        decision=tuple(found["decision"]),
        domain=tuple(found["domain"]),
        level=tuple(dict.fromkeys(levels)),
        family="".join(found["family"][:1]),
        run="".join(found["run"][:1]),
        flagged=flagged,
        text=" ".join(words),
    )


def _parts(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.replace('"', " ").replace("'", " ").replace("\\", " ").split()


def _levels(value: str) -> list[int]:
    levels: list[int] = []
    for one in value.split(","):
        span = _LEVELS.match(one)
        if span is None:
            raise QueryError(f"level:{one} is no level: write level:2, level:1-3 or level:1,4")
        low = int(span[1])
        levels += range(low, int(span[2] or low) + 1)
    return levels


def _status(value: str) -> str:
    known = [status.value for status in Status]
    if value.lower() not in known:
        raise QueryError(f"no status {value}: there are {', '.join(known)}")
    return value.lower()
