"""Recognises a file of another kind than its name says by its first bytes, and says what it is and the way out."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from core.exchange.faults import FileError

# So much of a file is looked at.
HEAD_SIZE = 1 << 16
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_EMPTY = "empty: was it written, or downloaded, whole?"
_POINTER = b"version https://git-lfs.github.com/spec/"
_SIGNATURES = (
    (b"\x1f\x8b", "gzipped: its name has to end in .gz"),
    (b"PK\x03\x04", "a ZIP archive or a workbook: unpack it, or save the sheet as CSV in UTF-8"),
    (b"SQLite format 3\x00", "an SQLite database: write the table as CSV or JSON lines first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook: save the sheet as CSV in UTF-8"),
    (b"BZh", "compressed by bzip2: unpack it first"),
    (b"\xfd7zXZ\x00", "compressed by xz: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd: unpack it first"),
    (b"ARROW1", "an Arrow file: write it as Parquet"),
)
_PARQUET = b"PAR1"
_JSON = re.compile(rb'(\xef\xbb\xbf)?\s*(\{\s*"[^"]*"\s*:|\[\s*\{)')
# So many bytes that are not UTF-8, and no letter that is written in several, are another encoding and no accident.
_FOREIGN_BYTES = 3
_HTML = re.compile(rb"\s*<(!doctype html|html|\?xml)", re.IGNORECASE)


def check_packed(path: Path, raw: bytes) -> None:
    """Raise FileError if a file whose name ends in .gz begins with `raw`, and is no gzip."""
    if raw.startswith(_POINTER) or _HTML.match(raw):
        raise FileError(f"{path}: it is {_problem(path, '', raw)}")


def check_head(path: Path, kind: str, head: bytes) -> None:
    """Raise FileError if a file that begins with `head` cannot be of this `kind`."""
    problem = _problem(path, kind, head)
    if problem:
        raise FileError(f"{path}: it is {problem}")


def _problem(path: Path, kind: str, head: bytes) -> str:
    """What the file is instead, and what to do; empty if it may be what its name says."""
    if head.startswith(_POINTER):
        return "a Git LFS pointer and not the file itself: `git lfs pull` fetches the file"
    other = next((words for signature, words in _SIGNATURES if head.startswith(signature)), "")
    if other:
        return other
    if kind == "parquet":
        return "" if head else _EMPTY
    if head.startswith(_PARQUET):
        return "Parquet: its name has to end in .parquet"
    encoding = _other_encoding(head)
    if encoding:
        return f"{encoding}: save it as UTF-8 (`iconv -f {encoding} -t UTF-8 {path.name} > {_renamed(path)}`)"
    if not head.removeprefix(codecs.BOM_UTF8).strip():
        return _EMPTY
    if _HTML.match(head):
        return "a web page or XML, not data: download the file itself"
    if kind in {"csv", "tsv"} and _JSON.match(head):
        return "JSON: its name has to end in .jsonl, or in .json if it is one document"
    if _is_other_text(head):
        return (
            "not UTF-8: save it as UTF-8; if it was written on Windows in a Western language, by "
            f"`iconv -f WINDOWS-1252 -t UTF-8 {path.name} > {_renamed(path)}`"
        )
    if kind != "json" and b"\n" not in head and b"\r" in head.rstrip(b"\r") + head[-1:]:
        return (
            "written with old Mac line ends (CR alone): save it with those of Unix "
            f"(`tr '\\r' '\\n' < {path.name} > {_renamed(path)}`)"
        )
    return ""


def _other_encoding(head: bytes) -> str:
    """UTF-16 or UTF-32 by the mark at its beginning, or by the zero bytes between its letters; '' for neither."""
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), "")
    if marked or len(head) < 4:
        return marked
    sample = head[: len(head) // 4 * 4][:400]
    zeros = [sample[position::4].count(0) / len(sample) * 4 for position in range(4)]
    if sum(share > 0.9 for share in zeros) == 3:
        return "UTF-32BE" if zeros[0] > 0.9 else "UTF-32LE"
    if min(zeros[0], zeros[2]) > 0.7 and max(zeros[1], zeros[3]) < 0.1:
        return "UTF-16BE"
    return "UTF-16LE" if min(zeros[1], zeros[3]) > 0.7 and max(zeros[0], zeros[2]) < 0.1 else ""


def _is_other_text(head: bytes) -> bool:
    """Whether the text is in an encoding of one byte a letter, or in another that is not UTF-8."""
    text = head.decode("utf-8", "surrogateescape")
    if len(head) == HEAD_SIZE:
        text = text[:-4]  # the last letter may be cut
    foreign = sum("\udc80" <= char <= "\udcff" for char in text)
    return foreign >= _FOREIGN_BYTES and not any(char > "\x7f" and not "\udc80" <= char <= "\udcff" for char in text)


def _renamed(path: Path) -> str:
    return f"utf8-{path.name}"
