"""Running the app until the person leaves."""

from __future__ import annotations

import gc
from pathlib import Path

from core.settings import path
from tui.app import SidequestApp


def run_app(folder: Path, reviewer: str = "") -> int:
    """Run the app on the project in `folder` until the person leaves; returns the exit status."""
    app = SidequestApp(folder, reviewer, path())
    # A full collection walks all that is loaded, 60 ms between a key and its answer: leave that out, and do it seldom.
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    app.run()
    return app.return_code or 0
