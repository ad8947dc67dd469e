"""A run in words, as the app and the command line both say it."""

from __future__ import annotations

from core.runs.control import Seen


def asked(seen: Seen) -> str:
    """What was asked of a run."""
    params = seen.run.params
    parts = [f"{name} {params[name]}" for name in ("source", "judge", "n", "seed", "hint") if params.get(name)]
    cells = [params[name] for name in ("domains", "levels", "decisions") if params.get(name)]
    parts += [", ".join(str(value) for value in names) for names in cells]
    return " · ".join(parts)


def duration(seconds: float | None) -> str:
    """Seconds for a person; unknown stays unknown."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} m"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h {rest:02d} m"
