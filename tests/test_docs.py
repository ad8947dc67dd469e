"""The documentation is true of the project: links lead somewhere, commands parse, settings and names are there."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import click
import pytest

from core.config.project import template
from core.config.settings import Settings
from core.config.task import EMBEDDED, Task
from tests.documents import ROOT, Document, commands, documents
from tui.cli import main as sidequest

pytestmark = pytest.mark.pure

WORDS_OF_README = 1590
PAGES = documents("README.md", "CONTRIBUTING.md", "docs/**/*.md")
# What a person types from.
GUIDES = documents("README.md", "docs/guide/*.md")
_PATH = re.compile(r"^((?:core|storage|tui|tests|docs|sidequest)/[\w./-]*)(?::([\w.]+))?$")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
each_guide = pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= WORDS_OF_README


@each_page
def test_every_link_leads_somewhere(page: Document) -> None:
    broken = []
    for link in page.links():
        target, _, place = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = (page.path.parent / unquote(target)).resolve() if target else page.path
        inside = path.is_relative_to(ROOT) and path.exists()
        if not inside or (place and place not in Document(path.name, path.read_text(encoding="utf-8")).anchors()):
            broken.append(link)
    assert broken == []


def test_every_page_is_linked_from_the_index() -> None:
    index = Document("docs/README.md", (ROOT / "docs" / "README.md").read_text(encoding="utf-8"))
    linked = {(index.path.parent / link.partition("#")[0]).resolve() for link in index.links()}
    pages = [page.path for page in documents("docs/*.md", "docs/guide/*.md", "docs/decisions/*.md")]
    # What the package index shows stands alone.
    assert set(pages) - linked - {index.path, ROOT / "docs" / "pypi.md"} == set()


# ------------------------------------------------------------ commands


@each_guide
def test_every_command_parses(page: Document) -> None:
    for block in page.blocks("sh"):
        for words in commands(block, "sidequest"):
            parse(words)


@each_page
def test_every_verb_in_a_line_is_one(page: Document) -> None:
    """Words in a sentence may leave out what a command needs, but name no verb and no option that is not there."""
    for span in page.spans():
        if span.split()[0] == "sidequest":
            command, rest = resolve(span.split()[1:])
            assert unknown_options(command, rest) == [], span


@pytest.mark.parametrize(
    "words",
    ["bench walk", "plan --josn", "generate -n none", "review accept", "examples list --colour", "gate --target 2"],
)
def test_a_wrong_command_is_noticed(words: str) -> None:
    with pytest.raises(click.UsageError):
        parse(words.split())


def parse(words: list[str]) -> None:
    """Let click parse a command line as it would, and run nothing. Raises UsageError."""
    command: click.Command = sidequest
    context = click.Context(sidequest, info_name="sidequest", **sidequest.context_settings)
    while isinstance(command, click.Group):
        _, words, _ = command.make_parser(context).parse_args(words)
        if not words:
            if not command.invoke_without_command:
                raise click.UsageError(f"{context.command_path} needs a verb", context)
            return
        name, below, words = command.resolve_command(context, words)
        assert below is not None
        command, context = below, click.Context(below, parent=context, info_name=name, **below.context_settings)
    # Where a part of a query may begin with a minus, click passes on what it does not know; the verb refuses it.
    if context.ignore_unknown_options and (unknown := unknown_options(command, words)):
        raise click.NoSuchOption(unknown[0], ctx=context)
    command.parse_args(context, list(words))


def unknown_options(command: click.Command, words: list[str]) -> list[str]:
    """Those of `words` that look like options, and are none of the command's."""
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    return [word for word in words if word.startswith("--") and word.split("=")[0] not in known]


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that `words` begin with, and the words behind its name."""
    command: click.Command = sidequest
    while isinstance(command, click.Group) and words and not words[0].startswith("-") and words[0].islower():
        below = command.get_command(click.Context(command), words[0])
        assert below is not None, f"no verb {words[0]}"
        command, words = below, words[1:]
    return command, words


# ------------------------------------------------------------ settings


@each_page
def test_every_setting_is_known(page: Document) -> None:
    """A block of TOML is a part of a project file, or of the person's own settings."""
    for block in page.blocks("toml"):
        told = tomllib.loads(block)
        if told.keys() <= Settings.model_fields.keys():
            Settings.model_validate(told)
        else:
            Task.model_validate(merged(tomllib.loads(template()), with_models(told)))


def with_models(told: dict[str, Any]) -> dict[str, Any]:
    """`told`, with an endpoint for each role whose model it does not describe itself."""
    known = {*(name for names in EMBEDDED.values() for name in names), *told.get("models", {}), *told.get("local", {})}
    missing = [name for name in told.get("roles", {}).values() if name not in known]
    return merged({"models": {name: {"model": name} for name in missing}}, told)


def merged(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """`base` with what `more` says, table by table."""
    found = dict(base)
    for name, value in more.items():
        both = isinstance(value, dict) and isinstance(found.get(name), dict)
        found[name] = merged(found[name], value) if both else value
    return found


# ------------------------------------------------------------ names


@each_page
def test_every_path_and_name_is_there(page: Document) -> None:
    """`core/x.py` is a file, `core/x/` a folder, and `core/x.py:name` stands in that file."""
    wrong = []
    for span in page.spans():
        found = _PATH.match(span)
        if found and not stands(ROOT / found[1], found[2]):
            wrong.append(span)
    assert wrong == []


def stands(path: Path, name: str | None) -> bool:
    """Whether the file or folder is there, and defines `name`, if that is given."""
    return path.exists() and (name is None or name in names(path))


def test_the_layers_of_core_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    [layers] = [contract["layers"] for contract in contracts if contract.get("containers") == ["core"]]
    [page] = [page for page in PAGES if page.name == "docs/architecture.md"]
    assert "\n".join(layers) + "\n" in page.blocks("text")


def test_the_map_of_contributing_is_whole() -> None:
    """Every folder of the code is on it."""
    [page] = [page for page in PAGES if page.name == "CONTRIBUTING.md"]
    folders = {
        file.parent.relative_to(ROOT).as_posix() + "/"
        for top in ("sidequest", "core", "storage", "tui", "tests")
        for file in ROOT.glob(f"{top}/**/*.py")
        if len(file.parent.relative_to(ROOT).parts) < 3 or top == "core"
    }
    assert folders - set(page.spans()) - {"core/"} == set()


@cache
def names(path: Path) -> frozenset[str]:
    """What a module defines: functions, classes, their members, and what it assigns."""
    return frozenset(defined(ast.parse(path.read_text(encoding="utf-8")).body, ""))


def defined(body: list[ast.stmt], inside: str) -> set[str]:
    """The names that statements define, those in a class with its name before them."""
    found: set[str] = set()
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(inside + name)
            case ast.ClassDef(name=name, body=members):
                found |= {inside + name} | defined(members, f"{inside}{name}.")
            case ast.Assign(targets=targets):
                found |= {inside + one.id for one in targets if isinstance(one, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(inside + name)
    return found
