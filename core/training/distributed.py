"""The processes that train together, each a copy of the others; alone, there is nothing to agree on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def process_count() -> int:
    """How many there are, on all machines."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_process() -> bool:
    """Whether this one is the first: it alone reads and writes the database."""
    return os.environ.get("RANK", "0") == "0"


def broadcast(value: T) -> T:
    """What the first process has as `value`, in all of them: each waits here for the others."""
    if process_count() == 1:
        return value
    from accelerate.utils import broadcast_object_list

    held: list[Any] = [value]
    broadcast_object_list(held, from_process=0)
    found: T = held[0]
    return found


def gather(values: list[T]) -> list[T]:
    """What all processes have as `values`, in their order: each waits here for the others."""
    if process_count() == 1:
        return values
    from accelerate.utils import gather_object

    found: list[T] = gather_object(values)
    return found


def barrier() -> None:
    """Wait until all processes are here."""
    if process_count() > 1:
        import torch.distributed

        torch.distributed.barrier()


def end_with_parent(last: Callable[[], None] = lambda: None) -> None:
    """End this process once the one that holds the other end of its standard input is gone; `last` is done before."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        last()
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()
