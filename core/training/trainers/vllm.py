"""A vLLM server that writes the answers: what goes wrong with it, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# So long a server that is starting is waited for.
PATIENCE_S = 60.0


class ServerError(RuntimeError):
    """The server does not do what it is asked; `str()` of it says which, why, and what to do."""


@contextmanager
def reach_server(address: str) -> Iterator[None]:
    """What is raised inside becomes a ServerError: trl raises its own, those of HTTP, and plain exceptions."""
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
