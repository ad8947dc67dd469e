"""The line about a learning curve that is at work."""

from __future__ import annotations

from textual.content import Content

from core.runs.control import RunStatus
from core.runs.describe import describe_cells
from core.runs.progress import CurveProgress
from core.runs.readable import progress_or_none
from tui.text import line

_LIMIT = 300


def curve_line(status: RunStatus) -> Content:
    """Which cell it is at, how long the cells of this recipe still take, and what the last one got right."""
    progress = progress_or_none(status.run)
    cells = describe_cells(progress) if isinstance(progress, CurveProgress) else ""
    head = line(f"learning curve {status.run.id[-6:]}, {status.state}", _LIMIT)
    return Content.assemble((head, "bold"), " · " if cells else "", line(cells, _LIMIT))
