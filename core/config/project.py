"""A project on disk: its file is read and checked here, and every mistake in it is named by line and field."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from core.config.task import InconsistentError, Task

M = TypeVar("M", bound=BaseModel)

FILE = "sidequest.toml"
DATABASE = "sidequest.db"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a project file. `line` counts from 1; 0 where no line can be named."""

    line: int
    field: str
    message: str


class ProjectError(Exception):
    """The project cannot be used as it is; `str()` of it says what is wrong, where, and what to do."""

    def __init__(self, message: str, mistakes: list[Mistake] | None = None) -> None:
        self.mistakes = mistakes or []
        super().__init__(message)

    @property
    def location(self) -> str:
        """Where the first mistake is, in short: the project file and its line, if one can be named."""
        return f"{FILE}:{self.mistakes[0].line}" if self.mistakes and self.mistakes[0].line else FILE


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a checked project file."""

    folder: Path
    task: Task

    @property
    def database(self) -> Path:
        """The SQLite file with everything that was made or decided."""
        return self.folder / DATABASE

    def run_folder(self, run: str) -> Path:
        """Where the run with this id keeps its log and its files."""
        return self.folder / "runs" / run


def open_project(folder: Path) -> Project:
    """The project in `folder`.

    Raises ProjectError if there is none, or naming every mistake of its file by line and field.
    """
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ProjectError(
            f"no {FILE} in {folder.resolve()}: `sidequest init` makes a project here, `-C DIR` points to another folder"
        ) from None
    except UnicodeDecodeError as error:
        raise ProjectError(f"{path}: not UTF-8 at byte {error.start}: save the file as UTF-8") from None
    except OSError as error:
        raise ProjectError(f"{path}: {error.strerror}") from None
    return Project(folder.resolve(), parse_task(text, str(path)))


def parse_task(text: str, name: str = FILE) -> Task:
    """The task that `text` (TOML) describes; raises ProjectError with every mistake, `name` standing for the file."""
    return check_toml(Task, text, name)


def check_toml(model: type[M], text: str, name: str) -> M:
    """What `text` (TOML) says as a `model`; raises ProjectError with every mistake by line and field."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"^(.*) \(at line (\d+), column (\d+)\)$", str(error))
        line = int(found[2]) if found else text.count("\n") + 1
        message = found[1] if found else str(error)
        raise _error(name, [Mistake(line, "", f"not TOML: {message}")]) from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = line_numbers(text)
        raise _error(name, [found for detail in error.errors() for found in _mistakes(lines, detail)]) from None


def create(folder: Path) -> Path:
    """Write a new project file into `folder` (made if missing) and return its path; never overwrites one."""
    path = folder / FILE
    if path.exists():
        raise ProjectError(f"{path} is there already: edit it, or choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(template(), encoding="utf-8")
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text(f"{DATABASE}*\nruns/\n", encoding="utf-8")
    except OSError as error:
        raise ProjectError(f"{folder}: {error.strerror}") from None
    return path


def template() -> str:
    """The commented project file of the hypothesis task."""
    return resources.files("core.config.templates").joinpath("hypothesis.toml").read_text(encoding="utf-8")


def _error(name: str, mistakes: list[Mistake]) -> ProjectError:
    parts = []
    for mistake in mistakes:
        place = f"{name}:{mistake.line}" if mistake.line else name
        parts.append(f"{place}: {mistake.field}: {mistake.message}" if mistake.field else f"{place}: {mistake.message}")
    return ProjectError("\n".join(parts), mistakes)


def _mistakes(lines: dict[tuple[str | int, ...], int], detail: Any) -> list[Mistake]:
    path: tuple[str | int, ...] = tuple(detail["loc"])
    if isinstance(detail.get("ctx", {}).get("error"), InconsistentError):
        return [
            Mistake(_line(lines, place), format_path(place), text) for place, text in detail["ctx"]["error"].problems
        ]
    message = str(detail["msg"]).removeprefix("Value error, ")
    kind = detail["type"]
    if kind == "extra_forbidden":
        message = "no such setting: is it spelt right, and in the right table?"
    elif kind == "missing":
        message = "is missing"
    elif not isinstance(detail["input"], dict | list):
        message = f"{message} (it is {detail['input']!r})"
    return [Mistake(_line(lines, path), format_path(path), message[:1].lower() + message[1:])]


def _line(lines: dict[tuple[str | int, ...], int], path: tuple[str | int, ...]) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def format_path(path: tuple[str | int, ...]) -> str:
    """A path into the file as a person writes it: `levels[2].evidence`; positions count from 1."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text


_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def line_numbers(text: str) -> dict[tuple[str | int, ...], int]:
    """The line (from 1) of every table and key of a TOML document, by its path.

    tomllib keeps no positions. Keys inside inline tables and arrays are not listed: their line is their parent's.
    """
    lines: dict[tuple[str | int, ...], int] = {}
    counts: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = ()
            parts = [part.strip("\"'") for part in _PART.findall(header[2])]
            for position, part in enumerate(parts):
                table = (*table, part)
                if header[1] == "[[" and position == len(parts) - 1:
                    lines.setdefault(table, number)
                    counts[table] = counts.get(table, -1) + 1
                    table = (*table, counts[table])
                elif table in counts:
                    table = (*table, counts[table])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            path = table
            for part in _PART.findall(key[1]):
                path = (*path, part.strip("\"'"))
                lines.setdefault(path, number)
    return lines
