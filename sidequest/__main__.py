"""Where `sidequest` and `python -m sidequest` start: our packages come onto the path, the current directory leaves it.

The functions import what they need, as every import before `main` would search the current directory, too.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def main() -> None:
    """Run the command line; exits with its status."""
    forget_relative_entries()
    sys.path.insert(0, str(packages_folder()))
    from tui.cli import main as run

    run()


def packages_folder() -> "Path":
    """The folder of core, storage and tui: in this package where that was installed, beside it in a checkout."""
    from pathlib import Path

    own = Path(__file__).resolve().parent
    installed = own / "_packages"
    return installed if installed.is_dir() else own.parent


def forget_relative_entries() -> None:
    """Take off the path what relative entries of PYTHONPATH have put there.

    They lead to wherever the program is started, which may be a project's folder; an empty one (`PYTHONPATH=:/lib`) is
    mostly there by accident.
    """
    import os
    from pathlib import Path

    variable = "" if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "")
    entries = variable.split(os.pathsep) if variable else []
    relative = {Path(entry).resolve() for entry in entries if not Path(entry).is_absolute()}
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() not in relative]


if __name__ == "__main__":
    # `python -m` puts the current directory first.
    if not sys.flags.safe_path:
        del sys.path[0]
    main()
