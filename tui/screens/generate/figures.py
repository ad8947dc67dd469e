"""The texts of Generate: the question before a run, the run as it goes, and its newest attempts."""

from __future__ import annotations

from textual.content import Content

from core.generation.start import GenerationPlan
from core.runs.control import RunStatus
from core.runs.describe import duration
from storage.attempts import JudgedAttempt
from storage.schema import RunState
from tui.text import content, line
from tui.widgets.bars import bar
from tui.widgets.reasons import REASON_WIDTH, reason_in_words

# What is worth a word only if it has happened.
_RARE = (("given_up", "given up"), ("unjudged", "unjudged"))
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
    figures = status.run.progress
    head = f"{status.run.id[-6:]} {status.state}"
    if status.run.reason:
        head += f": {line(status.run.reason, max(20, width - len(head) - 2))}"
    if figures.get("total") is None:
        return Content(f"{head} · no figures yet")
    share = figures["done"] / figures["total"] if figures["total"] else 1.0
    rate = figures.get("per_minute")
    counts = [
        f"{figures['attempts']} attempts",
        f"{figures['accepted']} passed QA",
        f"{figures['rejected']} rejected",
        f"{figures['in_flight']} in flight",
    ]
    counts += [f"{figures[name]} {label}" for name, label in _RARE if figures.get(name)]
    rows = [
        Content.styled(head, "bold"),
        Content.assemble(
            (bar(share, max(10, min(50, width - 16))), "$text-success"), f" {figures['done']}/{figures['total']}"
        ),
        Content(" · ".join(counts)),
    ]
    parts = []
    if status.state is RunState.RUNNING:
        basis = f" (by {figures['eta_basis']})" if figures.get("eta_basis") else ""
        parts.append("rate unknown" if rate is None else f"{rate:.0f} done/min")
        parts.append(f"eta {duration(figures.get('eta_s'))}{basis}")
    if figures.get("cost"):
        budget = f" of {figures['budget']:.2f}" if figures.get("budget") is not None else ""
        per_example = figures.get("cost_per_accepted")
        parts.append(
            f"cost {figures['cost']:.4f}{budget}" + ("" if per_example is None else f", {per_example:.4f} per accepted")
        )
    if parts:
        rows.append(Content(" · ".join(parts)))
    if figures.get("reasons"):
        reasons = ", ".join(f"{reason_in_words(name)} {count}" for name, count in figures["reasons"].items())
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
