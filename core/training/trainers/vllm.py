"""A vLLM server that writes the answers: its faults, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# How long to wait for a server that is starting.
PATIENCE_S = 60.0


class ServerError(RuntimeError):
    """The server does not do what it should; `str()` of it says which server, why, and what to do."""


@contextmanager
def reach_server(address: str) -> Iterator[None]:
    """Turn everything raised inside into a ServerError: trl raises its own types, those of HTTP, and plain ones."""
    try:
        yield
    except NotImplementedError as error:
        raise ServerError(
            f"the vLLM server at {address} cannot be given weights from here ({error}): train on a GPU, or without "
            "vllm_server"
        ) from error
    except Exception as error:
        raise ServerError(
            f"the vLLM server at {address} does not answer as it should ({_first_line(error)}): see to it, and resume "
            "goes on from the last checkpoint"
        ) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
