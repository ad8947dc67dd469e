"""A model on this machine. Batches prompts by length, reads a shared prefix once, and stops at the decision."""

from __future__ import annotations

import asyncio
import hashlib
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.config.case import Case, Mode
from core.llm.wire import Messages
from core.models.batching import pack, shared_prefix
from core.models.chat import Chat
from core.models.confidence import at_temperature
from core.models.model import Reply
from core.models.weights import Weights
from storage.schema import Outcome, Usage

if TYPE_CHECKING:
    from core.models.decoding import Prefix

# Limits of a batch of prompts and answers. More rows gain little on a processor, and wait longer for the slowest.
MAX_BATCH_TOKENS = 16_384
MAX_BATCH_ROWS = 64


@dataclass(frozen=True)
class LocalPrompting:
    """How a model is asked. `is_complete` says whether the text so far holds the decision; `probabilities` are those of
    the decisions, by an answer and the probability of all its tokens; `fitted_temperature` softens those of labels as
    answers.

    `limit` is how many tokens an answer may have. At a `temperature` of 0 the answer is the likeliest, else a random
    one that depends on `seed`, example and sample.
    """

    messages: Callable[[Case], Messages]
    mode: Mode
    labels: Sequence[str]
    is_complete: Callable[[str], bool]
    prompt_version: str = ""
    probabilities: Callable[[str, float], Mapping[str, float] | None] = lambda _text, _probability: None
    fitted_temperature: float = 1.0
    limit: int = 512
    temperature: float = 0.0
    seed: int = 0

    def seed_of(self, case: Case) -> int:
        """The seed of one answer; it does not depend on what else is asked."""
        text = f"{self.seed} {case.sample} {case.example}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])


class LocalModel:
    """Answers cases with a model in this process. Mode DIRECT generates nothing: it scores the labels as answers."""

    max_in_flight = 1  # a second batch would wait for the same processor

    def __init__(self, name: str, weights: Weights, prompting: LocalPrompting) -> None:
        from core.models.decoding import Decoder, Prefix

        self.name = name
        self.prompt_version = prompting.prompt_version
        self.runs_on = f"{str(weights.model.dtype).removeprefix('torch.')} on {weights.model.device.type}"
        self._prompting = prompting
        self._chat = Chat(weights.tokenizer, thinks=prompting.mode is not Mode.DIRECT)
        self._labels = self._chat.label_tokens(prompting.labels)
        self._limit = max(map(len, self._labels)) if prompting.mode is Mode.DIRECT else prompting.limit
        self._context_length = weights.context_length
        self._stop = threading.Event()
        self._decoder = Decoder(weights.model, self._chat.decode, weights.stop_tokens, self._stop.is_set)
        self._budget = min(MAX_BATCH_TOKENS, weights.affordable_tokens)
        self._shared: tuple[int, ...] = ()
        self._prefix = Prefix()

    def batches(self, cases: Sequence[Case]) -> list[list[Case]]:
        """`cases` in groups of similar length; what all their prompts share will be read once."""
        prompts = self._prompts(cases)
        self._shared = self._shared_tokens(prompts)
        return [[cases[position] for position in group] for group in self._groups(prompts)]

    async def answer(self, batch: Sequence[Case]) -> list[Reply]:
        """A reply for each case. When cancelled, waits for the step at work, so that nothing goes on behind."""
        task = asyncio.ensure_future(asyncio.to_thread(self._answer, batch))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._stop.set()
            await asyncio.wait([task])
            task.exception()
            self._stop.clear()
            raise

    async def close(self) -> None:
        """Release the model."""
        del self._decoder, self._prefix

    @property
    def shared(self) -> int:
        """How many tokens all prompts begin with."""
        return len(self._shared)

    def _prompts(self, cases: Sequence[Case]) -> list[list[int]]:
        return [self._chat.prompt(self._prompting.messages(case)) for case in cases]

    def _shared_tokens(self, prompts: Sequence[list[int]]) -> tuple[int, ...]:
        return tuple(prompts[0][: shared_prefix(prompts)]) if prompts and self._decoder.can_share_prefix else ()

    def _tokens_in_batch(self, prompt: Sequence[int]) -> int:
        """The tokens that a prompt and its answer take in a batch."""
        return len(prompt) - self.shared + self._limit

    def _groups(self, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        return pack([self._tokens_in_batch(prompt) for prompt in prompts], self._budget, MAX_BATCH_ROWS)

    def _answer(self, batch: Sequence[Case]) -> list[Reply]:
        prompts = self._prompts(batch)
        shared = self.shared
        if any(len(prompt) <= shared or tuple(prompt[:shared]) != self._shared for prompt in prompts):
            self._shared = self._shared_tokens(prompts)
        replies = {position: self._too_long(prompt) for position, prompt in enumerate(prompts) if self._exceeds(prompt)}
        fitting = [position for position in range(len(batch)) if position not in replies]
        for group in self._groups([prompts[position] for position in fitting]):
            positions = [fitting[position] for position in group]
            cases, texts = [batch[position] for position in positions], [prompts[position] for position in positions]
            replies.update(zip(positions, self._answer_group(cases, texts), strict=True))
        return [replies[position] for position in range(len(batch))]

    def _answer_group(self, cases: Sequence[Case], prompts: Sequence[list[int]]) -> list[Reply]:
        """Answer cases at once. If memory runs out, answers them in halves, and asks no more at once from then on."""
        from core.models.decoding import out_of_memory

        started = time.perf_counter()
        replies: list[Reply] = []
        try:
            replies = (
                self._score_labels(prompts) if self._prompting.mode is Mode.DIRECT else self._generate(cases, prompts)
            )
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            if len(cases) == 1:
                return [self._fault(Outcome.SERVER_ERROR, prompts[0], f"out of memory: {_ADVICE} ({error})")]
        if replies:
            share = (time.perf_counter() - started) / len(cases)
            return [
                replace(reply, usage=reply.usage.model_copy(update={"seconds": share}), model=self.name)
                for reply in replies
            ]
        half = len(cases) // 2
        self._budget = half * max(map(self._tokens_in_batch, prompts))
        return [*self._answer_group(cases[:half], prompts[:half]), *self._answer_group(cases[half:], prompts[half:])]

    def _generate(self, cases: Sequence[Case], prompts: Sequence[list[int]]) -> list[Reply]:
        from core.models.decoding import Sampling

        prompting = self._prompting
        sampling = Sampling(prompting.temperature, [prompting.seed_of(case) for case in cases])
        prefix = self._read_prefix()
        completions = self._decoder.generate(prompts, prefix, prompting.limit, prompting.is_complete, sampling)
        return [
            Reply(
                Outcome.WRITTEN if completion.complete else Outcome.TRUNCATED,
                completion.text,
                probabilities=prompting.probabilities(completion.text, completion.probability)
                if completion.complete and not prompting.temperature
                else None,
                detail="" if completion.complete else f"cut after {prompting.limit} tokens, without a decision",
                usage=Usage(input_tokens=len(prompt), output_tokens=completion.token_count),
            )
            for prompt, completion in zip(prompts, completions, strict=True)
        ]

    def _score_labels(self, prompts: Sequence[list[int]]) -> list[Reply]:
        labels = self._prompting.labels
        replies = []
        for prompt, scores in zip(
            prompts, self._decoder.score(prompts, self._read_prefix(), self._labels), strict=True
        ):
            shares = at_temperature(dict(zip(labels, softmax(scores), strict=True)), self._prompting.fitted_temperature)
            usage = Usage(input_tokens=len(prompt), output_tokens=0)
            replies.append(
                Reply(Outcome.WRITTEN, max(labels, key=shares.__getitem__), probabilities=shares, usage=usage)
            )
        return replies

    def _read_prefix(self) -> Prefix:
        """The cache of the shared prefix; reads it if it is another one than before."""
        if self._prefix.ids != self._shared:
            self._prefix = self._decoder.prefix(self._shared)
        return self._prefix

    def _exceeds(self, prompt: Sequence[int]) -> bool:
        return len(prompt) + self._limit > self._context_length

    def _too_long(self, prompt: Sequence[int]) -> Reply:
        detail = (
            f"the answer may have {self._limit} tokens beside them, and the model holds {self._context_length} in all"
        )
        return self._fault(Outcome.BAD_REQUEST, prompt, detail)

    def _fault(self, outcome: Outcome, prompt: Sequence[int], detail: str) -> Reply:
        usage = Usage(input_tokens=len(prompt))
        return Reply(outcome, detail=f"a prompt of {len(prompt)} tokens: {detail}", usage=usage, model=self.name)


def softmax(scores: Sequence[float]) -> list[float]:
    """Probabilities from scores."""
    weights = [math.exp(score - max(scores)) for score in scores]
    return [weight / sum(weights) for weight in weights]


_ADVICE = "close other programs, allow shorter answers, or take a smaller model"
