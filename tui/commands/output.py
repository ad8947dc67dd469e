"""What verbs print: JSON on stdout alone, words for people on stderr, tables that no stored text can break."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from tui.as_json import json_value
from tui.text import clean, line


def print_json(value: Any) -> None:
    """Print one JSON document. It is ASCII: what a terminal would act on is escaped."""
    click.echo(json.dumps(json_value(value), indent=2))


def say(message: str) -> None:
    """Tell the person something, on stderr."""
    click.echo(clean(message), err=True)


def show(text: str) -> None:
    """Print text for the person to read, on stdout."""
    click.echo(clean(text))


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, widths: dict[int, int] | None = None) -> None:
    """Print a table; columns of numbers are set right; `widths` bounds columns by their position, in cells."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    body = [list(row) for row in rows]
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for position, header in enumerate(headers):
        numeric = all(isinstance(row[position], int | float) for row in body) and bool(body)
        drawn.add_column(header, justify="right" if numeric else "left", no_wrap=position not in (widths or {}))
    for row in body:
        cells = [
            line(str(value), (widths or {}).get(position, 200)) if isinstance(value, str) else str(value)
            for position, value in enumerate(row)
        ]
        drawn.add_row(*(Text(cell) for cell in cells))
    # Into a pipe or a file lines are as long as they are; on a terminal they fit it.
    width = None if sys.stdout.isatty() else 1000
    Console(file=sys.stdout, width=width, markup=False, highlight=False).print(drawn)
