"""What stands in the Markdown of the project: links, headings, blocks of code, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent

_FENCE = re.compile(r"^(`{3,})(\w*)\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"!?\[[^\]\[]*(?:\[[^\]]*\])?[^\]\[]*\]\(([^)\s]+)(?: \"[^\"]*\")?\)|<img[^>]*\ssrc=\"([^\"]+)\"")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
# What a shell takes as the end of a command.
_ENDS = {"|", "<", ">", ">>", "&&", "||", ";", "&"}


@dataclass(frozen=True, slots=True)
class Document:
    """A Markdown file; `name` is its path in the project."""

    name: str
    text: str

    @property
    def path(self) -> Path:
        """Where it is."""
        return ROOT / self.name

    @property
    def prose(self) -> str:
        """The text without its blocks of code."""
        return _FENCE.sub("", self.text)

    def blocks(self, language: str) -> list[str]:
        """The blocks of code in one language."""
        return [
            block for kind, block in ((found[2], found[3]) for found in _FENCE.finditer(self.text)) if kind == language
        ]

    def spans(self) -> list[str]:
        """What stands in code within a line."""
        return _SPAN.findall(self.prose)

    def links(self) -> list[str]:
        """Where its links and pictures lead."""
        return [one or other for one, other in _LINK.findall(_SPAN.sub("", self.prose))]

    def anchors(self) -> set[str]:
        """What a link into the document may name, as GitHub makes it of the headings."""
        return {anchor(heading) for heading in _HEADING.findall(self.prose)}


def anchor(heading: str) -> str:
    """What leads to a heading: in lower case, without marks, a hyphen for each blank."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def documents(*patterns: str) -> list[Document]:
    """The Markdown files that match, by their paths in the project."""
    files = sorted({file for pattern in patterns for file in ROOT.glob(pattern)})
    return [Document(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files]


def commands(block: str, program: str) -> Iterator[list[str]]:
    """The words behind `program` in each command of a block for a shell: without comments, pipes and redirections."""
    for line in block.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word not in _ENDS:
                words.append(word)
                continue
            if words[:1] == [program]:
                yield words[1:]
            words = []
