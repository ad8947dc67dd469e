"""What stands around an example that waits for a decision: the queue, the hidden label, the keys that decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from textual.content import Content

from core.curriculum.plan import Quota
from storage.queues import WAITING, Left, Queue
from storage.schema import Example, Review
from tui.text import flow, line

TITLES = {
    Queue.UNCERTAIN: ("least certain first", "what waits, where the judge was least sure of label and quality"),
    Queue.NEWEST: ("newest first", "what waits, the newest first"),
    Queue.OLDEST: ("oldest first", "what waits, in the order it was made"),
    Queue.CELL: ("by cell", "what waits, by domain, level and decision"),
    Queue.FLAGGED: ("flagged", "what somebody flagged for another look, decided or not"),
    Queue.REFUSED: ("rejected by the judge", "what QA rejected: accepting one overrules it"),
    Queue.SAMPLE: ("random sample", "fifty of what QA passed, decided or not, for an audit"),
    Queue.SECOND: ("second opinion", "what others have decided and you have not"),
    Queue.DISPUTED: ("disagreements", "where people, label and judge differ, until someone settles it"),
}


def header(
    title: str, query: str, at: str, accepted: Mapping[str, Quota], letters: Mapping[str, str], width: int
) -> Content:
    """The queue, where in it one is, and how far acceptance has come, as far as it fits in one line."""
    narrowed = f" · {line(query, 24)}" if query else ""
    name = f" {title}{narrowed}"
    full = [f"{line(label, 12)} {quota.have}/{quota.min}" for label, quota in accepted.items()]
    short = [f"{letters.get(label, label[:1])} {quota.have}/{quota.min}" for label, quota in accepted.items()]
    room = width - cell_len(name) - cell_len(at) - 6
    quotas = next((text for text in ("  ".join(full), "  ".join(short)) if cell_len(text) <= room), "")
    right = " · ".join(part for part in (at, quotas) if part)
    gap = max(2, width - cell_len(name) - cell_len(right) - 1)
    return Content.assemble((name, "bold"), " " * gap, right)


def position(at: int, size: int, left: Left, pace: float | None) -> str:
    """Where in the queue one is: "37 of 114 · 78 left · 6.2/min"; what was not counted to its end says so."""
    more = "+" if left.more else ""
    parts = [f"{at + 1:,} of {size:,}{more}"] if at < size else []
    parts.append(f"{left.number:,}{more} left")
    if pace is not None:
        parts.append(f"{pace:.1f}/min")
    return " · ".join(parts)


def decision(example: Example, opinions: Sequence[Review], width: int) -> Content:
    """The label with its confidence, and who decided what without seeing it."""
    label = line(example.decision, 24)
    said = " · ".join(f"{line(one.reviewer, 16) or 'decided'} {line(one.value, 24)}" for one in opinions)
    parts: list[str | tuple[str, str]] = [("DECISION  ", "bold $text-accent"), (label, "bold")]
    parts.append(f"  confidence {example.confidence:.2f}")
    used = cell_len(label) + 30
    if said:
        parts.append((f"   blind: {line(said, max(8, width - used - 10))}", "$text-muted"))
    return Content.assemble(*parts)


def concealed(letters: Mapping[str, str], width: int) -> tuple[Content, Content]:
    """What stands in place of the label, and the keys that decide without it."""
    keys = [f"{key} {line(label.lower(), 20)}" for label, key in letters.items()]
    return (
        Content.assemble(
            ("DECISION  ", "bold $text-accent"), "▒▒▒▒▒▒▒▒", (" hidden until you decide (b: not blind)", "$text-muted")
        ),
        Content(flow([*keys, "│ n note", "d changes", "/ narrow"], width)),
    )


def disagreement(value: str, example: Example, width: int) -> Content:
    """What to do with an example that one has just decided otherwise than its label says."""
    yours, its = line(value, 20), line(example.decision, 20)
    head = f"You decided {yours}, it is labelled {its}:"
    drawn = flow([head, "a accept all the same", "x reject", f"e edit to {yours}", "s leave it"], width)
    return Content(drawn).stylize("bold", 0, len(head))


def in_sight(why: str, width: int) -> Content:
    """The keys beside those in the footer, where the label is in sight."""
    blind = f"not blind: {why}" if why else "not blind (b: hide the label)"
    return Content.styled(flow([blind, "│ n note", "d changes", "/ narrow", "g agreement"], width), "$text-muted")


def nothing(queue: Queue, narrowed: str, left: Left, *, none: bool, begun: bool) -> Content:
    """What to do where no example is in front; `none`: the project has none; `begun`: behind the last of the queue."""
    if none:
        words = "No example yet. Key 2 generates the first."
    elif begun:
        count = f"{left.number:,}{'+' if left.more else ''}"
        again = f" {count} are left that you skipped or that came in meanwhile: j begins again." if left.number else ""
        words = f"That was the last one.{again} k goes back, o chooses another queue, u undoes."
    elif narrowed:
        words = f"Nothing here matches {line(narrowed, 60)}. / changes the filter; an empty one shows the whole queue."
    elif queue in WAITING:
        words = "Nothing waits for review. o chooses another queue, such as a random sample; u undoes."
    elif queue is Queue.SECOND:
        words = "Nothing that others have decided and you have not. `sidequest --as NAME` says who you are."
    else:
        words = f"Nothing here: {TITLES[queue][1]}. o chooses another queue."
    return Content(f"\n{words}")
