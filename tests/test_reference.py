"""The reference is what the code says: no page is stale, and nothing that a person can set is without a word."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from core.config.settings import Settings
from core.config.task import Task
from tests.reference import drift, pages, tables, verbs, write

pytestmark = pytest.mark.pure


def test_the_pages_are_those_of_the_code() -> None:
    assert drift(pages()) == [], "docs/reference has drifted from the code: `make reference` writes it anew"


def test_what_has_drifted_is_named(tmp_path: Path) -> None:
    wanted = {"README.md": "all\n", "verbs/plan.md": "plan\n", "verbs/gate.md": "gate\n"}
    write(wanted, tmp_path)
    assert drift(wanted, tmp_path) == []
    (tmp_path / "README.md").write_text("some\n")
    (tmp_path / "verbs" / "plan.md").unlink()
    (tmp_path / "verbs" / "old.md").write_text("a verb that is gone\n")
    assert drift(wanted, tmp_path) == [
        "verbs/plan.md is missing",
        "verbs/old.md is about nothing that is there any more",
        "README.md says something else than the code",
    ]
    write(wanted, tmp_path)
    assert drift(wanted, tmp_path) == []


@pytest.mark.parametrize("columns", ["40", "250"])
def test_no_terminal_changes_a_page(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pages()
    monkeypatch.setenv("COLUMNS", columns)
    assert pages() == before


def test_every_setting_is_explained() -> None:
    silent = [
        f"{table.header} {name}"
        for model in (Task, Settings)
        for table in tables(model)
        for name, field in table.settings.items()
        if not field.description
    ]
    assert silent == []


def test_every_verb_and_option_is_explained() -> None:
    found = list(verbs())
    assert [verb.path for verb in found if not verb.command.help] == []
    options = [(verb.path, one) for verb in found for one in verb.command.params if isinstance(one, click.Option)]
    assert [f"{path} {one.opts[0]}" for path, one in options if not one.help] == []
