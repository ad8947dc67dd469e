"""Starting our own modules in a process of their own, without the current directory on its path.

Most start in the folder of a project, whose files must never be imported in place of ours or of the standard library's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

# Windows keeps a child apart from the console of its parent by these; elsewhere a session of its own does it.
_DETACHED = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(subprocess, "DETACHED_PROCESS", 0)
# The folder of core, storage and tui.
_PACKAGES = Path(__file__).resolve().parents[2]


def python_command(module: str, *arguments: str) -> list[str]:
    """The words that start `module` with `arguments` in this interpreter; they go with `safe_environment`."""
    return [sys.executable, "-P", "-m", module, *arguments]


def safe_environment() -> dict[str, str]:
    """The environment of this process, in which our modules are found and those of the current directory are not.

    Processes that the child starts inherit it. Relative entries of PYTHONPATH are left out, as they would lead to
    wherever the child starts.
    """
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    safe_entries = [entry for entry in inherited if Path(entry).is_absolute() and Path(entry) != _PACKAGES]
    return os.environ | {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join([str(_PACKAGES), *safe_entries])}


def start_python(
    module: str,
    *arguments: str,
    cwd: Path,
    stdin: int | None = None,
    output: IO[bytes] | None = None,
    start_new_session: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `module` in `cwd`; what it prints goes to `output` at once, to that of this process if there is none.

    Raises OSError where no process can be started.
    """
    return subprocess.Popen(  # noqa: S603  our own interpreter and module
        python_command(module, *arguments),
        cwd=cwd,
        env=safe_environment() | {"PYTHONUNBUFFERED": "1"},
        stdin=stdin,
        stdout=output,
        stderr=output,
        start_new_session=start_new_session,
        creationflags=_DETACHED if start_new_session else 0,
    )


def run_python(module: str, *arguments: str, timeout: float) -> str:
    """What `module` prints until it ends. Raises TimeoutExpired, and CalledProcessError with what it said of errors."""
    return subprocess.run(  # noqa: S603  our own interpreter and module
        python_command(module, *arguments),
        env=safe_environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=True,
    ).stdout
