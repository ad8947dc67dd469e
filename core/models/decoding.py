"""Runs many prompts through a causal language model at once: reads a shared prefix once, drops finished rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache

from core.models.batching import consecutive_slices, pack
from core.models.cache import Batch, attends_to_all, expand_cache

# Tokens that are read in one pass: enough to use the processor, and few enough for its caches and for a quick stop.
PIECE_TOKENS = 1024
# Finished rows are dropped once they are this share: that copies those that stay.
_DROP_SHARE = 0.25

Tokens = Sequence[int]


class StoppedError(Exception):
    """The work was asked to stop before its end."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote to one prompt. `complete`: it came to an end, and was not cut at the limit.

    `logp` is the sum of the log probabilities of its tokens, the one that ended it included; at temperature 0 only.
    """

    ids: list[int]
    text: str
    complete: bool
    logp: float = 0.0

    @property
    def probability(self) -> float:
        """The probability of the whole answer, 0 to 1."""
        return math.exp(self.logp)

    @property
    def token_count(self) -> int:
        """How many tokens were generated."""
        return len(self.ids)


@dataclass(frozen=True)
class Prefix:
    """The tokens that prompts begin with, and the model's cache of them."""

    ids: tuple[int, ...] = ()
    cache: DynamicCache | None = None


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen: the likeliest at temperature 0, else at random, with a seed for each prompt."""

    temperature: float = 0.0
    seeds: Sequence[int] = ()


@dataclass(frozen=True)
class Decoder:
    """A causal language model. `decode` turns tokens into text, `stop_tokens` end an answer.

    `should_stop` is called before each step; if it returns True, the work ends with StoppedError.
    """

    model: PreTrainedModel
    decode: Callable[[list[int]], str]
    stop_tokens: frozenset[int]
    should_stop: Callable[[], bool] = lambda: False

    @property
    def can_share_prefix(self) -> bool:
        """Whether a prefix can be read once for many prompts."""
        return attends_to_all(self.model.config)

    @torch.inference_mode()
    def prefix(self, ids: Tokens) -> Prefix:
        """Read the tokens that prompts begin with. Raises StoppedError."""
        if not ids:
            return Prefix()
        cache = DynamicCache(config=self.model.config)
        self._advance(self._batch(cache, torch.ones(1, len(ids), dtype=torch.long)), torch.tensor([ids]))
        return Prefix(tuple(ids), cache)

    @torch.inference_mode()
    def generate(
        self,
        prompts: Sequence[Tokens],
        prefix: Prefix,
        limit: int,
        is_complete: Callable[[str], bool],
        sampling: Sampling = Sampling(),
        copies: int = 1,
    ) -> list[Completion]:
        """Generate `copies` completions for each prompt, side by side; all prompts begin with `prefix`.

        A row ends with a stop token, which is not part of its ids, with a text that `is_complete`, or after `limit`
        tokens. Raises StoppedError.
        """
        draws = [torch.Generator().manual_seed(seed) for seed in sampling.seeds]
        written: list[list[int]] = [[] for _ in range(len(prompts) * copies)]
        logps = [0.0] * len(written)
        answers: dict[int, Completion] = {}
        # Prompts of similar length are read together, with little padding.
        order = sorted(range(len(prompts)), key=lambda position: -len(prompts[position]))
        batch, logits = self._read([prompts[position] for position in order], prefix, limit)
        rows = [position * copies + copy for position in order for copy in range(copies)]
        if copies > 1:
            repeated = torch.arange(len(prompts)).repeat_interleave(copies)
            batch.select(repeated)
            logits = logits[repeated]
        while True:
            tokens = sample_tokens(logits, sampling.temperature, [draws[row] for row in rows] if draws else [])
            if sampling.temperature == 0:
                for row, logp in zip(rows, torch.log_softmax(logits.float(), -1).amax(-1).tolist(), strict=True):
                    logps[row] += 0.0 if row in answers else logp
            for row, token in zip(rows, tokens, strict=True):
                if row not in answers and (answer := self._add_token(written[row], token, limit, is_complete)):
                    answers[row] = replace(answer, logp=logps[row])
            if len(answers) == len(written):
                return [answers[row] for row in range(len(written))]
            keep = [position for position, row in enumerate(rows) if row not in answers]
            if len(keep) <= len(rows) * (1 - _DROP_SHARE):
                batch.select(torch.tensor(keep))
                rows, tokens = [rows[position] for position in keep], [tokens[position] for position in keep]
            logits = self._advance(batch, torch.tensor(tokens)[:, None])[:, -1]

    @torch.inference_mode()
    def score(self, prompts: Sequence[Tokens], prefix: Prefix, labels: Sequence[Tokens]) -> list[list[float]]:
        """For each prompt, the log probability that it continues with each of `labels`. Raises StoppedError.

        The prompts are read once; labels of several tokens are then read after them, all at once.
        """
        longest = max(map(len, labels))
        scores_of: dict[int, list[float]] = {}
        for group in pack([len(prompt) - len(prefix.ids) for prompt in prompts], PIECE_TOKENS, len(prompts)):
            batch, logits = self._read([prompts[position] for position in group], prefix, longest)
            scores = torch.log_softmax(logits.float(), -1)[:, [label[0] for label in labels]]
            if longest > 1:
                scores += self._score_rest(batch, labels, longest)
            scores_of.update(zip(group, scores.tolist(), strict=True))
        return [scores_of[position] for position in range(len(prompts))]

    def _score_rest(self, batch: Batch, labels: Sequence[Tokens], longest: int) -> torch.Tensor:
        """The scores of all tokens of the labels but the first, (rows, labels)."""
        rows = len(batch.mask)
        padded = torch.tensor([[*label, *[label[-1]] * (longest - len(label))] for label in labels]).repeat(rows, 1)
        counted = torch.tensor([[i < len(label) for i in range(1, longest)] for label in labels]).repeat(rows, 1)
        batch.select(torch.arange(rows).repeat_interleave(len(labels)))
        logits = self._advance(batch, padded[:, :-1], keep=longest - 1)
        scores = torch.log_softmax(logits.float(), -1).gather(-1, padded[:, 1:, None].to(logits.device))[..., 0]
        return torch.where(counted.to(scores.device), scores, 0).sum(-1).view(rows, len(labels))

    def _read(self, prompts: Sequence[Tokens], prefix: Prefix, room: int) -> tuple[Batch, torch.Tensor]:
        """Read what follows the prefix, with room for `room` more tokens; the logits are those of each last token."""
        rests = [prompt[len(prefix.ids) :] for prompt in prompts]
        if prefix.cache is None:
            return self._read_unshared(rests, room)
        prefix_length, lengths = len(prefix.ids), [len(rest) for rest in rests]
        width = max(lengths)
        # Padding on the right needs no mask while prompts are read: no token attends to what comes after it.
        ids, mask = torch.zeros(len(rests), width, dtype=torch.long), torch.zeros(len(rests), width, dtype=torch.long)
        for row, rest in enumerate(rests):
            ids[row, : len(rest)] = torch.tensor(rest)
            mask[row, : len(rest)] = 1
        batch = self._batch(
            expand_cache(prefix.cache, torch.zeros(len(rests), dtype=torch.long), width + room),
            _pad_mask(mask, prefix_length, room),
            prefix_length,
        )
        logits = []
        for rows in consecutive_slices(lengths, PIECE_TOKENS):
            ends, column = torch.tensor([length - 1 for length in lengths[rows]]).unique(return_inverse=True)
            part_logits = self._advance(batch.part(rows), ids[rows, : max(lengths[rows])], keep=ends, padded=False)
            logits.append(part_logits[torch.arange(len(column)), column])
        batch.skip(width)
        return batch, torch.cat(logits)

    def _read_unshared(self, prompts: Sequence[Tokens], room: int) -> tuple[Batch, torch.Tensor]:
        """Read prompts without a shared prefix, padded on the left: a window of the model counts columns."""
        width = max(map(len, prompts))
        ids = torch.tensor([[*[0] * (width - len(prompt)), *prompt] for prompt in prompts])
        mask = torch.tensor([[*[0] * (width - len(prompt)), *[1] * len(prompt)] for prompt in prompts])
        cache = DynamicCache(config=self.model.config)
        batch = self._batch(cache, _pad_mask(mask, 0, room))
        logits = self._advance(batch, ids)[:, -1]
        if self.can_share_prefix:
            batch.cache = expand_cache(cache, torch.arange(len(prompts)), room)
        return batch, logits

    def _batch(self, cache: Cache, mask: torch.Tensor, length: int = 0) -> Batch:
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        return Batch(cache, mask.to(self.model.device), positions.to(self.model.device), length)

    def _advance(
        self, batch: Batch, ids: torch.Tensor, keep: int | torch.Tensor = 1, padded: bool = True
    ) -> torch.Tensor:
        """Read the next columns; returns the logits of the last `keep` of them, or of those that `keep` lists.

        If not `padded`, no token that counts has padding before it. Raises StoppedError.
        """
        if self.should_stop():
            raise StoppedError
        start, batch.length = batch.length, batch.length + ids.shape[1]
        logits: torch.Tensor = self.model(
            input_ids=ids.to(self.model.device),
            attention_mask=batch.mask[:, : batch.length] if padded else None,
            position_ids=batch.positions[:, start : batch.length],
            past_key_values=batch.cache,
            use_cache=True,
            logits_to_keep=keep if isinstance(keep, int) else keep.to(self.model.device),
        ).logits
        return logits

    def _add_token(
        self, ids: list[int], token: int, limit: int, is_complete: Callable[[str], bool]
    ) -> Completion | None:
        """Add a token to a row; returns the completion if that is its end."""
        if token in self.stop_tokens:
            return Completion(ids, self.decode(ids), complete=True)
        ids.append(token)
        text = self.decode(ids)
        complete = is_complete(text)
        return Completion(ids, text, complete) if complete or len(ids) == limit else None


def _pad_mask(mask: torch.Tensor, prefix_length: int, room: int) -> torch.Tensor:
    """`mask` with columns that count before and after it: the prefix, and the tokens to come."""
    return torch.nn.functional.pad(mask, (prefix_length, room), value=1)


def sample_tokens(logits: torch.Tensor, temperature: float, generators: Sequence[torch.Generator]) -> list[int]:
    """The next token of each row: the likeliest at temperature 0, else drawn with the generator of the row.

    What a row draws does not depend on the other rows.
    """
    if temperature == 0:
        return [int(token) for token in logits.argmax(-1)]
    # The probabilities are floats, which is quick; their sums of so many small numbers need doubles.
    cumulative = torch.softmax(logits.float() / temperature, -1).cpu().double().cumsum(-1)
    uniform = torch.stack([torch.rand(1, generator=generator, dtype=torch.double) for generator in generators])
    return [int(token) for token in torch.searchsorted(cumulative, uniform * cumulative[:, -1:])[:, 0]]


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out. On a processor, torch has no type of its own for that."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    message = str(error)
    if "can't allocate memory" in message or "not enough memory" in message:
        return True
    # The whole message of oneDNN: for an operation that it cannot do at all, it names the operation.
    return message == "could not create a primitive"
