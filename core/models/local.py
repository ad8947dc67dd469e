"""A model on this machine: prompts of like length together, what they share once, an answer no longer than needed."""

from __future__ import annotations

import asyncio
import hashlib
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.config.case import Case, Mode
from core.llm.wire import Messages
from core.models.batching import pack, shared_prefix
from core.models.chat import Chat
from core.models.model import Reply
from core.models.weights import Weights
from storage.schema import Outcome, Usage

if TYPE_CHECKING:
    from core.models.decoding import Prefix

# What a batch may hold of prompts and answers. More rows gain little on a processor, and wait longer for the slowest.
MAX_BATCH_TOKENS = 16_384
MAX_BATCH_ROWS = 64


@dataclass(frozen=True)
class LocalPrompting:
    """How a model is asked. `ended` tells of the text so far whether the decision stands in it.

    `limit` is how many tokens an answer may have. At a `temperature` of 0 the likeliest answer is taken, else one at
    random, which `seed`, example and sample decide.
    """

    messages: Callable[[Case], Messages]
    mode: Mode
    labels: Sequence[str]
    is_complete: Callable[[str], bool]
    prompt_version: str = ""
    limit: int = 512
    temperature: float = 0.0
    seed: int = 0

    def seed_of(self, case: Case) -> int:
        """The seed of one answer: whatever else is asked, it stays the same."""
        text = f"{self.seed} {case.sample} {case.example}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])


class LocalModel:
    """Answers cases with a model in this process. Mode DIRECT writes nothing: it weighs the labels as answers."""

    max_in_flight = 1  # a second batch would wait for the same processor

    def __init__(self, name: str, weights: Weights, asking: LocalPrompting) -> None:
        from core.models.decoding import Decoder, Prefix

        self.name = name
        self.prompt_version = asking.prompt_version
        self.runs_on = f"{str(weights.model.dtype).removeprefix('torch.')} on {weights.model.device.type}"
        self._asking = asking
        self._chat = Chat(weights.tokenizer, thinks=asking.mode is not Mode.DIRECT)
        self._labels = self._chat.label_tokens(asking.labels)
        self._limit = max(map(len, self._labels)) if asking.mode is Mode.DIRECT else asking.limit
        self._holds = weights.context_length
        self._stop = threading.Event()
        self._decoder = Decoder(weights.model, self._chat.decode, weights.stop_tokens, self._stop.is_set)
        self._budget = min(MAX_BATCH_TOKENS, weights.affordable_tokens)
        self._shared: tuple[int, ...] = ()
        self._prefix = Prefix()

    def batches(self, cases: Sequence[Case]) -> list[list[Case]]:
        """`cases` in groups of like length; what all their prompts share will be read once."""
        prompts = self._prompts(cases)
        self._shared = self._sharing(prompts)
        return [[cases[at] for at in group] for group in self._groups(prompts)]

    async def answer(self, batch: Sequence[Case]) -> list[Reply]:
        """A reply for each case. When cancelled, it waits for the step in hand, so that nothing goes on behind."""
        work = asyncio.ensure_future(asyncio.to_thread(self._answer, batch))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self._stop.set()
            await asyncio.wait([work])
            work.exception()
            self._stop.clear()
            raise

    async def close(self) -> None:
        """Let go of the model."""
        del self._decoder, self._prefix

    @property
    def shared(self) -> int:
        """How many tokens all prompts begin with."""
        return len(self._shared)

    def _prompts(self, cases: Sequence[Case]) -> list[list[int]]:
        return [self._chat.prompt(self._asking.messages(case)) for case in cases]

    def _sharing(self, prompts: Sequence[list[int]]) -> tuple[int, ...]:
        return tuple(prompts[0][: shared_prefix(prompts)]) if prompts and self._decoder.can_share_prefix else ()

    def _takes(self, prompt: Sequence[int]) -> int:
        """The tokens that a prompt and its answer take in a batch."""
        return len(prompt) - self.shared + self._limit

    def _groups(self, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        return pack([self._takes(prompt) for prompt in prompts], self._budget, MAX_BATCH_ROWS)

    def _answer(self, batch: Sequence[Case]) -> list[Reply]:
        prompts = self._prompts(batch)
        known = self.shared
        if any(len(prompt) <= known or tuple(prompt[:known]) != self._shared for prompt in prompts):
            self._shared = self._sharing(prompts)
        replies = {at: self._too_long(prompt) for at, prompt in enumerate(prompts) if self._exceeds(prompt)}
        fit = [at for at in range(len(batch)) if at not in replies]
        for group in self._groups([prompts[at] for at in fit]):
            chosen = [fit[at] for at in group]
            found = self._together([batch[at] for at in chosen], [prompts[at] for at in chosen])
            replies.update(zip(chosen, found, strict=True))
        return [replies[at] for at in range(len(batch))]

    def _together(self, cases: Sequence[Case], prompts: Sequence[list[int]]) -> list[Reply]:
        """Replies to cases read at once; where memory does not suffice, in halves, and no more at once from then on."""
        from core.models.decoding import out_of_memory

        started = time.perf_counter()
        replies: list[Reply] = []
        try:
            replies = self._weighed(prompts) if self._asking.mode is Mode.DIRECT else self._written(cases, prompts)
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
        self._budget = half * max(map(self._takes, prompts))
        return [*self._together(cases[:half], prompts[:half]), *self._together(cases[half:], prompts[half:])]

    def _written(self, cases: Sequence[Case], prompts: Sequence[list[int]]) -> list[Reply]:
        from core.models.decoding import Sampling

        asking = self._asking
        sampling = Sampling(asking.temperature, [asking.seed_of(case) for case in cases])
        written = self._decoder.generate(prompts, self._beginning(), asking.limit, asking.is_complete, sampling)
        return [
            Reply(
                Outcome.WRITTEN if answer.complete else Outcome.TRUNCATED,
                answer.text,
                detail="" if answer.complete else f"cut after {asking.limit} tokens, without a decision",
                usage=Usage(input_tokens=len(prompt), output_tokens=answer.token_count),
            )
            for prompt, answer in zip(prompts, written, strict=True)
        ]

    def _weighed(self, prompts: Sequence[list[int]]) -> list[Reply]:
        labels = self._asking.labels
        replies = []
        for prompt, scores in zip(prompts, self._decoder.score(prompts, self._beginning(), self._labels), strict=True):
            shares = dict(zip(labels, softmax(scores), strict=True))
            usage = Usage(input_tokens=len(prompt), output_tokens=0)
            replies.append(
                Reply(Outcome.WRITTEN, max(labels, key=shares.__getitem__), probabilities=shares, usage=usage)
            )
        return replies

    def _beginning(self) -> Prefix:
        """What the model remembers of the shared beginning; read when it is another than before."""
        if self._prefix.ids != self._shared:
            self._prefix = self._decoder.prefix(self._shared)
        return self._prefix

    def _exceeds(self, prompt: Sequence[int]) -> bool:
        return len(prompt) + self._limit > self._holds

    def _too_long(self, prompt: Sequence[int]) -> Reply:
        detail = f"the answer may have {self._limit} tokens beside them, and the model holds {self._holds} in all"
        return self._fault(Outcome.BAD_REQUEST, prompt, detail)

    def _fault(self, outcome: Outcome, prompt: Sequence[int], detail: str) -> Reply:
        usage = Usage(input_tokens=len(prompt))
        return Reply(outcome, detail=f"a prompt of {len(prompt)} tokens: {detail}", usage=usage, model=self.name)


def softmax(scores: Sequence[float]) -> list[float]:
    """Logarithms of weights as shares of 1."""
    weights = [math.exp(score - max(scores)) for score in scores]
    return [weight / sum(weights) for weight in weights]


_ADVICE = "close other programs, allow shorter answers, or take a smaller model"
