"""A process that measures the examples, line by line, as long as somebody looks at what it finds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from core.runs.child_process import safe_environment


class MeasuringError(Exception):
    """The process has failed; `str()` of it says why."""


class Measuring:
    """Starts one process at most, and ends it when it is no longer needed."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def lines(self, command: Sequence[str]) -> AsyncIterator[bytes]:
        """Start `command`, and yield each line that it prints; raises MeasuringError if it fails in the end."""
        pipe = asyncio.subprocess.PIPE
        self._process = process = await asyncio.create_subprocess_exec(
            *command, env=safe_environment(), stdout=pipe, stderr=pipe, limit=2**24
        )
        try:
            while output_line := await process.stdout.readline() if process.stdout else b"":
                yield output_line
            _, errors = await process.communicate()
            if process.returncode:
                error_lines = errors.decode(errors="replace").strip().splitlines()
                raise MeasuringError(error_lines[-1] if error_lines else f"exit {process.returncode}")
        finally:
            self.stop()

    def stop(self) -> None:
        """End the process, if it still runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
