"""Markdown and YAML for the cards of what is exported; stored text in them shows as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from core.statistics import wilson

# Names of licences that the hub knows; any other one is 'other', with its name beside it.
_LICENCES = (
    *("apache-2.0", "mit", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-4.0"),
    *("cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0", "odbl", "odc-by", "pddl", "gpl-3.0", "unlicense"),
)


def licence_lines(licence: str) -> list[str]:
    """What the YAML of a card says of a licence, which may be none ('')."""
    known = licence.lower().replace(" ", "-")
    if known in _LICENCES:
        return [f"license: {known}"]
    return ["license: other", f"license_name: {visible(licence)}"] if licence else ["license: unknown"]


def format_rate(count: int, n: int) -> str:
    """'17 of 20 (64.0–94.8 %)', with the 95 % Wilson interval."""
    low, high = wilson(count, n)
    return f"{count:,} of {n:,} ({100 * low:.1f}–{100 * high:.1f} %)"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [[escape(cell) for cell in line] for line in (headers, *rows)]
    lines.insert(1, ["---"] * len(headers))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape(stored: str) -> str:
    """Stored text as one line of Markdown that shows it as it is."""
    flat = " ".join("".join(one if one.isprintable() else "\ufffd" for one in " ".join(stored.split())).split())
    return re.sub(r"([\\`*_{}\[\]<>#|~&])", r"\\\1", flat)


def code_block(stored: str, language: str = "") -> str:
    """Stored text as a block of code: the fence is longer than any in it."""
    shown = "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in stored)
    fence = "`" * max(3, 1 + max((len(one) for one in re.findall("`+", shown)), default=0))
    return f"{fence}{language}\n{shown}\n{fence}"


def visible(stored: str) -> str:
    """Stored text as a string of YAML; strings of JSON are."""
    return json.dumps("".join(one if one.isprintable() else "\ufffd" for one in stored), ensure_ascii=False)
