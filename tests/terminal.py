"""A program in a pseudo-terminal, as a person sees it: keys go in, what is painted comes out."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")

SIDEQUEST = str(Path(sys.executable).with_name("sidequest"))
# Moves of the cursor part what is painted; every other sequence only colours it.
_MOVE = re.compile(r"\x1b\[[0-9;]*[ABCDEFGHfd]")
_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-B0-2]|\x1b[=>78]")
# A terminal that paints a frame at once says so, as most do; the app then marks where each frame ends.
_ASKED, _ANSWER, FRAME_END = b"\x1b[?2026$p", b"\x1b[?2026;2$y", b"\x1b[?2026l"


class Terminal:
    """A process in a pseudo-terminal of its own; leaving the context kills it. `painted` is all that it ever wrote."""

    def __init__(self, command: list[str], cwd: Path, size: tuple[int, int] = (80, 24)) -> None:
        self.started = time.perf_counter()
        self.painted = bytearray()
        self._mark = 0
        self._answered = False
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
            for name in ("COLUMNS", "LINES", "NO_COLOR"):
                os.environ.pop(name, None)
            os.environ["TERM"] = "xterm-256color"
            os.chdir(cwd)
            os.execv(command[0], command)  # noqa: S606

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._fd)

    def send(self, keys: str) -> float:
        """Type `keys`, and return when; from then on `until` looks at what is painted."""
        self.drain(0.0)
        self._mark = len(self.painted)
        at = time.perf_counter()
        os.write(self._fd, keys.encode())
        return at

    def drain(self, seconds: float) -> None:
        """Take in what is painted for so long."""
        deadline = time.perf_counter() + seconds
        while self._read(max(0.0, deadline - time.perf_counter())) or time.perf_counter() < deadline:
            pass

    def until(self, found: Callable[[str], T | None], seconds: float = 60.0) -> tuple[T, float]:
        """What `found` makes of the text painted since the keys, once that is something, and when its frame ended."""
        deadline = time.perf_counter() + seconds
        while True:
            at = time.perf_counter()
            # Before the app knows that the terminal tells frames apart, there is no end of one to wait for.
            end = self.painted.rfind(FRAME_END, self._mark) if self._answered else len(self.painted)
            if end > self._mark and (result := found(plain(self.painted[self._mark : end]))) is not None:
                return result, at
            if at > deadline:
                raise TimeoutError(f"not painted within {seconds:.0f} s; painted was: {self.tail()!r}")
            self._read(1.0)

    @property
    def since(self) -> str:
        """The text painted since the keys."""
        return plain(self.painted[self._mark :])

    def tail(self) -> str:
        """The end of what was painted."""
        return plain(self.painted[-8000:])[-3000:]

    def _read(self, seconds: float) -> bool:
        if not select.select([self._fd], [], [], seconds)[0]:
            return False
        try:
            self.painted += os.read(self._fd, 1 << 20)
        except OSError:
            raise EOFError(f"the program has ended; it said: {self.tail()!r}") from None
        if not self._answered and _ASKED in self.painted:
            os.write(self._fd, _ANSWER)
            self._answered = True
        return True


def plain(painted: bytes | bytearray) -> str:
    """What was painted without its colours; a move of the cursor is a new line."""
    return _SEQUENCE.sub("", _MOVE.sub("\n", painted.decode(errors="replace")))


def shows(*markers: str) -> Callable[[str], bool | None]:
    """For `Terminal.until`: whether all `markers` were painted."""
    return lambda text: True if all(marker in text for marker in markers) else None
