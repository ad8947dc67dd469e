"""Stored text on its way to a screen or a terminal: nothing in it acts, nothing in it is markup.

Text from models is hostile. C0 controls (but tab and newline), DEL, C1, bidi controls and other invisible marks
become visible ones; markup is never parsed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from textual.content import Content

# What a person can read on a screen at all; the rest is cut, and the cut says how much there is.
LIMIT = 20_000

_CONTROL_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"} | {0x7F: "\u2421"}
_INVISIBLE = [
    *range(0x80, 0xA0),  # C1
    0x00AD,  # soft hyphen
    0x034F,  # combining grapheme joiner
    0x061C,  # Arabic letter mark
    0x180E,
    *range(0x200B, 0x200D),  # zero-width space and non-joiner; the joiner holds emoji together
    *range(0x200E, 0x2010),  # left-to-right and right-to-left marks
    *range(0x2028, 0x202F),  # line and paragraph separators, embeddings and overrides
    *range(0x2060, 0x2070),  # word joiner, invisible operators, isolates
    0xFEFF,
    *range(0xFFF9, 0xFFFC),  # interlinear annotations
]
_TABLE = _CONTROL_PICTURES | {code: f"\u27e8{code:02X}\u27e9" for code in _INVISIBLE}
_TAGS_AND_SURROGATES = re.compile("[\ud800-\udfff\U000e0000-\U000e007f]")


def clean(text: str, *, limit: int | None = None) -> str:
    """`text` with everything visible that a terminal would act on; of a longer one the first `limit` characters."""
    if limit is not None and len(text) > limit:
        return f"{clean(text[:limit])} … cut here: {len(text):,} characters in all"
    return _TAGS_AND_SURROGATES.sub("\ufffd", text.replace("\r\n", "\n").translate(_TABLE))


def line(text: str, width: int) -> str:
    """`text` as one line of at most `width` cells, cut with an ellipsis."""
    # No cell is less than a fraction of a character: what cannot fit is not worth translating.
    flat = " ".join(clean(text[: 8 * width + 8]).split())
    if cell_len(flat) <= width and len(text) <= 8 * width + 8:
        return flat
    return set_cell_size(flat, max(0, width - 1)).rstrip() + "…" if width > 0 else ""


def flow(parts: list[str], width: int) -> str:
    """`parts` side by side in lines of at most `width` cells, where each fits one; none is broken in its middle."""
    lines: list[str] = []
    for part in parts:
        if lines and cell_len(lines[-1]) + 2 + cell_len(part) <= width:
            lines[-1] += f"  {part}"
        else:
            lines.append(part)
    return "\n".join(lines)


def content(text: str, *, style: str = "", limit: int = LIMIT) -> Content:
    """`text` for a widget, in one style."""
    from textual.content import Content

    return Content.styled(clean(text, limit=limit), style) if style else Content(clean(text, limit=limit))


def in_words(name: str) -> str:
    """A short name such as `blind_disagreement`, as a person would write it."""
    return name.replace("_", " ")


_SPOKEN = {
    "question_mark": "?", "exclamation_mark": "!", "slash": "/", "asterisk": "*", "pagedown": "page down",
    "pageup": "page up",
}  # fmt: skip


def spoken(keys: str) -> str:
    """Keys as a person calls them."""
    return " ".join(_SPOKEN.get(key, key) for key in keys.split(","))
