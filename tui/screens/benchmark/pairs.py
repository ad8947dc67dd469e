"""The pairs of two benchmarks, over Benchmark: where one is right and the other wrong, and what both answered."""

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

from core.benchmark.answer_stream import AnswerStream, pairs_by_kind
from core.benchmark.scored import ScoredAnswer
from storage import predictions
from storage.errors import UserError
from storage.examples import Filter
from storage.schema import Prediction
from storage.search import parse_query
from tui.actions import PAIRS, Action, bindings
from tui.app_context import AppContext
from tui.screens.benchmark.figures import COLOURS, OUTCOME_NAMES, answer_mark, format_decision
from tui.text import clean, content, line
from tui.widgets.fields import Field
from tui.widgets.keys import Keys
from tui.widgets.listing import Listing, Part

# From so many columns on, the answers are shown beside the list.
WIDE = 120
# So many characters of an answer as it came are shown.
RAW_LIMIT = 3000

Parts = list[Content | str | tuple[str, str]]


class PairsScreen(ModalScreen[None]):
    """The examples that both runs were asked, by kind and cell, and both answers; or the answers of one run.

    It begins with the pair of `example`, if that is one.
    """

    TITLE = "Pairs"
    ACTIONS: ClassVar[list[Action]] = PAIRS
    BINDINGS = bindings(PAIRS)
    MARKS = (("✓ ✗ ·", "right · wrong · no answer; the student first, then the reference"),)

    def __init__(
        self, db: sqlite3.Connection, first: AnswerStream, second: AnswerStream | None, example: str | None = None
    ) -> None:
        super().__init__()
        self._db = db
        self._first, self._second = first, second
        self._pairs = pairs_by_kind(first, second)
        # Begin where there is something to read.
        self._kind = next((kind for kind, answers in self._pairs.items() if answers), next(iter(self._pairs)))
        self._begin_with = 0
        for kind, answers in self._pairs.items():
            for position, answer in enumerate(answers):
                if answer.example == example:
                    self._kind, self._begin_with = kind, position
        self._cells = Filter()
        self._query = ""
        self._rows: list[ScoredAnswer] = []

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        with Container(id="columns"):
            yield Listing(self._format_rows, id="pairs")
            with VerticalScroll(id="said", can_focus=False):
                yield Static(id="words")
        yield Field("", id="filter", placeholder="level:1-2 domain:risk decision:REFINED; empty: all")
        yield Keys()

    def on_mount(self) -> None:
        """Begin with the first pair, or the one that is asked for."""
        self._list.focus()
        self._fill(self._begin_with)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.query_one("#columns").set_class(self.app.size.width >= WIDE, "wide")
        self._draw()

    @property
    def _list(self) -> Listing:
        return self.query_one("#pairs", Listing)

    @property
    def _current(self) -> ScoredAnswer | None:
        position = self._list.cursor_number
        return None if position is None else self._rows[position]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While the filter is written, keys are text; escape leaves it."""
        if any(action == known_action.name.partition("(")[0] for known_action in PAIRS) and action != "close":
            return not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    # ------------------------------------------------------------ drawing

    def _fill(self, cursor: int = 0) -> None:
        """List the pairs of the chosen kind in the chosen cells, with the cursor on row `cursor`."""
        cells = self._cells
        self._rows = [
            answer
            for answer in self._pairs[self._kind]
            if (not cells.level or answer.level in cells.level)
            and (not cells.domain or answer.domain in cells.domain)
            and (not cells.decision or answer.label in cells.decision)
        ]
        self._list.fill(array("q", range(len(self._rows))), cursor)
        self._draw()

    def _draw(self) -> None:
        """Draw the title, and the pair under the cursor."""
        only = f" · only {line(self._query, 40)}" if self._query else ""
        total = len(self._pairs[self._kind])
        count = f"{len(self._rows):,}" + (f" of {total:,}" if self._query else "")
        counts = {kind: len(answers) for kind, answers in self._pairs.items()}
        others = " · ".join(f"{kind} {number:,}" for kind, number in counts.items() if kind is not self._kind)
        width = self.app.size.width - 2
        self.query_one("#bar", Static).update(
            Content.assemble((f"{self._kind}: {count}{only}", "bold"), f" · {line(f'f: {others}', width)}")
        )
        self.query_one("#words", Static).update(self._details())

    def _format_rows(self, positions: Sequence[int], width: int) -> Mapping[int, list[Part]]:
        rows = {position: self._rows[position] for position in positions}
        examples = [answer.example for answer in rows.values()]
        cases = predictions.read_questions(self._db, self._first.run, examples) if rows else []
        hypotheses = {case.question.example: case.hypothesis for case in cases}
        return {
            position: self._format_row(answer, hypotheses.get(answer.example, ""), width)
            for position, answer in rows.items()
        }

    def _format_row(self, answer: ScoredAnswer, hypothesis: str, width: int) -> list[Part]:
        parts: list[Part] = [answer_mark(answer)]
        if self._second is not None:
            parts += [(" ", ""), answer_mark(self._second.answers[answer.example])]
        cell = f" {line(answer.label, 12):<12} {line(f'{answer.domain} {answer.level}', 14):<14} "
        return [*parts, (cell, "muted"), (line(hypothesis, max(10, width - len(cell) - 4)), "")]

    def _details(self) -> Content:
        """The case, its label, and both answers."""
        current = self._current
        if current is None:
            return Content.styled(f"no example here: {self._kind}" + (" in these cells" if self._query else ""), "dim")
        parts: Parts = [("LABEL ", "bold"), (f"{line(current.label, 40)}", "bold $text-success")]
        cell = f"{line(current.domain, 30)} · level {current.level}"
        parts.append((f"  {cell} · {current.example[-6:]}\n", "$text-muted"))
        answers = [("student" if self._second else "answer", self._first.run, current)]
        if self._second is not None:
            answers.append(("reference", self._second.run, self._second.answers[current.example]))
        for role, run, answer in answers:
            parts += _answer_details(role, answer, predictions.of_example(self._db, run, current.example))
        for case in predictions.read_questions(self._db, self._first.run, [current.example]):
            parts += [("\nHYPOTHESIS\n", "bold $text-accent"), content(case.hypothesis), "\n"]
            parts.append(("\nEVIDENCE\n", "bold $text-accent"))
            for piece in case.evidence:
                parts += [(clean(piece.source, limit=500), "italic"), "\n", content(piece.content), "\n"]
        return Content.assemble(*parts)

    @on(Listing.ViewChanged)
    def _show_current(self) -> None:
        """Show the pair under the cursor, from its beginning."""
        self._draw()
        self.query_one("#said", VerticalScroll).scroll_home(animate=False)

    # ------------------------------------------------------------ actions

    def action_kind(self) -> None:
        """Show the next kind of pairs."""
        kinds = list(self._pairs)
        self._kind = kinds[(kinds.index(self._kind) + 1) % len(kinds)]
        self._fill()

    def action_filter(self) -> None:
        """Ask which cells to show."""
        field = self.query_one("#filter", Input)
        field.display, field.value = True, self._query
        self.set_focus(field)

    @on(Input.Submitted, "#filter")
    def _apply_filter(self, event: Input.Submitted) -> None:
        query = event.value.strip()
        try:
            cells = parse_query(query)
        except UserError as error:
            self.notify(clean(str(error), limit=500), markup=False, severity="error", timeout=8)
            return
        if cells != Filter(level=cells.level, domain=cells.domain, decision=cells.decision):
            problem = "only cells can be named here: level:1-2, domain:risk, decision:REFINED"
            self.notify(problem, markup=False, severity="error", timeout=8)
            return
        self._cells, self._query = cells, query
        self._close_filter()
        self._fill()

    def _close_filter(self) -> None:
        self.query_one("#filter").display = False
        self.set_focus(self._list)

    def action_copy(self) -> None:
        """Copy the pair, with all predictions of both runs, as JSON to the terminal's clipboard."""
        if (current := self._current) is None:
            self.notify("there is nothing here to copy", markup=False, timeout=2.5)
            return
        streams = [stream for stream in (self._first, self._second) if stream is not None]
        case = predictions.read_questions(self._db, self._first.run, [current.example])[0]
        document = {
            "example": current.example,
            "label": current.label,
            "hypothesis": case.hypothesis,
            "evidence": [piece.model_dump() for piece in case.evidence],
            "answers": [
                prediction.model_dump(mode="json")
                for stream in streams
                for prediction in predictions.of_example(self._db, stream.run, current.example)
            ],
        }
        self.app.copy_to_clipboard(json.dumps(document, indent=2))
        self.notify("copied as JSON", markup=False, timeout=2.5)

    def action_explain_keys(self) -> None:
        """Explain the keys of this screen."""
        cast("AppContext", self.app).action_explain()

    def action_move(self, step: int) -> None:
        """Move the cursor by `step` pairs."""
        self._list.move_cursor(self._list.cursor + step)

    def action_page(self, step: int) -> None:
        """Move the cursor by `step` pages."""
        self._list.move_pages(step)

    def action_edge(self, last: bool) -> None:
        """Go to the first pair, or the last."""
        self._list.move_cursor(len(self._rows) - 1 if last else 0)

    def action_scroll(self, step: int) -> None:
        """Scroll the answers by a page."""
        panel = self.query_one("#said", VerticalScroll)
        panel.scroll_relative(y=step * max(1, panel.size.height - 1), animate=False)

    def action_close(self) -> None:
        """Close the filter, which changes nothing, or the pairs."""
        if isinstance(self.focused, Input):
            self._close_filter()
        else:
            self.dismiss()


def _answer_details(role: str, answer: ScoredAnswer, samples: Sequence[Prediction]) -> Parts:
    """One run's answer to an example, with the reasons of each of its samples."""
    mark, _ = answer_mark(answer)
    style = "$text-success" if answer.correct else "$text-error"
    parts: Parts = [(f"\n{role.upper()} ", f"bold {COLOURS.get(role, '$text-accent')}")]
    parts += [(f"{mark} {format_decision(answer)}", style)]
    seconds = "" if not answer.seconds else f"  {answer.seconds:.1f} s"
    parts.append((f"{seconds}  {line(samples[-1].model, 40) if samples else ''}\n", "$text-muted"))
    for prediction in samples:
        if len(samples) > 1:
            outcome = OUTCOME_NAMES.get(prediction.outcome.value, prediction.outcome.value)
            decision = outcome if prediction.decision is None else prediction.decision
            retry = f", asked again {prediction.number}" if prediction.number else ""
            parts.append((f"sample {prediction.sample + 1}{retry}: {line(decision, 40)}\n", "$text-muted"))
        text = prediction.rationale or prediction.raw
        if text:
            parts += [content(text, limit=RAW_LIMIT), "\n"]
        if prediction.detail:
            parts += [content(prediction.detail, style="$text-warning", limit=RAW_LIMIT), "\n"]
        if not text and not prediction.detail:
            parts.append(("it gives no reasons\n", "$text-muted"))
    return parts
