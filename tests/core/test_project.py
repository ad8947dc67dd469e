"""The project file: what is right passes, what is wrong is named by line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config.project import ProjectError, create, open_project, parse_task, template

pytestmark = pytest.mark.pure


def mistakes(text: str) -> list[tuple[int, str]]:
    with pytest.raises(ProjectError) as caught:
        parse_task(text)
    return [(mistake.line, mistake.field) for mistake in caught.value.mistakes]


def line_of(text: str, start: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), start=1) if line.startswith(start))


def test_the_template_is_the_task_of_the_story() -> None:
    task = parse_task(template())
    assert {d.name: (d.min, d.max) for d in task.decisions} == {
        "VALIDATED": (150, 200),
        "REJECTED": (100, 150),
        "REFINED": (50, 100),
    }
    assert len(task.domains) >= 6
    assert "risk" in [domain.name for domain in task.domains]
    assert [level.level for level in task.levels] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("old", "new", "line", "field"),
    [
        ("min = 150", "min = 1500", "[[decisions]]", "decisions[1]"),
        ('hedging = "much"', 'hedging = "lots"', 'hedging = "lots"', "levels[5].hedging"),
        ("steps = 3", "stpes = 3", "stpes", "levels[5].stpes"),
        ('judge = "solver"', 'judge = "qwq"', 'judge = "qwq"', "roles.judge"),
        ("max_attempts = 3", "max_attempts = 0", "max_attempts", "limits.max_attempts"),
        ('question = "', 'unknown = 1\nquestion = "', "unknown", "unknown"),
        ("relevance = [0.85, 1.0]", "relevance = [1.0, 0.85]", "relevance = [1.0", "levels[1].relevance"),
        ("irrelevant = [1, 1]", "irrelevant = [1, 3]", "irrelevant = [1, 3]", "levels[2].irrelevant"),
    ],
)
def test_a_mistake_is_named_by_line_and_field(old: str, new: str, line: str, field: str) -> None:
    text = template().replace(old, new, 1)
    assert (line_of(text, line), field) in mistakes(text)


@pytest.mark.parametrize("name", ["validated", "VALI\u200bDATED", "\uff36ALIDATED", "*VALIDATED*", "Validated."])
def test_decisions_that_no_answer_tells_apart_are_refused_with_their_line(name: str) -> None:
    text = template().replace('name = "REFINED"', f'name = "{name}"', 1)
    with pytest.raises(ProjectError) as refused:
        parse_task(text)
    line = line_of(text, f'name = "{name}"')
    assert (line, "decisions[3].name") in [(mistake.line, mistake.field) for mistake in refused.value.mistakes]
    assert f"{name} cannot be told from VALIDATED in an answer" in str(refused.value)


def test_a_decision_may_hold_another_one_but_not_marks_alone() -> None:
    assert parse_task(template().replace("REFINED", "NOT_VALIDATED")).labels[-1] == "NOT_VALIDATED"
    text = template().replace('name = "REFINED"', 'name = "--"', 1)
    assert (line_of(text, 'name = "--"'), "decisions[3].name") in mistakes(text)


def test_the_same_decision_twice_is_one_mistake() -> None:
    text = template().replace('name = "REFINED"', 'name = "VALIDATED"', 1)
    assert [field for _, field in mistakes(text) if field.startswith("decisions")] == ["decisions[3]"]


def test_all_mistakes_are_named_at_once() -> None:
    text = template().replace("steps = 3", "stpes = 3").replace('hedging = "much"', 'hedging = "lots"')
    assert len(mistakes(text)) == 2


def test_broken_toml_is_named_by_line() -> None:
    assert mistakes('name = "x"\nquestion = \n') == [(2, "")]


def test_a_missing_project_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="sidequest init"):
        open_project(tmp_path)


def test_a_project_is_never_overwritten(tmp_path: Path) -> None:
    create(tmp_path)
    with pytest.raises(ProjectError, match="there already"):
        create(tmp_path)


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "sidequest.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(ProjectError, match="UTF-8"):
        open_project(tmp_path)
