"""Checkpoints of a phase: complete ones alone count, and with the trainer's state goes what only this project knows."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

_STATE, _COMPLETE = "curriculum.json", "complete.json"


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint of a phase; what was cut short while it was written is removed."""
    found = []
    for one in folder.glob("checkpoint-*"):
        if (one / _COMPLETE).is_file():
            found.append(one)
        else:
            shutil.rmtree(one, ignore_errors=True)
    return max(found, key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """After how many steps a checkpoint was made."""
    return int(checkpoint.name.rpartition("-")[2])


def complete_checkpoint(checkpoint: Path, state: dict[str, Any]) -> None:
    """Add the curriculum's state, and mark the checkpoint as complete once everything is on disk."""
    (checkpoint / _STATE).write_text(json.dumps(state))
    mark = checkpoint / f"{_COMPLETE}.new"
    with mark.open("w") as file:
        json.dump({"step": step_of(checkpoint)}, file)
        file.flush()
        os.fsync(file.fileno())
    mark.replace(checkpoint / _COMPLETE)


def state(checkpoint: Path) -> dict[str, Any]:
    """The curriculum's state of a complete checkpoint."""
    found: dict[str, Any] = json.loads((checkpoint / _STATE).read_text())
    return found
