"""Finds a mapping by its name, and says before anything is read why it cannot do for the task."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping as Dict
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from core.config.mapping import DefaultField, Mapping
from core.config.project import Project, check_toml
from core.config.ready import ready_mapping, ready_names
from core.config.task import Task
from core.exchange.faults import FileError, RejectedError
from core.exchange.values import NameTable, as_number
from storage.splits import SPLITS


def load_mapping(project: Project, name: str) -> Mapping:
    """The mapping that `name` stands for: `[import.NAME]` of the project, a ready one, or a TOML file.

    Raises FileError if there is none, ProjectError with every mistake of the file.
    """
    if name in project.task.imports:
        return project.task.imports[name]
    if name in ready_names():
        return Mapping.model_validate(ready_mapping(name) | {"base": name})
    path = Path(name)
    if path.suffix != ".toml":
        names = ", ".join(project.task.imports) or "none"
        raise FileError(
            f"no [import.{name}] in the project file (there are: {names}), no ready mapping of that name "
            f"({', '.join(ready_names())}), and {name} is no TOML file"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    return check_toml(Mapping, text, str(path))


def ready_mappings() -> dict[str, Mapping]:
    """The ready mappings by name."""
    return {name: Mapping.model_validate(ready_mapping(name)) for name in ready_names()}


def override(mapping: Mapping, *, defaults: Dict[str, str], join_file: str = "") -> Mapping:
    """`mapping` with other `defaults`, and with another second file; raises FileError if it cannot have them."""
    fields = mapping.model_dump(exclude_unset=True)
    unknown = sorted(set(defaults) - set(get_args(DefaultField)))
    if unknown:
        raise FileError(f"there is no default for {', '.join(unknown)}: only for {', '.join(get_args(DefaultField))}")
    fields["defaults"] = {**mapping.defaults, **defaults}
    if join_file:
        if mapping.join is None:
            raise FileError("a second file needs [import.NAME.join] in the mapping, which says how records refer to it")
        fields["join"] = fields["join"] | {"file": join_file}
    try:
        return Mapping.model_validate(fields)
    except ValidationError as error:
        raise FileError("; ".join(str(mistake["msg"]) for mistake in error.errors())) from None


def check_mapping(task: Task, mapping: Mapping) -> None:
    """Raise FileError, with what to write, if the mapping names what the task lacks, or leaves out what it needs."""
    problems = []
    for table, names in _task_names(task).items():
        names_of_task = NameTable({name: name for name in names})
        entries = {label: str(value) for label, value in getattr(mapping, table).items()}
        foreign = [value for value in dict.fromkeys(entries.values()) if names_of_task.get(value) is None]
        if foreign:
            problems.append(
                f"{table}: the task has no {', '.join(map(repr, foreign))}, only {names_of_task}: say for each label "
                f"of the file which it is: {table} = {_table(entries, names)}"
            )
    for field, names in (("domain", [domain.name for domain in task.domains]), ("level", _levels(task))):
        if not getattr(mapping, field) and field not in mapping.defaults:
            problems.append(
                f"the mapping does not say the {field}: give {field} an expression, or one for all in defaults, or "
                f"with --default {field}={names[0]} (there are {', '.join(names)})"
            )
    problems += _wrong_defaults(task, mapping)
    if not mapping.confidence and "confidence" not in mapping.defaults:
        problems.append("the mapping does not say the confidence: give it an expression, or one for all in defaults")
    if not problems:
        return
    if mapping.base:
        tables = [table for table in _task_names(task) if any(problem.startswith(table) for problem in problems)]
        problems.append("in sidequest.toml, for `--map mine`:\n\n" + _own_table(task, mapping, tables))
    raise FileError("\n".join(problems))


def _wrong_defaults(task: Task, mapping: Mapping) -> list[str]:
    """What is wrong with the defaults, a sentence each: they hold for all records, so one is enough."""
    names_of_task = {name: NameTable(dict.fromkeys(names, True)) for name, names in _task_names(task).items()}
    problems = []
    cell: tuple[tuple[DefaultField, str], ...] = (("decision", "decisions"), ("domain", "domains"), ("level", "levels"))
    for field, table in cell:
        value = str(mapping.defaults.get(field, ""))
        own = NameTable(dict.fromkeys(getattr(mapping, table), True))
        if value and not names_of_task[table].get(value) and not own.get(value):
            problems.append(f"defaults.{field}: the task has no {value[:60]!r}, only {names_of_task[table]}")
    for field, words in (("confidence", mapping.confidences), ("relevance", mapping.relevances)):
        if field in mapping.defaults:
            try:
                as_number(mapping.defaults[field], field, NameTable(words), None)
            except RejectedError as error:
                problems.append(f"defaults.{error}")
    split = str(mapping.defaults.get("split", ""))
    if split and split not in {*SPLITS, *mapping.splits}:
        problems.append(f"defaults.split: {split[:20]!r} is none of {', '.join(SPLITS)}")
    return problems


def _task_names(task: Task) -> dict[str, list[str]]:
    return {"decisions": task.labels, "domains": [domain.name for domain in task.domains], "levels": _levels(task)}


def _levels(task: Task) -> list[str]:
    return [str(level.level) for level in task.levels]


def _own_table(task: Task, mapping: Mapping, tables: list[str]) -> str:
    """A table that starts from a ready mapping, with what is missing to be filled in."""
    names = _task_names(task)
    lines = ["[import.mine]", f'base = "{mapping.base}"']
    lines += [f"{table} = {_table(getattr(mapping, table), names[table])}" for table in tables]
    defaults = {"domain": names["domains"][0], "level": task.levels[0].level}
    needed = {name: value for name, value in defaults.items() if not getattr(mapping, name)}
    if needed:
        lines.append(f"defaults = {inline_table(mapping.defaults | needed)}")
    return "\n".join(lines)


def _table(entries: Dict[str, Any], names: list[str]) -> str:
    """The table with a name of the task for each label that is to be chosen anew."""
    return inline_table(
        {label: value if str(value) in names else " or ".join(names) for label, value in entries.items()}
    )


def inline_table(entries: Dict[str, Any]) -> str:
    """An inline table of TOML."""
    parts = (f"{toml_key(str(key))} = {json.dumps(value, ensure_ascii=False)}" for key, value in entries.items())
    return f"{{ {', '.join(parts)} }}"


def toml_key(key: str) -> str:
    """`key` as a key of TOML: in quotes, unless it is a bare one."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
