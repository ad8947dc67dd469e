"""The person's own editor, in place of the app until it is closed."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from textual.app import App


def run_editor(app: App[Any], name: str, text: str) -> str:
    """Let the person edit `text`, in a file of this name; returns what they made of it.

    Raises SuspendNotSupported, OSError, CalledProcessError, and ValueError for a file that is no UTF-8.
    """
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi") or ["vi"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.json"
        path.write_text(text, encoding="utf-8")
        with app.suspend():
            subprocess.run([*command, str(path)], check=True)  # noqa: S603  the person's own command
        return path.read_text(encoding="utf-8")
