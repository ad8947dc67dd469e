"""What stands around an example that waits for a decision: the queue, the hidden label, the keys that decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from textual.content import Content

from core.curriculum.plan import Quota
from storage.queues import WAITING, Queue, QueueSize
from storage.schema import Example, Review, ReviewAction
from tui.keymap import key
from tui.text import clean, flow, line
from tui.widgets.example import entry

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


def header(
    title: str, query: str, at: str, accepted: Mapping[str, Quota], letters: Mapping[str, str], width: int
) -> Content:
    """The queue, where in it one is, and how far acceptance has come, as far as it fits in one line.

    The form is chosen for figures as long as they get, so that it stays the same while they grow.
    """
    narrowed = f" · {line(query, 24)}" if query else ""
    name = f" {title}{narrowed}"
    room = width - cell_len(name) - len(LONGEST) - 6
    held, least = sum(one.have for one in accepted.values()), sum(one.min for one in accepted.values())
    quotas = f"{held}/{least} accepted" if 2 * len(str(least)) + 10 <= room else ""
    for names in ([line(label, 12) for label in accepted], [letters.get(label, label[:1]) for label in accepted]):
        each = list(zip(names, accepted.values(), strict=True))
        if sum(cell_len(one) + 2 * len(str(quota.min)) + 4 for one, quota in each) - 2 <= room:
            quotas = "  ".join(f"{one} {quota.have}/{quota.min}" for one, quota in each)
            break
    right = " · ".join(part for part in (at, quotas) if part)
    gap = max(2, width - cell_len(name) - cell_len(right) - 1)
    return Content.assemble((name, "bold"), " " * gap, right)


LONGEST = "999 of 9,999 · 9,999 left · 99.9/min"


def position(at: int, size: int, left: QueueSize, pace: float | None) -> str:
    """Where in the queue one is: "37 of 114 · 78 left · 6.2/min"; what was not counted to its end says so."""
    more = "+" if left.more else ""
    parts = [f"{at + 1:,} of {size:,}{more}"] if at < size else []
    parts.append(f"{left.number:,}{more} left")
    if pace is not None:
        parts.append(f"{pace:.1f}/min")
    return " · ".join(parts)


def decision(example: Example, opinions: Sequence[Review], width: int) -> Content:
    """The label with its confidence, how certain the judge is of it, and who decided what without seeing it."""
    label = line(example.decision, 24)
    said = " · ".join(f"{line(one.reviewer, 16) or 'decided'} {line(one.value, 24)}" for one in opinions)
    certainty = "unknown" if example.certainty is None else f"{example.certainty:.2f}"
    figures = f"  confidence {example.confidence:.2f}  certainty {certainty}"
    parts: list[str | tuple[str, str]] = [("LABEL  ", "bold $text-accent"), (label, "bold"), figures]
    if said:
        room = width - cell_len(label) - len(figures) - 17
        parts.append((f"   blind: {line(said, max(8, room))}", "$text-muted"))
    return Content.assemble(*parts)


def concealed(letters: Mapping[str, str], width: int) -> tuple[Content, Content]:
    """What stands in place of the label, and the keys that decide without it."""
    head, blind = "Decide:", f"{key('review.blind')}: not blind"
    ways = [f"│ {key('review.note')} note", f"{key('review.changes')} changes", f"{key('review.filter')} narrow"]
    keys = [f"{letter} {line(label, 20)}" for label, letter in letters.items()]
    return (
        Content.assemble(
            ("LABEL  ", "bold $text-accent"), "▒▒▒▒▒▒▒▒", (f" hidden until you decide ({blind})", "$text-muted")
        ),
        Content(flow([head, *keys, *ways], width)).stylize("bold", 0, len(head)),
    )


def only_blind(letter: str, why: str) -> str:
    """That the letter of a label decides nothing while the label is in sight; `why` it is, if that is known."""
    why = why or f"{key('review.blind')} hides labels"
    acts = f"{key('review.accept')} accepts, {key('review.reject')} rejects the example, {key('review.edit')} edits"
    return f"{letter} decides while the label is hidden ({why}); {acts}"


def saved(example: Example) -> Content:
    """That an edit was saved, and what can be done about it."""
    ways = f"{key('review.accept')} accepts it, {key('review.undo')} undoes"
    return Content(f"saved as version {example.version}, which no judge has read; {ways}")


def disagreement(value: str, example: Example, width: int) -> Content:
    """What to do with an example that one has just decided otherwise than its label says."""
    yours, its = line(value, 20), line(example.decision, 20)
    head = f"You decided {yours}, the label is {its}:"
    ways = [f"{key('review.accept')} accept as {its}", f"{key('review.reject')} reject the example"]
    ways += [f"{key('review.edit')} edit to {yours}", f"{key('review.skip')} leave it"]
    return Content(flow([head, *ways], width)).stylize("bold", 0, len(head))


def done(review: Review, example: Example, width: int) -> Content:
    """What a decision that is about to leave the screen came to; `example` is as it then stands."""
    what, text = clean(entry(review.model_copy(update={"reviewer": ""}))), line(example.hypothesis, 40)
    if review.value:
        value, label = line(review.value, 20), line(example.decision, 20)
        held = f"{value}, as the label says" if review.value == example.decision else f"{value}, the label is {label}"
        stays = "" if review.action is ReviewAction.ACCEPT else "it stays "
        what = f"before: you decided {held}: {stays}{example.status}"
    return Content.styled(line(f"{what} · {key('review.undo')} undoes · “{text}”", width), "$text-muted")


def in_sight(why: str, width: int) -> Content:
    """The keys beside those in the footer, where the label is in sight."""
    blind = f"not blind: {why}" if why else f"not blind ({key('review.blind')}: hide the label)"
    ways = [f"│ {key('review.note')} note", f"{key('review.changes')} changes", f"{key('review.filter')} narrow"]
    ways.append(f"{key('review.agreement')} agreement")
    return Content.styled(flow([blind, *ways], width), "$text-muted")


def nothing(queue: Queue, narrowed: str, left: QueueSize, *, none: bool, begun: bool) -> Content:
    """What to do where no example is in front; `none`: the project has none; `begun`: behind the last of the queue."""
    another = f"{key('review.queue')} chooses another queue"
    if none:
        words = f"No example yet. Key {key('app.generate')} generates the first."
    elif begun:
        count = f"{left.number:,}{'+' if left.more else ''}"
        again = (
            f" {count} are left that you skipped or that came in meanwhile: {key('review.next')} begins again."
            if left.number
            else ""
        )
        words = (
            f"That was the last one.{again} {key('review.previous')} goes back, {another}, {key('review.undo')} undoes."
        )
    elif narrowed:
        words = f"Nothing here matches {line(narrowed, 60)}. {key('review.filter')} changes the filter; "
        words += "an empty one shows the whole queue."
    elif queue in WAITING:
        words = f"Nothing waits for review. {another}, such as a random sample; {key('review.undo')} undoes."
    elif queue is Queue.SECOND:
        words = "Nothing that others have decided and you have not. `sidequest --as NAME` says who you are."
    else:
        words = f"Nothing here: {TITLES[queue][1]}. {another}."
    return Content(f"\n{words}")
