"""Sets environment variables that the libraries for models read when they load."""

from __future__ import annotations

import os

# oneDNN and torch's layer over it cache what they compile for each shape, 1,024 shapes each: with texts of all lengths
# that takes some gigabytes. This many are enough for the shapes of one step.
_SHAPES = "128"
_DEFAULTS = {
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": _SHAPES,
    "LRU_CACHE_CAPACITY": _SHAPES,
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TQDM_DISABLE": "1",  # progress bars would fill the log of a run
    "PYTHONSAFEPATH": "1",  # their child processes import nothing from the current directory
}


def prepare_environment() -> None:
    """Set the variables that the person has not set. Call it before torch is imported."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
