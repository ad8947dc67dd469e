"""Review: one example that fills the screen; one key, and the next is there."""

from __future__ import annotations

import sqlite3
import time
from functools import cached_property

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from core.curriculum.plan import Quota
from core.review.blindness import Blindness
from core.review.item import ReviewItem, changes, deciding, labelling
from core.review.progress import ReviewPace, accepted
from core.review.round import Round
from storage import drafts, examples, queues, reviews
from storage.database import data_version
from storage.queues import Queue
from storage.reviews import ReviewError
from storage.schema import Example, Review, ReviewAction
from storage.search import QueryError, parse_query
from tui.actions import FIELD, LABELS, REASON, REVIEW, bindings
from tui.keymap import key, label_keys
from tui.screens.review import decision_panel as drawn
from tui.screens.review.questions import QuestionScreen
from tui.screens.undo import UndoStack
from tui.text import line
from tui.widgets.context_panel import progress_panel
from tui.widgets.diff import diff
from tui.widgets.example import body, entry, judgement, place

# From so many columns on, more stands beside the example.
WIDE = 140
LOG_LINES = 8


class ReviewScreen(QuestionScreen):
    """A queue, and the example in front, its label hidden until the person has decided, unless they want it shown."""

    TITLE = "Review"
    ACTIONS = REVIEW
    BINDINGS = bindings([*REVIEW, *LABELS, *REASON, *FIELD])
    MARKS = (("▮▮▮▯▯", "how relevant a piece of evidence is"), ("6.2/min", "so many you decide in a minute"))

    def __init__(self) -> None:
        super().__init__()
        self._undo_stack = UndoStack(self, self._show_undone, self.say)
        self._queue = Queue.UNCERTAIN
        self._round: Round | None = None
        self._case: ReviewItem | None = None
        # What they had decided about the one in front, where its label turned out to be another.
        self._value = ""
        self._diffing = self._warned = False
        self._pace = ReviewPace()
        self._others = -1

    def parts(self) -> ComposeResult:
        yield Static(id="progress")
        yield Static(id="place")
        with Horizontal(id="columns"):
            with VerticalScroll(id="example"):
                yield Static(id="body")
            yield Static(id="standing")
        yield Static(id="decision")
        yield from self.questions()

    def on_mount(self) -> None:
        """Begin with the keys on the screen, not in a field, and where an edit was cut short."""
        self.query_one("#example").focus()
        draft = drafts.newest(self.db, self.sidequest.reviewer)
        example = examples.get(self.db, draft.example) if draft else None
        if example is not None:
            self.round.bring_to_front(example)
            self.tell(f"an edit of this example was not saved: {key('review.edit')} goes on with it")

    # ------------------------------------------------------------ the queue

    @property
    def round(self) -> Round:
        """The pass through the chosen queue, begun when it is first asked for."""
        if self._round is None:
            self._round = Round(self.db, self._queue, parse_query(self.narrowed), self.sidequest.reviewer)
        return self._round

    def choose(self, queue: Queue, query: str = "") -> None:
        """Review `queue`, narrowed to what `query` means."""
        self._queue, self.narrowed, self._round = queue, query, None
        self._leave()
        self.redraw()

    def narrow(self, query: str) -> str:
        """Narrow the queue to what `query` means; returns what is wrong with it, '' if nothing is."""
        try:
            where = parse_query(query)
        except QueryError as error:
            return str(error)
        unknown = self.project.task.unknown(where.domain, where.level, where.decision)
        if unknown:
            return "; ".join(unknown)
        if self._queue is Queue.REFUSED and (parts := queues.not_of_attempts(where)):
            return (
                f"what QA rejected has no {', '.join(parts)}: narrow it by words, domain, level, decision, source ..."
            )
        self.narrowed, self._round = query, None
        self._leave()
        return ""

    def _leave(self) -> None:
        """Nothing that was begun about one example holds for the next."""
        if self.note:
            self.tell("the note was dropped: it goes with a decision")
        self.say(Content(""))
        self.note = self._value = ""
        self._diffing = False
        self.query_one("#example", VerticalScroll).scroll_home(animate=False)

    def _move(self, step: int) -> None:
        front = self.round.key
        self.round.move(step)
        if step > 0 and front is None and self.round.left().number:
            # What was skipped, and what came in before the place where one is, waits at the beginning.
            self._round = None
            self.tell("from the beginning")
        self._leave()
        self.redraw()

    # ------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Read on where the queue ends, and draw the example in front."""
        version = data_version(self.db)
        if version != self._others or self.round.key is None:
            self._others = version
            self.round.refresh()
        self.round.read_on()
        self._case = self.round.case()
        quotas = accepted(self.project.task, self.db)
        self._draw_header(quotas)
        self._draw_example()
        wide = self.size.width >= WIDE
        self.query_one("#standing").display = wide
        if wide:
            example = self._case.example if self._case else None
            log = reviews.recent(self.db, LOG_LINES)
            if self._hidden and example:
                log = [(one, text) for one, text in log if one.example != example.id]
            self.show("#standing", progress_panel(quotas, example, log))

    def _draw_header(self, quotas: dict[str, Quota]) -> None:
        left = self.round.left()
        at = drawn.position(self.round.at, self.round.size(left), left, self._pace.per_minute())
        title = drawn.TITLES[self._queue][0]
        self.show("#progress", drawn.header(title, self.narrowed, at, quotas, self._letters, self.size.width))

    def _draw_example(self) -> None:
        width = self.size.width - 2
        case = self._case
        if case is None:
            for selector in ("#place", "#decision"):
                self.show(selector, Content(""))
            none = not examples.count(self.db) and self._queue is not Queue.REFUSED
            begun, left = self.round.begun, self.round.left()
            self.show("#body", drawn.nothing(self._queue, self.narrowed, left, none=none, begun=begun))
            self.show("#prompt", Content(""))
            return
        hidden, example = self._hidden, case.example
        self.show("#place", place(example, width, hidden=hidden))
        if self._diffing:
            self.show("#body", self._changes(case, hidden))
        else:
            said = [entry(line) for line in case.log]
            self.show("#body", body(example, hidden=hidden, verdict=judgement(case), said=said))
        if hidden:
            decision, keys = drawn.concealed(self._letters, width)
        else:
            decision, keys = drawn.decision(example, case.opinions(), width), drawn.in_sight(self._broken, width)
            if self._value:
                keys = drawn.disagreement(self._value, example, width)
        self.show("#decision", decision)
        if self.asking:
            return
        note = Content(f"\nnote: {line(self.note, width - 6)}") if self.note else Content("")
        self.show("#prompt", keys + note)

    def _changes(self, case: ReviewItem, hidden: bool) -> Content:
        parts: list[Content | tuple[str, str] | str] = []
        for heading, before, after, critique in changes(self.db, case):
            parts.append((f"{heading.upper()}\n\n", "bold reverse"))
            if critique and not hidden:
                parts += [("CRITIQUE  ", "bold $text-accent"), Content(line(critique, 2000)), "\n\n"]
            parts += [diff(before, after, blind=hidden), "\n\n"]
        return Content.assemble(*parts)

    # ------------------------------------------------------------ the hidden label

    @property
    def _letters(self) -> dict[str, str]:
        return label_keys(self.project.task.labels)

    @cached_property
    def blindness(self) -> Blindness:
        """What the person wants hidden, and has seen."""
        return Blindness(self.sidequest.reviewer)

    @property
    def _hidden(self) -> bool:
        """Whether the label of the example in front is hidden."""
        return self._case is not None and self.blindness.on and not self._broken

    @property
    def _broken(self) -> str:
        """Why the label in front is no secret, though the person wants it hidden."""
        if self._case is None or not self.blindness.on:
            return ""
        return self.blindness.broken(self._case, self._queue, self.round.where)

    def action_blind(self) -> None:
        """Hide labels from now on until there is a decision, or show them."""
        if self._hidden and self._case:
            self.blindness.saw(self._case.example.id)
        self.blindness.on = not self.blindness.on
        here = f", but not here: {self._broken}" if self._broken else ""
        self.redraw()
        self.say(Content(f"labels are hidden until you decide{here}" if self.blindness.on else "labels are shown"))

    def action_label(self, letter: str) -> None:
        """Decide without having seen the label."""
        case, value = self._case, next((label for label, key in self._letters.items() if key == letter), "")
        if case is None or not value:
            return
        if not self._hidden:
            self.tell(drawn.only_blind(letter, self._broken))
            return
        undecided = case.undecided
        review = labelling(case, value, note=self.note, reviewer=self.sidequest.reviewer)
        now = self._write(review)
        if now is None:
            return
        if review.action is ReviewAction.ACCEPT or not undecided:
            self._next(review, drawn.done(review, now, self.size.width - 2))
            return
        self.blindness.saw(case.example.id)
        self._value, self.note = value, ""
        self.redraw()

    # ------------------------------------------------------------ decisions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Letters decide where they stand for a label, and where actions act at all."""
        if action == "label":
            ready = super().check_action("accept", ())
            return ready and self._case is not None and parameters[0] in self._letters.values()
        return super().check_action(action, parameters)

    def _write(self, review: Review) -> Example | None:
        """Log a decision about the example in front; None if that failed, and the person was told why."""
        if self._case is None:
            self.tell("there is no example in front")
            return None
        try:
            now = reviews.act(self.db, self._case.example, deciding(self._case, review))
        except (ReviewError, sqlite3.Error) as error:
            self.tell(f"not saved: {error}", error=True)
            return None
        self._undo_stack.remember(now)
        return now

    def _next(self, review: Review, said: Content) -> None:
        self.note = ""
        self._pace.add(time.monotonic())
        self.round.done(review)
        self._move(1)
        self.say(said)

    def _decide(self, action: ReviewAction, *, reason: str = "") -> None:
        """Accept or reject the example in front."""
        case = self._case
        review = Review(example="", action=action, reason=reason, note=self.note, reviewer=self.sidequest.reviewer)
        now = self._write(review)
        if now is None or case is None:
            return
        if self._hidden and case.undecided and not self._warned:
            self._warned = True
            keys = " ".join(self._letters.values())
            self.tell(f"decided, but not what it is: {keys} decide that blind, and count towards agreement")
        was = "" if case.undecided or case.example.status is now.status else f"was {case.example.status}, now "
        self._next(review, Content(was).append(drawn.done(review, now, self.size.width - 2)))

    def action_accept(self) -> None:
        """Accept the example."""
        self._decide(ReviewAction.ACCEPT)

    def action_reject(self) -> None:
        """Ask for the reason of a rejection."""
        if self._case is not None:
            self.ask_reason()
        else:
            self.tell("there is no example in front")

    def reject(self, reason: str) -> None:
        """Reject what is in front."""
        self._decide(ReviewAction.REJECT, reason=reason)

    def action_skip(self) -> None:
        """Go on without a decision."""
        self._move(1)

    def action_previous(self) -> None:
        """The previous example."""
        self._move(-1)

    def action_flag(self) -> None:
        """Flag the example, or take the flag away."""
        flagged = self._case is not None and self._case.example.flagged
        action, reviewer = ReviewAction.UNFLAG if flagged else ReviewAction.FLAG, self.sidequest.reviewer
        # The line is about what is in front, whatever its id: `act` writes that.
        review = Review(example="", action=action, note=self.note, reviewer=reviewer)
        now = self._write(review)
        if now is not None:
            self.note = ""
            self.round.done(review)
            self.redraw()
            self.say(drawn.done(review, now, self.size.width - 2))

    def action_undo(self) -> None:
        """Undo the person's newest act."""
        self._undo_stack.undo()

    def _show_undone(self, newest: Review, example: Example, message: Content) -> None:
        """Show `example`, an act about which was undone; `newest` was its newest line."""
        if newest.action in {ReviewAction.ACCEPT, ReviewAction.REJECT}:
            self._pace.take_back()
        self.round.bring_to_front(example)
        self._leave()
        self.note = newest.note  # what was written goes with the decision that comes instead
        self.redraw()
        self.say(message)

    def action_edit(self) -> None:
        """Edit the example, beginning with the decision that the person came to."""
        from tui.screens.edit.screen import EditScreen

        if self._case is None:
            self.tell("there is no example in front")
            return
        example = self._case.example
        if not self._case.stored:
            # A draft is kept for what is stored; without a line about it, it stays as QA left it.
            example = reviews.act(self.db, example, [])
        if self._hidden and self._case.undecided:
            self.tell("the form shows the label: this example cannot be decided blind any more")
        self.blindness.saw(example.id)
        self.app.push_screen(EditScreen(self.project.task, example, decision=self._value), self._edited)

    def _edited(self, edited: Example | None) -> None:
        if edited is None:
            self.redraw()
            return
        reviewer = self.sidequest.reviewer
        try:
            done = reviews.edit(self.db, edited, note=self.note, reviewer=reviewer)
        except (ReviewError, sqlite3.Error) as error:
            self.tell(f"not saved, but kept as a draft: {error}", error=True)
            return
        drafts.drop(self.db, edited.id, reviewer)
        self.note = self._value = ""
        self._undo_stack.remember(done)
        self.say(drawn.saved(done))
        self.redraw()

    # ------------------------------------------------------------ what stands beside

    def action_diff(self) -> None:
        """Show what changed since the attempt, or the version, before; again: the example."""
        if not self._diffing and (self._case is None or not changes(self.db, self._case)):
            self.tell("nothing came before it: it was the first attempt, and nobody edited it")
            return
        self._diffing = not self._diffing
        self.query_one("#example", VerticalScroll).scroll_home(animate=False)
        self.redraw()

    def action_choose(self) -> None:
        """Choose what to review."""
        from tui.screens.review.queue_choice import QueueChoice

        def chosen(queue: Queue | None) -> None:
            if queue is not None:
                self.choose(queue)

        self.app.push_screen(QueueChoice(self.db, self._queue, self.sidequest.reviewer), chosen)

    def action_agreement(self) -> None:
        """Show how far people, label and judge agree."""
        from tui.screens.agreement.screen import AgreementScreen

        self.app.push_screen(AgreementScreen(self.project.database))

    def action_copy(self) -> None:
        """Copy the example as JSON to the terminal's clipboard."""
        if self._case is not None:
            self.app.copy_to_clipboard(self._case.example.model_dump_json(indent=2, ensure_ascii=True))
            self.tell("sent to the terminal's clipboard as JSON, label and all; not every terminal takes it")
