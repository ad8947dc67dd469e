"""The form of Generate: who writes and judges, which cells, how many examples, for how much."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from textual.app import ComposeResult
from textual.containers import Grid
from textual.content import Content
from textual.widgets import Input, Label, Select

from core.config.task import EMBEDDED
from core.generation.procedural.worlds import Inference
from core.runs.params import GenerateParams
from storage.search import QueryError, parse_query
from tui.app_context import GenerationWish
from tui.screens.project_screen import ProjectScreen
from tui.text import clean, line
from tui.widgets.fields import Field

# Enter in it leads to the start.
LAST_FIELD = "attempts_per_minute"
N = TypeVar("N", int, float, Decimal)


class FormField(Field):
    """A field in which `?` asks for help: nothing that it takes holds one."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether the key is text here."""
        return key != "question_mark" and super().check_consume_key(key, character)


class GenerationForm(Grid):
    """The fields, which begin with what the project file says."""

    def __init__(self, owner: ProjectScreen) -> None:
        super().__init__(id="form", classes="panel")
        self._owner = owner
        # The models that each choice offers.
        self._offered: dict[str, list[str]] = {}

    def compose(self) -> ComposeResult:
        task = self._owner.project.task
        defaults = GenerateParams.of(task)
        yield Label("source")
        yield _select("source", [*EMBEDDED["generator"], *task.models], defaults.source)
        yield Label("judge")
        yield _select("judge", [*EMBEDDED["judge"], *task.models], defaults.judge)
        # Before the fields of text: Enter, which goes on from those, opens a choice.
        yield Label("kind")
        yield Select(
            [("any inference", ""), *_options([kind.value for kind in Inference])],
            value="",
            allow_blank=False,
            id="inference",
        )
        yield Label("cells")
        yield FormField("", id="cells", placeholder="all, or domain:risk level:1-2")
        yield Label("how many")
        yield FormField("", id="n", placeholder="all that is missing")
        yield Label("seed")
        yield FormField("0", id="seed")
        yield Label("budget")
        yield FormField("" if defaults.budget is None else str(defaults.budget), id="budget", placeholder="none")
        yield Label("flaws")
        yield FormField(f"{defaults.flaws:g}", id="flaws", placeholder="mistakes planted to test QA, 0-1")
        yield Label("pace")
        pace = "" if defaults.attempts_per_minute is None else f"{defaults.attempts_per_minute:g}"
        yield FormField(pace, id="attempts_per_minute", placeholder="attempts/min, no limit")

    def offer_models(self) -> None:
        """Offer the models that the project file names now as source and judge; a choice stays if it can."""
        task = self._owner.project.task
        defaults = GenerateParams.of(task)
        for role, field, default in (("generator", "source", defaults.source), ("judge", "judge", defaults.judge)):
            names = [*EMBEDDED[role], *task.models]
            if names != self._offered.get(field, names):
                select = self.query_one(f"#{field}", Select)
                chosen = select.value
                select.set_options(_options(names))
                select.value = chosen if chosen in names else default
            self._offered[field] = names

    def toggle_cells(self, place: tuple[str, int] | None) -> str:
        """Restrict the run to a domain at a level, or to nothing if it is that already; returns what the field says."""
        field = self.query_one("#cells", Input)
        query = f"domain:{place[0]} level:{place[1]}" if place else ""
        field.value = "" if field.value == query else query
        return field.value

    def fill_in(self, wish: GenerationWish) -> str:
        """Ask for what another screen wants, as far as the source can; returns what the fields say then."""
        self.query_one("#cells", Input).value = wish.cells
        # Only the procedural source knows kinds.
        known = self.query_one("#source", Select).value == "procedural" and wish.inference in list(Inference)
        self.query_one("#inference", Select).value = wish.inference if known else ""
        return f"{wish.cells}, {wish.inference}" if known else wish.cells

    def params(self) -> GenerateParams:
        """What the form says. Raises ValueError or QueryError, with the field and what is wrong with it."""
        values: dict[str, object] = {
            name: self.query_one(f"#{name}", Select).value for name in ("source", "judge", "inference")
        }
        if text := self._text("n"):
            values["n"] = _parse_number("how many", text, int)
        if text := self._text("seed"):
            values["seed"] = _parse_number("seed", text, int)
        if text := self._text("budget"):
            values["budget"] = _parse_number("budget", text, Decimal)
        if text := self._text("flaws"):
            values["flaws"] = _parse_number("flaws", text, float)
        pace = self._text("attempts_per_minute")
        values["attempts_per_minute"] = _parse_number("pace", pace, float) if pace else None
        cells = parse_query(self._text("cells"))
        if cells.text:
            raise QueryError(f"cells: {cells.text} is no cell: write domain:risk, level:1-2 or decision:REFINED")
        restrictions = {"domains": list(cells.domain), "levels": list(cells.level), "decisions": list(cells.decision)}
        return GenerateParams.model_validate(values | restrictions)

    def _text(self, field: str) -> str:
        return self.query_one(f"#{field}", Input).value.strip()


def _parse_number(name: str, text: str, parse: Callable[[str], N]) -> N:
    try:
        return parse(text)
    except (ValueError, ArithmeticError):
        raise ValueError(f"{name}: {line(text, 20)} is no number") from None


def _select(name: str, models: list[str], value: str) -> Select[str]:
    return Select(_options(models), value=value, allow_blank=False, id=name)


def _options(models: list[str]) -> list[tuple[Content, str]]:
    return [(Content(clean(model)), model) for model in models]
