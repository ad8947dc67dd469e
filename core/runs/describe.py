"""A run in words, as both the app and the command line show it."""

from __future__ import annotations

from core.runs.control import RunStatus
from core.runs.params import CurveParams, FillParams, GenerateParams, RepairParams, parse_params
from core.runs.progress import (
    BenchmarkProgress,
    CurveProgress,
    FillProgress,
    GenerateProgress,
    RepairProgress,
    RunProgress,
)
from core.runs.readable import problem_of, progress_or_none


def describe_request(status: RunStatus) -> str:
    """What was asked of a run."""
    if problem_of(status.run):
        return ""
    params = parse_params(status.run)
    if isinstance(params, RepairParams | FillParams):
        return f"source {params.source} · judge {params.judge} · examples {len(params.examples)}"
    if isinstance(params, CurveParams):
        sizes = ", ".join(f"{size:,}" for size in params.sizes)
        recipes = ", ".join(params.recipes) or "bag-of-words alone"
        return f"recipes {recipes} · examples {sizes} · seeds {len(params.seeds)}"
    if not isinstance(params, GenerateParams):
        return ""
    named = {"source": params.source, "judge": params.judge, "n": params.n, "seed": params.seed, "hint": params.hint}
    parts = [f"{name} {value}" for name, value in named.items() if value]
    cells: list[list[str]] = [params.domains, [str(level) for level in params.levels], params.decisions]
    return " · ".join([*parts, *(", ".join(names) for names in cells if names)])


def describe_fill(progress: FillProgress) -> str:
    """What became of the examples whose steps a run fills, in a few words."""
    skipped = f" · {progress.skipped} skipped" if progress.skipped else ""
    return f"{progress.written} written · {progress.refused} refused{skipped}"


def describe_heartbeat(status: RunStatus) -> str:
    """How long ago the run last gave a sign of life."""
    return "none yet" if status.age_s is None else f"{format_duration(status.age_s)} ago"


def describe_progress(status: RunStatus) -> str:
    """How much of a run is done, of how much."""
    progress = progress_or_none(status.run)
    return "unknown" if progress.total is None else f"{progress.done}/{progress.total}"


def describe_cells(progress: CurveProgress) -> str:
    """Where a learning curve is: the cell at work, how long its recipe still takes, what the last cell got right."""
    parts = []
    if progress.cell and progress.total is not None:
        steps = f", step {progress.step} of {progress.steps}" if progress.steps else ""
        parts.append(f"cell {min(progress.done + 1, progress.total)} of {progress.total}: {progress.cell}{steps}")
    if progress.eta_s is not None:
        parts.append(f"eta {format_duration(progress.eta_s)}")
    if progress.n:
        parts.append(f"last {100 * progress.right / progress.n:.1f} % ({progress.right}/{progress.n}), {progress.last}")
    return " · ".join(parts)


def cost_of(progress: RunProgress) -> tuple[float | None, float | None]:
    """What a run has cost, and what it may cost; None where that is not known or not limited."""
    if isinstance(progress, GenerateProgress | RepairProgress | FillProgress | BenchmarkProgress):
        return progress.cost, progress.budget
    return None, None


def format_duration(seconds: float | None) -> str:
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
