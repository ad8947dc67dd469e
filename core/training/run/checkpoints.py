"""Checkpoints of a phase: only complete ones count, and each has this project's state beside the trainer's."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

_STATE, _COMPLETE = "curriculum.json", "complete.json"


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint of a phase; incomplete ones are removed."""
    complete = []
    for checkpoint in folder.glob("checkpoint-*"):
        if (checkpoint / _COMPLETE).is_file():
            complete.append(checkpoint)
        else:
            shutil.rmtree(checkpoint, ignore_errors=True)
    return max(complete, key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """The number of steps after which a checkpoint was made."""
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
    """The curriculum's state in a complete checkpoint."""
    stored: dict[str, Any] = json.loads((checkpoint / _STATE).read_text())
    return stored
