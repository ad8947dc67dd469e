"""Keys for decisions, derived from their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def assign_keys(labels: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """A key for each label, none of them `taken`: the first of its letters that is free, in lower case if possible.

    A label without a free letter of its own gets the first free letter of the alphabet; if none is left, it gets none.
    """
    keys: dict[str, str] = {}
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    for label in labels:
        own_letters = [letter for letter in label.lower() if letter in alphabet]
        preferred = [*own_letters, *(letter.upper() for letter in own_letters), *alphabet, *alphabet.upper()]
        key = next((letter for letter in preferred if letter not in taken and letter not in keys.values()), None)
        if key is not None:
            keys[label] = key
    return keys
