"""Keys for decisions, from their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def assign_keys(labels: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """A key for each label, none of them `taken`: the first of its letters that is free, in lower case if possible.

    A label without a free letter of its own gets the first free one of the alphabet; one for which none is left, none.
    """
    found: dict[str, str] = {}
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    for label in labels:
        own = [letter for letter in label.lower() if letter in alphabet]
        wishes = [*own, *(letter.upper() for letter in own), *alphabet, *alphabet.upper()]
        key = next((letter for letter in wishes if letter not in taken and letter not in found.values()), None)
        if key is not None:
            found[label] = key
    return found
