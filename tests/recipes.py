"""Recipes in the project file of a test, instead of those that the template brings."""

from __future__ import annotations

from pathlib import Path

_FIRST = "\n# Recipes: "


def write_recipes(file: Path, tables: str) -> None:
    """Put `tables` of TOML in the place of the template's recipes."""
    text = file.read_text(encoding="utf-8")
    assert _FIRST in text
    file.write_text(text.partition(_FIRST)[0] + "\n" + tables, encoding="utf-8")
