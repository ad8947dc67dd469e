"""What stands around the map of rejections: the headline, one cell in words, and the judge's own record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from core.curriculum.plan import CellPlan
from core.qa.matrix import Matrix, MatrixCell
from core.qa.scorecard import PeopleRecord, ReviewedVerdicts, Scorecard
from storage.attempts import JudgedAttempt
from storage.schema import Status
from storage.shelves import Shelf
from tui.keymap import key
from tui.text import clean, content, line
from tui.widgets.bars import bar
from tui.widgets.heatmap import FLAGGED, SHELVED
from tui.widgets.lineage import row
from tui.widgets.reasons import reason_in_words

_REASON_BAR = 12


def headline(matrix: Matrix, decision: str, width: int) -> Content:
    """All attempts in one line."""
    total, rejected = sum(one.attempts for one in matrix.cells), sum(one.rejected for one in matrix.cells)
    if not total:
        left = "QA rejections · no attempt is judged yet"
    else:
        left = f"QA rejections · {total:,} attempts, {rejected:,} rejected"
    right = f"by decision: {decision}"
    legend = f"{FLAGGED} worse than the rest  {SHELVED} shelved · "
    if len(left) + len(legend) + len(right) + 2 <= width:
        right = legend + right
    return Content.assemble(left, " " * max(1, width - len(left) - len(right)), (right, "$text-muted"))


def beside(
    matrix: Matrix,
    domain: str,
    level: int,
    cells: Sequence[CellPlan],
    held: Sequence[Shelf],
    newest: Sequence[JudgedAttempt],
    brought: Mapping[str, Status],
    width: int,
) -> Content:
    """One cell: how much is rejected, whether that is worse than chance, why, what is wanted, the newest attempts."""
    found = matrix.at(domain, level)
    parts: list[Content | str | tuple[str, str]] = [(f"{line(domain, 40)} · level {level}", "bold $text-accent"), "\n"]
    if found is None:
        parts.append(("no attempt is judged yet; key 2 generates some\n", "$text-muted"))
    else:
        parts += _counts(found)
    for flagged in matrix.flagged:
        if (flagged.domain, flagged.level) == (domain, level):
            parts += [(f"{FLAGGED} ", "$text-error bold"), content(flagged.sentence, limit=500), "\n"]
    for shelf in held:
        what = f"{SHELVED} {clean(shelf.decision, limit=60) or 'the cell'} is shelved"
        why = f": {clean(shelf.reason, limit=300)}" if shelf.reason else f"; {key('rejections.shelve')} takes it back"
        parts.append((f"{what}{why}\n", "$text-warning"))
    for cell in cells:
        missing = f", {cell.missing} missing" if cell.missing else ""
        shelved = ", shelved" if cell.shelved else ""
        label = f"{line(cell.decision, 16):<10} {cell.have} of {cell.want} wanted{missing}{shelved}\n"
        parts.append((label, "$text-muted"))
    if found is not None and found.reasons:
        parts.append(("\nWHY\n", "bold $text-accent"))
        for reason, count in found.reasons.items():
            share = bar(count / found.rejected, _REASON_BAR)
            parts += [
                (share, "$text-error"),
                f" {count:>4} {line(reason_in_words(reason), max(10, width - _REASON_BAR - 6))}\n",
            ]
    if newest:
        parts.append(("\nREJECTED LAST · enter shows them all\n", "bold $text-accent"))
        for one in newest:
            parts += [row(one, width, brought.get(one.attempt.id)), "\n"]
    return Content.assemble(*parts).rstrip()


def _counts(cell: MatrixCell) -> list[Content | str | tuple[str, str]]:
    interval = f"({cell.low:.0%}–{cell.high:.0%})".replace("%–", "–")
    return [f"{cell.rejected} of {cell.attempts} rejected, {cell.rate:.0%} {interval}\n"]


def scores(card: Scorecard) -> Content:
    """What QA made of mistakes that were planted."""
    parts: list[Content | str | tuple[str, str]] = [("MISTAKES PLANTED TO TEST QA\n", "bold $text-accent")]
    if not card.planted:
        parts.append("none was planted: a run of the procedural source that plants a share measures QA\n")
    for score in card.by_flaw:
        interval = f"({score.low:.0%}–{score.high:.0%})".replace("%–", "–")
        why = ", ".join(f"{reason_in_words(name)} {count}" for name, count in score.reasons.items())
        parts += [f"{reason_in_words(score.flaw):<24} caught {score.caught} of {score.planted} {interval}  "]
        parts += [content(line(why, 60), style="$text-muted"), "\n"]
    if card.planted:
        parts.append(f"{'in all':<24} caught {card.caught} of {card.planted}\n")
    if card.good:
        interval = f"({card.refused_low:.1%}–{card.refused_high:.1%})".replace("%–", "–")
        parts.append(f"{'good ones refused':<24} {card.refused} of {card.good} {interval}\n")
    return Content.assemble(*parts)


def people(record: PeopleRecord) -> Content:
    """What people said of QA's verdicts."""
    parts: list[Content | str | tuple[str, str]] = [("IN THE EYES OF PEOPLE\n", "bold $text-accent")]
    parts.append(f"{'QA passed':<24} {_sided(record.passed, 'accepted')}\n")
    parts.append(f"{'QA rejected':<24} {_sided(record.rejected, 'rejected too')}\n")
    parts.append(("\ng agreement beyond chance, from what was decided blind", "$text-muted"))
    return Content.assemble(*parts)


def _sided(reviewed: ReviewedVerdicts, said: str) -> str:
    if not reviewed.decided:
        return "nobody has decided on one yet"
    interval = f"({reviewed.low:.0%}–{reviewed.high:.0%})".replace("%–", "–")
    return f"{said} {reviewed.agreed} of {reviewed.decided} {interval}"
