"""One line of a longer text, cut so that it shows what was searched for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.cells import cell_len, set_cell_size

from tui.text import clean

# If the start of the text is cut off, so many characters remain before the first match.
LEAD = 12


def excerpt(text: str, matches: Sequence[tuple[int, int]], width: int) -> list[tuple[str, bool]]:
    """`text` as one clean line of at most `width` cells, in pieces, each with whether it is a match.

    `matches` are positions [from, to) in `text`, in their order.
    """
    start = 0
    if matches and matches[0][1] > width:
        start = max(0, matches[0][0] - LEAD)
        blank = text.find(" ", start, matches[0][0])
        start = blank + 1 if start and blank >= 0 else start
    pieces = [("…", False)] if start else []
    room = width - len(pieces)
    visible = [match for match in matches if match[0] >= start]
    # Text and matches in turn: each odd piece between two cuts is a match.
    cuts = [start, *(position for match in visible for position in match), len(text)]
    for index, (begin, end) in enumerate(pairwise(cuts)):
        if room <= 0 or begin >= end:
            continue
        is_match = index % 2 == 1
        raw = text[begin : min(end, begin + 8 * width + 8)]
        flat = _flatten(raw, after_blank=not pieces or pieces[-1][0].endswith((" ", "…")))
        if cell_len(flat) > room or len(raw) < end - begin:
            pieces.append((set_cell_size(flat, max(0, room - 1)).rstrip() + "…", is_match))
            break
        pieces.append((flat, is_match))
        room -= cell_len(flat)
    return [piece for piece in pieces if piece[0]]


def _flatten(text: str, *, after_blank: bool) -> str:
    """`text` cleaned, with each run of blanks as one; none at its start if there is one in front."""
    cleaned = clean(text)
    flat = " ".join(cleaned.split())
    if not flat:
        return "" if after_blank or not cleaned else " "
    return (" " if cleaned[0].isspace() and not after_blank else "") + flat + (" " if cleaned[-1].isspace() else "")
