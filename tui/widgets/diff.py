"""What a rewrite changed, word by word: what went is marked with [- -], what came with {+ +}, and both by colour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from textual.content import Content

from storage.schema import Candidate, Evidence
from tui.text import clean

_REMOVED, _ADDED = "$text-error strike", "$text-success bold"
# Longer texts are compared only so far: the comparison takes quadratic time at its worst.
_LIMIT = 8_000


def diff(before: Candidate, after: Candidate) -> Content:
    """The fields of `after`, each with what differs from `before`; fields that are equal are named in one line."""
    parts: list[Content] = []
    same: list[str] = []
    for name, old, new in _fields(before, after):
        if old == new:
            same.append(name)
        else:
            parts += [Content.styled(f"{name.upper()}\n", "bold $text-accent"), words(old, new), Content("\n\n")]
    if not parts:
        return Content.styled("nothing changed", "$text-muted")
    if same:
        parts.append(Content.styled(f"unchanged: {', '.join(same)}", "$text-muted"))
    return Content.assemble(*parts)


def words(before: str, after: str) -> Content:
    """`after` with what was taken away and added against `before`, word by word."""
    old, new = _split(before), _split(after)
    parts: list[Content] = []
    for operation, low, high, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if operation == "equal":
            parts.append(Content("".join(new[start:end])))
            continue
        gone, come = "".join(old[low:high]), "".join(new[start:end])
        parts.append(_marked("[-", gone.rstrip() if come else gone, "-]", _REMOVED))
        parts.append(_marked("{+", come, "+}", _ADDED))
    return Content.assemble(*parts)


def _marked(start: str, text: str, end: str, style: str) -> Content:
    """`text` between marks; the space around it stays outside of them."""
    body = text.strip()
    if not body:
        return Content(text)
    lead, tail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return Content.assemble(lead, (f"{start}{body}{end}", style), tail)


def _split(text: str) -> list[str]:
    """Words, made harmless, with the space that follows them."""
    return re.findall(r"\S+\s*|\s+", clean(text, limit=_LIMIT))


def _fields(before: Candidate, after: Candidate) -> Iterator[tuple[str, str, str]]:
    yield "hypothesis", before.hypothesis, after.hypothesis
    for position in range(max(len(before.evidence), len(after.evidence))):
        yield f"evidence {position + 1}", _piece(before.evidence, position), _piece(after.evidence, position)
    yield "reasoning", before.reasoning, after.reasoning
    yield "decision", _label(before), _label(after)


def _piece(evidence: list[Evidence], position: int) -> str:
    if position >= len(evidence):
        return ""
    piece = evidence[position]
    return f"{piece.relevance:.2f} {piece.source}\n{piece.content}"


def _label(candidate: Candidate) -> str:
    return f"{candidate.decision} {candidate.confidence:.2f}"
