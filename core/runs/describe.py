"""A run in words, as the app and the command line both say it."""

from __future__ import annotations

from core.runs.control import RunStatus


def describe_request(seen: RunStatus) -> str:
    """What was asked of a run."""
    params = seen.run.params
    parts = [f"{name} {params[name]}" for name in ("source", "judge", "n", "seed", "hint") if params.get(name)]
    cells = [params[name] for name in ("domains", "levels", "decisions") if params.get(name)]
    parts += [", ".join(str(value) for value in names) for names in cells]
    return " · ".join(parts)


def describe_heartbeat(seen: RunStatus) -> str:
    """How long ago a run was last known to be alive."""
    return "none yet" if seen.age_s is None else f"{duration(seen.age_s)} ago"


def describe_progress(seen: RunStatus) -> str:
    """How much of a run is done, of how much."""
    figures = seen.run.progress
    return "unknown" if figures.get("total") is None else f"{figures.get('done', 0)}/{figures['total']}"


def duration(seconds: float | None) -> str:
    """Seconds for a person, in at most 9 cells below a hundred years; unknown stays unknown."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} m"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} m"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h" if days < 100 else f"{days} d"
