"""What a rewrite changed, word by word: what went is marked with [- -], what came with {+ +}, and both by colour."""

from __future__ import annotations

import re
from collections.abc import Iterator

from textual.content import Content

from storage.schema import Candidate, Evidence, Example
from tui.text import clean

_REMOVED, _ADDED = "$text-error strike", "$text-success bold"
# Longer texts are compared only so far: nobody reads on.
_LIMIT = 10_000


def diff(before: Candidate, after: Candidate, *, blind: bool = False) -> Content:
    """The fields of `after`, each with what differs from `before`; fields that are equal are named in one line.

    `blind` leaves out what tells the label.
    """
    parts: list[Content] = []
    same: list[str] = []
    for name, old, new in _fields(before, after, blind):
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
    from rapidfuzz.distance import Indel

    old, new = _split(before), _split(after)
    parts: list[Content] = []
    gone = come = ""
    # By words alone: a space more or less is not worth a mark.
    for step in Indel.opcodes([word.strip() for word in old], [word.strip() for word in new]):
        if step.tag == "equal":
            kept = "".join(new[step.dest_start : step.dest_end])
            # The last word of a text has no space behind it, though something may have gone from there.
            space = "" if kept[-1:].isspace() or step.src_end == len(old) else " "
            parts += [*_changed(gone, come), Content(kept + space)]
            gone = come = ""
        gone += "".join(old[step.src_start : step.src_end]) if step.tag == "delete" else ""
        come += "".join(new[step.dest_start : step.dest_end]) if step.tag == "insert" else ""
    return Content.assemble(*parts, *_changed(gone, come))


def _changed(gone: str, come: str) -> list[Content]:
    return [_marked("[-", gone.rstrip() if come else gone, "-]", _REMOVED), _marked("{+", come, "+}", _ADDED)]


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
    """The pieces of `after` in their order, each beside the one of the same source, or else the next that is left."""
    left = list(before)
    found: list[tuple[Evidence | None, Evidence]] = []
    for piece in after:
        kin = next((one for one in left if one.source == piece.source), None)
        if kin is not None:
            left.remove(kin)
        found.append((kin, piece))
    paired = [(old or (left.pop(0) if left else None), new) for old, new in found]
    return [*paired, *((old, None) for old in left)]


def _piece(piece: Evidence | None) -> str:
    return f"{piece.relevance:.2f} {piece.source}\n{piece.content}" if piece else ""


def _label(candidate: Candidate) -> str:
    return f"{candidate.decision} {candidate.confidence:.2f}"


def _place(example: Example) -> str:
    return f"{example.domain} · level {example.level}"
