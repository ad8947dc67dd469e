"""The line of each key in a TOML document. Loads tomlkit, so import it only when there is a mistake to report."""

from __future__ import annotations

from collections import defaultdict

from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, AoT, Array, Item, Key, Table
from tomlkit.parser import Parser

from core.config.task import FieldPath


class _PositionParser(Parser):
    """tomlkit's parser, which also keeps the position at which each value and each header begins."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        # By identity; the items are kept alive, so that no identity is used twice.
        self._starts: dict[int, tuple[Item, int]] = {}

    def position(self, item: Item) -> int | None:
        """Where the value, or the header of the table, begins; None for a table that only its children imply."""
        start = self._starts.get(id(item))
        return None if start is None else start[1]

    def _parse_value(self) -> Item:
        start = self._idx
        value = super()._parse_value()
        self._starts[id(value)] = (value, start)
        return value

    def _parse_table(self, parent_name: Key | None = None, parent: Table | None = None) -> tuple[Key, Table | AoT]:
        start = self._idx
        key, parsed = super()._parse_table(parent_name, parent)
        table = _table_of_header(parsed)
        self._starts[id(table)] = (table, start)
        return key, parsed


def _table_of_header(parsed: Item) -> Item:
    """The table that a header names: the innermost one of those that the parser made for `[a.b.c]`."""
    while isinstance(parsed, AoT) or (isinstance(parsed, Table) and parsed.is_super_table()):
        parsed = parsed.body[0] if isinstance(parsed, AoT) else parsed.value.body[0][1]
    return parsed


def key_lines(text: str) -> dict[FieldPath, int]:
    """The line (from 1) of every table, key and array element of a valid TOML document, by its path.

    A table that has no header of its own has the line of the first of its keys. The whole document, the path (), is on
    line 1; it is on line 0, and all else is missing, if tomlkit cannot parse the document.
    """
    parser = _PositionParser(text)
    try:
        document = parser.parse()
    except TOMLKitError:
        return {(): 0}
    stated: dict[FieldPath, int] = {(): 1}
    implied: dict[FieldPath, int] = {}
    array_lengths: dict[FieldPath, int] = defaultdict(int)

    def add(path: FieldPath, item: Item) -> None:
        position = parser.position(item)
        if position is not None:
            line = text.count("\n", 0, position) + 1
            stated.setdefault(path, line)
            for length in range(1, len(path)):
                parent = path[:length]
                implied[parent] = min(line, implied.get(parent, line))
        if isinstance(item, AoT):
            for table in item.body:
                array_lengths[path] += 1
                add((*path, array_lengths[path] - 1), table)
        elif isinstance(item, AbstractTable):
            for key, child in item.value.body:
                if key is not None:
                    add((*path, key.key), child)
        elif isinstance(item, Array):
            for index, element in enumerate(list.__iter__(item)):
                add((*path, index), element)

    for key, item in document.body:
        if key is not None:
            add((key.key,), item)
    return implied | stated
