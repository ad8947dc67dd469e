"""The texts in which Training shows the figures, alarms, notes and answers of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from core.runs.control import RunStatus
from core.runs.describe import format_duration
from core.runs.params import TrainParams, params_of
from core.runs.progress import TrainProgress, progress_of
from core.training.monitor import PhaseMonitor, TrainingMonitor
from storage.schema import RunState
from storage.training import Note
from tui.keymap import key
from tui.text import clean, line
from tui.widgets.bars import mean_per_cell, sparkline

# The cells of the label before a sparkline, and those that a figure with its sparkline takes at least.
_LABEL_WIDTH, _MIN_COLUMN = 13, 37
# The figures of a step with their labels, the most important first.
_RL_FIGURES = (
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
_SFT_FIGURES = (("loss", "loss"), ("grad_norm", "gradient"), ("learning_rate", "rate"))
# Shares are drawn from 0 to 100 %.
_SHARES = {"right", "clipped", "no_signal", "cut", "unread", "accuracy"}
# The states in which the reason of the run is an error.
_ERROR_STATES = {RunState.FAILED, RunState.LOST}


def format_figure(name: str, value: float | None) -> str:
    """A figure in a few cells; 'unknown' for None."""
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


def steps_done(monitor: TrainingMonitor, phase: PhaseMonitor) -> int:
    """How many steps of a phase are done. The run may know of more than were read so far."""
    progress = progress_of(monitor.run, TrainProgress)
    return max(phase.step, progress.done if progress.phase == phase.name else 0)


def headline(monitor: TrainingMonitor, phase: PhaseMonitor, status: RunStatus, width: int) -> Content:
    """The recipe, the phase and the step of a run, and when it will be done."""
    phases = monitor.phases
    recipe = line(params_of(monitor.run, TrainParams).name, 20)
    left = f"{recipe} · {phase.recipe.algorithm.value.upper()}"
    if len(phases) > 1:
        left += f" · phase {phases.index(phase) + 1} of {len(phases)}: {line(phase.name, 20)}"
    left += f" · step {steps_done(monitor, phase):,}/{phase.recipe.steps:,}"
    running = status.state is RunState.RUNNING
    right = f"eta {format_duration(progress_of(monitor.run, TrainProgress).eta_s)}" if running else str(status.state)
    if running and monitor.current is not phases[-1]:
        right += " to the next phase"
    left = line(left, max(20, width - cell_len(right) - 1))
    return Content.assemble((left, "bold"), " " * max(1, width - cell_len(left) - cell_len(right)), right)


def status_line(monitor: TrainingMonitor, phase: PhaseMonitor, status: RunStatus, width: int) -> Content:
    """The run and its student, with pace and memory; for a run that has ended also why, and how to resume it."""
    parts = [f"run {monitor.run.id[-6:]}", line(params_of(monitor.run, TrainParams).student, 24)]
    hint = ""
    if status.state.ended:
        reason = monitor.run.reason
        if status.state is RunState.STOPPED:
            # The rest of the reason says how to resume it, as the hint does.
            reason = reason.partition(";")[0]
        parts.append(reason or str(status.state))
        hint = "" if status.state is RunState.FINISHED else f" · {key('training.pause-resume')} resumes it"
    for name, template in (
        ("seconds", "{:.1f} s a step"),
        ("tokens_per_s", "{:,.0f} tokens/s"),
        ("memory_mb", "{:,.0f} MB"),
    ):
        value = phase.latest(name)
        parts += [] if value is None else [template.format(value)]
    style = "$text-error" if status.state in _ERROR_STATES else "$text-muted"
    return Content.styled(line(" · ".join(parts), max(20, width - len(hint))) + hint, style)


def sparkline_block(phase: PhaseMonitor, width: int, rows: int) -> Content:
    """Each figure of the steps so far with a sparkline and its newest value, in columns of at most `rows` lines.

    The last cell names the figures that do not fit.
    """
    if phase.newest is None:
        return Content.styled("no step yet: the student is opened, and looks at the dev split first", "$text-muted")
    labels = [(name, label) for name, label in figure_labels(phase) if phase.points(name)]
    columns = max(1, width // _MIN_COLUMN)
    column = width // columns
    values = {name: format_figure(name, phase.latest(name)) for name, _ in labels}
    sparkline_width = max(4, column - _LABEL_WIDTH - max(map(len, values.values())) - 4)
    cells = [
        Content.assemble(
            set_cell_size(line(label, _LABEL_WIDTH), _LABEL_WIDTH + 1),
            (f"{_sparkline(phase, name, sparkline_width):<{sparkline_width}}", "$text-accent"),
            f" {values[name]}",
        )
        for name, label in labels
    ]
    height = min(max(1, rows), -(-len(cells) // columns))
    fitting = height * columns
    if len(cells) > fitting:
        left_out = ", ".join(label.strip() for _, label in labels[fitting - 1 :])
        cells = [*cells[: fitting - 1], Content.styled(line(f"… and {left_out}", column - 1), "$text-muted")]
    return Content("\n").join(
        Content("").join(cell.pad_right(column - cell.cell_length) for cell in cells[row::height])
        for row in range(height)
    )


def figure_labels(phase: PhaseMonitor) -> list[tuple[str, str]]:
    """The figures that the steps of a phase may have, with their labels, the most important first."""
    if not phase.recipe.algorithm.by_rewards:
        return list(_SFT_FIGURES)
    reward_parts = [(f"reward/{name}", f" {name}") for name in phase.parts("reward/")]
    decisions = [(f"decided/{label}", label) for label in phase.parts("decided/")]
    return [("reward", "reward"), *reward_parts, *decisions, *_RL_FIGURES]


def _sparkline(phase: PhaseMonitor, name: str, width: int) -> str:
    low, high = (0.0, 1.0) if is_share(name) else (None, None)
    return sparkline(mean_per_cell(phase.points(name), phase.step, width), low, high)


def dev_line(phase: PhaseMonitor, width: int) -> Content:
    """The dev split: accuracy with its interval and ECE, before training and now, and the share of unread answers."""
    if not phase.evaluations:
        return Content.styled("dev accuracy  no look yet", "$text-muted")
    first, newest, several = phase.evaluations[0].figures, phase.evaluations[-1].figures, len(phase.evaluations) > 1
    accuracy, first_accuracy = newest.get("accuracy"), first.get("accuracy")
    accuracy_text = "unknown"
    if accuracy is not None:
        accuracy_text = f"{100 * accuracy:.0f} % ({100 * newest['low']:.0f}–{100 * newest['high']:.0f}), "
        accuracy_text += f"{newest['right']}/{newest['n']}"
    if first_accuracy is not None and several:
        accuracy_text = f"{100 * first_accuracy:.0f} → {accuracy_text}"
    ece, first_ece = newest.get("ece"), first.get("ece")
    ece_text = "unknown" if ece is None else f"{ece:.2f}"
    if ece is not None and first_ece is not None and several:
        ece_text = f"{first_ece:.2f} → {ece_text}"
    parts = [f"dev accuracy {accuracy_text}", f"ece {ece_text}"]
    parts += [f"unread {100 * newest['unread']:.0f} %", f"step {phase.evaluations[-1].step:,}"]
    return Content.styled(line(" · ".join(parts), width), "bold")


def field_line(phase: PhaseMonitor, width: int) -> Content:
    """Accuracy by field of the steps, then by level, at the look before the newest and now; empty without steps."""
    looks = [_counts(evaluation.figures.get("fields")) for evaluation in phase.evaluations[-2:]]
    if not looks or not looks[-1]:
        return Content("")
    text = "steps " + " · ".join(_format_changes(looks))
    levels = [_counts(evaluation.figures.get("levels")) for evaluation in phase.evaluations[-2:]]
    if levels[-1]:
        text += " · level " + " · ".join(_format_changes(levels))
    return Content(line(text, width))


def _counts(value: object) -> dict[str, float]:
    """The shares in `{name: [right, n]}`; without those of nothing."""
    if not isinstance(value, Mapping):
        return {}
    return {str(name): right / n for name, (right, n) in value.items() if n}


def _format_changes(looks: Sequence[Mapping[str, float]]) -> list[str]:
    before = looks[0] if len(looks) > 1 else {}
    return [
        f"{name} " + (f"{100 * before[name]:.0f} → " if name in before else "") + f"{100 * share:.0f} %"
        for name, share in looks[-1].items()
    ]


def level_line(phase: PhaseMonitor, width: int) -> Content:
    """The shares of the levels among the training cases: as planned, and as drawn in the newest step."""
    planned, drawn = phase.parts("mix/"), phase.parts("level/")
    parts = [f"level mix {_format_levels(planned)}"] if planned else []
    parts += [f"drawn {_format_levels(drawn)}"] if drawn else []
    if phase.size > 1:
        parts.append(f"a point is the mean of {phase.size} steps")
    return Content(line(" · ".join(parts), width))


def _format_levels(shares: Mapping[str, float]) -> str:
    return " ".join(f"{level}:{100 * share:.0f}" for level, share in sorted(shares.items()))


def alarm_block(monitor: TrainingMonitor, phase: PhaseMonitor, width: int, rows: int) -> tuple[Content, int]:
    """The newest note and the alarms, in at most `rows` lines; returns the text and the lines that it takes.

    The last line counts those that do not fit, and says where to read them.
    """
    texts = [(f"! {clean(alarm, limit=300)}", "$text-warning") for alarm in monitor.alarms]
    if notes := monitor.notes_of(phase):
        more = f" (and {len(notes) - 1} more: {key('training.curves')} shows them)" if len(notes) > 1 else ""
        texts.insert(0, (line(f"{format_note(notes[-1])}{more}", width), "$text-muted"))
    parts: list[Content] = []
    used = 0
    for position, (text, style) in enumerate(texts):
        height = len(wrap(text, max(20, width)))
        left = len(texts) - position
        if used + height > rows - (left > 1):
            parts.append(
                Content.styled(f"! and {left} more: {key('training.log')} shows them in the log", "$text-warning")
            )
            return Content("\n").join(parts), used + 1
        parts.append(Content.styled(text, style))
        used += height
    return Content("\n").join(parts), used


def format_note(note: Note) -> str:
    """A note, with the step that it is pinned to."""
    return f"▴ noted at step {note.step:,}: {' '.join(clean(note.note, limit=200).split())}"


def note_block(notes: Sequence[Note], width: int, rows: int) -> Content:
    """The newest notes in at most `rows` lines; the first line counts those that do not fit."""
    cut = len(notes) > rows
    lines = [line(format_note(note), width) for note in notes[-(rows - 1 if cut else rows) :]]
    return Content("\n".join([f"… {len(notes) - len(lines)} older notes", *lines] if cut else lines))


def answer_line(answer: Mapping[str, object], width: int) -> Content:
    """An answer in a line: its reward, its decision, whether that is right, and its text."""
    decision, label = answer.get("decision"), answer.get("label")
    right = decision == label
    sign, style = (
        ("·", "$text-warning") if decision is None else ("✓", "$text-success") if right else ("✗", "$text-error")
    )
    confidence = answer.get("confidence")
    confidence_text = f" {confidence:.2f}" if isinstance(confidence, float) else ""
    decision_text = "no decision" if decision is None else f"{decision}{confidence_text}"
    reward = f"{_format_reward(answer.get('reward')):>6} "
    outcome = set_cell_size(line(decision_text + ("" if right else f", is {label}"), 34), 35)
    text = line(str(answer.get("text", "")), max(10, width - len(reward) - 37))
    return Content.assemble(reward, (f"{sign} ", style), outcome, text)


def _format_reward(value: object) -> str:
    return f"{value:+.2f}".replace("-", "−") if isinstance(value, (int, float)) else ""


def answer_detail(answer: Mapping[str, object], hypothesis: str | None) -> Content:
    """The whole of an answer, its reward with its parts, and its hypothesis; None if the example is deleted."""
    parts = answer.get("parts")
    earned = ""
    if isinstance(parts, dict):
        earned = " · ".join(f"{name} {_format_reward(value)}" for name, value in parts.items())
    confidence = answer.get("confidence")
    head = f"decided {answer.get('decision') or 'no decision'}"
    head += f", {confidence:.2f} sure" if isinstance(confidence, float) else ""
    head += f" · the label is {answer.get('label')} · level {answer.get('level')}"
    cut = "" if answer.get("whole") else "\ncut off before its end"
    hypothesis_text = "the example is not there any more" if hypothesis is None else hypothesis
    return Content.assemble(
        (clean(head, limit=300), "bold"),
        "\n",
        (clean(f"reward {_format_reward(answer.get('reward'))}: {earned}{cut}", limit=600), "$text-muted"),
        ("\n\nHYPOTHESIS\n", "bold $text-accent"),
        clean(hypothesis_text, limit=2000),
        ("\n\nANSWER\n", "bold $text-accent"),
        clean(str(answer.get("text", "")), limit=20_000),
    )
