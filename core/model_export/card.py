"""The card of an exported model: what it decides, how it was trained, what was measured, and what it cannot do."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING

import tomlkit

from core.config.case import Mode
from core.config.project import Project
from core.exchange.card import ExportCounts, cross_table, known_limits
from core.exchange.export import example_batches
from core.exchange.markdown import code_block, escape, licence_lines, table, visible
from core.models.prompting import Prompting, target_answer
from core.models.trained import TrainedModel, lineage, trained_models
from core.training.comparison import FIGURES, describe_row, in_short
from core.training.comparison import comparison_table as compared
from storage import runs, splits
from storage.database import snapshot
from storage.examples import Filter
from storage.schema import Evidence, Status

if TYPE_CHECKING:
    from core.runs.params import ExportParams

# The card writes these where a case stands.
_HYPOTHESIS, _SOURCE, _CONTENT = "HYPOTHESIS", "SOURCE", "TEXT"
_LIBRARY = {"adapter": "peft", "merged": "transformers", "gguf": "gguf"}
_WHAT = {
    "adapter": "The LoRA adapter alone: it needs its base.",
    "merged": "Whole weights: the adapter is merged into the unquantized base.",
    "gguf": "One GGUF file, for llama.cpp and what is built on it: the adapter is merged into the unquantized base.",
}
# Among so many first events a run says what it learns from.
_FIRST = 300


def model_card(
    project: Project,
    connection: sqlite3.Connection,
    trained: TrainedModel,
    params: ExportParams,
    files: Mapping[str, str],
    base: str,
    base_files: Mapping[str, str],
) -> str:
    """The card of `one` as `params` exports it; `files` and `base_files` are weights with their SHA-256."""
    task, format_ = project.task, params.format.value
    line = lineage(trained_models(project, connection), trained)
    with snapshot(connection):
        data, counted, families = _data(project, connection)
    parts = [
        _header(params.licence, base, format_),
        f"# {escape(trained.name)}",
        "A judge of one narrow question: it reads a hypothesis and pieces of evidence, and decides. "
        f"{in_short(line)} on {escape(base)}, with Sidequest. {_WHAT[format_]}",
        f"Licence: {escape(params.licence) or 'none was named'}. The base has a licence of its own, which holds as well.",
        "## The task",
        escape(task.question),
        table(["decision", "meaning"], [(one.name, one.meaning) for one in task.decisions]),
        "## How to use it",
        _use(project, trained, format_, base),
        "## What it learnt from",
        data,
        "## How it was trained",
        *(_phase(connection, each) for each in line),
        "## What was measured",
        _measured(project, connection, trained),
        "## Files",
        table(
            ["file", "SHA-256"], [*files.items(), *((f"{name} (the base)", sha) for name, sha in base_files.items())]
        ),
        "## Known limits",
        "\n".join(f"- {each}" for each in [*_limits(trained, format_), *known_limits(counted, families)]),
    ]
    return "\n\n".join(parts) + "\n"


def _header(licence: str, base: str, format_: str) -> str:
    lines = ["---", *licence_lines(licence)]
    if "/" in base:
        lines.append(f"base_model: {visible(base)}")
    lines += [f"library_name: {_LIBRARY[format_]}", "pipeline_tag: text-generation", "tags:", "- sidequest", "- lora"]
    return "\n".join([*lines, "---"])


def _use(project: Project, one: TrainedModel, format_: str, base: str) -> str:
    mode = one.recipe.mode
    asking = Prompting(project.task, mode, project.folder)
    piece = Evidence(source=_SOURCE, content=_CONTENT, relevance=1.0)
    messages = asking.messages(_HYPOTHESIS, [piece])
    prompt = "\n\n".join(f"[{message['role']}]\n{message['content']}" for message in messages)
    shape = target_answer(mode, "WHY", project.task.labels[0], 0.9)
    how = (
        "It answers with the decision alone; the probabilities of the decisions as answers are its confidence."
        if mode is Mode.DIRECT
        else "It reasons first. Read the last decision, and the confidence after it."
    )
    opened = {
        "adapter": "from peft import AutoPeftModelForCausalLM\nfrom transformers import AutoTokenizer\n\n"
        f"model = AutoPeftModelForCausalLM.from_pretrained(FOLDER)  # on {base}\n"
        f"tokenizer = AutoTokenizer.from_pretrained({visible(base)})",
        "merged": "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        "model = AutoModelForCausalLM.from_pretrained(FOLDER)\ntokenizer = AutoTokenizer.from_pretrained(FOLDER)",
        "gguf": 'from llama_cpp import Llama\n\nmodel = Llama("model.gguf", n_ctx=4096)\n'
        f"model.create_chat_completion(messages, temperature=0, max_tokens={one.recipe.max_answer_tokens})",
    }[format_]
    asked = (
        "\n\nids = tokenizer.apply_chat_template(\n"
        "    messages, add_generation_prompt=True, return_tensors='pt', return_dict=True\n)\n"
        f"model.generate(**ids, do_sample=False, max_new_tokens={one.recipe.max_answer_tokens})"
    )
    return "\n\n".join(
        [
            f"It knows one form of question, `{asking.version}`. Put the case in the place of the words in capitals, "
            "each piece of evidence as the one that is shown:",
            code_block(prompt),
            f"{how} It was trained to answer so:",
            code_block(shape),
            "In Python, with these `messages`:",
            code_block(opened if format_ == "gguf" else opened + asked, "python"),
        ]
    )


def _data(project: Project, connection: sqlite3.Connection) -> tuple[str, ExportCounts, dict[str, int]]:
    """What the project holds for training and measuring, now."""
    where = Filter(status=(Status.ACCEPTED.value,), split=splits.SPLITS)
    counted = ExportCounts()
    for batch in example_batches(connection, where):
        counted.add(batch)
    kin = splits.family_counts(connection, where)
    there = [name for name in splits.SPLITS if counted.splits[name]]
    if not there:
        return (
            "The project holds no accepted example in a split any more; how many were used is said below.",
            counted,
            {},
        )
    families = {name: kin.get(name, 0) for name in there}
    parts = [
        "Examples that people accepted: `train` was learnt from, `dev` looked at meanwhile, `test` asked afterwards. "
        "All examples of a family are in one split. These are the counts at the time of this export; how many were "
        "used is said below.",
        cross_table("split", there, counted.by_split, project.task, {"families": families}),
        cross_table("level", sorted({row for row, _ in counted.by_level}, key=int), counted.by_level, project.task),
        table(
            ["source", "model", "prompt", "examples"],
            [(*names, f"{number:,}") for names, number in counted.sources.most_common()],
        ),
    ]
    return "\n\n".join(parts), counted, families


def _phase(connection: sqlite3.Connection, one: TrainedModel) -> str:
    """The recipe of a phase, and what its run said of the data that it used."""
    said = [
        event.message
        for event in runs.events(connection, one.run, limit=_FIRST)
        if event.message.startswith(f"{one.phase}: ") and re.search(r"\d+ cases", event.message)
    ]
    # Where the machines of the training were is nobody's business.
    told = one.recipe.model_dump(mode="json", exclude_none=True, exclude={"vllm_server"})
    recipe = tomlkit.dumps({"train": {one.phase: told}})
    lines = [f"### {escape(one.phase)}, run {one.run[-6:]}"]
    return "\n\n".join([*lines, *(escape(each) for each in said), code_block(recipe.strip(), "toml")])


def _measured(project: Project, connection: sqlite3.Connection, one: TrainedModel) -> str:
    """The table after training, of the run and those that it started from."""
    run = runs.get(connection, one.run)
    found = compared(project, connection, [run] if run else [])
    if found.examples is None:
        return "Nothing: no benchmark of it was run. What it gets right is not known."
    parts = [
        f"{found.examples:,} examples, the same for all. What is refused, cut off or cannot be read counts as wrong. "
        "Intervals are of 95 %; those of Brier and ECE are bootstraps over families.",
        table(
            ["", "model", "mode", *FIGURES],
            [(row.what, row.model, row.mode.value, *describe_row(row)) for row in found.rows],
        ),
    ]
    if found.pairs:
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
                    for pair in found.pairs
                ],
            ),
        ]
    if any(row.model == one.name and row.measured is None for row in found.rows):
        parts.append("This model itself was not asked these examples: what it gets right is not known.")
    return "\n\n".join(parts)


def _limits(one: TrainedModel, format_: str) -> list[str]:
    found = [
        "It answers this one question, asked in this one form; of anything else it knows no more than its base.",
        "What was measured holds for cases like those that it was measured on: on others, its confidence least of all.",
    ]
    if format_ != "adapter" and one.recipe.quantization != "none":
        found.append(
            f"It was trained and measured on a base quantized to {one.recipe.quantization}, and is merged into the one "
            "that is not: its answers may differ a little from those that were measured."
        )
    if format_ != "adapter":
        found.append(
            "Merged weights are rounded to the base's precision: single answers may differ from the adapter's."
        )
    return found
