"""Reads the pieces of evidence of a foreign record: texts, objects, or references into a second file."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.config.expressions import ExpressionError, compile_expression, search
from core.config.mapping import Join, Mapping
from core.exchange.faults import RejectedError
from core.exchange.values import NameTable, as_number, as_text, is_missing, looks_like_list, name_kind, parse_list

if TYPE_CHECKING:
    from jmespath.parser import ParsedResult

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JoinedText:
    """What a record of a second file says: its text, or the list of its sentences, and where it comes from."""

    text: str | list[str]
    source: str = ""


class EvidenceReader:
    """Reads evidence by a mapping. `hits` holds the names of the expressions that have found something so far."""

    def __init__(self, mapping: Mapping, hits: set[str]) -> None:
        self._mapping = mapping
        self._hits = hits
        self._evidence = compile_expression(mapping.evidence)
        self._parts = {name: compile_expression(getattr(mapping, name)) for name in ("content", "source", "relevance")}
        self._relevances: NameTable[float] = NameTable(mapping.relevances)
        self._join = JoinReader(mapping.join) if mapping.join else None

    def references(self, record: Any) -> list[str]:
        """The keys of the records of the second file that the evidence of `record` refers to; raises RejectedError."""
        if self._join is None:
            return []
        keys = (self._join.reference(piece, record) for piece in self._pieces(record) if piece is not None)
        return [key for key in keys if key]

    def read(self, record: Any, texts: Dict[str, JoinedText]) -> list[Fields]:
        """The pieces of evidence of `record`, as fields of the schema; none if it has none. Raises RejectedError.

        `texts` holds what the second file says by the keys of `references`.
        """
        pieces = self._pieces(record)
        if self._join is not None:
            return self._read_joined(record, pieces, self._join, texts)
        evidence: list[Fields] = []
        beside = {name: self._beside(record, name, pieces) for name in ("source", "relevance")}
        for position, piece in enumerate(pieces):
            if is_missing(piece):
                continue
            if isinstance(piece, dict):
                content, source, relevance = (self._part(piece, name) for name in ("content", "source", "relevance"))
            else:
                content = piece
                source, relevance = beside["source"][position], beside["relevance"][position]
            self._add(evidence, self._content(content, alone=len(pieces) == 1), source, relevance)
        return evidence

    def _pieces(self, record: Any) -> list[Any]:
        value = find(self._evidence, record)
        if value is not None:
            self._hits.add("evidence")
        pieces: list[Any] = []
        for piece in value if isinstance(value, list) else [value]:
            written = isinstance(piece, str) and self._join is None and looks_like_list(piece)
            pieces += self._parse(piece) if written else [piece]
        if self._join is None:
            for piece in pieces:
                self._check_kind(piece)
        return pieces

    def _parse(self, text: str) -> list[Any]:
        if not self._mapping.parse_lists:
            raise RejectedError(
                "evidence is a list written as text: say parse_lists = true, and each member is a piece"
            )
        pieces = parse_list(text)
        if pieces is None:
            raise RejectedError("evidence begins like a list written as text, and cannot be read as one")
        return pieces

    def _check_kind(self, piece: Any) -> None:
        if isinstance(piece, dict):
            if self._parts["content"] is None:
                raise RejectedError("evidence: its pieces are objects: `content` has to say where their text is")
        elif isinstance(piece, list):
            raise RejectedError(
                "evidence: its pieces are lists: `[]` behind the expression opens them; if they refer to another file, "
                "[join] says how"
            )
        elif self._parts["content"] is not None and not is_missing(piece):
            raise RejectedError("evidence: its pieces are no objects, into which `content` could look: leave it out")

    def _beside(self, record: Any, name: str, pieces: list[Any]) -> list[Any]:
        """The source or relevance of each piece that is a text: one for all in the record, or a list of as many."""
        expression = self._parts[name]
        if expression is None or all(isinstance(piece, dict) for piece in pieces):
            return [None] * len(pieces)
        value = find(expression, record)
        if value is not None:
            self._hits.add(name)
        if not isinstance(value, list):
            return [value] * len(pieces)
        if len(value) != len(pieces):
            raise RejectedError(f"{name}: there are {len(value)} of them for {len(pieces)} pieces of evidence")
        return value

    def _part(self, piece: Any, name: str) -> Any:
        value = find(self._parts[name], piece)
        if value is not None:
            self._hits.add(name)
        return value

    def _content(self, value: Any, *, alone: bool) -> str:
        if isinstance(value, str) and looks_like_list(value):
            raise RejectedError("evidence: a piece is a list written as text: `content` has to find one text")
        if isinstance(value, int) and not alone:
            raise RejectedError(f"evidence: {str(value)[:20]} is {name_kind(value)}: ids and indices are no evidence")
        try:
            return as_text(value)
        except RejectedError as error:
            raise RejectedError(f"evidence: a piece {error}") from None

    def _add(self, evidence: list[Fields], content: str, source: Any, relevance: Any) -> None:
        """Append a piece, with what the mapping says where it does not say it itself."""
        if not content:
            return
        defaults = self._mapping.defaults
        if is_missing(relevance):
            number = as_number(defaults.get("relevance", 1.0), "relevance", self._relevances, None)
        else:
            number = as_number(relevance, "relevance", self._relevances, self._mapping.relevance_scale)
        try:
            name = as_text(source) or str(defaults.get("source", "")) or f"piece {len(evidence) + 1}"
        except RejectedError as error:
            raise RejectedError(f"source {error}") from None
        evidence.append({"source": name, "content": content, "relevance": number})

    def _read_joined(
        self, record: Any, pieces: list[Any], join: JoinReader, texts: Dict[str, JoinedText]
    ) -> list[Fields]:
        evidence: list[Fields] = []
        added: set[tuple[str, str]] = set()
        for piece in pieces:
            key = "" if piece is None else join.reference(piece, record)
            if not key:
                continue
            if key not in texts:
                raise RejectedError(f"evidence: {join.file} has no record {key[:60]!r}")
            content = join.pick(piece, key, texts[key])
            if (key, content) not in added:
                added.add((key, content))
                source = self._part(piece, "source")
                source = texts[key].source or key if is_missing(source) else source
                self._add(evidence, content, source, self._part(piece, "relevance"))
        return evidence


class JoinReader:
    """Reads references into a second file, and the records of that file."""

    def __init__(self, join: Join) -> None:
        self.file = join.file
        self._first = join.first
        self._reference = compile_expression(join.reference)
        self._pick = compile_expression(join.pick)
        self._key, self._text = compile_expression(join.key), compile_expression(join.text)
        self._source = compile_expression(join.source)

    def reference(self, piece: Any, record: Any) -> str:
        """The key that a piece of evidence refers to, or else its record; '' if none. Raises RejectedError."""
        value = find(self._reference, piece)
        if value is None:
            value = find(self._reference, record)
        try:
            return as_text(value, fraction=True)
        except RejectedError as error:
            raise RejectedError(f"evidence: `reference` {error}") from None

    def pick(self, piece: Any, key: str, joined: JoinedText) -> str:
        """The sentences of `joined` that `piece` names, in their order there, or all of it. Raises RejectedError."""
        numbers = find(self._pick, piece)
        sentences = joined.text
        if numbers is None:
            return sentences if isinstance(sentences, str) else " ".join(filter(None, map(str.strip, sentences)))
        if isinstance(sentences, str):
            raise RejectedError(
                f"evidence: the text of {key[:60]!r} in {self.file} is one text: there is nothing to pick"
            )
        positions = [
            _position(number) - self._first for number in (numbers if isinstance(numbers, list) else [numbers])
        ]
        wrong = next((position for position in positions if not 0 <= position < len(sentences)), None)
        if wrong is not None:
            raise RejectedError(
                f"evidence: {key[:60]!r} in {self.file} has {len(sentences)} sentences, and none of number "
                f"{wrong + self._first}"
            )
        return " ".join(filter(None, (sentences[position].strip() for position in positions)))

    def entry(self, record: Any) -> tuple[str, JoinedText]:
        """The key of a record of the second file, '' if it has none, and what it says; raises RejectedError."""
        key = as_text(find(self._key, record), fraction=True)
        if not key:
            return "", JoinedText("")
        text = find(self._text, record)
        sentences = [as_text(sentence) for sentence in text] if isinstance(text, list) else as_text(text)
        return key, JoinedText(sentences, as_text(find(self._source, record)))


def find(expression: ParsedResult | None, value: Any) -> Any:
    """What `expression` finds in `value`, None without one; raises RejectedError if it fails on this value."""
    if expression is None:
        return None
    try:
        return search(expression, value)
    except ExpressionError as error:
        raise RejectedError(str(error)) from None


def _position(value: Any) -> int:
    try:
        return int(as_text(value))
    except ValueError as error:  # RejectedError is one
        raise RejectedError(f"evidence: `pick` finds {str(value)[:20]!r}, which is no number of a sentence") from error
