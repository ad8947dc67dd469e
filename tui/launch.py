"""Running the app until the person leaves."""

from __future__ import annotations

import gc
from pathlib import Path


def run_app(folder: Path, reviewer: str = "") -> int:
    """Run the app on the project in `folder` until the person leaves; returns the exit status."""
    # A full collection walks all that is loaded, 60 ms between a key and its answer: do it seldom, not while importing,
    # and leave out what stays.
    gc.set_threshold(10_000, 20, 50)
    from core.config.settings import settings_path
    from tui.app import SidequestApp

    app = SidequestApp(folder, reviewer, settings_path())
    gc.freeze()
    app.run()
    return app.return_code or 0
