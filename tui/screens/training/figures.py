"""The figures of a training run as Training draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from core.config.recipe import Algorithm
from core.runs.control import RunStatus
from core.runs.describe import duration
from core.training.monitor import PhaseMonitor, TrainingMonitor
from storage.schema import RunState
from storage.training import Note
from tui.keymap import key
from tui.text import clean, line
from tui.widgets.bars import over, sparkline

# What stands before a sparkline, and the cells that a figure with its sparkline takes at least.
_NAME, _COLUMN = 13, 37
# The figures of a step, in the order of what matters, as they are named here and for a person.
_OF_RL = (
    ("right", "right"),
    ("kl", "kl"),
    ("entropy", "entropy"),
    ("confidence_sd", "confidence sd"),
    ("no_signal", "no signal"),
    ("length", "length"),
    ("cut", "cut off"),
    ("unread", "unread"),
    ("clipped", "clipped"),
    ("loss", "loss"),
    ("grad_norm", "gradient"),
    ("value_loss", "critic's loss"),
)
_OF_SFT = (("loss", "loss"), ("grad_norm", "gradient"), ("learning_rate", "rate"))
# Figures that are shares: they are drawn from 0 to 100 %.
_SHARES = {"right", "clipped", "no_signal", "cut", "unread", "accuracy"}
# A model that was given up on says of itself why.
_TROUBLED = {RunState.FAILED, RunState.LOST}


def number(name: str, value: float | None) -> str:
    """A figure in a few cells; one that is not known says so."""
    if value is None:
        return "unknown"
    if is_share(name):
        return f"{100 * value:.0f} %"
    if name == "length":
        return f"{value:.0f} tokens"
    if name == "learning_rate":
        return f"{value:.1e}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def is_share(name: str) -> bool:
    """Whether a figure is a share of all answers."""
    return name in _SHARES or name.startswith("decided/")


def done(found: TrainingMonitor, phase: PhaseMonitor) -> int:
    """How many steps of a phase are done; the run knows it before all of them are read."""
    told = found.run.progress
    return max(phase.at, int(told.get("done", 0)) if told.get("phase") == phase.name else 0)


def headline(found: TrainingMonitor, phase: PhaseMonitor, seen: RunStatus, width: int) -> Content:
    """Which recipe is trained, how far it is, and when it will be done."""
    place = found.phases.index(phase) + 1
    of = f" · phase {place} of {len(found.phases)}: {line(phase.name, 20)}" if len(found.phases) > 1 else ""
    recipe = line(str(found.run.params.get("name", "")), 20)
    left = f"{recipe} · {phase.recipe.algorithm.value.upper()}{of}"
    left += f" · step {done(found, phase):,}/{phase.recipe.steps:,}"
    going = seen.state is RunState.RUNNING
    right = f"eta {duration(found.run.progress.get('eta_s'))}" if going else str(seen.state)
    if going and found.current is not found.phases[-1]:
        right += " to the next phase"
    left = line(left, max(20, width - cell_len(right) - 1))
    return Content.assemble((left, "bold"), " " * max(1, width - cell_len(left) - cell_len(right)), right)


def standing(found: TrainingMonitor, phase: PhaseMonitor, seen: RunStatus, width: int) -> Content:
    """The run and its student; while it is at work its pace and memory, else why it is not, and the way on."""
    parts = [f"run {found.run.id[-6:]}", line(str(found.run.params.get("student", "")), 24)]
    way = ""
    if seen.state.ended:
        # Which key resumes it is said anyway.
        reason = found.run.reason.partition(";")[0] if seen.state is RunState.STOPPED else found.run.reason
        parts.append(reason or str(seen.state))
        way = "" if seen.state is RunState.FINISHED else f" · {key('training.pause-resume')} resumes it"
    for name, form in (
        ("seconds", "{:.1f} s a step"),
        ("tokens_per_s", "{:,.0f} tokens/s"),
        ("memory_mb", "{:,.0f} MB"),
    ):
        value = phase.latest(name)
        parts += [] if value is None else [form.format(value)]
    style = "$text-error" if seen.state in _TROUBLED else "$text-muted"
    return Content.styled(line(" · ".join(parts), max(20, width - len(way))) + way, style)


def sparks(phase: PhaseMonitor, width: int, rows: int) -> Content:
    """Each figure of the steps so far: its name, how it went, where it is; in columns of at most `rows` lines.

    What does not fit is said to be left out.
    """
    if phase.newest is None:
        return Content.styled("no step yet: the student is opened, and looks at the dev split first", "$text-muted")
    known = [(name, label) for name, label in figures(phase) if phase.points(name)]
    columns = max(1, width // _COLUMN)
    cells = width // columns
    tails = {name: number(name, phase.latest(name)) for name, _ in known}
    room = max(4, cells - _NAME - max(map(len, tails.values())) - 4)
    drawn = [
        Content.assemble(
            set_cell_size(line(label, _NAME), _NAME + 1),
            (f"{_drawn(phase, name, room):<{room}}", "$text-accent"),
            f" {tails[name]}",
        )
        for name, label in known
    ]
    height = min(max(1, rows), -(-len(drawn) // columns))
    fitting = height * columns
    if len(drawn) > fitting:
        left = ", ".join(label.strip() for _, label in known[fitting - 1 :])
        drawn = [*drawn[: fitting - 1], Content.styled(line(f"… and {left}", cells - 1), "$text-muted")]
    lines = []
    for at in range(height):
        beside = drawn[at::height]
        lines.append(Content("").join(one.pad_right(cells - one.cell_length) for one in beside))
    return Content("\n").join(lines)


def figures(phase: PhaseMonitor) -> list[tuple[str, str]]:
    """The figures of a phase in the order of what matters, with what a person calls them."""
    if phase.recipe.algorithm is Algorithm.SFT:
        return list(_OF_SFT)
    earned = [(f"reward/{name}", f" {name}") for name in phase.parts("reward/")]
    decided = [(f"decided/{label}", label) for label in phase.parts("decided/")]
    return [("reward", "reward"), *earned, *decided, *_OF_RL]


def _drawn(phase: PhaseMonitor, name: str, width: int) -> str:
    low, high = (0.0, 1.0) if is_share(name) else (None, None)
    return sparkline(over(phase.points(name), phase.at, width), low, high)


def dev(phase: PhaseMonitor, width: int) -> Content:
    """The dev split: accuracy and ECE before training and now, with the interval, and how many answers are none."""
    if not phase.looks:
        return Content.styled("dev accuracy  no look yet", "$text-muted")
    newest, again = phase.looks[-1].figures, len(phase.looks) > 1
    rate = newest.get("accuracy")
    said = "unknown"
    if rate is not None:
        said = f"{100 * rate:.0f} % ({100 * newest['low']:.0f}–{100 * newest['high']:.0f}), "
        said += f"{newest['right']}/{newest['n']}"
    before = phase.looks[0].figures.get("accuracy")
    first = "" if before is None or not again else f"{100 * before:.0f} → "
    ece, ece_before = newest.get("ece"), phase.looks[0].figures.get("ece")
    errors = "unknown" if ece is None else f"{ece:.2f}"
    if ece is not None and ece_before is not None and again:
        errors = f"{ece_before:.2f} → {errors}"
    parts = [f"dev accuracy {first}{said}", f"ece {errors}"]
    parts += [f"unread {100 * newest['unread']:.0f} %", f"step {phase.looks[-1].step:,}"]
    return Content.styled(line(" · ".join(parts), width), "bold")


def mix(phase: PhaseMonitor, width: int) -> Content:
    """Which levels the student is given, as meant and as drawn in the newest step."""
    meant, given = phase.parts("mix/"), phase.parts("level/")
    parts = [f"level mix {_levels(meant)}"] if meant else []
    parts += [f"drawn {_levels(given)}"] if given else []
    if phase.size > 1:
        parts.append(f"a point is the mean of {phase.size} steps")
    return Content(line(" · ".join(parts), width))


def _levels(shares: Mapping[str, float]) -> str:
    return " ".join(f"{level}:{100 * share:.0f}" for level, share in sorted(shares.items()))


def alarms(found: TrainingMonitor, phase: PhaseMonitor, width: int, rows: int) -> tuple[Content, int]:
    """What goes wrong, in words, and the newest note, in at most `rows` lines; with the lines that it takes.

    Of what does not fit it is said where it can be read.
    """
    told = [(f"! {clean(one, limit=300)}", "$text-warning") for one in found.alarms]
    if notes := found.notes_of(phase):
        more = f" (and {len(notes) - 1} more: {key('training.curves')} shows them)" if len(notes) > 1 else ""
        told.insert(0, (line(f"{noted(notes[-1])}{more}", width), "$text-muted"))
    parts: list[Content] = []
    taken = 0
    for at, (words, style) in enumerate(told):
        height = len(wrap(words, max(20, width)))
        left = len(told) - at
        if taken + height > rows - (left > 1):
            parts.append(
                Content.styled(f"! and {left} more: {key('training.log')} shows them in the log", "$text-warning")
            )
            return Content("\n").join(parts), taken + 1
        parts.append(Content.styled(words, style))
        taken += height
    return Content("\n").join(parts), taken


def noted(note: Note) -> str:
    """A note, with the step that it is pinned to."""
    return f"▴ noted at step {note.step:,}: {' '.join(clean(note.note, limit=200).split())}"


def notes_of(found: Sequence[Note], width: int, rows: int) -> Content:
    """The newest notes in at most `rows` lines; that some are left out is said."""
    cut = len(found) > rows
    lines = [line(noted(one), width) for one in found[-(rows - 1 if cut else rows) :]]
    return Content("\n".join([f"… {len(found) - len(lines)} older notes", *lines] if cut else lines))


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
    about = set_cell_size(line(said + ("" if right else f", is {label}"), 34), 35)
    return Content.assemble(
        head, (f"{sign} ", style), about, line(str(one.get("text", "")), max(10, width - len(head) - 37))
    )


def _reward(value: object) -> str:
    return f"{value:+.2f}".replace("-", "−") if isinstance(value, (int, float)) else ""


def whole(one: Mapping[str, object], hypothesis: str | None) -> Content:
    """An answer with all that is known of it, to be read, and the hypothesis that it is about."""
    parts = one.get("parts")
    earned = " · ".join(f"{name} {_reward(value)}" for name, value in parts.items()) if isinstance(parts, dict) else ""
    decision = one.get("decision") or "no decision"
    sure = one.get("confidence")
    head = f"decided {decision}" + (f", {sure:.2f} sure" if isinstance(sure, float) else "")
    head += f" · the label is {one.get('label')} · level {one.get('level')}"
    cut = "" if one.get("whole") else "\ncut off before its end"
    about = "the example is not there any more" if hypothesis is None else hypothesis
    return Content.assemble(
        (clean(head, limit=300), "bold"),
        "\n",
        (clean(f"reward {_reward(one.get('reward'))}: {earned}{cut}", limit=600), "$text-muted"),
        ("\n\nHYPOTHESIS\n", "bold $text-accent"),
        clean(about, limit=2000),
        ("\n\nANSWER\n", "bold $text-accent"),
        clean(str(one.get("text", "")), limit=20_000),
    )
