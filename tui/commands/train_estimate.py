"""What `train estimate` prints for a person."""

from __future__ import annotations

from core.runs.describe import format_duration
from core.training.estimate.recipe_estimate import RecipeEstimate, in_words
from tui.commands.output import show, table

# The parts of memory, as a person reads them, with the moment in which they count.
_PARTS = {
    "program": ("the program and its libraries", "all along"),
    "weights": ("weights of the student", "all along"),
    "adapter": ("adapter", "all along"),
    "gradients": ("gradients of the adapter", "all along"),
    "optimizer": ("optimizer (Adam)", "all along"),
    "reference": ("reference: the adapter before", "all along"),
    "critic": ("critic and its optimizer", "all along"),
    "opening": ("copies while it is opened", "at the beginning"),
    "rollouts": ("answers that are written (KV cache)", "while it writes"),
    "activations": ("activations", "while it learns"),
    "logits": ("scores of the vocabulary", "while it learns"),
}


def show_estimate(estimate: RecipeEstimate) -> None:
    """Print an estimate: memory part by part, time, whether it fits, and what to lower if not."""
    for phase in estimate.phases:
        show(f"{phase.name}: prompts of up to {phase.prompt_tokens} tokens, answers of up to {phase.answer_tokens}")
        rows = [(*_PARTS[name], f"{value:,.0f}") for name, value in phase.memory_mb.items()]
        table(["memory", "when", "MB"], rows)
        reached = "not measured" if phase.measured_mb is None else f"three steps reached {phase.measured_mb:,.0f} MB"
        show(f"  at most {phase.peak_mb:,.0f} MB at once by formula; {reached}")
        for note in phase.notes:
            show(f"  ! {note}")
    show("" if estimate.fits else "\nIt does not fit.")
    show(in_words(estimate))
    show(f"time: {format_duration(estimate.seconds)} ({estimate.basis})")
    for line in estimate.advice:
        show(f"  lower: {line}")
