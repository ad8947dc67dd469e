"""The texts of Generate: the question before a run, the run as it goes, and its newest attempts."""

from __future__ import annotations

from textual.content import Content

from core.generation.start import GenerationPlan
from core.runs.control import RunStatus
from core.runs.describe import format_duration
from core.runs.progress import GenerateProgress, progress_of
from core.runs.readable import problem_of
from storage.attempts import JudgedAttempt
from storage.schema import RunState
from tui.text import content, line
from tui.widgets.bars import bar
from tui.widgets.reasons import REASON_WIDTH, reason_in_words

_RESULTS = {"passed": ("✓", "$text-success"), "rejected": ("✗", "$text-error"), "failed": ("?", "$text-warning")}


def start_question(plan: GenerationPlan) -> str:
    """The question whether to start: how many examples, in how many cells, by which models, at what cost."""
    examples, cells, params = plan.examples, len(plan.cells), plan.params
    amount = f"{examples:,} example{'s' if examples != 1 else ''} in {cells:,} cell{'s' if cells != 1 else ''}"
    cost = "The cost is not known beforehand." if plan.cost is None else "It costs nothing."
    if plan.cost:
        cost = f"It costs about {plan.cost:.2f}, as in the last such run."
    budget = "" if params.budget is None else f" It ends when {params.budget} is spent."
    return f"Generate {amount}? {params.source} writes, {params.judge} judges. {cost}{budget}"


def run_panel(status: RunStatus, width: int) -> Content:
    """A generating run in a few lines."""
    if problem := problem_of(status.run):
        return Content.styled(line(problem, width), "$text-error")
    progress = progress_of(status.run, GenerateProgress)
    head = f"{status.run.id[-6:]} {status.state}"
    if status.run.reason:
        head += f": {line(status.run.reason, max(20, width - len(head) - 2))}"
    if progress.total is None:
        return Content(f"{head} · no figures yet")
    share = progress.done / progress.total if progress.total else 1.0
    rate = progress.per_minute
    counts = [
        f"{progress.attempts} attempts",
        f"{progress.accepted} passed QA",
        f"{progress.rejected} rejected",
        f"{progress.in_flight} in flight",
    ]
    # These are worth a word only if they have happened.
    rare = ((progress.given_up, "given up"), (progress.unjudged, "unjudged"))
    counts += [f"{count} {label}" for count, label in rare if count]
    rows = [
        Content.styled(head, "bold"),
        Content.assemble(
            (bar(share, max(10, min(50, width - 16))), "$text-success"), f" {progress.done}/{progress.total}"
        ),
        Content(" · ".join(counts)),
    ]
    parts = []
    if status.state is RunState.RUNNING:
        basis = f" (by {progress.eta_basis})" if progress.eta_basis else ""
        parts.append("rate unknown" if rate is None else f"{rate:.0f} done/min")
        parts.append(f"eta {format_duration(progress.eta_s)}{basis}")
    if progress.cost:
        budget = f" of {progress.budget:.2f}" if progress.budget is not None else ""
        per_example = progress.cost_per_accepted
        parts.append(
            f"cost {progress.cost:.4f}{budget}" + ("" if per_example is None else f", {per_example:.4f} per accepted")
        )
    if parts:
        rows.append(Content(" · ".join(parts)))
    if progress.reasons:
        reasons = ", ".join(f"{reason_in_words(name)} {count}" for name, count in progress.reasons.items())
        rows.append(Content.styled("rejected: " + line(reasons, width - 10), "$text-muted"))
    return Content("\n").join(rows)


def attempt_line(judged: JudgedAttempt, width: int) -> Content:
    """An attempt with its newest verdict in one line of `width` cells."""
    attempt = judged.attempt
    verdict = judged.verdicts[-1] if judged.verdicts else None
    mark, style = _RESULTS[verdict.result.value] if verdict else ("…", "$text-muted")
    reason = ""
    if attempt.candidate is None:
        mark, style, reason = "✗", "$text-error", reason_in_words(attempt.outcome.value)
    elif verdict is not None and verdict.reason:
        reason = reason_in_words(verdict.reason)
    head = f"{line(f'{attempt.domain} {attempt.level} {attempt.decision}', 28):<28} "
    if reason:
        head += f"{line(reason, REASON_WIDTH):<{REASON_WIDTH}} "
    text = attempt.candidate.hypothesis if attempt.candidate else attempt.detail
    return Content.assemble((f"{mark} ", style), head, content(line(text, max(10, width - len(head) - 2))))
