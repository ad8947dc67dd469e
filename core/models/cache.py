"""The cache of keys and values of a model: allocated once, and never copied as it grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer


class PreallocatedLayer(DynamicLayer):
    """Keys and values of one layer, in storage with room for all tokens to come.

    A `DynamicLayer` copies all that it holds for each new token. In a batch that takes longer than the computation.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        """`keys` and `values` are the storage; their first `length` tokens are in use."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.storage = keys, values
        self.length = length
        self.dtype, self.device = keys.dtype, keys.device
        self.keys, self.values = (stored[:, :, :length] for stored in self.storage)
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add tokens; returns all of them, as views."""
        start, self.length = self.length, self.length + key_states.shape[-2]
        for stored, states in zip(self.storage, (key_states, value_states), strict=True):
            stored[:, :, start : self.length] = states
        self.keys, self.values = (stored[:, :, : self.length] for stored in self.storage)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """How many tokens are held."""
        return self.length

    def part(self, rows: slice) -> PreallocatedLayer:
        """A layer of some of the rows, in the same storage."""
        keys, values = (stored[rows] for stored in self.storage)
        return PreallocatedLayer(keys, values, self.length)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows only, each as often as it is named."""
        keys, values = (_copy_rows(stored[:, :, : self.length], indices, stored.shape[2]) for stored in self.storage)
        self.storage = keys, values
        self.keys, self.values = (stored[:, :, : self.length] for stored in self.storage)


def _copy_rows(states: torch.Tensor, rows: torch.Tensor, room: int) -> torch.Tensor:
    """Copy `rows` of `states` into new storage for `room` tokens; the rest is 0, as masked values must be numbers."""
    copied = states.new_zeros(len(rows), states.shape[1], room, states.shape[3])
    copied[:, :, : states.shape[2]] = states[rows]
    return copied


def expand_cache(cache: DynamicCache, rows: torch.Tensor, room: int) -> Cache:
    """A cache of these rows of `cache`, each as often as it is named, with room for `room` more tokens."""
    length = cache.get_seq_length()

    def expanded(states: torch.Tensor) -> torch.Tensor:
        return _copy_rows(states, rows.to(states.device), length + room)

    return Cache(layers=[PreallocatedLayer(expanded(keys), expanded(values), length) for keys, values, _ in cache])


@dataclass
class Batch:
    """Rows of tokens that a model reads side by side, padded so that their next tokens are in one column.

    `mask` and `positions` cover all columns to come; `length` columns are in the cache.
    """

    cache: Cache
    mask: torch.Tensor
    positions: torch.Tensor
    length: int = 0

    def part(self, rows: slice) -> Batch:
        """Some rows of a cache from `expand_cache`. What is read into them belongs to this batch after `skip`."""
        layers = cast(list[PreallocatedLayer], self.cache.layers)
        cache = Cache(layers=[layer.part(rows) for layer in layers])
        return Batch(cache, self.mask[rows], self.positions[rows], self.length)

    def skip(self, columns: int) -> None:
        """Move past columns that were read part by part."""
        self.length += columns
        for layer in cast(list[PreallocatedLayer], self.cache.layers):
            layer.length = self.length

    def select(self, rows: torch.Tensor) -> None:
        """Keep these rows only, each as often as it is named."""
        self.cache.batch_select_indices(rows.to(self.mask.device))
        self.mask, self.positions = self.mask[rows], self.positions[rows]


def attends_to_all(config: PreTrainedConfig) -> bool:
    """Whether each token attends to all before it. A window counts columns: padding after a prefix would narrow it."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)
