"""How long it takes to export many examples, and how much memory: `python -m tests.bench.exporting [--examples N]`.

Each format is written by the command line, in a process of its own, whose memory is looked at all the time.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from core.exchange.formats import Format
from tests.bench import library
from tests.terminal import SIDEQUEST

STATUSES = "status:accepted,pending,rejected"


def measure(folder: Path, format_: Format, output: Path) -> tuple[float, float]:
    """Seconds, and the greatest memory in MB, of exporting all examples of the project in `folder`."""
    started, peak = time.perf_counter(), 0
    command = [SIDEQUEST, "-C", str(folder), "export", STATUSES, "--format", format_, "--output", str(output)]
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        # One that has just ended has no memory to tell of.
        with contextlib.suppress(psutil.Error):
            peak = max(peak, process.memory_info().rss)
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{format_}: the export failed")
    return time.perf_counter() - started, peak / 2**20


def main() -> None:
    """Print a line for each format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100_000)
    count = parser.parse_args().examples
    folder = library.project(count)
    with tempfile.TemporaryDirectory() as output_folder:
        for format_ in Format:
            name = "folder" if format_.folder_files else f"file{format_.suffix}"
            seconds, memory = measure(folder, format_, Path(output_folder) / f"{format_}-{name}")
            print(f"{count:,} examples as {format_}: {seconds:.1f} s, {memory:.0f} MB")


if __name__ == "__main__":
    main()
