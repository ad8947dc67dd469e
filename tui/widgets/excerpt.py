"""A line of a longer text, cut so that what was searched for is in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.cells import cell_len, set_cell_size

from tui.text import clean

# So many characters stand in front of the first match, where the text had to be cut there.
LEAD = 12


def excerpt(text: str, found: Sequence[tuple[int, int]], width: int) -> list[tuple[str, bool]]:
    """`text` as one clean line of at most `width` cells, in pieces; those at `found` (positions) say True."""
    start = 0
    if found and found[0][1] > width:
        start = max(0, found[0][0] - LEAD)
        blank = text.find(" ", start, found[0][0])
        start = blank + 1 if start and blank >= 0 else start
    parts = [("…", False)] if start else []
    room = width - len(parts)
    places = [(a, b) for a, b in found if a >= start]
    cuts = [start, *(at for place in places for at in place), len(text)]
    for position, (begin, end) in enumerate(pairwise(cuts)):
        if room <= 0 or begin >= end:
            continue
        piece = text[begin : min(end, begin + 8 * width + 8)]
        flat = _flat(piece, after_blank=not parts or parts[-1][0].endswith((" ", "…")))
        if cell_len(flat) > room or len(piece) < end - begin:
            parts.append((set_cell_size(flat, max(0, room - 1)).rstrip() + "…", position % 2 == 1))
            break
        parts.append((flat, position % 2 == 1))
        room -= cell_len(flat)
    return [part for part in parts if part[0]]


def _flat(piece: str, *, after_blank: bool) -> str:
    """`piece` cleaned, each run of blanks as one; none at its start if there is one in front."""
    cleaned = clean(piece)
    flat = " ".join(cleaned.split())
    if not flat:
        return "" if after_blank or not cleaned else " "
    return (" " if cleaned[0].isspace() and not after_blank else "") + flat + (" " if cleaned[-1].isspace() else "")
