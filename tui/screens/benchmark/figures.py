"""The figures of benchmarks as Benchmark draws them."""

from __future__ import annotations

from collections.abc import Mapping

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from core.benchmark.answer_stream import PairKind, unanswered_outcomes
from core.benchmark.calibration import Calibration, Reliability
from core.benchmark.gate import Gate
from core.benchmark.metrics import NO_ANSWER, BenchmarkFigures, Slice
from core.benchmark.scored import ScoredAnswer
from core.benchmark.sequential_gate import GateVerdict
from core.benchmark.start import title
from core.runs.control import RunStatus
from core.runs.describe import duration
from core.runs.params import BenchmarkParams, params_of
from storage.schema import PredictionOutcome, RunState
from tui.keymap import key
from tui.text import clean, content, line
from tui.widgets.bars import bar

Parts = list[Content | str | tuple[str, str]]

ROLES = ("student", "reference")
COLOURS = {"student": "$text-accent", "reference": "$text-warning"}
# What is no answer, in the words of a person.
SILENT = {
    PredictionOutcome.REFUSED.value: "refused",
    PredictionOutcome.TRUNCATED.value: "truncated",
    PredictionOutcome.UNPARSEABLE.value: "unparseable",
    PredictionOutcome.TIMEOUT.value: "time-out",
    PredictionOutcome.ERROR.value: "error",
}
SMOKE = "A smoke test: it shows that the model answers, and says nothing of its accuracy."
_NAME = 12
# The kinds of pairs as the overview names them, at length and in short.
_FOUR = (PairKind.BOTH_RIGHT, PairKind.ONLY_REFERENCE, PairKind.ONLY_STUDENT, PairKind.BOTH_WRONG)
_FOUR_NAMES = (
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


def headline(seen: Mapping[str, RunStatus | None], gate: Gate | None, width: int) -> Content:
    """Who is held against whom, over what, and whether that is settled."""
    runs = [one.run for one in (seen["student"], seen["reference"]) if one is not None]
    names = " vs ".join(line(str(run.params.get("model")), 24) for run in runs)
    left = f"Benchmark · {names} · {_over(BenchmarkParams.model_validate(runs[0].params))}"
    right = "" if gate is None else standing(gate)
    left = line(left, max(20, width - cell_len(right) - 1))
    return Content.assemble((left, "bold"), " " * max(1, width - cell_len(left) - cell_len(right)), right)


def standing(gate: Gate) -> str:
    """The verdict in short."""
    if gate.verdict is not GateVerdict.OPEN:
        return f"settled: {gate.verdict.value}"
    return "settled: no" + ("" if gate.more_needed is None else f", about {gate.more_needed:,} more")


def _over(params: BenchmarkParams) -> str:
    return " · ".join(title(params).split(" · ")[2:])


def progress(role: str, seen: RunStatus | None, width: int, *, chosen: bool) -> Content:
    """One run in one line: how far it is, what it says so far, how fast it goes, when it will be done."""
    head = f"{'▸' if chosen else ' '}{role:<10}"
    if seen is None:
        return Content.styled(
            f"{head}no benchmark yet: {key('benchmark.start')} starts one, {key('benchmark.choose')} chooses one",
            "$text-muted",
        )
    told = seen.run.progress
    total, done = told.get("total"), told.get("done", 0)
    if total is None:
        return Content.assemble((head, "bold" if chosen else ""), f"{seen.state}: no figures yet")
    counts = f" {done:,}/{total:,} "
    tail = f" {_said(told, seen)}  {_pace(seen)}"
    room = max(6, min(40, width - len(head) - cell_len(counts) - cell_len(tail)))
    return Content.assemble(
        (head, "bold" if chosen else ""),
        (bar(done / total if total else 1.0, room), COLOURS[role]),
        counts,
        line(tail, max(10, width - len(head) - room - cell_len(counts))),
    )


def _said(told: Mapping[str, float], seen: RunStatus) -> str:
    if told.get("accuracy") is None:
        return "no answer yet"
    if seen.run.params.get("sniff"):
        return f"{told['right']} of {told['n']} right"
    return f"{percent(told['accuracy'])} % {interval(told['low'], told['high'])}"


def _pace(seen: RunStatus) -> str:
    if seen.state is not RunState.RUNNING:
        return str(seen.state)
    told = seen.run.progress
    rate = told.get("per_minute")
    pace = "rate unknown" if rate is None else f"{rate:,.0f}/min" if rate >= 10 else f"{rate:.1f}/min"
    return f"{pace}  eta {duration(told.get('eta_s'))}"


def about(seen: RunStatus | None, width: int) -> Content:
    """What the chosen run is, and what is the matter with it."""
    if seen is None:
        return Content("")
    said = f"{title(params_of(seen.run, BenchmarkParams))} · run {seen.run.id[-6:]} · "
    said += seen.run.reason if seen.run.reason.startswith(seen.state.value) else seen.state.value
    if seen.run.reason and not seen.run.reason.startswith(seen.state.value):
        said += f": {seen.run.reason}"
    if seen.run.params.get("sniff"):
        said += f" · {SMOKE}"
    way = (
        f" · {key('benchmark.pause-resume')} resumes"
        if seen.state in {RunState.FAILED, RunState.LOST, RunState.STOPPED}
        else ""
    )
    style = "$text-error" if seen.state in {RunState.FAILED, RunState.LOST} else "$text-muted"
    return Content.styled(line(said, max(20, width - len(way))) + way, style)


def paired(counts: Mapping[PairKind, int] | None, gate: Gate | None, width: int) -> Content:
    """The four kinds of pairs, and how far the reference is ahead."""
    if counts is None:
        ways = f"{key('benchmark.choose')} chooses one, {key('benchmark.start')} starts one"
        return Content.styled(f"no second run to hold it against: {ways}", "$text-muted")
    lead = gate.lead if gate else None
    gap = ""
    if lead is not None and lead.gap is not None:
        gap = f" · gap {percent(lead.gap, 0)} {interval(lead.low, lead.high, 0)}"
    said = [
        " · ".join(f"{name} {counts[kind]:,}" for name, kind in zip(names, _FOUR, strict=True)) + gap
        for names in _FOUR_NAMES
    ]
    return Content(line(next((one for one in said if cell_len(one) <= width), said[-1]), width))


def spent(found: BenchmarkFigures | None, told: Mapping[str, object], width: int) -> Content:
    """What the chosen run took: time, tokens, money; and what it has no answer to."""
    if found is None:
        return Content.styled("reading the answers …", "$text-muted")
    parts = ["time unknown"]
    if found.latency.p50 is not None and found.latency.p95 is not None:
        parts = [f"p50 {_seconds(found.latency.p50)}", f"p95 {_seconds(found.latency.p95)}"]
    # A model on this machine that counts no tokens costs no money either.
    if found.input_tokens.total:
        parts.append(f"tokens {found.input_tokens.total:,.0f} in, {found.output_tokens.total or 0:,.0f} out")
        if found.cost.total is None or found.cost.per_thousand is None:
            parts.append("cost unknown")
        else:
            of = f" of {told['budget']:.2f}" if told.get("budget") is not None else ""
            parts.append(f"cost {found.cost.total:.4f}{of}, {found.cost.per_thousand:.2f} per 1,000")
    silent = unanswered_outcomes(found.outcomes)
    named = ", ".join(f"{number:,} {SILENT.get(name, clean(name))}" for name, number in silent.items())
    style = "$text-warning" if silent else "$text-muted"
    return Content.assemble(
        line(" · ".join(parts), width), "\n", (line(f"without an answer: {named or 'none'}", width), style)
    )


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def slices(found: Mapping[str, BenchmarkFigures | None], width: int, height: int) -> Content:
    """Accuracy by level in a table of three lines, then by domain, in percent; `v` shows counts and intervals.

    What does not fit into `height` lines is said to be left out.
    """
    levels = sorted({level for one in found.values() if one for level in one.by_level})
    size = max(4, min(6, (width - 10) // max(1, len(levels))))
    parts: Parts = [("level     " + "".join(f"{level:>{size}}" for level in levels), "bold")]
    for role in ROLES:
        one = found[role]
        if one is not None:
            parts += ["\n", (f"{role:<10}", COLOURS[role])]
            parts.append("".join(f"{_short(one.by_level.get(level)):>{size}}" for level in levels))
    domains = sorted({domain for one in found.values() if one for domain in one.by_domain})
    there = [role for role in ROLES if found[role] is not None]
    parts.append((f"\n{'domain':<{_NAME}}" + "".join(f"{role:>10}" for role in there), "bold"))
    room = height - 2 - len(there)
    fitting = domains if len(domains) <= room else domains[: max(0, room - 1)]
    for domain in fitting:
        parts.append("\n" + set_cell_size(line(domain, _NAME - 1), _NAME))
        parts += [f"{_short(one.by_domain.get(domain)):>10}" for one in found.values() if one is not None]
    if len(fitting) < len(domains):
        parts.append((f"\n… {len(domains) - len(fitting)} more: {key('benchmark.levels')} shows all", "$text-muted"))
    return Content.assemble(*parts)


def small_confusion(found: BenchmarkFigures, role: str, width: int) -> Content:
    """What was decided, by label, as counts alone; `c` shows the whole."""
    columns = [*found.confusion, NO_ANSWER]
    size = max(5, min(9, (width - _NAME) // len(columns)))
    parts: Parts = [(f"confusion · {role}\n", "bold"), (f"{'label ╲ said':<{_NAME}}", "$text-muted")]
    parts += [(_right(line(name, size - 1) or line("none", size - 1), size), "bold") for name in columns]
    for name, row in found.confusion.items():
        parts.append("\n" + set_cell_size(line(name, _NAME - 1), _NAME))
        parts += [
            (_right(f"{row.get(column, 0):,}", size), "$text-success bold" if column == name else "")
            for column in columns
        ]
    return Content.assemble(*parts)


def _short(one: Slice | None) -> str:
    return "–" if one is None or one.rate is None else f"{percent(one.rate, 0)}"


def every_slice(found: Mapping[str, BenchmarkFigures | None]) -> Content:
    """Accuracy by level and by domain with counts and intervals; what differs from the rest is marked."""
    there = {role: one for role, one in found.items() if one is not None}
    parts: Parts = []
    for heading, slices_of in (("BY LEVEL", "by_level"), ("BY DOMAIN", "by_domain")):
        rows = {role: getattr(one, slices_of) for role, one in there.items()}
        names = sorted({name for row in rows.values() for name in row})
        size = 2 + max((len(_slice(one)) for row in rows.values() for one in row.values()), default=30)
        parts += [(f"{heading:<{_NAME}}", "bold $text-accent"), *((f"{role:<{size}}", "bold") for role in there), "\n"]
        for name in names:
            shown = f"level {name}" if slices_of == "by_level" else line(name, _NAME - 1)
            parts.append(set_cell_size(shown, _NAME))
            parts += ["".join(f"{_slice(row.get(name)):<{size}}" for row in rows.values()).rstrip(), "\n"]
        parts.append("\n")
    parts.append(("! differs from the rest of its run: p < 0.05, Fisher's exact test, Holm-corrected", "$text-muted"))
    return Content.assemble(*parts)


def _slice(one: Slice | None) -> str:
    if one is None or one.rate is None:
        return "–"
    return f"{one.right:,}/{one.n:,} {percent(one.rate)} % {interval(one.low, one.high)}{' !' if one.differs else ''}"


def confusion(found: BenchmarkFigures, role: str, seen: RunStatus) -> Content:
    """What was decided, by label; with precision, recall and F1 of each label."""
    names = list(found.confusion)
    columns = [*names, NO_ANSWER]
    size = max(11, *(cell_len(line(name, 16)) + 2 for name in names))
    parts: Parts = [(f"CONFUSION · {role} · {line(str(seen.run.params.get('model')), 40)}\n\n", "bold $text-accent")]
    parts.append((f"{'label ╲ decided':<17}", "$text-muted"))
    parts += [(_right(line(name, 16) or "no answer", size), "bold") for name in columns]
    for name in names:
        parts.append("\n" + set_cell_size(line(name, 16), 17))
        whole = sum(found.confusion[name].values())
        for column in columns:
            number = found.confusion[name].get(column, 0)
            style = "$text-success bold" if column == name else "$text-error" if number * 5 >= whole > 0 else ""
            parts.append((_right(f"{number:,}", size), style if number else "$text-muted"))
    parts.append((f"\n\n{'':<17}{'precision':>24}{'recall':>24}{'F1':>8}", "bold"))
    for name, one in found.by_label.items():
        parts.append("\n" + set_cell_size(line(name, 16), 17))
        for rate in (one.precision, one.recall):
            shown = "unknown" if rate.rate is None else f"{percent(rate.rate, 0)} % {interval(rate.low, rate.high, 0)}"
            parts.append(f"{shown:>24}")
        parts.append(f"{'–' if one.f1 is None else f'{one.f1:.2f}':>8}")
    means = (("balanced accuracy", found.balanced_accuracy), ("macro F1", found.macro_f1))
    told = " · ".join(f"{name} {'unknown' if value is None else f'{value:.3f}'}" for name, value in means)
    return Content.assemble(*parts, (f"\n\n{told}", "$text-muted"))


def _right(text: str, width: int) -> str:
    return " " * max(0, width - cell_len(text)) + text


def words(gate: Gate) -> Content:
    """The gate's verdict and its reasons."""
    style = "bold $text-success" if gate.verdict is GateVerdict.GOOD_ENOUGH else "bold $text-accent"
    parts: Parts = [(f"{gate.verdict.value.upper()}\n\n", style)]
    for reason in gate.reasons:
        parts += ["  ", content(reason), "\n\n"]
    return Content.assemble(*parts)


def basis(found: Calibration) -> Reliability:
    """The confidence that is stated, else the probability that the model gives its decision."""
    return found.stated if found.stated.n else found.probability


def sureness(found: Calibration, role: str, seen: RunStatus) -> Content:
    """How well confidence fits what was right, in figures."""
    one = basis(found)
    name = f"RELIABILITY · {role} · {line(str(seen.run.params.get('model')), 40)}\n"
    parts: Parts = [(name, "bold $text-accent")]
    if not one.n or one.ece is None or one.low is None or one.high is None:
        parts.append("None of its answers states a confidence, and the model gives no probabilities.")
        return Content.assemble(*parts)
    kind = "the stated confidence" if found.stated.n else "the probability of the decision"
    parts.append(f"{kind} of {one.n:,} answers" + (f", {one.missing:,} without" if one.missing else ""))
    parts.append(f" · Brier {one.brier:.3f} · ECE {one.ece:.3f} ({one.low:.3f}–{one.high:.3f})")
    if one.distinct == 1:
        parts.append((" · always the same: it tells nothing apart", "$text-warning"))
    for bin_ in one.bins:
        rate = f"{bin_.right:,}/{bin_.n:,} right, {percent(bin_.accuracy, 0)} % {interval(bin_.low, bin_.high, 0)}"
        parts.append(f"\n  says {bin_.least:.2f}–{bin_.most:.2f}, in mean {bin_.confidence:.2f}: {rate}")
    return Content.assemble(*parts)


def mark(one: ScoredAnswer) -> tuple[str, str]:
    """Whether an answer is right, wrong or none: a sign and its style."""
    if one.decision is None:
        return "·", "warning"
    return ("✓", "accepted") if one.correct else ("✗", "rejected")


def decided(one: ScoredAnswer) -> str:
    """What an answer decides and how sure it says it is, or why there is none."""
    if one.decision is None:
        return SILENT.get(one.outcome.value, one.outcome.value)
    return clean(one.decision, limit=200) + ("" if one.confidence is None else f" {one.confidence:.2f}")
