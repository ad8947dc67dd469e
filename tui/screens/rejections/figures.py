"""The texts of Rejections: the headline of the map, one cell in words, and the judge's own record."""

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
from tui.screens.rejections.cell_choice import CellChoice
from tui.text import clean, content, line
from tui.widgets.bars import bar
from tui.widgets.heatmap import FLAGGED, SHELVED
from tui.widgets.lineage import attempt_row
from tui.widgets.reasons import reason_in_words

_REASON_BAR = 12
Parts = list[Content | str | tuple[str, str]]


def headline(matrix: Matrix, decision: str, width: int) -> Content:
    """All attempts at `decision` ('' for all decisions) in one line, with a legend where it fits."""
    total, rejected = sum(cell.attempts for cell in matrix.cells), sum(cell.rejected for cell in matrix.cells)
    if not total:
        left = "QA rejections · no attempt is judged yet"
    else:
        left = f"QA rejections · {total:,} attempts, {rejected:,} rejected"
    right = f"by decision: {line(decision, 16) or 'all'}"
    legend = f"{FLAGGED} worse than the rest  {SHELVED} shelved · "
    if len(left) + len(legend) + len(right) + 2 <= width:
        right = legend + right
    return Content.assemble(left, " " * max(1, width - len(left) - len(right)), (right, "$text-muted"))


def cell_panel(
    matrix: Matrix,
    choice: CellChoice,
    plans: Sequence[CellPlan],
    shelves: Sequence[Shelf],
    newest: Sequence[JudgedAttempt],
    overruled: Mapping[str, Status],
    width: int,
) -> Content:
    """One cell: how much is rejected, whether that is worse than chance, why, what is wanted, the newest attempts.

    `plans` and `shelves` are those of the cell; `overruled` holds the status of attempts that somebody brought in.
    """
    domain, level = choice.domain, choice.level
    cell = matrix.cell_at(domain, level)
    parts: Parts = [(f"{line(domain, 40)} · level {level}", "bold $text-accent"), "\n"]
    if cell is None:
        parts.append(("no attempt is judged yet; key 2 generates some\n", "$text-muted"))
    else:
        parts += _counts(cell)
    for flagged in matrix.flagged:
        if (flagged.domain, flagged.level) == (domain, level):
            parts += [(f"{FLAGGED} ", "$text-error bold"), content(flagged.sentence, limit=500), "\n"]
    for shelf in shelves:
        name = f"{SHELVED} {clean(shelf.decision, limit=60) or 'the cell'} is shelved"
        note = f": {clean(shelf.reason, limit=300)}" if shelf.reason else f"; {key('rejections.shelve')} takes it back"
        parts.append((f"{name}{note}\n", "$text-warning"))
    for plan in plans:
        missing = f", {plan.missing} missing" if plan.missing else ""
        shelved = ", shelved" if plan.shelved else ""
        label = f"{line(plan.decision, 16):<10} {plan.have} of {plan.want} wanted{missing}{shelved}\n"
        parts.append((label, "$text-muted"))
    if cell is not None and cell.reasons:
        parts.append(("\nWHY\n", "bold $text-accent"))
        for reason, count in cell.reasons.items():
            share = bar(count / cell.rejected, _REASON_BAR)
            parts += [
                (share, "$text-error"),
                f" {count:>4} {line(reason_in_words(reason), max(10, width - _REASON_BAR - 6))}\n",
            ]
    if newest:
        parts.append(("\nREJECTED LAST · enter shows them all\n", "bold $text-accent"))
        for judged in newest:
            parts += [attempt_row(judged, width, overruled.get(judged.attempt.id)), "\n"]
    return Content.assemble(*parts).rstrip()


def _counts(cell: MatrixCell) -> Parts:
    interval = f"({cell.low:.0%}–{cell.high:.0%})".replace("%–", "–")
    return [f"{cell.rejected} of {cell.attempts} rejected, {cell.rate:.0%} {interval}\n"]


def qa_scores(card: Scorecard) -> Content:
    """What QA made of mistakes that were planted."""
    parts: Parts = [("MISTAKES PLANTED TO TEST QA\n", "bold $text-accent")]
    if not card.planted:
        parts.append("none was planted: a run of the procedural source that plants a share measures QA\n")
    for score in card.by_flaw:
        interval = f"({score.low:.0%}–{score.high:.0%})".replace("%–", "–")
        reasons = ", ".join(f"{reason_in_words(name)} {count}" for name, count in score.reasons.items())
        parts += [f"{reason_in_words(score.flaw):<24} caught {score.caught} of {score.planted} {interval}  "]
        parts += [content(line(reasons, 60), style="$text-muted"), "\n"]
    if card.planted:
        parts.append(f"{'in all':<24} caught {card.caught} of {card.planted}\n")
    if card.good:
        interval = f"({card.refused_low:.1%}–{card.refused_high:.1%})".replace("%–", "–")
        parts.append(f"{'good ones refused':<24} {card.refused} of {card.good} {interval}\n")
    return Content.assemble(*parts)


def people_scores(record: PeopleRecord) -> Content:
    """How often people decided as QA did."""
    parts: Parts = [("IN THE EYES OF PEOPLE\n", "bold $text-accent")]
    parts.append(f"{'QA passed':<24} {_agreed(record.passed, 'accepted')}\n")
    parts.append(f"{'QA rejected':<24} {_agreed(record.rejected, 'rejected too')}\n")
    parts.append(("\ng agreement beyond chance, from what was decided blind", "$text-muted"))
    return Content.assemble(*parts)


def _agreed(reviewed: ReviewedVerdicts, verb: str) -> str:
    if not reviewed.decided:
        return "nobody has decided on one yet"
    interval = f"({reviewed.low:.0%}–{reviewed.high:.0%})".replace("%–", "–")
    return f"{verb} {reviewed.agreed} of {reviewed.decided} {interval}"
