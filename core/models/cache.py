"""What a model remembers of the tokens that it read: laid out once, and never copied as it grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer


class PreallocatedLayer(DynamicLayer):
    """Keys and values of one layer, in storage with room for all the tokens that will come.

    A `DynamicLayer` copies everything it holds for each token that is added: in a batch, more than the layer computes.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        """`keys` and `values` are the storage, of which the first `length` tokens are taken."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.storage = keys, values
        self.length = length
        self.dtype, self.device = keys.dtype, keys.device
        self.keys, self.values = (stored[:, :, :length] for stored in self.storage)
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add tokens; gives all of them, as views."""
        start, self.length = self.length, self.length + key_states.shape[-2]
        for stored, states in zip(self.storage, (key_states, value_states), strict=True):
            stored[:, :, start : self.length] = states
        self.keys, self.values = (stored[:, :, : self.length] for stored in self.storage)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """How many tokens are held."""
        return self.length

    def part(self, rows: slice) -> PreallocatedLayer:
        """Some of the rows, in the same storage."""
        keys, values = (stored[rows] for stored in self.storage)
        return PreallocatedLayer(keys, values, self.length)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Hold these rows from now on, each as often as it is named."""
        keys, values = (_laid_out(stored[:, :, : self.length], indices, stored.shape[2]) for stored in self.storage)
        self.storage = keys, values
        self.keys, self.values = (stored[:, :, : self.length] for stored in self.storage)


def _laid_out(states: torch.Tensor, rows: torch.Tensor, room: int) -> torch.Tensor:
    """These `rows` of `states` in new storage for `room` tokens; zeros, as what is masked has to be a number."""
    made = states.new_zeros(len(rows), states.shape[1], room, states.shape[3])
    made[:, :, : states.shape[2]] = states[rows]
    return made


def expand_cache(cache: DynamicCache, rows: torch.Tensor, room: int) -> Cache:
    """A cache of these rows of `cache`, each as often as it is named, with room for `room` tokens more."""
    length = cache.get_seq_length()

    def grown(states: torch.Tensor) -> torch.Tensor:
        return _laid_out(states, rows.to(states.device), length + room)

    return Cache(layers=[PreallocatedLayer(grown(keys), grown(values), length) for keys, values, _ in cache])


@dataclass
class Batch:
    """Rows of tokens that a model reads side by side, padded so that what comes next is in one column.

    `mask` and `positions` are laid out for all columns that will come; `length` columns are in the cache.
    """

    cache: Cache
    mask: torch.Tensor
    positions: torch.Tensor
    length: int = 0

    def part(self, rows: slice) -> Batch:
        """Some rows of a cache that `spread` made: what is read into them is in this batch, once it skips there."""
        layers = cast(list[PreallocatedLayer], self.cache.layers)
        cache = Cache(layers=[layer.part(rows) for layer in layers])
        return Batch(cache, self.mask[rows], self.positions[rows], self.length)

    def skip(self, columns: int) -> None:
        """Go on behind columns that were read part by part."""
        self.length += columns
        for layer in cast(list[PreallocatedLayer], self.cache.layers):
            layer.length = self.length

    def select(self, rows: torch.Tensor) -> None:
        """Go on with these rows, each as often as it is named."""
        self.cache.batch_select_indices(rows.to(self.mask.device))
        self.mask, self.positions = self.mask[rows], self.positions[rows]


def attends_to_all(config: PreTrainedConfig) -> bool:
    """Whether each token sees all before it. A window counts columns: padding after a prefix would narrow it."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)
