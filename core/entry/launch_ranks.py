"""Starts the processes that train together, by `accelerate launch`.

For DeepSpeed that appends the current directory to PYTHONPATH, where it comes before the standard library. The current
directory is a project's folder: nothing of it may run.
"""

from __future__ import annotations

import os


def keep_python_path() -> None:
    """Let accelerate hand on environment variables that hold paths as they are."""
    from accelerate.utils import launch

    launch.env_var_path_add = lambda name, _: os.environ.get(name, "")


def main() -> None:
    """Do what `accelerate launch` does, with the arguments of this process."""
    from accelerate.commands import launch

    keep_python_path()
    launch.main()


if __name__ == "__main__":
    main()
