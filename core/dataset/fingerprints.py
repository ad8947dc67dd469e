"""Examples as far as they are compared with all others: hashes of what they say, and their words as numbers."""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from storage.cases import StoredCase, read_cases
from storage.examples import Filter

# What ends a sentence or stands around it says nothing.
_AROUND = " .,;:!?…\"'“”‘’„«»"


@dataclass(frozen=True, slots=True)
class ComparedExample:
    """An example without its texts. Two say the same if the hashes are the same; `words` are those of both sides."""

    number: int
    id: str
    family: str
    split: str
    decision: str
    accepted: bool
    hypothesis: bytes
    evidence: bytes
    words: array[int]

    @property
    def case(self) -> bytes:
        """Hash of hypothesis and evidence together."""
        return self.hypothesis + self.evidence


def normal_form(text: str) -> str:
    """`text` without what makes no difference: case, kinds and number of blanks, Unicode form, marks at the ends."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return " ".join(visible.casefold().split()).strip(_AROUND)


def hash_text(parts: Iterable[str]) -> bytes:
    """A hash that two lists of texts share if their normal forms are the same."""
    content = json.dumps([normal_form(part) for part in parts])
    return blake2b(content.encode(), digest_size=16).digest()


def hash_evidence(pieces: Iterable[tuple[str, str]]) -> bytes:
    """The same for pieces of evidence (source, content), whose order carries no meaning."""
    forms = sorted([normal_form(source), normal_form(content)] for source, content in pieces)
    return blake2b(json.dumps(forms).encode(), digest_size=16).digest()


def read_compared(connection: sqlite3.Connection, *filters: Filter) -> list[ComparedExample]:
    """The examples that match any of `filters`, each once; one query for each filter, and one text at a time."""
    from core.dataset.near_pairs import Vocabulary
    from core.qa.duplicates import words

    vocabulary = Vocabulary()
    known: set[int] = set()

    def compare(case: StoredCase) -> ComparedExample:
        pieces = [(piece["source"], piece["content"]) for piece in json.loads(case.evidence)]
        return ComparedExample(
            case.number,
            case.id,
            case.family,
            case.split,
            case.decision,
            case.accepted,
            hash_text([case.hypothesis]),
            hash_evidence(pieces),
            vocabulary.encode(words(case.hypothesis, [content for _, content in pieces])),
        )

    def new_cases() -> Iterator[StoredCase]:
        for where in filters:
            for case in read_cases(connection, where):
                if case.number not in known:
                    known.add(case.number)
                    yield case

    return [compare(case) for case in new_cases()]


def splits_of(members: Sequence[ComparedExample]) -> set[str]:
    """The splits that the members are in; none for those in no split."""
    return {member.split for member in members if member.split}
