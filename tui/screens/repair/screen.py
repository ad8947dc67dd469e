"""Stale fields of an example beside what was written in their place, for a person to choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from core.generation.repair.proposal import Proposal
from storage.schema import Step
from tui.actions import REPAIR, Action, bindings
from tui.text import content, line
from tui.widgets.diff import diff_words
from tui.widgets.example import body
from tui.widgets.keys import Keys

if TYPE_CHECKING:
    from tui.app_context import AppContext

Parts = list[Content | str | tuple[str, str]]


class RepairScreen(ModalScreen[str]):
    """Closes with what is to be done with a proposal: "accept", "keep", "edit", or nothing."""

    TITLE = "Repair"
    ACTIONS: ClassVar[list[Action]] = REPAIR
    BINDINGS = bindings(REPAIR)

    def __init__(self, proposal: Proposal, doubts: Sequence[str]) -> None:
        """`doubts` are what QA's rules say about the example with the new fields."""
        super().__init__()
        self._proposal = proposal
        self._doubts = doubts

    def compose(self) -> ComposeResult:
        example = self._proposal.example
        yield Static(Content.styled(f" Repair · {example.id[-6:]} · {line(example.decision, 40)}", "bold"), id="bar")
        with VerticalScroll(id="whole"):
            yield Static(judgement(self._proposal, self._doubts), id="judgement")
            with Horizontal(id="columns"):
                yield Static(old_fields(self._proposal), id="old")
                yield Static(new_fields(self._proposal), id="new")
            yield Static(body(example, hidden=True), id="case")
        yield Keys()

    def on_mount(self) -> None:
        """Let keys scroll."""
        self.query_one("#whole").focus()

    def action_accept(self) -> None:
        """Store the new fields."""
        self.dismiss("accept")

    def action_keep(self) -> None:
        """Confirm the old fields."""
        self.dismiss("keep")

    def action_edit(self) -> None:
        """Edit the new fields first."""
        self.dismiss("edit")

    def action_close(self) -> None:
        """Leave it for later."""
        self.dismiss("")

    def action_explain_keys(self) -> None:
        """Explain the keys."""
        cast("AppContext", self.app).action_explain()

    def action_scroll(self, step: int) -> None:
        """Scroll a line."""
        self.query_one("#whole", VerticalScroll).scroll_relative(y=step, animate=False)

    def action_page(self, step: int) -> None:
        """Scroll a page."""
        panel = self.query_one("#whole", VerticalScroll)
        panel.scroll_relative(y=step * max(1, panel.size.height - 1), animate=False)


def judgement(proposal: Proposal, doubts: Sequence[str]) -> Content:
    """What the source and the judge make of the person's decision, and what QA's rules doubt, in a few lines."""
    decided, label = line(proposal.decision, 24), line(proposal.example.decision, 24)
    parts: Parts = []
    if proposal.contradicts:
        parts += [
            (f"The evidence bears {decided}, not {label}: the source knows what it wrote.\n", "bold $text-warning"),
            f"Accept takes {decided} back, with what argues for it; keep the old, or edit, and {label} stays.\n",
        ]
    elif not proposal.judge:
        parts.append(("No judge has read it.\n", "$text-warning"))
    if proposal.judge:
        sure = "" if proposal.judge_confidence is None else f" with confidence {proposal.judge_confidence:.2f}"
        agrees = proposal.judge_decision == proposal.example.decision
        style = "$text-success" if agrees else "$text-warning"
        decision = line(proposal.judge_decision, 24)
        parts.append((f"{line(proposal.judge, 40)} decides {decision} without the label{sure}.\n", style))
    parts += [(f"QA would doubt it: {line(doubt, 300)}\n", "$text-warning") for doubt in doubts]
    if proposal.critique:
        parts += [("CRITIQUE  ", "bold $text-accent"), content(proposal.critique, limit=2000), "\n"]
    return Content.assemble(*parts)


def old_fields(proposal: Proposal) -> Content:
    """The fields as they are, each with the decision that it was written for."""
    example = proposal.example
    written_for = {stale.field: stale.written_for for stale in example.stale}
    parts: Parts = []
    for name in proposal.fields:
        decision = line(written_for.get(name, example.decision), 24)
        parts += [(f"{name.upper()}, WRITTEN FOR {decision}\n", "bold $text-accent")]
        parts += [content(_text(getattr(example, name)), style="$text-muted"), "\n\n"]
    return Content.assemble(*parts)


def new_fields(proposal: Proposal) -> Content:
    """The fields as they would be, with the words that differ marked."""
    decision = line(proposal.decision, 24)
    parts: Parts = []
    for name, value in proposal.fields.items():
        parts += [(f"{name.upper()} FOR {decision}, BY {line(proposal.source, 24)}\n", "bold $text-accent")]
        parts += [diff_words(_text(getattr(proposal.example, name)), _text(value)), "\n\n"]
    return Content.assemble(*parts)


def _text(value: Any) -> str:
    if isinstance(value, list):
        steps = [Step.model_validate(step) for step in value]
        return "\n".join(f"{step.part}: {step.found}; claimed: {step.claimed}; holds: {step.holds}" for step in steps)
    return f"{value:.2f}" if isinstance(value, float) else str(value)
