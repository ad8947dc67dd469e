"""The processes that train together, each a copy of the others; a single process has nothing to exchange."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def process_count() -> int:
    """The number of processes, on all machines."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """The number of this process among all, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_main_process() -> bool:
    """Whether this is the first process, which alone reads and writes the database."""
    return rank() == 0


def broadcast(value: T) -> T:
    """The `value` of the first process, in all processes; each waits here for the others."""
    if process_count() == 1:
        return value
    from accelerate.utils import broadcast_object_list

    values: list[Any] = [value]
    broadcast_object_list(values, from_process=0)
    received: T = values[0]
    return received


def gather(values: list[T]) -> list[T]:
    """The `values` of all processes, in their order; each waits here for the others."""
    if process_count() == 1:
        return values
    from accelerate.utils import gather_object

    gathered: list[T] = gather_object(values)
    return gathered


def barrier() -> None:
    """Wait until all processes are here."""
    if process_count() > 1:
        import torch.distributed

        torch.distributed.barrier()


def end_with_parent(cleanup: Callable[[], None] = lambda: None) -> None:
    """End this process, after `cleanup`, once the process at the other end of its standard input is gone."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        cleanup()
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()
