"""Markdown and YAML for the cards of exports; stored text is escaped, so that it shows as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from core.statistics import wilson

# Licences that the hub knows; any other one is 'other', with its name in a field of its own.
_LICENCES = (
    *("apache-2.0", "mit", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-4.0"),
    *("cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0", "odbl", "odc-by", "pddl", "gpl-3.0", "unlicense"),
)


def licence_lines(licence: str) -> list[str]:
    """The YAML lines about a licence, which may be none ('')."""
    identifier = licence.lower().replace(" ", "-")
    if identifier in _LICENCES:
        return [f"license: {identifier}"]
    return ["license: other", f"license_name: {yaml_string(licence)}"] if licence else ["license: unknown"]


def licence_problem(licence: str) -> str:
    """What is wrong with the name of a licence, as a sentence; '' if nothing is."""
    if licence.isprintable() and len(licence) <= 200:
        return ""
    return "--licence: a name such as CC-BY-4.0, in one line of at most 200 characters"


def format_rate(count: int, n: int) -> str:
    """'17 of 20 (64.0–94.8 %)', with the 95 % Wilson interval."""
    low, high = wilson(count, n)
    return f"{count:,} of {n:,} ({100 * low:.1f}–{100 * high:.1f} %)"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [[escape(cell) for cell in line] for line in (headers, *rows)]
    lines.insert(1, ["---"] * len(headers))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape(stored: str) -> str:
    """Stored text as one line of Markdown that shows it as it is."""
    flat = " ".join(visible(" ".join(stored.split())).split())
    return re.sub(r"([\\`*_{}\[\]<>#|~&])", r"\\\1", flat)


def code_block(stored: str, language: str = "") -> str:
    """Stored text as a block of code; its fence is longer than any in the text."""
    code = visible(stored, "\n\t")
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return f"{fence}{language}\n{code}\n{fence}"


def yaml_string(stored: str) -> str:
    """Stored text as a string of YAML: strings of JSON are valid there."""
    return json.dumps(visible(stored), ensure_ascii=False)


def visible(stored: str, keep: str = "") -> str:
    """Stored text with a mark for each character that is not printable, such as controls; those in `keep` stay."""
    return "".join(character if character.isprintable() or character in keep else "\ufffd" for character in stored)
