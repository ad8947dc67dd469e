"""Attempts as lines of a list, and the lineage of one: attempt, critique, rewrite, verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from storage.attempts import JudgedAttempt
from storage.schema import Candidate, Flaw, Result, Status, Verdict
from tui.text import clean, content, in_words, line
from tui.widgets.bars import relevance_bar
from tui.widgets.diff import diff
from tui.widgets.reasons import REASON_WIDTH, reason_in_words

_MARKS = {
    Result.PASSED: ("✓ passed", "$text-success"),
    Result.REJECTED: ("✗ rejected", "$text-error"),
    Result.FAILED: ("? the judge failed", "$text-warning"),
}
# What became of an attempt that QA rejected and a person brought in.
OVERRULED = {
    Status.PENDING: "brought in, waits",
    Status.ACCEPTED: "brought in, accepted",
    Status.REJECTED: "brought in, rejected",
}
# So many characters are shown of an answer that could not be read.
_RAW_LIMIT = 3000


def attempt_row(judged: JudgedAttempt, width: int, overruled: Status | None = None) -> Content:
    """A rejected attempt in one line: decision, reason, hypothesis, critique.

    `overruled` is its status if somebody brought it in all the same.
    """
    attempt = judged.attempt
    reason = reason_in_words(judged.final.reason if judged.final else attempt.outcome.value)
    head = f"{attempt.id[-6:]} {line(attempt.decision, 10):<10} {line(reason, REASON_WIDTH):<{REASON_WIDTH}} "
    mark = "" if overruled is None else f"{OVERRULED[overruled]} · "
    text = judged.final.critique if judged.final else attempt.detail
    if attempt.candidate is not None:
        text = f"{attempt.candidate.hypothesis} · {text}"
    text = line(text, max(10, width - len(head) - len(mark)))
    return Content.assemble((head, "$text-muted"), (mark, "$text-success"), content(text))


def lineage(
    chain: Sequence[JudgedAttempt], marked: str, overruled: Mapping[str, Status], planted: Mapping[str, Flaw]
) -> Content:
    """All attempts of a chain, oldest first, each as what it changed; the one with the id `marked` stands out.

    `overruled` holds the status of those that somebody brought in though QA had rejected them, `planted` the flaws
    of those that hold a mistake on purpose.
    """
    parts: list[Content | str | tuple[str, str]] = []
    candidates: dict[str, Candidate] = {}
    for judged in chain:
        attempt = judged.attempt
        mark = "▸ " if attempt.id == marked else ""
        title = f"{mark}ATTEMPT {attempt.number + 1} · idea {attempt.idea + 1} · {attempt.id[-6:]}"
        origin = " ".join(part for part in (attempt.source, attempt.model, attempt.prompt_version) if part)
        parts.append((title, "bold $text-accent"))
        parts += [(f" · {line(origin, 60)}\n", "$text-muted")]
        if attempt.id in planted:
            flaw = reason_in_words(planted[attempt.id].value)
            parts.append((f"a mistake was planted here to test QA: {flaw}\n", "$text-warning"))
        if attempt.candidate is None:
            parts += [
                (f"{reason_in_words(attempt.outcome.value)} ", "$text-error"),
                content(attempt.detail, limit=1000),
                "\n",
            ]
            if attempt.raw:
                parts += [content(attempt.raw, style="$text-muted", limit=_RAW_LIMIT), "\n"]
        else:
            before = candidates.get(attempt.parent or "")
            parts += [diff(before, attempt.candidate) if before else candidate_text(attempt.candidate), "\n"]
            candidates[attempt.id] = attempt.candidate
        for verdict in judged.verdicts:
            parts += [*verdict_parts(verdict), "\n"]
        if attempt.id in overruled:
            parts.append((f"{OVERRULED[overruled[attempt.id]]}, against QA\n", "$text-success"))
        parts.append("\n")
    return Content.assemble(*parts).rstrip()


def candidate_text(candidate: Candidate) -> Content:
    """The whole of a candidate."""
    parts: list[Content | str | tuple[str, str]] = [content(candidate.hypothesis, style="bold"), "\n"]
    for piece in candidate.evidence:
        parts += [(relevance_bar(piece.relevance), "$text-warning"), f" {piece.relevance:.2f}  "]
        parts += [(clean(piece.source, limit=500), "italic"), "\n", content(piece.content), "\n"]
    label = f"{clean(candidate.decision, limit=200)} {candidate.confidence:.2f}  "
    return Content.assemble(*parts, (label, "bold"), content(candidate.reasoning, style="$text-muted"))


def verdict_parts(verdict: Verdict) -> list[Content | str | tuple[str, str]]:
    """A verdict: which stage decided what, for which reason, with which scores, and the critique."""
    mark, style = _MARKS[verdict.result]
    head = f"{mark} by {verdict.stage}" + (f": {reason_in_words(verdict.reason)}" if verdict.reason else "")
    parts: list[Content | str | tuple[str, str]] = [(clean(head, limit=300), style), "\n"]
    figures = [f"{in_words(name)} {score:.2f}" for name, score in verdict.rubric.items()]
    if verdict.blind_decision is not None:
        confidence = "" if verdict.blind_confidence is None else f" {verdict.blind_confidence:.2f}"
        figures.insert(0, f"without the label: {verdict.blind_decision}{confidence}")
    if figures:
        parts += [content(" · ".join(figures), style="$text-muted", limit=1000), "\n"]
    if verdict.critique:
        parts += [content(verdict.critique, limit=5000), "\n"]
    return parts
