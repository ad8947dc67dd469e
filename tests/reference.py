"""The pages of docs/reference, out of the code that they describe: verbs, settings and actions.

    python -m tests.reference [--check]

`make reference` writes them. With --check, as in `make reference-check`, nothing is written, and the exit status is 1
if a page is missing, or stale, or says something else than the code. Everything stands in the order of the code.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Any

import annotated_types
import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from core.config.settings import Settings
from core.config.task import Task
from tui import actions
from tui.actions import Action, identifier
from tui.cli import main as sidequest
from tui.text import spoken

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
# The columns of a page of help.
WIDTH = 100
MARK = "<!-- Written by `make reference` out of the code: change it there. -->"

# What the tables of tui/actions.py are about, where their names do not say it.
TITLES = {
    "EVERYWHERE": "Everywhere",
    "FORM": "Generate, in a field of its form",
    "LABELS": "Review, decisions",
    "REASON": "Review, while it asks for a reason",
    "FIELD": "Review, in a field",
    "EXAMPLE": "Dataset, one example whole",
    "COVERAGE": "Dataset, Coverage",
    "CHECK": "Dataset, Check",
    "PAIRS": "Benchmark, pairs",
    "BENCH_FORM": "Benchmark, the form that starts one",
    "BENCH_CHOICE": "Benchmark, the list of all",
    "ANSWERS": "Training, answers",
    "TRAIN_FORM": "Training, the form that starts one",
    "TRAIN_CHOICE": "Training, the list of all",
}
_WORDS = {str: "text", int: "whole number", float: "number", Decimal: "number", bool: "true or false", Path: "path"}


def pages() -> dict[str, str]:
    """Every page by its path in docs/reference."""
    verbs = dict(_verbs())
    return {
        "README.md": _index(verbs),
        **{f"verbs/{name}.md": text for name, text in verbs.items()},
        "settings.md": _settings(),
        "actions.md": _actions(),
    }


def drift(wanted: dict[str, str], folder: Path = FOLDER) -> list[str]:
    """What differs between the pages `wanted` and those in `folder`, a sentence each; empty if nothing does."""
    kept = {str(file.relative_to(folder).as_posix()): file for file in sorted(folder.rglob("*")) if file.is_file()}
    found = [f"{name} is missing" for name in wanted if name not in kept]
    found += [f"{name} is about nothing that is there any more" for name in kept if name not in wanted]
    changed = [name for name in wanted if name in kept and kept[name].read_text(encoding="utf-8") != wanted[name]]
    return found + [f"{name} says something else than the code" for name in changed]


def write(wanted: dict[str, str], folder: Path = FOLDER) -> None:
    """Write the pages `wanted` into `folder`, and remove all others."""
    for file in folder.rglob("*"):
        if file.is_file() and file.relative_to(folder).as_posix() not in wanted:
            file.unlink()
    for name, text in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


# ---------------------------------------------------------------- verbs


@dataclass(frozen=True, slots=True)
class Verb:
    """A command with its context: 'bench run', and what it prints for --help."""

    path: str
    command: click.Command
    help: str


def verbs() -> Iterator[Verb]:
    """The program, then each of its verbs, each before those below it."""
    context = sidequest.make_context(
        "sidequest", [], resilient_parsing=True, terminal_width=WIDTH, max_content_width=WIDTH
    )
    yield from _walk(sidequest, context)


def _walk(command: click.Command, context: click.Context) -> Iterator[Verb]:
    yield Verb(context.command_path, command, command.get_help(context))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _walk(below, below.make_context(name, [], parent=context, resilient_parsing=True))


def _verbs() -> Iterator[tuple[str, str]]:
    """The page of each verb of the program, by its name; what stands below a verb is on its page."""
    for name, below in groupby(verbs(), key=lambda verb: [*verb.path.split(), ""][1]):
        members = list(below)
        parts = [MARK, f"# `{members[0].path}`"]
        for number, verb in enumerate(members):
            parts += [f"## `{verb.path}`"] if number else []
            parts.append(f"```text\n{_trimmed(verb.help)}\n```")
        yield name or "sidequest", "\n\n".join(parts) + "\n"


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


def _index(names: Iterable[str]) -> str:
    listed = "\n".join(f"- [`{'' if name == 'sidequest' else 'sidequest '}{name}`](verbs/{name}.md)" for name in names)
    return (
        f"{MARK}\n\n# Reference\n\n"
        "These pages are written out of the code, and a test fails where they differ from it.\n\n"
        "- [Settings](settings.md): every key of `sidequest.toml`, and of your own `config.toml`\n"
        "- [Actions](actions.md): every key of the app, and the name that a keymap gives it\n\n"
        f"Verbs, with what they print for `--help`:\n\n{listed}\n"
    )


# ---------------------------------------------------------------- settings


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a TOML file: its header ('' at the top of the file), and the model that it is checked by."""

    header: str
    model: type[BaseModel]
    needed: str = ""

    @property
    def settings(self) -> dict[str, FieldInfo]:
        """The fields that are no tables, by their names in the file."""
        return {field.alias or name: field for name, field in self.model.model_fields.items() if not _model(field)}


def tables(model: type[BaseModel], header: str = "", needed: str = "") -> Iterator[Table]:
    """The tables of a file that `model` checks, in its order, each before those inside it."""
    yield Table(header, model, needed)
    inside = header.strip("[]")
    for name, field in model.model_fields.items():
        below = _model(field)
        if below is None:
            continue
        path = ".".join(part for part in (inside, field.alias or name) if part)
        origin = typing.get_origin(field.annotation)
        if origin is list:
            least = _lengths(field.metadata)[0]
            yield from tables(below, f"[[{path}]]", f"At least {least} of them {'is' if least == 1 else 'are'} needed.")
        elif origin is dict:
            yield from tables(below, f"[{path}.NAME]", "As many as you like, each with a NAME of yours.")
        else:
            yield from tables(below, f"[{path}]")


def _model(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that is a table, or several; None for any other."""
    for kind in (field.annotation, *typing.get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _settings() -> str:
    parts = [
        MARK,
        "# Settings",
        "## `sidequest.toml`",
        "The project file. `sidequest init` writes one with comments; what is not in it has the default. A mistake is "
        "named by line and field, all of them at once.",
        *_of_tables(tables(Task), "The top of the file"),
        "## `config.toml`",
        "Your own settings, for all projects. `sidequest config` says where the file is.",
        *_of_tables(tables(Settings), "All of the file"),
    ]
    return "\n\n".join(parts) + "\n"


def _of_tables(found: Iterable[Table], top: str) -> Iterator[str]:
    for table in found:
        yield f"### `{table.header}`" if table.header else f"### {top}"
        if table.header:
            yield inspect.cleandoc(table.model.__doc__ or "")
        if table.needed:
            yield table.needed
        rows = [
            (f"`{name}`", kind_of(field.annotation, field.metadata), default_of(field), field.description or "")
            for name, field in table.settings.items()
        ]
        if rows:
            yield _rows(("setting", "type", "default", "meaning"), rows)


def kind_of(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """What a value may be, in words: 'whole number from 1 to 99'."""
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        more = [one for part in annotation.__metadata__ for one in getattr(part, "metadata", [part])]
        return kind_of(annotation.__origin__, [*more, *metadata])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(kind_of(one, metadata) for one in inside if one is not type(None))
    if origin is typing.Literal:
        return " or ".join(_value(one) for one in inside)
    if origin is list:
        low, high = _lengths(metadata)
        number = f"{low} to {high} of " if high else f"at least {low} of " if low > 1 else ""
        return f"list: {number}{kind_of(inside[0])}"
    if origin is tuple:
        return f"[lowest, highest]: {kind_of(inside[0])}"
    if origin is dict:
        return f"table: {kind_of(inside[1])} by name"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(_value(one.value) for one in annotation)
    word = _WORDS[annotation]
    return word if annotation in (str, Path, bool) else f"{word}{_bounds(metadata)}"


def _bounds(metadata: Sequence[Any]) -> str:
    """What a number may be: ' from 0 to 1', ' above 0'."""
    low = next((one for one in metadata if isinstance(one, annotated_types.Ge | annotated_types.Gt)), None)
    high = next((one for one in metadata if isinstance(one, annotated_types.Le | annotated_types.Lt)), None)
    text = ""
    if isinstance(low, annotated_types.Ge):
        text += f" from {low.ge}" + ("" if high else " on")
    elif isinstance(low, annotated_types.Gt):
        text += f" above {low.gt}"
    if isinstance(high, annotated_types.Le):
        text += f" to {high.le:,}"
    elif isinstance(high, annotated_types.Lt):
        text += f"{',' if text else ''} below {high.lt:,}"
    return text


def _lengths(metadata: Sequence[Any]) -> tuple[int, int | None]:
    """How many members a list may have, at least and at most."""
    low = next((one.min_length for one in metadata if isinstance(one, annotated_types.MinLen)), 0)
    return low, next((one.max_length for one in metadata if isinstance(one, annotated_types.MaxLen)), None)


def default_of(field: FieldInfo) -> str:
    """What holds where a setting is not in the file."""
    if field.is_required():
        return "required"
    if field.default_factory_takes_validated_data:
        return "see its meaning"
    value = field.get_default(call_default_factory=True)
    return "unset" if value is None else _value(value)


def _value(value: Any) -> str:
    return f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    """A value as it stands in a TOML file."""
    if isinstance(value, Enum):
        return _toml(value.value)
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(one)}' for key, one in value.items())} }}" if value else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


# ---------------------------------------------------------------- actions


def _actions() -> str:
    parts = [
        MARK,
        "# Actions",
        "The keys as they ship. An action with a name can have other keys: under `[keymap]` of your `config.toml`, "
        'such as `"review.accept" = "a,space"`. Those without a name act in a question or in what lies over a screen, '
        "and keep their keys.",
    ]
    for name, members in vars(actions).items():
        if isinstance(members, list) and members and all(isinstance(one, Action) for one in members):
            parts += [f"## {TITLES.get(name) or name.replace('_', ' ').capitalize()}", _of_actions(members)]
    return "\n\n".join(parts) + "\n"


def _of_actions(members: Sequence[Action]) -> str:
    rows = []
    for same, several in groupby(members, key=lambda one: (one.help, "" if identifier(one) else one.help)):
        alike = list(several)
        first, last = alike[0], alike[-1]
        if len(alike) > 2 and not identifier(first):
            rows.append((f"{_keys(first)} to {_keys(last)}", "", "", same[0]))
        else:
            rows += [
                (_keys(one), one.label, f"`{identifier(one)}`" if identifier(one) else "", one.help) for one in alike
            ]
    return _rows(("keys", "label", "name", "what it does"), rows)


def _keys(action: Action) -> str:
    return " ".join(f"`{spoken(key)}`" for key in action.keys.split(","))


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def main() -> None:
    """Write the pages, or say how they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    wanted = pages()
    if not parser.parse_args().check:
        write(wanted)
    elif found := drift(wanted):
        sys.exit("\n".join([*(f"docs/reference/{one}" for one in found), "`make reference` writes these pages anew"]))


if __name__ == "__main__":
    main()
