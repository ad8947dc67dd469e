"""The line of each key of a TOML document, whatever stands around it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.project import ProjectError, parse_task, template
from core.config.task import FieldPath
from core.config.toml_lines import key_lines

# Text that a search by line would take for headers, keys and comments.
DECOYS = ["[limits]", "max_attempts = 0", "[[levels]]", "# [roles]", 'a.b = "c"', "", "plain words", "é 漢字 👩‍🚀"]
SCALARS = ["1", "-2.5e3", "true", "1979-05-27T07:32:00Z", '"x # [y]"', "'k = 1'", '"\\" = \\\\"', "[]", "{}"]
NAMES = ["{}", '"{} x"', "'{}.x'", '"é{}"']


@dataclass
class Document:
    """A document in the making: its lines, and the paths of its keys with the line of each."""

    lines: list[str] = field(default_factory=list)
    paths: dict[FieldPath, int] = field(default_factory=dict)

    def append(self, text: str, paths: dict[FieldPath, int]) -> None:
        """Add `text`; `paths` are counted in lines from its first."""
        start = len(self.lines) + 1
        for path, line in paths.items():
            self.paths.setdefault(path, start + line)
        self.lines += text.split("\n")


@dataclass(frozen=True)
class Value:
    """The text of a value, and its inner paths, relative to it, with their lines from its first."""

    text: str
    paths: dict[FieldPath, int] = field(default_factory=dict)


def multiline(quotes: str) -> st.SearchStrategy[Value]:
    body = st.lists(st.sampled_from(DECOYS), min_size=1, max_size=4)
    return body.map(lambda lines: Value(f"{quotes}\n" + "\n".join(lines) + quotes))


def array(elements: list[Value], breaks: list[str]) -> Value:
    text, paths = "[", dict[FieldPath, int]()
    for index, (element, gap) in enumerate(zip(elements, breaks, strict=False)):
        text += gap
        line = text.count("\n")
        paths[index,] = line
        paths |= {(index, *path): line + inner for path, inner in element.paths.items()}
        text += f"{element.text},"
    return Value(f"{text}]", paths)


def inline_table(elements: list[Value]) -> Value:
    text, paths = "", dict[FieldPath, int]()
    for index, element in enumerate(elements):
        text += f"{', ' if index else ''}k{index} = "
        line = text.count("\n")
        paths[f"k{index}",] = line
        paths |= {(f"k{index}", *path): line + inner for path, inner in element.paths.items()}
        text += element.text
    return Value(f"{{ {text} }}", paths)


BREAKS = st.lists(st.sampled_from(["", " ", "\n", "\n  ", " # [a]\n", "\n\n# b = 1\n"]), min_size=4, max_size=4)
VALUES = st.recursive(
    st.sampled_from(SCALARS).map(Value) | multiline('"""') | multiline("'''"),
    lambda inner: st.builds(array, st.lists(inner, max_size=4), BREAKS) | st.lists(inner, max_size=3).map(inline_table),
    max_leaves=6,
)


def parsed_name(key: str) -> str:
    return next(iter(tomllib.loads(f"{key} = 1")))


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[FieldPath, int]]:
    document = Document()

    def write_keys(table: FieldPath, prefix: str) -> None:
        for number in range(draw(st.integers(0, 3))):
            key = draw(st.sampled_from(NAMES)).format(f"{prefix}{number}")
            parts = [key] if draw(st.booleans()) else [key, f"d{number}"]
            value = draw(VALUES)
            names = tuple(parsed_name(part) for part in parts)
            document.append(draw(st.sampled_from(["# [[levels]]", "", " \t"])), {})
            paths = {(*table, *names[: length + 1]): 0 for length in range(len(names))}
            paths |= {(*table, *names, *path): line for path, line in value.paths.items()}
            dot = draw(st.sampled_from([".", " . "]))
            document.append(f"{draw(st.sampled_from(['', '  ']))}{dot.join(parts)} = {value.text} # end", paths)

    write_keys((), "root")
    counts: dict[str, int] = {}
    # Headers in any order: elements of an array of tables with other tables between them, and subtables.
    for number, kind in enumerate(draw(st.lists(st.sampled_from(["table", "nested", "array", "sub"]), max_size=6))):
        name = draw(st.sampled_from(["levels", "decisions"]))
        if kind == "array" or (kind == "sub" and name not in counts):
            counts[name] = counts.get(name, -1) + 1
            table: FieldPath = (name, counts[name])
            document.append(f"[[{name}]]", {(name,): 0, table: 0})
        elif kind == "sub":
            table = (name, counts[name], f"sub{number}")
            document.append(f"[ {name} . sub{number} ] # x", {table: 0})
        elif kind == "nested":
            table = ("models", f"m {number}")
            document.append(f'[models."m {number}"]', {("models",): 0, table: 0})
        else:
            table = (f"table{number}",)
            document.append(f"\t[table{number}]", {table: 0})
        write_keys(table, "key")
    return draw(st.sampled_from(["\n", "\r\n"])).join([*document.lines, ""]), document.paths


def all_paths(value: object, path: FieldPath = ()) -> Iterator[FieldPath]:
    yield path
    if isinstance(value, dict):
        for key, child in value.items():
            yield from all_paths(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from all_paths(child, (*path, index))


@given(documents())
def test_each_key_is_on_its_line(drawn: tuple[str, dict[FieldPath, int]]) -> None:
    text, expected = drawn
    lines = key_lines(text)
    assert lines == expected | {(): 1}
    assert set(lines) == set(all_paths(tomllib.loads(text)))


def mistaken_lines(text: str) -> dict[str, str]:
    """The text of the line that each mistake in a project file is reported on."""
    with pytest.raises(ProjectError) as caught:
        parse_task(text)
    lines = ["", *text.split("\n")]
    return {mistake.field: lines[mistake.line] for mistake in caught.value.mistakes}


def test_a_header_inside_a_string_is_text() -> None:
    text = template().replace("max_attempts = 3", "max_attempts = 0")
    text = text.replace('question = "', 'question = """\n[limits]\nmax_attempts = 1\n"""\nignored = "', 1)
    lines = mistaken_lines(text)
    assert lines["limits.max_attempts"].startswith("max_attempts = 0")
    assert lines["ignored"].startswith("ignored = ")


def test_mistakes_inside_inline_tables_and_arrays_have_their_own_line() -> None:
    text = template().replace("[review]", "[ignored]", 1)
    text += "[prices]\nfirst = { input = 1, output = 2 }\nsecond = { input = 1, output = -2 }\n"
    text += '[review]\nreasons = [\n  "one",\n  2,\n]\n'
    lines = mistaken_lines(text)
    assert lines["prices.second.output"].startswith("second")
    assert lines["review.reasons[2]"] == "  2,"


def test_a_right_project_file_loads_no_second_parser() -> None:
    code = (
        "import sys; from core.config.project import parse_task, template; parse_task(template()); "
        "sys.exit(any(name.startswith('tomlkit') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
