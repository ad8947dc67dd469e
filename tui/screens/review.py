"""Review: one example that fills the screen; one key, and the next is there."""

from __future__ import annotations

import sqlite3
import time
from collections import deque

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from core.curriculum.plan import Quota, plan
from storage import attempts, examples, reviews
from storage.examples import Filter
from storage.reviews import ReviewError
from storage.schema import Action, Example, Review, Status
from storage.search import QueryError, parse_query
from tui.actions import REASON, REVIEW, bindings
from tui.screens.live import LiveScreen
from tui.text import clean, flow, line
from tui.widgets.example import body, place
from tui.widgets.fields import Field
from tui.widgets.standing import standing

PAGE = 50
# Decisions per minute are those of the last five minutes.
PACE_S = 300.0
DEFAULT_QUERY = "status:pending"
_STATUS = {Action.ACCEPT: Status.ACCEPTED, Action.REJECT: Status.REJECTED}
# From so many columns on, more stands beside the example.
WIDE = 140
LOG_LINES = 8


class ReviewScreen(LiveScreen):
    """The queue of examples that a query means, and the one in front."""

    TITLE = "Review"
    ACTIONS = REVIEW
    BINDINGS = bindings([*REVIEW, *REASON])

    def __init__(self) -> None:
        super().__init__()
        self._query = DEFAULT_QUERY
        self._filter: Filter = parse_query(DEFAULT_QUERY)
        self._queue: list[str] = []
        # The last id that was read. Undo puts others into the queue, so that its end does not tell where to read on.
        self._read_to = ""
        self._at = 0
        self._current: Example | None = None
        self._decided: deque[float] = deque()
        self._rejecting = False

    def parts(self) -> ComposeResult:
        yield Static(id="progress")
        yield Static(id="place")
        with Horizontal(id="columns"):
            with VerticalScroll(id="example"):
                yield Static(id="body")
            yield Static(id="standing")
        yield Static(id="prompt")
        yield Field(id="filter", placeholder="words, level:1-2 domain:risk decision:REFINED status:pending flagged")

    def on_mount(self) -> None:
        """Begin with the keys on the screen, not in a field."""
        super().on_mount()
        self.query_one("#example").focus()

    def draw(self) -> None:
        """Read on where the queue ends, and draw the example in front."""
        self._read_on()
        self._refresh_current()
        self._draw_example()
        accepted = self._accepted()
        self._draw_progress(accepted)
        wide = self.size.width >= WIDE
        self.query_one("#standing").display = wide
        if wide:
            self.show("#standing", standing(accepted, self._current, self._log()))

    # ------------------------------------------------------------ the queue

    def _read_on(self) -> None:
        """Fetch the next page while the one in front is near the end of what is known."""
        if len(self._queue) - self._at < PAGE // 2:
            known = set(self._queue)
            found = examples.page(self.db, self._filter, after=self._read_to, limit=PAGE)
            self._queue += [one.id for one in found if one.id not in known]
            self._read_to = found[-1].id if found else self._read_to

    def _refresh_current(self) -> None:
        """Read the example in front as it now is; None behind the end of the queue."""
        self._at = max(0, min(self._at, len(self._queue)))
        self._current = examples.get(self.db, self._queue[self._at]) if self._at < len(self._queue) else None

    def _move(self, step: int) -> None:
        self._at = max(0, min(self._at + step, len(self._queue)))
        self.query_one("#example", VerticalScroll).scroll_home(animate=False)
        self.redraw()

    # ------------------------------------------------------------ drawing

    def _draw_example(self) -> None:
        example = self._current
        if example is None:
            self.show("#place", Content(""))
            self.show("#body", self._nothing())
            return
        self.show("#place", place(example, self.size.width - 2))
        self.show("#body", body(example, verdict=self._verdict(example)))

    def _verdict(self, example: Example) -> str:
        """What the judge said, in a sentence."""
        if not example.attempt:
            return ""
        lineage = attempts.chain(self.db, example.attempt)
        final = next((one.final for one in lineage if one.attempt.id == example.attempt), None)
        if final is None or final.blind_decision is None:
            return ""
        sure = "" if final.blind_confidence is None else f" with confidence {final.blind_confidence:.2f}"
        tries = f", at attempt {len(lineage)}" if len(lineage) > 1 else ""
        return f"decided {final.blind_decision}{sure} without seeing the label{tries}. {final.critique}".strip()

    def _nothing(self) -> Content:
        total = examples.count(self.db)
        if not total:
            words = "No example yet. Key 2 generates the first."
        elif self._queue:
            words = "That was the last one. k goes back, / chooses others, u undoes, key 1 shows where you are."
        elif self._query == DEFAULT_QUERY:
            words = "Nothing waits for review. / chooses others, such as status:accepted; u undoes the newest decision."
        else:
            words = f"Nothing matches {line(self._query, 60)}. / changes the filter; an empty one shows what waits."
        return Content(f"\n{words}")

    def _accepted(self) -> dict[str, Quota]:
        """The quotas, counting what a person has accepted."""
        counts = [row for row in examples.cell_counts(self.db) if row.status == Status.ACCEPTED.value]
        return plan(self.project.task, counts).quotas

    def _log(self) -> list[tuple[Review, str]]:
        """The newest decisions with the hypotheses that they are about."""
        log = reviews.newest(self.db, LOG_LINES)
        found = {one: examples.get(self.db, one) for one in {review.example for review in log}}
        return [(review, one.hypothesis) for review in log if (one := found[review.example]) is not None]

    def _draw_progress(self, accepted: dict[str, Quota]) -> None:
        left = examples.count(self.db, self._filter)
        now = time.monotonic()
        while self._decided and now - self._decided[0] > PACE_S:
            self._decided.popleft()
        span = now - self._decided[0] if len(self._decided) > 1 else 0.0
        pace = f" · {(len(self._decided) - 1) / span * 60:.1f}/min" if span > 1 else ""
        quotas = "  ".join(f"{line(name, 12)} {quota.have}/{quota.min}" for name, quota in accepted.items())
        what = "wait" if self._query == DEFAULT_QUERY else f"match {line(self._query, 30)}"
        parts = [(f" {left:,} ", "bold"), (what, ""), (pace, ""), ("  accepted ", "$text-muted"), (quotas, "")]
        self.show("#progress", Content.assemble(*parts))

    # ------------------------------------------------------------ decisions

    def _decide(self, action: Action, *, reason: str = "", advance: bool = True) -> None:
        if self._current is None:
            self.tell("there is no example in front")
            return
        try:
            reviews.decide(self.db, self._current.id, action, reason=reason)
        except (ReviewError, sqlite3.Error) as error:
            self.tell(f"not saved: {error}", error=True)
            return
        if action in _STATUS and self._current.status not in {Status.PENDING, _STATUS[action]}:
            self.tell(f"was {self._current.status}, now {_STATUS[action]}; u undoes")
        if advance:
            self._decided.append(time.monotonic())
            self._move(1)
        else:
            self.redraw()

    def action_accept(self) -> None:
        """Accept the example."""
        self._decide(Action.ACCEPT)

    def action_reject(self) -> None:
        """Ask for the reason of a rejection."""
        if self._current is None:
            self.tell("there is no example in front")
            return
        reasons = self.project.task.review.reasons
        keys = [f"{number} {clean(reason)}" for number, reason in enumerate(reasons, start=1)]
        drawn = flow(["Reject:", *keys, "enter no reason", "escape back"], self.size.width - 2)
        self._ask(Content(drawn).stylize("bold", 0, len("Reject:")))

    def action_skip(self) -> None:
        """Go on without a decision."""
        self._move(1)

    def action_next(self) -> None:
        """The next example."""
        self._move(1)

    def action_previous(self) -> None:
        """The previous example."""
        self._move(-1)

    def action_flag(self) -> None:
        """Flag the example, or take the flag away."""
        flagged = self._current is not None and self._current.flagged
        self._decide(Action.UNFLAG if flagged else Action.FLAG, advance=False)

    def action_undo(self) -> None:
        """Take the newest decision back, and show its example."""
        done = reviews.undo(self.db)
        if done is None:
            self.tell("there is nothing left to undo")
            return
        undone, example = done.review, done.example
        if example.id in self._queue:
            self._at = self._queue.index(example.id)
        else:
            self._queue.insert(self._at, example.id)
        if self._decided and undone.action in {Action.ACCEPT, Action.REJECT}:
            self._decided.pop()
        reason = f" ({undone.reason})" if undone.reason else ""
        self.tell(f"undid {undone.action}{reason}: {line(example.hypothesis, 60)}")
        self.redraw()

    def action_edit(self) -> None:
        """Edit the example."""
        from tui.screens.edit import EditScreen, fits_form

        if self._current is None:
            self.tell("there is no example in front")
        elif not fits_form(self._current):
            self.tell("too long for a form: `sidequest review edit ID FILE` takes changes as JSON", error=True)
        else:
            self.app.push_screen(EditScreen(self.project.task, self._current), self._edited)

    def _edited(self, edited: Example | None) -> None:
        if edited is None:
            return
        try:
            done = reviews.edit(self.db, edited)
        except (ReviewError, sqlite3.Error) as error:
            self.tell(f"not saved: {error}", error=True)
            return
        self.tell(f"saved as version {done.version}; u undoes")
        self.redraw()

    def action_copy(self) -> None:
        """Copy the example as JSON to the terminal's clipboard."""
        if self._current is not None:
            self.app.copy_to_clipboard(self._current.model_dump_json(indent=2, ensure_ascii=True))
            self.tell("copied as JSON")

    # ------------------------------------------------------------ reasons, filter, scrolling

    def _ask(self, drawn: Content) -> None:
        self._rejecting = True
        self.refresh_bindings()
        # A message lies over the lines where the reasons are about to stand.
        self.app.clear_notifications()
        self.query_one("#prompt").add_class("open")
        self.show("#prompt", drawn)

    def _asked(self) -> None:
        self._rejecting = False
        self.refresh_bindings()
        self.query_one("#prompt").remove_class("open")

    @property
    def asking(self) -> bool:
        """Whether the reason of a rejection is asked for."""
        return self._rejecting

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Answers where there is a question."""
        return self.asking if action == "answer" else super().check_action(action, parameters)

    def action_answer(self, number: int) -> None:
        """Reject for the reason with this number, from 1; 0 for no reason; below, do not reject."""
        reasons = self.project.task.review.reasons
        if number > len(reasons):
            return
        self._asked()
        if number >= 0:
            self._decide(Action.REJECT, reason=reasons[number - 1] if number else "")

    def action_filter(self) -> None:
        """Open the filter."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.value = self._query
        # At once: the keys that follow are the filter's, however soon they come.
        self.set_focus(field)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Review what the filter means."""
        query = event.value.strip()
        try:
            found = parse_query(query)
            if not found.status and found.flagged is None:
                # What was decided is shown only to those who ask for it: a stray key must not decide it anew.
                query = f"{DEFAULT_QUERY} {query}".strip()
                found = parse_query(query)
        except QueryError as error:
            self.tell(str(error), error=True)
            return
        unknown = self.project.task.unknown(found.domain, found.level, found.decision)
        if unknown:
            self.tell("; ".join(unknown), error=True)
            return
        self._filter = found
        self._query, self._queue, self._read_to, self._at = query, [], "", 0
        self._close_filter()
        self.redraw()

    def key_escape(self) -> None:
        """Leave the filter as it was."""
        self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter").display = False
        self.set_focus(self.query_one("#example"))

    def action_page_down(self) -> None:
        """Scroll down a page."""
        self.query_one("#example", VerticalScroll).scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """Scroll up a page."""
        self.query_one("#example", VerticalScroll).scroll_page_up(animate=False)

    def action_scroll_line(self, step: int) -> None:
        """Scroll a line."""
        self.query_one("#example", VerticalScroll).scroll_relative(y=step, animate=False)
