"""A project on disk: its file is read and validated here, and every mistake in it is reported by line and field."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from core.config.task import FieldPath, InconsistentError, Task
from storage.errors import UserError

M = TypeVar("M", bound=BaseModel)

FILE = "sidequest.toml"
DATABASE = "sidequest.db"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a project file. `line` counts from 1; 0 if no line is known."""

    line: int
    field: str
    message: str


class ProjectError(UserError):
    """The project cannot be used; `str()` of it says what is wrong, where, and what to do."""

    def __init__(self, message: str, mistakes: list[Mistake] | None = None) -> None:
        self.mistakes = mistakes or []
        super().__init__(message)

    @property
    def location(self) -> str:
        """Where the first mistake is, in short: the project file and its line, if the line is known."""
        return f"{FILE}:{self.mistakes[0].line}" if self.mistakes and self.mistakes[0].line else FILE


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a valid project file."""

    folder: Path
    task: Task

    @property
    def database(self) -> Path:
        """The SQLite file with everything that was made or decided."""
        return self.folder / DATABASE

    def run_folder(self, run: str) -> Path:
        """The folder with the log and the files of the run with this id."""
        return self.folder / "runs" / run


def open_project(folder: Path) -> Project:
    """The project in `folder`.

    Raises ProjectError if there is none, or with every mistake in its file by line and field.
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
    """The task in `text` (TOML); raises ProjectError with every mistake, and calls the file `name`."""
    return check_toml(Task, text, name)


def check_toml(model: type[M], text: str, name: str) -> M:
    """Validate `text` (TOML) as a `model`; raises ProjectError with every mistake by line and field."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        position_match = re.search(r"^(.*) \(at line (\d+), column (\d+)\)$", str(error))
        line = int(position_match[2]) if position_match else text.count("\n") + 1
        message = position_match[1] if position_match else str(error)
        raise _error(name, [Mistake(line, "", f"not TOML: {message}")]) from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # Positions take a slower parser, which is loaded only here.
        from core.config.toml_lines import key_lines

        lines = key_lines(text)
        raise _error(name, [mistake for detail in error.errors() for mistake in _mistakes(lines, detail)]) from None


def create(folder: Path) -> Path:
    """Write a new project file into `folder` (made if missing) and return its path; never overwrites a file."""
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
        location = f"{name}:{mistake.line}" if mistake.line else name
        parts.append(
            f"{location}: {mistake.field}: {mistake.message}" if mistake.field else f"{location}: {mistake.message}"
        )
    return ProjectError("\n".join(parts), mistakes)


def _mistakes(lines: dict[FieldPath, int], detail: Any) -> list[Mistake]:
    field_path: FieldPath = tuple(detail["loc"])
    if isinstance(detail.get("ctx", {}).get("error"), InconsistentError):
        return [
            Mistake(_line(lines, field_path), format_path(field_path), text)
            for field_path, text in detail["ctx"]["error"].problems
        ]
    message = str(detail["msg"]).removeprefix("Value error, ")
    kind = detail["type"]
    if kind == "extra_forbidden":
        message = "no such setting: is it spelt right, and in the right table?"
    elif kind == "missing":
        message = "is missing"
    elif not isinstance(detail["input"], dict | list):
        message = f"{message} (it is {detail['input']!r})"
    return [Mistake(_line(lines, field_path), format_path(field_path), message[:1].lower() + message[1:])]


def _line(lines: dict[FieldPath, int], path: FieldPath) -> int:
    """The line of the field, or of the nearest table around it that is there."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


def format_path(path: FieldPath) -> str:
    """A path into the file as a person writes it: `levels[2].evidence`; positions count from 1."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text
