"""The figures of benchmarks as text for the screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from core.benchmark.answer_stream import PairKind, unanswered_outcomes
from core.benchmark.calibration import Calibration, Reliability
from core.benchmark.gate import Gate
from core.benchmark.metrics import NO_ANSWER, BenchmarkFigures, Slice
from core.benchmark.scored import ScoredAnswer
from core.benchmark.sequential_gate import GateVerdict
from core.benchmark.start import benchmark_title
from core.runs.control import RunStatus
from core.runs.describe import format_duration
from core.runs.params import BenchmarkParams, params_of
from core.runs.progress import BenchmarkProgress, progress_of
from storage.predictions import StoredQuestion
from storage.schema import Prediction, PredictionOutcome, RunState
from tui.keymap import key
from tui.text import clean, content, line
from tui.widgets.bars import bar

Parts = list[Content | str | tuple[str, str]]

ROLES = ("student", "reference")
COLOURS = {"student": "$text-accent", "reference": "$text-warning"}
# The outcomes that are no answer, as a person calls them.
OUTCOME_NAMES = {
    PredictionOutcome.REFUSED.value: "refused",
    PredictionOutcome.TRUNCATED.value: "truncated",
    PredictionOutcome.UNPARSEABLE.value: "unparseable",
    PredictionOutcome.TIMEOUT.value: "time-out",
    PredictionOutcome.ERROR.value: "error",
}
SMOKE_TEST = "A smoke test: it shows that the model answers, and says nothing of its accuracy."
_NAME_WIDTH = 12
# The kinds of pairs as the overview names them: the first names that fit.
_PAIR_KINDS = (PairKind.BOTH_RIGHT, PairKind.ONLY_REFERENCE, PairKind.ONLY_STUDENT, PairKind.BOTH_WRONG)
_PAIR_NAMES = (
    ("both right", "only reference right", "only student right", "both wrong"),
    ("both right", "only reference", "only student", "both wrong"),
    ("both", "only reference", "only student", "neither"),
    ("both", "reference", "student", "neither"),
)


def percent(fraction: float, digits: int = 1) -> str:
    """A fraction in percent, with a true minus."""
    return f"{100 * fraction:.{digits}f}".replace("-", "−")


def interval(low: float, high: float, digits: int = 1) -> str:
    """An interval of fractions: '(35.4–48.2)'."""
    return f"({percent(low, digits)}{' to ' if low < 0 else '–'}{percent(high, digits)})"


def headline(statuses: Mapping[str, RunStatus | None], gate: Gate | None, width: int) -> Content:
    """Which models are compared, on which examples, and whether the gate is settled."""
    runs = [status.run for status in (statuses["student"], statuses["reference"]) if status is not None]
    names = " vs ".join(line(params_of(run, BenchmarkParams).model, 24) for run in runs)
    left = f"Benchmark · {names} · {_examples_title(params_of(runs[0], BenchmarkParams))}"
    right = "" if gate is None else gate_progress(gate)
    left = line(left, max(20, width - cell_len(right) - 1))
    return Content.assemble((left, "bold"), " " * max(1, width - cell_len(left) - cell_len(right)), right)


def gate_progress(gate: Gate) -> str:
    """The verdict, or how many more answers it needs, in a few words."""
    if gate.verdict is not GateVerdict.OPEN:
        return f"settled: {gate.verdict.value}"
    return "settled: no" + ("" if gate.more_needed is None else f", about {gate.more_needed:,} more")


def _examples_title(params: BenchmarkParams) -> str:
    return " · ".join(benchmark_title(params).split(" · ")[2:])


def progress_line(role: str, status: RunStatus | None, width: int, *, chosen: bool) -> Content:
    """One run in one line: its progress, its accuracy so far, its pace, and when it will be done."""
    head = f"{'▸' if chosen else ' '}{role:<10}"
    if status is None:
        return Content.styled(
            f"{head}no benchmark yet: {key('benchmark.start')} starts one, {key('benchmark.choose')} chooses one",
            "$text-muted",
        )
    progress = progress_of(status.run, BenchmarkProgress)
    total, done = progress.total, progress.done
    if total is None:
        return Content.assemble((head, "bold" if chosen else ""), f"{status.state}: no figures yet")
    counts = f" {done:,}/{total:,} "
    tail = f" {_format_accuracy(progress, status)}  {_format_pace(status)}"
    bar_width = max(6, min(40, width - len(head) - cell_len(counts) - cell_len(tail)))
    return Content.assemble(
        (head, "bold" if chosen else ""),
        (bar(done / total if total else 1.0, bar_width), COLOURS[role]),
        counts,
        line(tail, max(10, width - len(head) - bar_width - cell_len(counts))),
    )


def _format_accuracy(progress: BenchmarkProgress, status: RunStatus) -> str:
    if progress.accuracy is None or progress.low is None or progress.high is None:
        return "no answer yet"
    if params_of(status.run, BenchmarkParams).sniff:
        return f"{progress.right} of {progress.n} right"
    return f"{percent(progress.accuracy)} % {interval(progress.low, progress.high)}"


def _format_pace(status: RunStatus) -> str:
    if status.state is not RunState.RUNNING:
        return str(status.state)
    progress = progress_of(status.run, BenchmarkProgress)
    rate = progress.per_minute
    pace = "rate unknown" if rate is None else f"{rate:,.0f}/min" if rate >= 10 else f"{rate:.1f}/min"
    return f"{pace}  eta {format_duration(progress.eta_s)}"


def run_line(status: RunStatus | None, width: int) -> Content:
    """What the chosen run asks, its state, and why it failed, if it did; empty without a run."""
    if status is None:
        return Content("")
    text = f"{benchmark_title(params_of(status.run, BenchmarkParams))} · run {status.run.id[-6:]} · "
    text += status.run.reason if status.run.reason.startswith(status.state.value) else status.state.value
    if status.run.reason and not status.run.reason.startswith(status.state.value):
        text += f": {status.run.reason}"
    if params_of(status.run, BenchmarkParams).sniff:
        text += f" · {SMOKE_TEST}"
    hint = (
        f" · {key('benchmark.pause-resume')} resumes"
        if status.state in {RunState.FAILED, RunState.LOST, RunState.STOPPED}
        else ""
    )
    style = "$text-error" if status.state in {RunState.FAILED, RunState.LOST} else "$text-muted"
    return Content.styled(line(text, max(20, width - len(hint))) + hint, style)


def pair_counts(counts: Mapping[PairKind, int] | None, gate: Gate | None, width: int) -> Content:
    """The counts of the four kinds of pairs, and how far the reference is ahead; without `counts`, how to get them."""
    if counts is None:
        hint = f"{key('benchmark.choose')} chooses one, {key('benchmark.start')} starts one"
        return Content.styled(f"no second run to hold it against: {hint}", "$text-muted")
    lead = gate.lead if gate else None
    gap = ""
    if lead is not None and lead.gap is not None:
        gap = f" · gap {percent(lead.gap, 0)} {interval(lead.low, lead.high, 0)}"
    texts = [
        " · ".join(f"{name} {counts[kind]:,}" for name, kind in zip(names, _PAIR_KINDS, strict=True)) + gap
        for names in _PAIR_NAMES
    ]
    return Content(line(next((text for text in texts if cell_len(text) <= width), texts[-1]), width))


def usage(figures: BenchmarkFigures | None, budget: float | None, width: int) -> Content:
    """Two lines on the chosen run: its time, tokens and money; and how many examples have no answer, and why."""
    if figures is None:
        return Content.styled("reading the answers …", "$text-muted")
    parts = ["time unknown"]
    if figures.latency.p50 is not None and figures.latency.p95 is not None:
        parts = [f"p50 {_format_seconds(figures.latency.p50)}", f"p95 {_format_seconds(figures.latency.p95)}"]
    # A model on this machine that counts no tokens costs no money either.
    if figures.input_tokens.total:
        parts.append(f"tokens {figures.input_tokens.total:,.0f} in, {figures.output_tokens.total or 0:,.0f} out")
        if figures.cost.total is None or figures.cost.per_thousand is None:
            parts.append("cost unknown")
        else:
            limit = "" if budget is None else f" of {budget:.2f}"
            parts.append(f"cost {figures.cost.total:.4f}{limit}, {figures.cost.per_thousand:.2f} per 1,000")
    unanswered = unanswered_outcomes(figures.outcomes)
    counts = ", ".join(f"{count:,} {OUTCOME_NAMES.get(name, clean(name))}" for name, count in unanswered.items())
    style = "$text-warning" if unanswered else "$text-muted"
    return Content.assemble(
        line(" · ".join(parts), width), "\n", (line(f"without an answer: {counts or 'none'}", width), style)
    )


def _format_seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def slice_table(figures: Mapping[str, BenchmarkFigures | None], width: int, height: int) -> Content:
    """Accuracy by level in a table of three lines, then by domain, in percent; `v` shows counts and intervals.

    Names how many domains do not fit into `height` lines.
    """
    by_role = _figures_by_role(figures)
    levels, domains = _levels(by_role), _domains(by_role)
    size = max(4, min(6, (width - 10) // max(1, len(levels))))
    parts: Parts = [("level     " + "".join(f"{level:>{size}}" for level in levels), "bold")]
    for role, run in by_role.items():
        parts += ["\n", (f"{role:<10}", COLOURS[role])]
        parts.append("".join(f"{_format_rate(run.by_level.get(level)):>{size}}" for level in levels))
    parts.append((f"\n{'domain':<{_NAME_WIDTH}}" + "".join(f"{role:>10}" for role in by_role), "bold"))
    room = height - 2 - len(by_role)
    fitting = domains if len(domains) <= room else domains[: max(0, room - 1)]
    for domain in fitting:
        parts.append("\n" + set_cell_size(line(domain, _NAME_WIDTH - 1), _NAME_WIDTH))
        parts += [f"{_format_rate(run.by_domain.get(domain)):>10}" for run in by_role.values()]
    if len(fitting) < len(domains):
        parts.append((f"\n… {len(domains) - len(fitting)} more: {key('benchmark.levels')} shows all", "$text-muted"))
    return Content.assemble(*parts)


def _figures_by_role(figures: Mapping[str, BenchmarkFigures | None]) -> dict[str, BenchmarkFigures]:
    return {role: run for role in ROLES if (run := figures[role]) is not None}


def _levels(by_role: Mapping[str, BenchmarkFigures]) -> list[int]:
    return sorted({level for run in by_role.values() for level in run.by_level})


def _domains(by_role: Mapping[str, BenchmarkFigures]) -> list[str]:
    return sorted({domain for run in by_role.values() for domain in run.by_domain})


def confusion_counts(figures: BenchmarkFigures, role: str, width: int) -> Content:
    """The confusion matrix as counts alone; `c` shows the whole."""
    columns = [*figures.confusion, NO_ANSWER]
    size = max(5, min(9, (width - _NAME_WIDTH) // len(columns)))
    parts: Parts = [(f"confusion · {role}\n", "bold"), (f"{'label ╲ said':<{_NAME_WIDTH}}", "$text-muted")]
    parts += [(_align_right(line(name, size - 1) or line("none", size - 1), size), "bold") for name in columns]
    for name, row in figures.confusion.items():
        parts.append("\n" + set_cell_size(line(name, _NAME_WIDTH - 1), _NAME_WIDTH))
        parts += [
            (_align_right(f"{row.get(column, 0):,}", size), "$text-success bold" if column == name else "")
            for column in columns
        ]
    return Content.assemble(*parts)


def _format_rate(slice_: Slice | None) -> str:
    return "–" if slice_ is None or slice_.rate is None else f"{percent(slice_.rate, 0)}"


def slice_details(figures: Mapping[str, BenchmarkFigures | None]) -> Content:
    """Accuracy by level and by domain with counts and intervals; marks what differs from the rest."""
    by_role = _figures_by_role(figures)
    runs = by_role.values()
    levels = {f"level {level}": [run.by_level.get(level) for run in runs] for level in _levels(by_role)}
    domains = {domain: [run.by_domain.get(domain) for run in runs] for domain in _domains(by_role)}
    note = "! differs from the rest of its run: p < 0.05, Fisher's exact test, Holm-corrected"
    return Content.assemble(
        *_slice_section("BY LEVEL", levels, by_role),
        *_slice_section("BY DOMAIN", domains, by_role),
        (note, "$text-muted"),
    )


def _slice_section(heading: str, rows: Mapping[str, Sequence[Slice | None]], roles: Iterable[str]) -> Parts:
    """A table with a column for each of `roles`; `rows` hold the slices of one level or domain."""
    size = 2 + max((len(_format_slice(slice_)) for row in rows.values() for slice_ in row), default=30)
    parts: Parts = [(f"{heading:<{_NAME_WIDTH}}", "bold $text-accent")]
    parts += [*((f"{role:<{size}}", "bold") for role in roles), "\n"]
    for name, row in rows.items():
        parts.append(set_cell_size(line(name, _NAME_WIDTH - 1), _NAME_WIDTH))
        parts += ["".join(f"{_format_slice(slice_):<{size}}" for slice_ in row).rstrip(), "\n"]
    return [*parts, "\n"]


def _format_slice(slice_: Slice | None) -> str:
    if slice_ is None or slice_.rate is None:
        return "–"
    counts = f"{slice_.right:,}/{slice_.n:,}"
    return f"{counts} {percent(slice_.rate)} % {interval(slice_.low, slice_.high)}{' !' if slice_.differs else ''}"


def confusion_matrix(figures: BenchmarkFigures, role: str, status: RunStatus) -> Content:
    """The counts of decisions by label; with precision, recall and F1 of each label."""
    labels = list(figures.confusion)
    columns = [*labels, NO_ANSWER]
    size = max(11, *(cell_len(line(label, 16)) + 2 for label in labels))
    parts: Parts = [
        (f"CONFUSION · {role} · {line(params_of(status.run, BenchmarkParams).model, 40)}\n\n", "bold $text-accent")
    ]
    parts.append((f"{'label ╲ decided':<17}", "$text-muted"))
    parts += [(_align_right(line(column, 16) or "no answer", size), "bold") for column in columns]
    for label in labels:
        parts.append("\n" + set_cell_size(line(label, 16), 17))
        row_total = sum(figures.confusion[label].values())
        for column in columns:
            count = figures.confusion[label].get(column, 0)
            style = "$text-success bold" if column == label else "$text-error" if count * 5 >= row_total > 0 else ""
            parts.append((_align_right(f"{count:,}", size), style if count else "$text-muted"))
    parts.append((f"\n\n{'':<17}{'precision':>24}{'recall':>24}{'F1':>8}", "bold"))
    for label, scores in figures.by_label.items():
        parts.append("\n" + set_cell_size(line(label, 16), 17))
        for rate in (scores.precision, scores.recall):
            text = "unknown" if rate.rate is None else f"{percent(rate.rate, 0)} % {interval(rate.low, rate.high, 0)}"
            parts.append(f"{text:>24}")
        parts.append(f"{'–' if scores.f1 is None else f'{scores.f1:.2f}':>8}")
    means = (("balanced accuracy", figures.balanced_accuracy), ("macro F1", figures.macro_f1))
    summary = " · ".join(f"{name} {'unknown' if mean is None else f'{mean:.3f}'}" for name, mean in means)
    return Content.assemble(*parts, (f"\n\n{summary}", "$text-muted"))


def _align_right(text: str, width: int) -> str:
    return " " * max(0, width - cell_len(text)) + text


def gate_reasons(gate: Gate) -> Content:
    """The gate's verdict and its reasons."""
    style = "bold $text-success" if gate.verdict is GateVerdict.GOOD_ENOUGH else "bold $text-accent"
    parts: Parts = [(f"{gate.verdict.value.upper()}\n\n", style)]
    for reason in gate.reasons:
        parts += ["  ", content(reason), "\n\n"]
    return Content.assemble(*parts)


def preferred_reliability(calibration: Calibration) -> Reliability:
    """The reliability of the stated confidence; if none is stated, of the probability that the model decided by."""
    return calibration.stated if calibration.stated.n else calibration.probability


def reliability_summary(calibration: Calibration, role: str, status: RunStatus) -> Content:
    """How well the confidence fits the accuracy, in figures."""
    reliability = preferred_reliability(calibration)
    name = f"RELIABILITY · {role} · {line(params_of(status.run, BenchmarkParams).model, 40)}\n"
    parts: Parts = [(name, "bold $text-accent")]
    if not reliability.n or reliability.ece is None or reliability.low is None or reliability.high is None:
        parts.append("None of its answers states a confidence, and the model gives no probabilities.")
        return Content.assemble(*parts)
    kind = "the stated confidence" if calibration.stated.n else "the probability of the decision"
    missing = f", {reliability.missing:,} without" if reliability.missing else ""
    parts.append(f"{kind} of {reliability.n:,} answers{missing}")
    ece = f"ECE {reliability.ece:.3f} ({reliability.low:.3f}–{reliability.high:.3f})"
    parts.append(f" · Brier {reliability.brier:.3f} · {ece}")
    if reliability.distinct == 1:
        parts.append((" · always the same: it tells nothing apart", "$text-warning"))
    for bin_ in reliability.bins:
        rate = f"{bin_.right:,}/{bin_.n:,} right, {percent(bin_.accuracy, 0)} % {interval(bin_.low, bin_.high, 0)}"
        parts.append(f"\n  says {bin_.least:.2f}–{bin_.most:.2f}, in mean {bin_.confidence:.2f}: {rate}")
    return Content.assemble(*parts)


def newest_answer(prediction: Prediction, question: StoredQuestion, width: int) -> Content:
    """A prediction in one line: right or wrong, what it decides, and what it was asked."""
    asked = question.question
    right = prediction.decision == asked.label
    if prediction.decision is None:
        mark, style, decision = "·", "$text-warning", OUTCOME_NAMES.get(prediction.outcome.value, "")
    else:
        mark, style = ("✓", "$text-success") if right else ("✗", "$text-error")
        decision = clean(prediction.decision, limit=60)
    confidence = "" if prediction.confidence is None else f" {prediction.confidence:.2f}"
    correction = "" if right else f", is {asked.label}"
    cell = line(f"{asked.domain} {asked.level}", 14)
    head = f"{line(decision + confidence + correction, 34):<34} {cell:<14} "
    return Content.assemble((f"{mark} ", style), head, line(question.hypothesis, max(10, width - len(head) - 5)))


def answer_mark(answer: ScoredAnswer) -> tuple[str, str]:
    """The sign of an answer that is right, wrong or none, and the style of that sign in a list."""
    if answer.decision is None:
        return "·", "warning"
    return ("✓", "accepted") if answer.correct else ("✗", "rejected")


def format_decision(answer: ScoredAnswer) -> str:
    """What an answer decides and how sure it says it is, or why there is none."""
    if answer.decision is None:
        return OUTCOME_NAMES.get(answer.outcome.value, answer.outcome.value)
    return clean(answer.decision, limit=200) + ("" if answer.confidence is None else f" {answer.confidence:.2f}")
