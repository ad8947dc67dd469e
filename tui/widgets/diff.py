"""What a rewrite changed, word by word: [-removed-] and {+added+}, and both in a colour."""

from __future__ import annotations

import re
from collections.abc import Iterator

from textual.content import Content

from storage.schema import Candidate, Evidence, Example
from tui.text import clean

_REMOVED, _ADDED = "$text-error strike", "$text-success bold"
# Of longer texts only so many characters are compared: nobody reads on.
_LIMIT = 10_000


def diff(before: Candidate, after: Candidate, *, blind: bool = False) -> Content:
    """The fields that differ, with what changed in each, and one line that names the others.

    `blind` leaves out what tells the label.
    """
    parts: list[Content] = []
    same: list[str] = []
    for name, old, new in _fields(before, after, blind):
        if old == new:
            same.append(name)
        else:
            parts += [Content.styled(f"{name.upper()}\n", "bold $text-accent"), diff_words(old, new), Content("\n\n")]
    if not parts:
        return Content.styled("nothing changed", "$text-muted")
    if same:
        parts.append(Content.styled(f"unchanged: {', '.join(same)}", "$text-muted"))
    return Content.assemble(*parts)


def diff_words(before: str, after: str) -> Content:
    """`after`, with the words that were removed from `before` and those that were added."""
    from rapidfuzz.distance import Indel

    old, new = _split(before), _split(after)
    parts: list[Content] = []
    removed = added = ""
    # Only words are compared: a space more or less is not worth a mark.
    for step in Indel.opcodes([word.strip() for word in old], [word.strip() for word in new]):
        if step.tag == "equal":
            kept = "".join(new[step.dest_start : step.dest_end])
            # The last word of a text has no space behind it, though something may have been removed after it.
            space = "" if kept[-1:].isspace() or step.src_end == len(old) else " "
            parts += [*_changed(removed, added), Content(kept + space)]
            removed = added = ""
        removed += "".join(old[step.src_start : step.src_end]) if step.tag == "delete" else ""
        added += "".join(new[step.dest_start : step.dest_end]) if step.tag == "insert" else ""
    return Content.assemble(*parts, *_changed(removed, added))


def _changed(removed: str, added: str) -> list[Content]:
    removed = removed.rstrip() if added else removed
    return [_marked("[-", removed, "-]", _REMOVED), _marked("{+", added, "+}", _ADDED)]


def _marked(start: str, text: str, end: str, style: str) -> Content:
    """`text` between marks; the space around it stays outside."""
    body = text.strip()
    if not body:
        return Content(text)
    lead, tail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return Content.assemble(lead, (f"{start}{body}{end}", style), tail)


def _split(text: str) -> list[str]:
    """The words of `text` made harmless, each with the space that follows it."""
    return re.findall(r"\S+\s*|\s+", clean(text, limit=_LIMIT))


def _fields(before: Candidate, after: Candidate, blind: bool) -> Iterator[tuple[str, str, str]]:
    yield "hypothesis", before.hypothesis, after.hypothesis
    for position, (old, new) in enumerate(_pairs(before.evidence, after.evidence), start=1):
        yield f"evidence {position}", _piece(old), _piece(new)
    if not blind:
        yield "reasoning", before.reasoning, after.reasoning
        yield "decision", _label(before), _label(after)
    if isinstance(before, Example) and isinstance(after, Example):
        yield "place", _place(before), _place(after)


def _pairs(before: list[Evidence], after: list[Evidence]) -> list[tuple[Evidence | None, Evidence | None]]:
    """The pieces of `after` in their order, each with the old one of the same source, or else the next that is left.

    Old pieces without a new one come last.
    """
    unmatched = list(before)
    same_source: list[tuple[Evidence | None, Evidence]] = []
    for piece in after:
        match = next((old for old in unmatched if old.source == piece.source), None)
        if match is not None:
            unmatched.remove(match)
        same_source.append((match, piece))
    pairs = [(old or (unmatched.pop(0) if unmatched else None), new) for old, new in same_source]
    return [*pairs, *((old, None) for old in unmatched)]


def _piece(piece: Evidence | None) -> str:
    return f"{piece.relevance:.2f} {piece.source}\n{piece.content}" if piece else ""


def _label(candidate: Candidate) -> str:
    return f"{candidate.decision} {candidate.confidence:.2f}"


def _place(example: Example) -> str:
    return f"{example.domain} · level {example.level}"
