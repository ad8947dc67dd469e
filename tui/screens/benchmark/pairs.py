"""The pairs of two benchmarks, over Benchmark: where one is right and the other wrong, and what both said."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from core.benchmark.answer_stream import AnswerStream, pairs
from core.benchmark.scored import ScoredAnswer
from storage import predictions
from storage.examples import Filter
from storage.schema import Prediction
from storage.search import QueryError, parse_query
from tui.actions import PAIRS, Action, bindings
from tui.app_context import AppContext
from tui.screens.benchmark.figures import COLOURS, SILENT, decided, mark
from tui.text import clean, content, line
from tui.widgets.fields import Field
from tui.widgets.keys import Keys
from tui.widgets.listing import Listing, Part

# From so many columns on, what both said stands beside the list.
WIDE = 120
# Of an answer as it came, so many characters are shown.
RAW = 3000

Parts = list[Content | str | tuple[str, str]]


class PairsScreen(ModalScreen[None]):
    """A list of what both runs were asked, by kind and cell, over what both said; or of one run's answers."""

    TITLE = "Pairs"
    ACTIONS: ClassVar[list[Action]] = PAIRS
    BINDINGS = bindings(PAIRS)
    MARKS = (("✓ ✗ ·", "right · wrong · no answer; the student first, then the reference"),)

    def __init__(self, db: sqlite3.Connection, first: AnswerStream, second: AnswerStream | None) -> None:
        super().__init__()
        self._db = db
        self._first, self._second = first, second
        self._found = pairs(first, second)
        # Begin where there is something to read.
        self._kind = next((kind for kind, found in self._found.items() if found), next(iter(self._found)))
        self._where = Filter()
        self._query = ""
        self._rows: list[ScoredAnswer] = []

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        with Container(id="columns"):
            yield Listing(self._lines, id="pairs")
            with VerticalScroll(id="said", can_focus=False):
                yield Static(id="words")
        yield Field("", id="filter", placeholder="level:1-2 domain:risk decision:REFINED; empty: all")
        yield Keys()

    def on_mount(self) -> None:
        """Begin with the first pair."""
        self._list.focus()
        self._fill()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.query_one("#columns").set_class(self.app.size.width >= WIDE, "wide")
        self._draw()

    @property
    def _list(self) -> Listing:
        return self.query_one("#pairs", Listing)

    @property
    def _current(self) -> ScoredAnswer | None:
        at = self._list.chosen
        return None if at is None else self._rows[at]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While the filter is written, keys are text; escape leaves it."""
        if any(action == one.name.partition("(")[0] for one in PAIRS) and action != "close":
            return not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    # ------------------------------------------------------------ drawing

    def _fill(self) -> None:
        """The pairs of the kind and the cells that are asked for."""
        wanted = self._where
        self._rows = [
            one
            for one in self._found[self._kind]
            if (not wanted.level or one.level in wanted.level)
            and (not wanted.domain or one.domain in wanted.domain)
            and (not wanted.decision or one.label in wanted.decision)
        ]
        self._list.fill(array("q", range(len(self._rows))), 0)
        self._draw()

    def _draw(self) -> None:
        """Draw the title, and the pair under the cursor."""
        only = f" · only {line(self._query, 40)}" if self._query else ""
        whole = len(self._found[self._kind])
        count = f"{len(self._rows):,}" + (f" of {whole:,}" if self._query else "")
        others = " · ".join(f"{kind} {len(found):,}" for kind, found in self._found.items() if kind is not self._kind)
        width = self.app.size.width - 2
        self.query_one("#bar", Static).update(
            Content.assemble((f"{self._kind}: {count}{only}", "bold"), f" · {line(f'f: {others}', width)}")
        )
        self.query_one("#words", Static).update(self._words())

    def _lines(self, numbers: Sequence[int], width: int) -> Mapping[int, list[Part]]:
        rows = {number: self._rows[number] for number in numbers}
        cases = predictions.cases(self._db, self._first.run, [one.example for one in rows.values()]) if rows else []
        said = {one.question.example: one.hypothesis for one in cases}
        return {number: self._line(one, said.get(one.example, ""), width) for number, one in rows.items()}

    def _line(self, one: ScoredAnswer, hypothesis: str, width: int) -> list[Part]:
        parts: list[Part] = [mark(one)]
        if self._second is not None:
            parts += [(" ", ""), mark(self._second.answers[one.example])]
        told = f" {line(one.label, 12):<12} {line(f'{one.domain} {one.level}', 14):<14} "
        return [*parts, (told, "muted"), (line(hypothesis, max(10, width - len(told) - 4)), "")]

    def _words(self) -> Content:
        """The case, its label, and what both said."""
        one = self._current
        if one is None:
            return Content.styled(f"no example here: {self._kind}" + (" in these cells" if self._query else ""), "dim")
        parts: Parts = [("LABEL ", "bold"), (f"{line(one.label, 40)}", "bold $text-success")]
        parts.append((f"  {line(one.domain, 30)} · level {one.level} · {one.example[-6:]}\n", "$text-muted"))
        runs = [("student" if self._second else "answer", self._first, one)]
        if self._second is not None:
            runs.append(("reference", self._second, self._second.answers[one.example]))
        for role, live, answer in runs:
            parts += self._told(role, answer, predictions.of_example(self._db, live.run, one.example))
        for case in predictions.cases(self._db, self._first.run, [one.example]):
            parts += [("\nHYPOTHESIS\n", "bold $text-accent"), content(case.hypothesis), "\n"]
            parts.append(("\nEVIDENCE\n", "bold $text-accent"))
            for piece in case.evidence:
                parts += [(clean(piece.source, limit=500), "italic"), "\n", content(piece.content), "\n"]
        return Content.assemble(*parts)

    def _told(self, role: str, answer: ScoredAnswer, found: Sequence[Prediction]) -> Parts:
        sign, _ = mark(answer)
        style = "$text-success" if answer.correct else "$text-error"
        parts: Parts = [(f"\n{role.upper()} ", f"bold {COLOURS.get(role, '$text-accent')}")]
        parts += [(f"{sign} {decided(answer)}", style)]
        seconds = "" if not answer.seconds else f"  {answer.seconds:.1f} s"
        parts.append((f"{seconds}  {line(found[-1].model, 40) if found else ''}\n", "$text-muted"))
        for one in found:
            if len(found) > 1:
                what = SILENT.get(one.outcome.value, one.outcome.value) if one.decision is None else one.decision
                again = f", asked again {one.number}" if one.number else ""
                parts.append((f"sample {one.sample + 1}{again}: {line(what, 40)}\n", "$text-muted"))
            said = one.rationale or one.raw
            if said:
                parts += [content(said, limit=RAW), "\n"]
            if one.detail:
                parts += [content(one.detail, style="$text-warning", limit=RAW), "\n"]
            if not said and not one.detail:
                parts.append(("it gives no reasons\n", "$text-muted"))
        return parts

    @on(Listing.Moved)
    def _another(self) -> None:
        """Show the pair under the cursor, from its beginning."""
        self._draw()
        self.query_one("#said", VerticalScroll).scroll_home(animate=False)

    # ------------------------------------------------------------ actions

    def action_kind(self) -> None:
        """The next kind of pairs."""
        around = list(self._found)
        self._kind = around[(around.index(self._kind) + 1) % len(around)]
        self._fill()

    def action_filter(self) -> None:
        """Ask which cells are meant."""
        field = self.query_one("#filter", Input)
        field.display, field.value = True, self._query
        self.set_focus(field)

    @on(Input.Submitted, "#filter")
    def _filtered(self, event: Input.Submitted) -> None:
        query = event.value.strip()
        try:
            where = parse_query(query)
        except QueryError as error:
            self.notify(clean(str(error), limit=500), markup=False, severity="error", timeout=8)
            return
        if where != Filter(level=where.level, domain=where.domain, decision=where.decision):
            said = "only cells can be named here: level:1-2, domain:risk, decision:REFINED"
            self.notify(said, markup=False, severity="error", timeout=8)
            return
        self._where, self._query = where, query
        self._close_filter()
        self._fill()

    def _close_filter(self) -> None:
        self.query_one("#filter").display = False
        self.set_focus(self._list)

    def action_copy(self) -> None:
        """Copy the pair, with all that was said, as JSON to the terminal's clipboard."""
        if (one := self._current) is None:
            self.notify("there is nothing here to copy", markup=False, timeout=2.5)
            return
        lives = [live for live in (self._first, self._second) if live is not None]
        case = predictions.cases(self._db, self._first.run, [one.example])[0]
        said = {
            "example": one.example,
            "label": one.label,
            "hypothesis": case.hypothesis,
            "evidence": [piece.model_dump() for piece in case.evidence],
            "answers": [
                each.model_dump(mode="json")
                for live in lives
                for each in predictions.of_example(self._db, live.run, one.example)
            ],
        }
        self.app.copy_to_clipboard(json.dumps(said, indent=2))
        self.notify("copied as JSON", markup=False, timeout=2.5)

    def action_explain_keys(self) -> None:
        """Explain the keys of this screen."""
        cast("AppContext", self.app).action_explain()

    def action_move(self, step: int) -> None:
        """Another pair."""
        self._list.move(self._list.cursor + step)

    def action_page(self, step: int) -> None:
        """A page of pairs further."""
        self._list.page(step)

    def action_edge(self, last: bool) -> None:
        """The first pair, or the last."""
        self._list.move(len(self._rows) - 1 if last else 0)

    def action_scroll(self, step: int) -> None:
        """Scroll what both said by a page."""
        panel = self.query_one("#said", VerticalScroll)
        panel.scroll_relative(y=step * max(1, panel.size.height - 1), animate=False)

    def action_close(self) -> None:
        """Leave the filter as it was, or the pairs."""
        if isinstance(self.focused, Input):
            self._close_filter()
        else:
            self.dismiss()
