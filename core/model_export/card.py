"""The card of an exported model: what it decides, how it was trained, what was measured, and its limits."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import tomlkit

from core.config.case import Mode
from core.config.project import Project
from core.config.recipe import Algorithm
from core.exchange.card import ExportCounts, cross_table, known_limits
from core.exchange.export import example_batches
from core.exchange.markdown import code_block, escape, licence_lines, table, yaml_string
from core.model_export.classifier import classifier_usage
from core.models.student_format import FILE, StudentFormat, load_format
from core.models.trained import TrainedModel, lineage, trained_models
from core.training.comparison import comparison_table as compared
from core.training.comparison import describe_lineage
from core.training.comparison_words import FIGURES, describe_row
from storage import runs, splits
from storage.database import snapshot
from storage.examples import Filter
from storage.schema import Evidence, Example, Finding, Holds, Status, Step

if TYPE_CHECKING:
    from core.runs.params import ExportParams

# The card shows these in place of a case.
_HYPOTHESIS, _SOURCE, _CONTENT = "HYPOTHESIS", "SOURCE", "TEXT"
_LIBRARY = {"adapter": "peft", "merged": "transformers", "gguf": "gguf", "onnx": "onnx"}
_DESCRIPTION = {
    "adapter": "The LoRA adapter alone: it needs its base.",
    "merged": "Whole weights: the adapter is merged into the unquantized base.",
    "gguf": "One GGUF file, for llama.cpp and what is built on it: the adapter is merged into the unquantized base.",
    "onnx": "A classifier as ONNX, for onnxruntime.",
}
# The events in which a run says what it learns from are among so many first ones.
_EVENT_LIMIT = 300


def model_card(
    project: Project,
    connection: sqlite3.Connection,
    trained: TrainedModel,
    params: ExportParams,
    files: Mapping[str, str],
    base: str,
    base_files: Mapping[str, str],
    notes: Sequence[str] = (),
) -> str:
    """The card of `trained` as `params` exports it; `files` and `base_files` are weights with their SHA-256, `notes`
    what a comparison of its answers with the original's says."""
    task, format_ = project.task, params.format.value
    phases = lineage(trained_models(project, connection), trained)
    with snapshot(connection):
        data, counts, families = _training_data(project, connection)
    parts = [
        _header(params.licence, base, format_, trained.recipe.algorithm),
        f"# {escape(trained.name)}",
        "A judge of one narrow question: it reads a hypothesis and pieces of evidence, and decides. "
        f"{describe_lineage(phases)} on {escape(base)}, with Sidequest. {_DESCRIPTION[format_]}",
        f"Licence: {escape(params.licence) or 'none was named'}. "
        "The base has a licence of its own, which holds as well.",
        "## The task",
        escape(task.question),
        table(["decision", "meaning"], [(decision.name, decision.meaning) for decision in task.decisions]),
        "## How to use it",
        _usage(project, trained, format_, base),
        "## What it learnt from",
        data,
        "## How it was trained",
        *(_phase_section(connection, phase) for phase in phases),
        "## What was measured",
        _measurements(project, connection, trained),
        "## Files",
        table(
            ["file", "SHA-256"], [*files.items(), *((f"{name} (the base)", sha) for name, sha in base_files.items())]
        ),
        *(["## Compared with the original", "\n".join(f"- {note}" for note in notes)] if notes else []),
        "## Known limits",
        "\n".join(f"- {sentence}" for sentence in [*_model_limits(trained, format_), *known_limits(counts, families)]),
    ]
    return "\n\n".join(parts) + "\n"


def _header(licence: str, base: str, format_: str, algorithm: Algorithm) -> str:
    lines = ["---", *licence_lines(licence)]
    if "/" in base:
        lines.append(f"base_model: {yaml_string(base)}")
    task = "text-classification" if algorithm is Algorithm.CLASSIFY else "text-generation"
    lines += [f"library_name: {_LIBRARY[format_]}", f"pipeline_tag: {task}", "tags:", "- sidequest", "- lora"]
    return "\n".join([*lines, "---"])


def _usage(project: Project, trained: TrainedModel, format_: str, base: str) -> str:
    answer_format = load_format(project.folder / trained.adapter) or StudentFormat(mode=trained.recipe.mode)
    if answer_format.kind == "classifier":
        words, code = classifier_usage(answer_format, format_, base, answer_format.max_tokens)
        return "\n\n".join([words, code_block(code, "python")])
    prompting = answer_format.prompting(project.task, project.folder)
    piece = Evidence(source=_SOURCE, content=_CONTENT, relevance=1.0)
    messages = prompting.messages(_HYPOTHESIS, [piece])
    prompt = "\n\n".join(f"[{message['role']}]\n{message['content']}" for message in messages)
    answer = answer_format.answer(_sample(piece, project.task.labels[0]))
    opening = {
        "adapter": "from peft import AutoPeftModelForCausalLM\nfrom transformers import AutoTokenizer\n\n"
        f"model = AutoPeftModelForCausalLM.from_pretrained(FOLDER)  # on {base}\n"
        f"tokenizer = AutoTokenizer.from_pretrained({yaml_string(base)})",
        "merged": "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        "model = AutoModelForCausalLM.from_pretrained(FOLDER)\ntokenizer = AutoTokenizer.from_pretrained(FOLDER)",
        "gguf": 'from llama_cpp import Llama\n\nmodel = Llama("model.gguf", n_ctx=4096)\n'
        f"model.create_chat_completion(messages, temperature=0, max_tokens={trained.recipe.max_answer_tokens})",
    }[format_]
    generating = (
        "\n\nids = tokenizer.apply_chat_template(\n"
        "    messages, add_generation_prompt=True, return_tensors='pt', return_dict=True\n)\n"
        f"model.generate(**ids, do_sample=False, max_new_tokens={trained.recipe.max_answer_tokens})"
    )
    return "\n\n".join(
        [
            f"It knows one form of question, `{prompting.version}`. Put the case in the place of the words in "
            "capitals, each piece of evidence as the one that is shown:",
            code_block(prompt),
            f"{_confidence_note(answer_format)} It was trained to answer so:",
            code_block(answer),
            "In Python, with these `messages`:",
            code_block(opening if format_ == "gguf" else opening + generating, "python"),
        ]
    )


def _sample(piece: Evidence, decision: str) -> Example:
    """An example with words in capitals, to show the form of an answer."""
    finding = Finding(piece=1, quote=_CONTENT, source="", says="FOUND")
    step = Step(part="PART", findings=[finding], against=[], why="", found="FOUND", claimed="CLAIMED", holds=Holds.YES)
    return Example(
        hypothesis=_HYPOTHESIS,
        evidence=[piece],
        steps=[step],
        reasoning="WHY",
        decision=decision,
        confidence=0.9,
        family="",
        domain="",
        level=1,
        source="",
    )


def _confidence_note(answer_format: StudentFormat) -> str:
    """Where to read the decision and the confidence of an answer."""
    if answer_format.mode is Mode.DIRECT:
        return "It answers with the decision alone; the probabilities of the decisions as answers are its confidence."
    if answer_format.rationale == "full":
        return "It reasons first. Read the last decision, and the confidence after it."
    note = "Its confidence is the probability of all tokens of the answer, fitted with `slope` and `offset` of"
    lines = {
        "steps": "It writes a line for each part of the claim, then the decision.",
        "after": "It decides first, then says why: stop at the end of the first line.",
        "none": "It writes the decision alone.",
    }[answer_format.rationale]
    return f"{lines} {note} `{FILE}`: sigmoid(slope * logit(p) + offset)."


def _training_data(project: Project, connection: sqlite3.Connection) -> tuple[str, ExportCounts, dict[str, int]]:
    """What the project holds for training and measuring now: as Markdown, as counts, and as families by split."""
    where = Filter(status=(Status.ACCEPTED.value,), split=splits.SPLITS)
    counts = ExportCounts()
    for batch in example_batches(connection, where):
        counts.add(batch)
    family_counts = splits.family_counts(connection, where)
    names = [name for name in splits.SPLITS if counts.splits[name]]
    if not names:
        return (
            "The project holds no accepted example in a split any more; how many were used is said below.",
            counts,
            {},
        )
    families = {name: family_counts.get(name, 0) for name in names}
    parts = [
        "Examples that people accepted: `train` was learnt from, `dev` looked at meanwhile, `test` asked afterwards. "
        "All examples of a family are in one split. These are the counts at the time of this export; how many were "
        "used is said below.",
        cross_table("split", names, counts.by_split, project.task, {"families": families}),
        cross_table("level", sorted({row for row, _ in counts.by_level}, key=int), counts.by_level, project.task),
        table(
            ["source", "model", "prompt", "examples"],
            [(*source, f"{number:,}") for source, number in counts.sources.most_common()],
        ),
    ]
    return "\n\n".join(parts), counts, families


def _phase_section(connection: sqlite3.Connection, trained: TrainedModel) -> str:
    """The recipe of a phase, and what the run said about the data that the phase used."""
    messages = [
        event.message
        for event in runs.events(connection, trained.run, limit=_EVENT_LIMIT)
        if event.message.startswith(f"{trained.phase}: ") and re.search(r"\d+ cases", event.message)
    ]
    # The address of a server is private.
    fields = trained.recipe.model_dump(mode="json", exclude_none=True, exclude={"vllm_server"})
    recipe = tomlkit.dumps({"train": {trained.phase: fields}})
    lines = [f"### {escape(trained.phase)}, run {trained.run[-6:]}"]
    return "\n\n".join([*lines, *(escape(message) for message in messages), code_block(recipe.strip(), "toml")])


def _measurements(project: Project, connection: sqlite3.Connection, trained: TrainedModel) -> str:
    """The figures after training, of the run and of those that it started from."""
    run = runs.get(connection, trained.run)
    comparison = compared(project, connection, [run] if run else [])
    if comparison.examples is None:
        return "Nothing: no benchmark of it was run. What it gets right is not known."
    parts = [
        f"{comparison.examples:,} examples, the same for all. What is refused, cut off or cannot be read counts as "
        "wrong. Intervals are of 95 %; those of Brier and ECE are bootstraps over families.",
        table(
            ["", "model", "mode", *FIGURES],
            [(row.what, row.model, row.mode.value, *describe_row(row)) for row in comparison.rows],
        ),
    ]
    if comparison.pairs:
        parts += [
            "In pairs, by McNemar's exact test; p is of each pair alone:",
            table(
                ["", "against", "points ahead", "p"],
                [
                    (
                        pair.second,
                        pair.first,
                        f"{100 * pair.found.gap:.1f} ({100 * pair.found.low:.1f} to {100 * pair.found.high:.1f})",
                        f"{pair.found.p:.2g}",
                    )
                    for pair in comparison.pairs
                ],
            ),
        ]
    if any(row.model == trained.name and row.measured is None for row in comparison.rows):
        parts.append("This model itself was not asked these examples: what it gets right is not known.")
    return "\n\n".join(parts)


def _model_limits(trained: TrainedModel, format_: str) -> list[str]:
    sentences = [
        "It answers this one question, asked in this one form; of anything else it knows no more than its base.",
        "What was measured holds for cases like those that it was measured on: on others, its confidence least of all.",
    ]
    if format_ != "adapter" and trained.recipe.quantization != "none":
        sentences.append(
            f"It was trained and measured on a base quantized to {trained.recipe.quantization}, and is merged into the "
            "one that is not: its answers may differ a little from those that were measured."
        )
    if format_ != "adapter":
        sentences.append(
            "Merged weights are rounded to the base's precision: single answers may differ from the adapter's."
        )
    return sentences
