"""The ready mappings, each on a small file of the shape in which its set is published."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from core.config.project import Project
from core.config.ready import ready_names
from core.exchange.mappings import load_mapping, override, ready_mappings
from core.exchange.reading import read_examples
from core.exchange.suggest import suggest_mapping
from storage.schema import Example

WIKI = {"id": "Old_Pier", "text": "…", "lines": "0\tThe pier is old.\tPier\n1\t\n2\tIt opened in 1907.\n"}
SETS: dict[str, tuple[str, Any]] = {
    "scifact": (
        "claims_dev.jsonl",
        [
            {
                "id": 11,
                "claim": "Salt lowers frost.",
                "evidence": {
                    "501": [{"sentences": [1, 2], "label": "SUPPORT"}],
                    "502": [{"sentences": [0], "label": "CONTRADICT"}],
                },
                "cited_doc_ids": [501, 502],
            }
        ],
    ),
    "fever": (
        "train.jsonl",
        [
            {
                "id": 90,
                "verifiable": "VERIFIABLE",
                "label": "SUPPORTS",
                "claim": "The pier opened in 1907.",
                "evidence": [[[1, 2, "Old_Pier", 2]], [[3, 4, "Old_Pier", 2], [3, 4, "Old_Pier", 0]]],
            }
        ],
    ),
    "hover": (
        "hover_dev_release_v1.1.json",
        [
            {
                "uid": "u-1",
                "claim": "The pier is older than the lift.",
                "supporting_facts": [["Pier", 1], ["Lift", 0]],
                "label": "SUPPORTED",
                "num_hops": 2,
                "hpqa_id": "h1",
            }
        ],
    ),
    "vitaminc": (
        "dev.jsonl",
        [
            {
                "unique_id": "5ee_1",
                "case_id": "5ee",
                "wiki_revision_id": 7,
                "label": "REFUTES",
                "claim": "Fewer than 40 ran.",
                "evidence": "More than 60 ran.",
                "page": "City run",
                "revision_type": "real",
            }
        ],
    ),
    "climate-fever": (
        "climate-fever-dataset-r1.jsonl",
        [
            {
                "claim_id": "0",
                "claim": "Ice grows.",
                "claim_label": "REFUTES",
                "evidences": [
                    {
                        "evidence_id": "Ice:1",
                        "evidence_label": "REFUTES",
                        "article": "Ice",
                        "evidence": "It shrank.",
                        "entropy": 0.0,
                        "votes": ["REFUTES", None],
                    },
                    {
                        "evidence_id": "Ice:2",
                        "evidence_label": "SUPPORTS",
                        "article": "Snow",
                        "evidence": "It grew in May.",
                        "entropy": 0.5,
                        "votes": ["SUPPORTS"],
                    },
                ],
            }
        ],
    ),
    "pubhealth": (
        "dev.tsv",
        [
            {
                "claim_id": "33",
                "claim": "Tea heals colds.",
                "date_published": "",
                "explanation": "It only warms.",
                "fact_checkers": "A. B.",
                "main_text": 'He said "tea", and more.',
                "sources": "",
                "label": "mixture",
                "subjects": "Health",
            }
        ],
    ),
    "healthver": (
        "healthver_dev.csv",
        [
            {
                "id": "4",
                "evidence": "Masks halved it.",
                "claim": "Masks help.",
                "label": "Supports",
                "topic_ip": "7",
                "question": "Do masks help?",
            }
        ],
    ),
    "averitec": (
        "dev.json",
        [
            {
                "claim": "The mayor sold the pier.",
                "required_reannotation": False,
                "label": "Conflicting Evidence/Cherrypicking",
                "justification": "Two papers differ.",
                "claim_date": "1-1-2020",
                "speaker": None,
                "questions": [
                    {
                        "question": "Who owns it?",
                        "answers": [
                            {
                                "answer": "The city.",
                                "answer_type": "Extractive",
                                "source_url": "https://city.example",
                                "source_medium": "Web text",
                            }
                        ],
                    },
                    {
                        "question": "Was it sold?",
                        "answers": [{"answer": "No.", "source_url": ""}, {"answer": "In part."}],
                    },
                ],
            }
        ],
    ),
    "wice": (
        "dev.jsonl",
        [
            {
                "label": "partially_supported",
                "supporting_sentences": [[1]],
                "claim": "It opened in 1907 in rain.",
                "evidence": ["About the pier", "It opened in 1907."],
                "meta": {"id": "dev00001", "claim_title": "Pier", "claim_section": "", "claim_context": ""},
            }
        ],
    ),
    "control": (
        "dev.jsonl",
        [{"uid": "id_0", "premise": "All lifts ran. " * 20, "hypothesis": "A lift stood.", "label": "c"}],
    ),
    "anli": (
        "dev.jsonl",
        [
            {
                "uid": "0b1c",
                "context": "The lift ran at six.",
                "hypothesis": "A lift ran.",
                "label": "e",
                "model_label": "n",
                "emturk": True,
                "genre": "wiki",
                "reason": "It ran at six.",
                "tag": "R1",
            }
        ],
    ),
    "pubmedqa": (
        "ori_pqal.json",
        {
            "123": {
                "QUESTION": "Does rest help?",
                "CONTEXTS": ["We let them rest.", "They got well."],
                "LABELS": ["METHODS", "RESULTS"],
                "MESHES": ["Rest"],
                "YEAR": "2001",
                "reasoning_required_pred": "yes",
                "reasoning_free_pred": "yes",
                "final_decision": "maybe",
                "LONG_ANSWER": "It may help.",
            }
        },
    ),
    "squad": (
        "dev-v2.0.json",
        {
            "version": "v2.0",
            "data": [
                {
                    "title": "Pier",
                    "paragraphs": [
                        {
                            "context": "It opened in 1907.",
                            "qas": [
                                {
                                    "id": "5a",
                                    "question": "When did it open?",
                                    "is_impossible": False,
                                    "answers": [{"text": "1907", "answer_start": 13}],
                                },
                                {"id": "5b", "question": "Who built it?", "is_impossible": True, "answers": []},
                            ],
                        }
                    ],
                }
            ],
        },
    ),
}
SETS["climate-fever-pairs"] = SETS["climate-fever"]
# (hypothesis, pieces as (source, content), decision, family) of each example.
READ: dict[str, list[tuple[str, list[tuple[str, str]], str, str]]] = {
    "scifact": [
        ("Salt lowers frost.", [("Salt", "We gave salt. It thawed.")], "VALIDATED", "claims_dev-11"),
        ("Salt lowers frost.", [("No salt", "It froze.")], "REJECTED", "claims_dev-11"),
    ],
    "fever": [
        (
            "The pier opened in 1907.",
            [("Old_Pier", "It opened in 1907."), ("Old_Pier", "The pier is old.")],
            "VALIDATED",
            "train-90",
        )
    ],
    "hover": [
        ("The pier is older than the lift.", [("Pier", "From 1907."), ("Lift", "It is from 1950.")], "VALIDATED", "h1")
    ],
    "vitaminc": [("Fewer than 40 ran.", [("City run", "More than 60 ran.")], "REJECTED", "5ee")],
    "climate-fever": [
        (
            "Ice grows.",
            [("Ice", "It shrank."), ("Snow", "It grew in May.")],
            "REJECTED",
            "climate-fever-dataset-r1-0",
        )
    ],
    "climate-fever-pairs": [
        ("Ice grows.", [("Ice", "It shrank.")], "REJECTED", "climate-fever-dataset-r1-0"),
        ("Ice grows.", [("Snow", "It grew in May.")], "VALIDATED", "climate-fever-dataset-r1-0"),
    ],
    "pubhealth": [("Tea heals colds.", [("article", 'He said "tea", and more.')], "REFINED", "33")],
    "healthver": [("Masks help.", [("abstract", "Masks halved it.")], "VALIDATED", "Do masks help?")],
    "averitec": [
        (
            "The mayor sold the pier.",
            [("https://city.example", "Who owns it? The city."), ("piece 2", "Was it sold? No. In part.")],
            "REFINED",
            "",
        )
    ],
    "wice": [
        (
            "It opened in 1907 in rain.",
            [("piece 1", "About the pier"), ("piece 2", "It opened in 1907.")],
            "REFINED",
            "dev00001",
        )
    ],
    "control": [("A lift stood.", [("passage", ("All lifts ran. " * 20).strip())], "REJECTED", "")],
    "anli": [("A lift ran.", [("context", "The lift ran at six.")], "VALIDATED", "The lift ran at six.")],
    "pubmedqa": [
        ("Does rest help?", [("METHODS", "We let them rest."), ("RESULTS", "They got well.")], "REFINED", "123")
    ],
    "squad": [
        ("When did it open?", [("Pier", "It opened in 1907.")], "VALIDATED", "It opened in 1907."),
        ("Who built it?", [("Pier", "It opened in 1907.")], "REJECTED", "It opened in 1907."),
    ],
}


def write_set(folder: Path, name: str) -> Path:
    """The small file of a set, with the second file beside it where it has one."""
    file_name, content = SETS[name]
    path = folder / file_name
    if path.suffix in {".csv", ".tsv"}:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(content[0]), delimiter="," if path.suffix == ".csv" else "\t")
            writer.writeheader()
            writer.writerows(content)
    elif path.suffix == ".json":
        path.write_text(json.dumps(content), encoding="utf-8")
    else:
        write_lines(path, content)
    write_lines(
        folder / "corpus.jsonl",
        [
            {"doc_id": 500, "title": "Other", "abstract": ["No."], "structured": False},
            {
                "doc_id": 501,
                "title": "Salt",
                "abstract": ["Before.", "We gave salt.", "It thawed."],
                "structured": False,
            },
            {"doc_id": 502, "title": "No salt", "abstract": ["It froze."], "structured": False},
        ],
    )
    write_lines(folder / "wiki.jsonl", [{"title": "Pier", "text": ["A pier.", " From 1907."]}])
    with (folder / "wiki.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"title": "Lift", "text": ["It is from 1950."]}))
    (folder / "wiki-pages").mkdir()
    write_lines(folder / "wiki-pages" / "wiki-001.jsonl", [{"id": "", "text": "", "lines": ""}])
    write_lines(folder / "wiki-pages" / "wiki-002.jsonl", [WIKI])
    return path


def write_lines(path: Path, records: list[dict[str, Any]]) -> None:
    """Records as JSON lines."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def test_each_ready_mapping_has_a_set_here_and_says_what_it_is_for() -> None:
    """A new one needs its small file."""
    assert set(ready_names()) == set(SETS) == set(READ)
    assert all(mapping.about and mapping.decisions for mapping in ready_mappings().values())


@pytest.mark.parametrize("name", sorted(SETS))
def test_it_reads_the_published_shape(project: Project, tmp_path: Path, name: str) -> None:
    """Hypothesis, pieces with their sources, decision and family of each example."""
    path = write_set(tmp_path, name)
    mapping = override(load_mapping(project, name), defaults={"domain": "market", "level": "1"})
    examples = [example for _, _, example in read_examples(project.task, path, mapping)]
    assert all(isinstance(example, Example) for example in examples), examples
    whole = [example for example in examples if isinstance(example, Example)]
    for example, (hypothesis, pieces, decision, family) in zip(whole, READ[name], strict=True):
        assert (example.hypothesis, example.decision, example.confidence) == (hypothesis, decision, 1.0)
        assert [(piece.source, piece.content) for piece in example.evidence] == pieces
        assert example.family == family if family else len(example.family) <= 30


@pytest.mark.parametrize("name", sorted(SETS))
def test_it_is_suggested_for_that_shape(project: Project, tmp_path: Path, name: str) -> None:
    """Of the two for Climate-FEVER, the one of whole claims."""
    suggestion = suggest_mapping(project.task, write_set(tmp_path, name))
    assert f'base = "{name.removesuffix("-pairs")}"' in suggestion.toml
    assert suggestion.examples
    assert all(isinstance(example, Example) for _, example in suggestion.examples)
