"""Mappings as they are written down: what is checked before any file is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.config.expressions import compile_expression, missing_fields, quote_name, root_fields, search
from core.config.mapping import Mapping
from core.config.project import Project, ProjectError, check_toml
from core.exchange.faults import FileError
from core.exchange.mappings import check_mapping, load_mapping, override
from core.exchange.reading import read_examples

PLAIN = """
hypothesis = "claim"
evidence = "facts"
decision = "label"
defaults = { domain = "market", level = 1, confidence = 1.0 }
"""


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        ('family = "主张"', 6, "in another script, stands in double quotes: '\"主张\"'"),
        ('family = "a["', 6, "is no JMESPath expression"),
        ('family = "ide(a)"', 6, "there is no function ide"),
        ('each = ["rows", "a["]', 6, "is no JMESPath expression"),
        ('family_scope = "folder"', 6, "'file' or 'project'"),
        ('family = "a"\nconfidence = "c"\nconfidence_scale = [5, 1]', 8, "[1, 5] is probably meant"),
        ("confidences = { high = 85 }", 6, "less than or equal to 1"),
        ('levels = { easy = "one" }', 6, "valid integer"),
        ('delimiter = "tab"', 6, "at most 1 character"),
        ('join = { file = "more.jsonl", key = "id" }', 6, "is missing"),
        ('join = { file = "m.jsonl", key = "id", text = "t", first = 2 }', 6, "0 or 1"),
    ],
)
def test_a_mistake_is_named_by_line(lines: str, line: int, message: str) -> None:
    """And by field, with what to write."""
    with pytest.raises(ProjectError) as caught:
        check_toml(Mapping, PLAIN + lines, "m.toml")
    assert f"m.toml:{line}: " in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("domains = { Health = 'market' }", "domains is about domain, and the mapping does not say"),
        ('family_scope = "file"', "family_scope is about family"),
        ("relevance_scale = [0, 10]", "relevance_scale is about relevance"),
        ('content = "t"\njoin = { file = "m.jsonl", key = "id", text = "t" }', "content and join exclude each other"),
        ("decisions = { yes = 'A', Yes = 'B' }", "'yes' and 'Yes' are the same but for case"),
        ('join = { file = "m.jsonl", key = "id", text = "t", first = 1 }', "first is the number of the first sentence"),
        ('base = "cityfact"', "no ready mapping 'cityfact': there are anli, averitec"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(lines: str, message: str) -> None:
    """A setting that could never apply is no setting."""
    with pytest.raises(ProjectError, match=message):
        check_toml(Mapping, PLAIN + lines, "m.toml")


def test_what_stands_beside_a_base_counts() -> None:
    """Defaults and the second file are added to, tables are replaced."""
    mapping = check_toml(
        Mapping,
        'base = "scifact"\ndecisions = { SUPPORT = "YES" }\ndefaults = { level = 2 }\njoin = { file = "all.jsonl" }\n',
        "m.toml",
    )
    assert (mapping.decisions, mapping.defaults) == ({"SUPPORT": "YES"}, {"confidence": 1.0, "level": 2})
    assert mapping.join is not None
    assert (mapping.join.file, mapping.join.key) == ("all.jsonl", "doc_id")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"decisions": {"yes": "SURE", "no": "REJECTED"}}, ("no 'SURE'", "VALIDATED or REJECTED or REFINED", "no = ")),
        ({"domain": "d", "domains": {"Sea": "sea"}}, ("domains: the task has no 'sea'",)),
        ({"level": "l", "levels": {"easy": 77}}, ("levels: the task has no '77'",)),
        ({"defaults": {"level": 1, "confidence": 1}}, ("does not say the domain", "--default domain=market")),
        ({"defaults": {"domain": "market", "level": 1}}, ("does not say the confidence",)),
        ({"defaults": {"domain": "sea", "level": 1, "confidence": 1}}, ("defaults.domain: the task has no 'sea'",)),
        (
            {"defaults": {"domain": "market", "level": 1, "confidence": 85, "relevance": "x", "split": "moon"}},
            ("defaults.confidence: 85 is not", "defaults.relevance 'x' is no number", "defaults.split: 'moon'"),
        ),
    ],
)
def test_what_the_task_does_not_have_is_said_before_anything_is_read(
    project: Project, change: dict[str, Any], words: tuple[str, ...]
) -> None:
    """Once, and not for each record."""
    fields = {"hypothesis": "claim", "evidence": "facts", "decision": "label"}
    defaults = {"defaults": {"domain": "market", "level": 1, "confidence": 1.0}}
    with pytest.raises(FileError) as caught:
        check_mapping(project.task, Mapping.model_validate(fields | defaults | change))
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_ready_mapping_says_which_table_to_write(project: Project) -> None:
    """With the labels of the set, to be pasted into the project file."""
    labels = [
        decision.model_copy(update={"name": name})
        for decision, name in zip(project.task.decisions, ("OK", "BAD", "OPEN"), strict=True)
    ]
    with pytest.raises(FileError) as caught:
        check_mapping(project.task.model_copy(update={"decisions": labels}), load_mapping(project, "hover"))
    message = str(caught.value)
    assert '[import.mine]\nbase = "hover"\n' in message
    assert 'decisions = { SUPPORTED = "OK or BAD or OPEN", NOT_SUPPORTED = "OK or BAD or OPEN" }' in message
    assert 'defaults = { confidence = 1.0, domain = "market", level = 1 }' in message


def test_defaults_and_the_second_file_can_be_said_at_once(project: Project) -> None:
    """On the command line; what has no place there is refused."""
    mapping = override(load_mapping(project, "scifact"), defaults={"level": "2"}, join_file="/data/all.jsonl")
    assert (mapping.defaults, mapping.base) == ({"confidence": 1.0, "level": "2"}, "scifact")
    assert mapping.join is not None
    assert (mapping.join.file, mapping.join.text) == ("/data/all.jsonl", "abstract")
    with pytest.raises(FileError, match=r"no default for claim: only for source"):
        override(mapping, defaults={"claim": "x"})
    with pytest.raises(FileError, match=r"needs \[import.NAME.join\]"):
        override(load_mapping(project, "wice"), defaults={}, join_file="x.jsonl")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("a.jsonl", {"records": "data"}, "`records` says where the list of a JSON document is, and this is jsonl"),
        ("a.jsonl", {"delimiter": ";"}, "`delimiter` is about CSV and TSV"),
        ("a.json", {"quote": ""}, "`quote` is about CSV and TSV"),
        ("a.csv", {"each": "facts"}, "`each` looks into lists, and the cells of csv are texts"),
        ("a.csv", {"content": "text"}, "`content` looks into objects, and the cells of csv are texts"),
        ("a.csv", {"family": "id"}, "family = 'id': there is no column 'id'; the columns are claim, facts, label"),
        ("a.csv", {"evidence": "facts.text"}, "evidence = 'facts.text' finds nothing in any record"),
        ("a.csv", {"reasoning": "why || label"}, ""),
        ("a.jsonl", {"decision": "verdict"}, "decision = 'verdict' finds nothing in any record; the fields are claim"),
        ("a.jsonl", {"content": "text"}, "content = 'text' finds nothing in any record"),
    ],
)
def test_a_setting_that_cannot_apply_to_the_file_is_refused(
    project: Project, tmp_path: Path, name: str, change: dict[str, Any], message: str
) -> None:
    """And the fields that are there are listed."""
    path = tmp_path / name
    records = [{"claim": "It ran.", "facts": "Log: it ran.", "label": "VALIDATED"}] * 2
    if name.endswith("csv"):
        path.write_text("claim,facts,label\nIt ran.,Log: it ran.,VALIDATED\n", encoding="utf-8")
    elif name.endswith("jsonl"):
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    else:
        path.write_text(json.dumps(records), encoding="utf-8")
    mapping = check_toml(Mapping, PLAIN, "m.toml").model_copy(update=change)
    if not message:
        assert len(list(read_examples(project.task, path, mapping))) == 1
        return
    with pytest.raises(FileError) as caught:
        list(read_examples(project.task, path, mapping))
    assert message in str(caught.value)


def test_the_fields_that_an_expression_begins_with() -> None:
    """What follows the first part of a path looks elsewhere; of alternatives one is enough."""
    assert root_fields("items(evidence)[*].{doc: [0], label: [1].label} || cited[]") == {"evidence", "cited"}
    assert root_fields("values(@)") == set()
    assert root_fields("@.claim.text") == {"claim"}
    assert root_fields("q[?answers].text") == {"q"}
    assert missing_fields("a || b", {"b"}) == set()
    assert missing_fields("join(' ', [a, b])", {"b"}) == {"a"}
    assert [quote_name(name) for name in ("a_1", "a b", "主张")] == ["a_1", '"a b"', '"主张"']


@pytest.mark.parametrize(
    ("expression", "value", "result"),
    [
        ("items(@)", {"a": 1}, [["a", 1]]),
        ("items(a)", {}, []),
        ("split(@, '; ')", "x; y", ["x", "y"]),
        ("zip(a, b)", {"a": [1, 2], "b": [3, 4]}, [[1, 3], [2, 4]]),
    ],
)
def test_functions_that_mappings_have_besides_those_of_jmespath(expression: str, value: Any, result: Any) -> None:
    """Named as later versions of JMESPath name them."""
    compiled = compile_expression(expression)
    assert compiled is not None
    assert search(compiled, value) == result
