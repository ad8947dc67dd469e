"""Many prompts through a causal language model at once: the shared beginning read once, finished rows dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache

from core.models.batching import consecutive_slices, pack
from core.models.cache import Batch, attends_to_all, expand_cache

# Tokens that are read in one pass: enough to use the processor, few enough to stay in its caches, and to stop after.
PIECE_TOKENS = 1024
# Rows are dropped, which copies those that stay, once this share of them is finished.
_DROP = 0.25

Tokens = Sequence[int]


class StoppedError(Exception):
    """The work was asked to stop before its end."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote to one prompt. `whole`: it came to an end, and was not cut at the limit."""

    ids: list[int]
    text: str
    complete: bool

    @property
    def token_count(self) -> int:
        """How many tokens were made."""
        return len(self.ids)


@dataclass(frozen=True)
class Prefix:
    """What prompts begin with, and what the model remembers of it."""

    ids: tuple[int, ...] = ()
    cache: DynamicCache | None = None


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen: the likeliest at temperature 0, else at random, from a seed for each prompt."""

    temperature: float = 0.0
    seeds: Sequence[int] = ()


@dataclass(frozen=True)
class Decoder:
    """A causal language model. `text` makes text of tokens, `ends` are the tokens that end an answer.

    `stopping` is asked before each step whether the work is to stop.
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
        """Read what prompts begin with. Raises StoppedError."""
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
        """What the model writes to each prompt, all of which begin with `prefix`; `times` to each, side by side.

        A row ends with one of `ends`, which is not part of its ids, with a text of which `ended` says so, or after
        `limit` tokens. Raises StoppedError.
        """
        draws = [torch.Generator().manual_seed(seed) for seed in sampling.seeds]
        written: list[list[int]] = [[] for _ in range(len(prompts) * copies)]
        answers: dict[int, Completion] = {}
        # Neighbours of like length are read together, with little padding.
        order = sorted(range(len(prompts)), key=lambda at: -len(prompts[at]))
        batch, logits = self._read([prompts[at] for at in order], prefix, limit)
        rows = [at * copies + copy for at in order for copy in range(copies)]
        if copies > 1:
            copies = torch.arange(len(prompts)).repeat_interleave(copies)
            batch.select(copies)
            logits = logits[copies]
        while True:
            tokens = sample_tokens(logits, sampling.temperature, [draws[row] for row in rows] if draws else [])
            for row, token in zip(rows, tokens, strict=True):
                if row not in answers and (answer := self._take(written[row], token, limit, is_complete)):
                    answers[row] = answer
            if len(answers) == len(written):
                return [answers[row] for row in range(len(written))]
            keep = [at for at, row in enumerate(rows) if row not in answers]
            if len(keep) <= len(rows) * (1 - _DROP):
                batch.select(torch.tensor(keep))
                rows, tokens = [rows[at] for at in keep], [tokens[at] for at in keep]
            logits = self._advance(batch, torch.tensor(tokens)[:, None])[:, -1]

    @torch.inference_mode()
    def score(self, prompts: Sequence[Tokens], prefix: Prefix, labels: Sequence[Tokens]) -> list[list[float]]:
        """For each prompt the logarithm of the probability that it goes on with each of `labels`. Raises StoppedError.

        The prompts are read once; labels of several tokens are then read on top of them, all at once.
        """
        longest = max(map(len, labels))
        found: dict[int, list[float]] = {}
        for group in pack([len(prompt) - len(prefix.ids) for prompt in prompts], PIECE_TOKENS, len(prompts)):
            batch, logits = self._read([prompts[at] for at in group], prefix, longest)
            scores = torch.log_softmax(logits.float(), -1)[:, [label[0] for label in labels]]
            if longest > 1:
                scores += self._rest(batch, labels, longest)
            found.update(zip(group, scores.tolist(), strict=True))
        return [found[at] for at in range(len(prompts))]

    def _rest(self, batch: Batch, labels: Sequence[Tokens], longest: int) -> torch.Tensor:
        """The score of all tokens of the labels but the first, by row and label."""
        rows = len(batch.mask)
        padded = torch.tensor([[*label, *[label[-1]] * (longest - len(label))] for label in labels]).repeat(rows, 1)
        counted = torch.tensor([[at < len(label) for at in range(1, longest)] for label in labels]).repeat(rows, 1)
        batch.select(torch.arange(rows).repeat_interleave(len(labels)))
        logits = self._advance(batch, padded[:, :-1], keep=longest - 1)
        scores = torch.log_softmax(logits.float(), -1).gather(-1, padded[:, 1:, None].to(logits.device))[..., 0]
        return torch.where(counted.to(scores.device), scores, 0).sum(-1).view(rows, len(labels))

    def _read(self, prompts: Sequence[Tokens], prefix: Prefix, room: int) -> tuple[Batch, torch.Tensor]:
        """Read what follows the prefix, with room for so many tokens more; the logits are those of the last token."""
        rests = [prompt[len(prefix.ids) :] for prompt in prompts]
        if prefix.cache is None:
            return self._read_whole(rests, room)
        known, lengths = len(prefix.ids), [len(rest) for rest in rests]
        width = max(lengths)
        # On the right, padding needs no mask while prompts are read: no token sees what comes after it.
        ids, mask = torch.zeros(len(rests), width, dtype=torch.long), torch.zeros(len(rests), width, dtype=torch.long)
        for row, rest in enumerate(rests):
            ids[row, : len(rest)] = torch.tensor(rest)
            mask[row, : len(rest)] = 1
        batch = self._batch(
            expand_cache(prefix.cache, torch.zeros(len(rests), dtype=torch.long), width + room),
            _around(mask, known, room),
            known,
        )
        logits = []
        for rows in consecutive_slices(lengths, PIECE_TOKENS):
            ends, at = torch.tensor([length - 1 for length in lengths[rows]]).unique(return_inverse=True)
            found = self._advance(batch.part(rows), ids[rows, : max(lengths[rows])], keep=ends, padded=False)
            logits.append(found[torch.arange(len(at)), at])
        batch.skip(width)
        return batch, torch.cat(logits)

    def _read_whole(self, prompts: Sequence[Tokens], room: int) -> tuple[Batch, torch.Tensor]:
        """Read prompts that share nothing, padded on the left: a window of the model counts columns."""
        width = max(map(len, prompts))
        ids = torch.tensor([[*[0] * (width - len(prompt)), *prompt] for prompt in prompts])
        mask = torch.tensor([[*[0] * (width - len(prompt)), *[1] * len(prompt)] for prompt in prompts])
        cache = DynamicCache(config=self.model.config)
        batch = self._batch(cache, _around(mask, 0, room))
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
        """Read the next columns; the logits of the last `keep` of them, or of those that it names.

        Unless `padded`, no token that counts has padding before it. Raises StoppedError.
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

    def _take(self, ids: list[int], token: int, limit: int, ended: Callable[[str], bool]) -> Completion | None:
        """Add a token to a row; what was written, if that is its end."""
        if token in self.stop_tokens:
            return Completion(ids, self.decode(ids), complete=True)
        ids.append(token)
        text = self.decode(ids)
        whole = ended(text)
        return Completion(ids, text, whole) if whole or len(ids) == limit else None


def _around(mask: torch.Tensor, known: int, room: int) -> torch.Tensor:
    """`mask` with columns before and after it that count."""
    return torch.nn.functional.pad(mask, (known, room), value=1)


def sample_tokens(logits: torch.Tensor, temperature: float, generators: Sequence[torch.Generator]) -> list[int]:
    """The next token of each row: the likeliest at temperature 0, else drawn, each row from its own of `draws`.

    What a row draws does not depend on the rows beside it.
    """
    if temperature == 0:
        return [int(token) for token in logits.argmax(-1)]
    # The shares are floats, which is quick; only their sums need doubles, of so many small numbers.
    heaps = torch.softmax(logits.float() / temperature, -1).cpu().double().cumsum(-1)
    at = torch.stack([torch.rand(1, generator=draw, dtype=torch.double) for draw in generators])
    return [int(token) for token in torch.searchsorted(heaps, at * heaps[:, -1:])[:, 0]]


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory did not suffice. On a processor, torch has no type of its own for it."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    said = str(error)
    # The last is oneDNN's, in full: of what it cannot do at all it names the operation.
    return "can't allocate memory" in said or "not enough memory" in said or said == "could not create a primitive"
