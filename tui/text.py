"""text"""

import re

_BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def clean(text: str, *, limit: int | None = None) -> str:
    return _BAD.sub("\u00b7", text)


def line(text: str, width: int) -> str:
    return clean(text.replace("\n", " "))[:width]
