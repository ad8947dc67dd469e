"""The figures of a training run as Training draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from textual.content import Content

from core.runs.control import Seen
from core.runs.figures import duration
from core.training.recipe import Algorithm
from core.training.watch import Phase, Watched, change
from storage.schema import RunState
from storage.training import Note, Step
from tui.text import clean, line
from tui.widgets.bars import sparkline

# What stands before a sparkline, and the fewest cells that one has.
_NAME, _SHORTEST = 14, 8
# The figures of a step, in the order of what matters, as they are named here and for a person.
_OF_RL = (
    ("reward", "reward"),
    ("right", "right"),
    ("kl", "kl"),
    ("entropy", "entropy"),
    ("clipped", "clipped"),
    ("no_signal", "no signal"),
    ("length", "length"),
    ("cut", "cut off"),
    ("confidence_sd", "confidence sd"),
    ("value_loss", "critic's loss"),
    ("loss", "loss"),
    ("grad_norm", "gradient"),
)
_OF_SFT = (("loss", "loss"), ("grad_norm", "gradient"), ("learning_rate", "rate"))
# Figures that are shares.
_SHARES = {"right", "clipped", "no_signal", "cut"}
# What two runs are held against each other by.
_COMPARED = ("reward", "right", "loss", "kl", "entropy", "length", "confidence_sd")


def number(name: str, value: float | None) -> str:
    """A figure in a few cells; one that is not known says so."""
    if value is None:
        return "unknown"
    if name in _SHARES:
        return f"{100 * value:.0f} %"
    if name == "length":
        return f"{value:.0f} tokens"
    if name == "learning_rate":
        return f"{value:.1e}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def headline(found: Watched, seen: Seen, width: int) -> Content:
    """Which recipe is trained, how far it is, and when it will be done."""
    phase = found.current
    place = [one.name for one in found.phases].index(phase.name) + 1
    of = f" · phase {place} of {len(found.phases)}: {line(phase.name, 20)}" if len(found.phases) > 1 else ""
    recipe = line(str(found.run.params.get("name", "")), 20)
    left = f"{recipe} · {phase.recipe.algorithm.value.upper()}{of} · step {phase.at:,}/{phase.recipe.steps:,}"
    going = seen.state is RunState.RUNNING
    right = f"eta {duration(found.run.progress.get('eta_s'))}" if going else str(seen.state)
    left = line(left, max(20, width - cell_len(right) - 1))
    return Content.assemble((left, "bold"), " " * max(1, width - cell_len(left) - cell_len(right)), right)


def standing(found: Watched, seen: Seen, width: int) -> Content:
    """The run, its student, its pace and memory; or why it ended."""
    phase = found.current
    parts = [f"run {found.run.id[-6:]}", line(str(found.run.params.get("student", "")), 24)]
    if seen.state is not RunState.RUNNING and found.run.reason:
        parts.append(found.run.reason)
    for name, form in (
        ("seconds", "{:.1f} s a step"),
        ("tokens_per_s", "{:,.0f} tokens/s"),
        ("memory_mb", "{:,.0f} MB"),
    ):
        value = phase.now(name)
        parts += [] if value is None else [form.format(value)]
    return Content(line(" · ".join(parts), width))


def sparks(phase: Phase, width: int, rows: int) -> Content:
    """Each figure of the steps so far: its name, how it went, where it is; in at most `rows` lines."""
    if not phase.steps:
        return Content.styled("no step yet: the student is opened, and looks at the dev split first", "$text-muted")
    names = list(_OF_SFT if phase.recipe.algorithm is Algorithm.SFT else _OF_RL)
    parts = [(f"reward/{name}", f"  {name}") for name in phase.parts("reward/")]
    if phase.recipe.algorithm is not Algorithm.SFT:
        names[1:1] = parts
    known = [(name, label) for name, label in names if any(one is not None for one in phase.series(name))]
    tails = {name: number(name, phase.now(name)) for name, _ in known}
    room = max(_SHORTEST, width - _NAME - max(map(len, tails.values()), default=0) - 2)
    lines = [
        Content.assemble(
            f"{line(label, _NAME):<{_NAME}}",
            (f"{sparkline(phase.series(name), room):<{room}}", "$text-accent"),
            f" {tails[name]}",
        )
        for name, label in known
    ]
    return Content("\n").join(lines[: max(1, rows)])


def dev(looks: Sequence[Step], width: int) -> Content:
    """The dev split: accuracy and ECE before training and now, with the interval, and how many answers are none."""
    if not looks:
        return Content.styled("dev accuracy  no look yet", "$text-muted")
    newest = looks[-1].figures
    before, now = change(looks, "accuracy")
    first = "" if before is None or len(looks) == 1 else f"{100 * before:.0f} → "
    rate = "unknown" if now is None else f"{100 * now:.0f} % ({100 * newest['low']:.0f}–{100 * newest['high']:.0f})"
    ece_before, ece = change(looks, "ece")
    errors = "ece unknown" if ece is None else f"ece {ece:.2f}"
    if ece is not None and ece_before is not None and len(looks) > 1:
        errors = f"ece {ece_before:.2f} → {ece:.2f}"
    parts = [
        f"dev accuracy {first}{rate}, {newest['right']}/{newest['n']}",
        errors,
        f"no answer {100 * newest['unread']:.0f} %",
        f"at step {looks[-1].step:,}",
    ]
    return Content.styled(line(" · ".join(parts), width), "bold")


def mix(phase: Phase, width: int) -> Content:
    """What the student decided in the newest step, and which levels it was given: as meant, and as drawn."""
    decided, meant, drawn = phase.parts("decided/"), phase.parts("mix/"), phase.parts("level/")
    parts = []
    if decided:
        parts.append("decisions " + " ".join(f"{line(label, 12)} {100 * one:.0f}" for label, one in decided.items()))
    if meant:
        parts.append(f"levels {_levels(meant)}")
    said = " · ".join(parts)
    more = f" (drawn {_levels(drawn)})" if drawn else ""
    return Content(line(said + more if cell_len(said + more) <= width else said, width))


def _levels(shares: Mapping[str, float]) -> str:
    return " ".join(f"{level}:{100 * share:.0f}" for level, share in sorted(shares.items()))


def alarms(found: Watched) -> Content:
    """What goes wrong, in words; and the newest note."""
    lines = [Content.styled(f"! {clean(one, limit=300)}", "$text-warning") for one in found.alarms]
    if found.notes:
        lines.append(Content.styled(noted(found.notes[-1]), "$text-muted"))
    return Content("\n").join(lines)


def noted(note: Note) -> str:
    """A note, with the step that it is pinned to."""
    return f"noted at {clean(note.phase, limit=20)} step {note.step:,}: {clean(note.note, limit=200)}"


def answer(one: Mapping[str, object], width: int) -> Content:
    """An answer in a line: what it earned, what was decided, whether that is right, and its words."""
    decision, label = one.get("decision"), one.get("label")
    right = decision == label
    sign, style = (
        ("·", "$text-warning") if decision is None else ("✓", "$text-success") if right else ("✗", "$text-error")
    )
    confidence = one.get("confidence")
    sure = f" {confidence:.2f}" if isinstance(confidence, float) else ""
    said = "no decision" if decision is None else f"{decision}{sure}"
    head = f"{_reward(one.get('reward')):>6} "
    about = f"{line(said + ('' if right else f', is {label}'), 34):<34} "
    return Content.assemble(
        head, (f"{sign} ", style), about, line(str(one.get("text", "")), max(10, width - len(head) - len(about) - 2))
    )


def _reward(value: object) -> str:
    return f"{value:+.2f}" if isinstance(value, (int, float)) else ""


def whole(one: Mapping[str, object]) -> Content:
    """An answer with all that is known of it, to be read."""
    parts = one.get("parts")
    earned = " · ".join(f"{name} {value:+.2f}" for name, value in parts.items()) if isinstance(parts, Mapping) else ""
    decision = one.get("decision") or "no decision"
    sure = one.get("confidence")
    head = f"decided {decision}" + (f", {sure:.2f} sure" if isinstance(sure, float) else "")
    head += f" · the label is {one.get('label')} · level {one.get('level')}"
    whole_ = "" if one.get("whole") else "\ncut off before its end"
    return Content.assemble(
        (clean(head, limit=300), "bold"),
        "\n",
        (clean(f"reward {_reward(one.get('reward'))}: {earned}{whole_}", limit=400), "$text-muted"),
        "\n\n",
        clean(str(one.get("text", "")), limit=20_000),
    )


def beside(first: Watched, second: Watched, width: int) -> Content:
    """Two runs, figure by figure: how each went, and where it began and is."""
    half = max(_SHORTEST, (width - _NAME - 4) // 2)
    rows = [
        Content.assemble(" " * _NAME, (f"{_title(first, half):<{half}}", "bold"), "  ", (_title(second, half), "bold"))
    ]
    for name in _COMPARED:
        label = dict((*_OF_RL, *_OF_SFT))[name]
        pair = [one.current.series(name) for one in (first, second)]
        if any(value is not None for series in pair for value in series):
            rows.append(_row(label, [_went(name, series, half) for series in pair], half))
    for name, label in (("accuracy", "dev accuracy"), ("ece", "dev ece")):
        pair = [[look.figures.get(name) for look in one.current.looks] for one in (first, second)]
        if any(pair):
            rows.append(_row(label, [_went("right" if name == "accuracy" else name, one, half) for one in pair], half))
    return Content("\n").join(rows)


def _title(found: Watched, width: int) -> str:
    name = found.run.params.get("name", "")
    return line(f"{name} · {found.current.recipe.algorithm.value.upper()} · {found.run.id[-6:]}", width)


def _row(label: str, cells: Sequence[str], width: int) -> Content:
    left, right = cells
    return Content.assemble(f"{line(label, _NAME):<{_NAME}}", (f"{left:<{width}}", "$text-accent"), "  ", right)


def _went(name: str, series: Sequence[float | None], width: int) -> str:
    known = [value for value in series if value is not None]
    if not known:
        return "unknown"
    tail = f" {number(name, known[0])} → {number(name, known[-1])}"
    return f"{sparkline(series, max(4, width - len(tail)))}{tail}"
