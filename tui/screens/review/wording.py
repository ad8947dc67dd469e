"""The words around an example that waits for a decision: the queue, the label, the keys that decide, what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from textual.content import Content

from core.curriculum.plan import Quota
from storage.queues import UNDECIDED, Queue, QueueSize
from storage.schema import Example, Review, ReviewAction
from storage.staleness import name_stale
from tui.keymap import key
from tui.text import clean, flow, line
from tui.widgets.example import entry

# Each queue with its title, and what it holds.
TITLES = {
    Queue.UNCERTAIN: ("least certain first", "what waits, by the judge's certainty; what it did not judge is last"),
    Queue.NEWEST: ("newest first", "what waits, the newest first"),
    Queue.OLDEST: ("oldest first", "what waits, in the order it was made"),
    Queue.CELL: ("by cell", "what waits, by domain, level and decision"),
    Queue.FLAGGED: ("flagged", "what somebody flagged for another look, decided or not"),
    Queue.REFUSED: ("rejected by QA", "what QA rejected: accepting one overrules it"),
    Queue.SAMPLE: (
        "random sample",
        "fifty of what QA passed, for an audit: all but what you judged blind",
    ),
    Queue.SECOND: ("second opinion", "what others have decided and you have not"),
    Queue.DISPUTED: ("disagreements", "where people, label and judge differ, until someone settles it"),
}

# The longest that `position` returns.
LONGEST_POSITION = "999 of 9,999 · 9,999 left · 99.9/min"


def header(
    title: str, query: str, position: str, accepted: Mapping[str, Quota], label_keys: Mapping[str, str], width: int
) -> Content:
    """The queue, the position in it, and how far acceptance has come, as far as it fits in one line.

    The form is chosen for the longest figures, so that it stays the same while they grow.
    """
    filter_text = f" · {line(query, 24)}" if query else ""
    name = f" {title}{filter_text}"
    room = width - cell_len(name) - len(LONGEST_POSITION) - 6
    have, least = sum(quota.have for quota in accepted.values()), sum(quota.min for quota in accepted.values())
    quotas = f"{have}/{least} accepted" if 2 * len(str(least)) + 10 <= room else ""
    for names in ([line(label, 12) for label in accepted], [label_keys.get(label, label[:1]) for label in accepted]):
        counts = list(zip(names, accepted.values(), strict=True))
        if sum(cell_len(label) + 2 * len(str(quota.min)) + 4 for label, quota in counts) - 2 <= room:
            quotas = "  ".join(f"{label} {quota.have}/{quota.min}" for label, quota in counts)
            break
    right = " · ".join(part for part in (position, quotas) if part)
    gap = max(2, width - cell_len(name) - cell_len(right) - 1)
    return Content.assemble((name, "bold"), " " * gap, right)


def position(index: int, size: int, remaining: QueueSize, per_minute: float | None) -> str:
    """The position in the queue: "37 of 114 · 78 left · 6.2/min"; a count that was cut ends in "+"."""
    more = "+" if remaining.more else ""
    parts = [f"{index + 1:,} of {size:,}{more}"] if index < size else []
    parts.append(f"{remaining.number:,}{more} left")
    if per_minute is not None:
        parts.append(f"{per_minute:.1f}/min")
    return " · ".join(parts)


def label(example: Example, opinions: Sequence[Review], width: int) -> Content:
    """The label with its confidence, the judge's certainty of it, and who decided what without seeing it."""
    decision = line(example.decision, 24)
    decided = " · ".join(f"{line(review.reviewer, 16) or 'decided'} {line(review.value, 24)}" for review in opinions)
    certainty = "unknown" if example.certainty is None else f"{example.certainty:.2f}"
    figures = f"  confidence {example.confidence:.2f}  certainty {certainty}"
    parts: list[str | tuple[str, str]] = [("LABEL  ", "bold $text-accent"), (decision, "bold"), figures]
    if decided:
        room = width - cell_len(decision) - len(figures) - 17
        parts.append((f"   blind: {line(decided, max(8, room))}", "$text-muted"))
    return Content.assemble(*parts)


def hidden_label() -> Content:
    """What stands in place of a hidden label."""
    hint = f" hidden until you decide ({key('review.blind')}: not blind)"
    return Content.assemble(("LABEL  ", "bold $text-accent"), "▒▒▒▒▒▒▒▒", (hint, "$text-muted"))


def blind_keys(label_keys: Mapping[str, str], width: int) -> Content:
    """The keys that decide while the label is hidden, and others that the footer does not show."""
    head = "Decide:"
    keys = [f"{letter} {line(label, 20)}" for label, letter in label_keys.items()]
    return Content(flow([head, *keys, *_more_keys()], width)).stylize("bold", 0, len(head))


def open_keys(not_blind: str, width: int) -> Content:
    """The keys that the footer does not show, where the label is shown; `not_blind` says why it is, if it has to be."""
    blind = f"not blind: {not_blind}" if not_blind else f"not blind ({key('review.blind')}: hide the label)"
    keys = [blind, *_more_keys(), f"{key('review.agreement')} agreement"]
    return Content.styled(flow(keys, width), "$text-muted")


def _more_keys() -> list[str]:
    return [f"│ {key('review.note')} note", f"{key('review.changes')} changes", f"{key('review.filter')} narrow"]


def explain_label_key(letter: str, not_blind: str) -> str:
    """Says that the key of a label decides nothing while the label is shown; `not_blind` says why it has to be."""
    reason = not_blind or f"{key('review.blind')} hides labels"
    keys = f"{key('review.accept')} accepts, {key('review.reject')} rejects the example, {key('review.edit')} edits"
    return f"{letter} decides while the label is hidden ({reason}); {keys}"


def edit_saved(example: Example) -> Content:
    """Says that an edit was saved, and what can be done about it."""
    keys = f"{key('review.accept')} accepts it, {key('review.undo')} undoes"
    if example.stale:
        keys = f"{name_stale(example)} stale: {key('review.repair')} repairs; {keys}"
    return Content(f"saved as version {example.version}, which no judge has read; {keys}")


def disagreement_keys(blind_decision: str, example: Example, width: int) -> Content:
    """The keys for an example whose label turned out to be another than what the person decided blind."""
    decision, example_label = line(blind_decision, 20), line(example.decision, 20)
    head = f"You decided {decision}, the label is {example_label}:"
    keys = [f"{key('review.accept')} accept as {example_label}", f"{key('review.reject')} reject the example"]
    keys += [f"{key('review.edit')} edit to {decision}", f"{key('review.skip')} leave it"]
    return Content(flow([head, *keys], width)).stylize("bold", 0, len(head))


def decided(review: Review, example: Example, width: int) -> Content:
    """What the decision `review` came to; `example` is as it is after that."""
    outcome, hypothesis = clean(entry(review.model_copy(update={"reviewer": ""}))), line(example.hypothesis, 40)
    if review.value:
        value, example_label = line(review.value, 20), line(example.decision, 20)
        agrees = review.value == example.decision
        against_label = f"{value}, as the label says" if agrees else f"{value}, the label is {example_label}"
        stays = "" if review.action is ReviewAction.ACCEPT else "it stays "
        outcome = f"before: you decided {against_label}: {stays}{example.status}"
    return Content.styled(line(f"{outcome} · {key('review.undo')} undoes · “{hypothesis}”", width), "$text-muted")


def empty_queue(queue: Queue, query: str, remaining: QueueSize, *, no_examples: bool, begun: bool) -> Content:
    """What to do where no example is in front.

    `no_examples`: the project has none at all. `begun`: the position is behind the last example of a round.
    """
    another = f"{key('review.queue')} chooses another queue"
    if no_examples:
        words = f"No example yet. Key {key('app.generate')} generates the first."
    elif begun:
        count = f"{remaining.number:,}{'+' if remaining.more else ''}"
        again = (
            f" {count} are left that you skipped or that came in meanwhile: {key('review.next')} begins again."
            if remaining.number
            else ""
        )
        words = (
            f"That was the last one.{again} {key('review.previous')} goes back, {another}, {key('review.undo')} undoes."
        )
    elif query:
        words = f"Nothing here matches {line(query, 60)}. {key('review.filter')} changes the filter; "
        words += "an empty one shows the whole queue."
    elif queue in UNDECIDED:
        words = f"Nothing waits for review. {another}, such as a random sample; {key('review.undo')} undoes."
    elif queue is Queue.SECOND:
        words = "Nothing that others have decided and you have not. `sidequest --as NAME` says who you are."
    else:
        words = f"Nothing here: {TITLES[queue][1]}. {another}."
    return Content(f"\n{words}")
