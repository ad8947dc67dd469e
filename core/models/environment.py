"""What the libraries for models are told by the environment; they read it when they load."""

from __future__ import annotations

import os

# oneDNN and torch's layer over it keep what they made for each shape that they met, 1,024 of each: with texts of all
# lengths some gigabytes. So many are enough for the shapes of one step.
_SHAPES = "128"
_TOLD = {
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": _SHAPES,
    "LRU_CACHE_CAPACITY": _SHAPES,
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TQDM_DISABLE": "1",  # bars of loading would fill the log of a run
    "PYTHONSAFEPATH": "1",  # their helpers (multiprocessing's) import nothing of the current directory
}


def prepare_environment() -> None:
    """Set it, before torch is imported; what the person has set stays."""
    for name, value in _TOLD.items():
        os.environ.setdefault(name, value)
