"""Makes the copy in which lines are broken, `mutants/`.

    python -P tests/bench/mutant_copy.py

It runs by path, from the root of the project. mutmut breaks only the files that have changed since the copy was made.
"""

from __future__ import annotations

from pathlib import Path

from mutmut.__main__ import CatchOutput, create_mutants
from mutmut.utils.file_utils import copy_also_copy_files, copy_src_dir, setup_source_paths


def main() -> None:
    """Copy the project, and break the lines of the copy."""
    Path("mutants").mkdir(exist_ok=True)
    with CatchOutput():
        copy_src_dir()
        copy_also_copy_files()
        setup_source_paths()
        create_mutants(1)


if __name__ == "__main__":
    main()
