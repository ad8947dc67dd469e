"""The fields of one step in the edit form, and of each of its findings, with what is wrong beside them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Label, Select, Static

from core.qa.steps import check_comparison, check_finding, check_weighing, nearest_sentence, quote_span
from core.review.editing import Values
from storage.schema import Evidence, Finding, Holds, Step
from tui.keymap import key
from tui.text import line
from tui.widgets.fields import Field

COUNTS, AGAINST = "counts", "against"
_REASONS = ("", "source", "figures", "scope", "time")


class FindingForm(Vertical):
    """The fields of one finding, and whether it counts or stands against."""

    def __init__(self, finding: Values, side: str, *, new: bool = False) -> None:
        super().__init__(classes="finding")
        self._finding = finding
        self._side = side
        self._new = new
        # The sentence that is nearest to a quote which its piece does not say; '' if none is.
        self.nearest = ""

    def compose(self) -> ComposeResult:
        with Horizontal(classes="row"):
            yield _choice(((COUNTS, COUNTS), (AGAINST, AGAINST)), self._side, "side")
            yield Label(" piece ")
            yield Field(self._finding["piece"], classes="piece", select_on_focus=False)
            yield Label(" source ")
            yield Field(self._finding["source"], classes="kind", placeholder="trial", select_on_focus=False)
            yield Label(" says ")
            yield Field(self._finding["says"], classes="says", placeholder="down", select_on_focus=False)
        with Horizontal(classes="row"):
            yield Label("  quote ")
            quote = Field(self._finding["quote"], classes="quote", placeholder="its words", select_on_focus=False)
            quote.cursor_position = 0
            yield quote
        yield Static(classes="problem")

    def on_mount(self) -> None:
        """Put the cursor into a new finding."""
        if self._new:
            self.query_one(".piece").focus()

    @property
    def side(self) -> str:
        """COUNTS or AGAINST."""
        return str(self.query_one(".side", Select).value) if self.is_mounted else self._side

    def values(self) -> Values:
        """What the fields say; before they are mounted, what they begin with."""
        if not self.is_mounted:
            return self._finding
        fields = {"piece": ".piece", "quote": ".quote", "source": ".kind", "says": ".says"}
        return {name: self.query_one(selector, Field).edited for name, selector in fields.items()}

    def take_nearest(self) -> bool:
        """Quote the sentence that is nearest; False if none is offered."""
        if not self.nearest:
            return False
        self.query_one(".quote", Field).value = self.nearest
        return True

    def renumber(self, numbers: dict[str, str]) -> None:
        """Name its piece of evidence by its new number."""
        field = self.query_one(".piece", Field)
        if field.value in numbers:
            field.amend(numbers[field.value])

    def check(self, number: int, step: Values, evidence: Sequence[Evidence]) -> list[str]:
        """Show what is wrong with it as a finding of step `number`; returns what QA would say."""
        self.nearest = ""
        try:
            finding = Finding.model_validate(self.values())
        except ValidationError as error:
            show_problems(self, [_explain(error)])
            return []
        problems = [problem.critique for problem in check_finding(number, step["part"], finding, evidence)]
        if finding.piece <= len(evidence):
            text = evidence[finding.piece - 1].content
            if quote_span(finding.quote, text) is None:
                self.nearest = nearest_sentence(finding.quote, text)
        offer = [f"{key('edit.take-nearest')} takes that sentence"] if self.nearest else []
        show_problems(self, problems + offer)
        return problems


class StepForm(Vertical):
    """The fields of one step. A removed finding is only hidden, so that it comes back as it was."""

    def __init__(self, step: Values, *, new: bool = False) -> None:
        super().__init__(classes="panel step")
        self._step = step
        self._new = new
        self.findings = [
            *(FindingForm(_as_text(finding), COUNTS) for finding in step["findings"]),
            *(FindingForm(_as_text(finding), AGAINST) for finding in step["against"]),
        ]

    def compose(self) -> ComposeResult:
        with Horizontal(classes="row"):
            yield Label("part ")
            yield Field(self._step["part"], classes="part", placeholder="what it is about", select_on_focus=False)
            yield Label(" holds ")
            yield _choice([(holds.value, holds.value) for holds in Holds], str(self._step["holds"]), "holds")
        with Horizontal(classes="row"):
            yield Label("found ")
            yield Field(self._step["found"], classes="found", placeholder="what it shows", select_on_focus=False)
            yield Label(" claimed ")
            yield Field(self._step["claimed"], classes="claimed", placeholder="what is claimed", select_on_focus=False)
        yield Static(classes="problem")
        yield from self.findings
        with Horizontal(classes="row"):
            yield Label("why what counts outweighs what stands against it ")
            yield _choice([(reason or "–", reason) for reason in _REASONS], self._step["why"], "why")
        yield Static(classes="weighing")

    def on_mount(self) -> None:
        """Put the cursor into a new step."""
        if self._new:
            self.query_one(".part").focus()

    def values(self) -> Values:
        """What the fields say; before they are mounted, what they begin with."""
        if not self.is_mounted:
            fields = {name: self._step[name] for name in ("part", "why", "found", "claimed", "holds")}
        else:
            fields = {name: self.query_one(f".{name}", Field).edited for name in ("part", "found", "claimed")}
            fields |= {name: self.query_one(f".{name}", Select).value for name in ("why", "holds")}
        for name, side in (("findings", COUNTS), ("against", AGAINST)):
            fields[name] = [finding.values() for finding in self.findings if finding.side == side]
        return fields

    def add_finding(self) -> None:
        """Add an empty finding at the end."""
        finding = FindingForm({"piece": "1", "quote": "", "source": "", "says": ""}, COUNTS, new=True)
        last = self.findings[-1] if self.findings else self.query(".problem").first()
        self.findings.append(finding)
        self.mount(finding, after=last)

    def check(self, number: int, evidence: Sequence[Evidence]) -> list[str]:
        """Show beside each field what is wrong with it, by the rules of QA; returns what those say."""
        values = self.values()
        forms = [form for form in self.findings if form.is_mounted]
        doubts = [critique for form in forms for critique in form.check(number, values, evidence)]
        try:
            step = Step.model_validate(values)
        except ValidationError as error:
            own = [detail for detail in error.errors() if len(detail["loc"]) == 1]
            show_problems(self, [f"{detail['loc'][0]}: is empty" for detail in own])
            self._show_weighing([])
            return doubts
        comparison = [problem.critique for problem in check_comparison(number, step)]
        weighing = [problem.critique for problem in check_weighing(number, step)]
        show_problems(self, comparison)
        self._show_weighing(weighing)
        return [*doubts, *comparison, *weighing]

    def _show_weighing(self, problems: list[str]) -> None:
        show_problems(self, problems, ".weighing")


def show_problems(form: Widget, problems: list[str], selector: str = ".problem") -> None:
    """Show what is wrong below the fields of `form`; nothing if nothing is."""
    panel = form.query(selector).first(Static)
    panel.display = bool(problems)
    panel.update(Content("\n".join(line(problem, 400) for problem in problems)))


def step_text(step: Values) -> Values:
    """A step whose numbers are text, as a form has it."""
    return step | {name: [_as_text(finding) for finding in step[name]] for name in ("findings", "against")}


def _as_text(finding: Values) -> Values:
    return finding | {"piece": str(finding["piece"])}


def _explain(error: ValidationError) -> str:
    detail = error.errors()[0]
    name = detail["loc"][0]
    return "piece: the number of a piece of evidence, from 1" if name == "piece" else f"{name}: is empty"


def _choice(options: Sequence[tuple[str, str]], value: str, name: str) -> Select[str]:
    return Select(options, value=value, allow_blank=False, classes=name)
