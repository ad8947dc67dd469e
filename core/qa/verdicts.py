"""One QA pass over one attempt: rules, near-duplicates, judge; and the verdict that follows."""

from __future__ import annotations

from core.config.task import Task
from core.curriculum.cell import Cell
from core.qa import duplicates, rules
from core.qa.judge import CRITERIA, Judge, JudgeResult
from storage.schema import Attempt, Candidate, Example, Outcome, Result, Status, Verdict


def groups(cell: Cell, family: str) -> tuple[object, object]:
    """The groups of a corpus in which a candidate may have a near-duplicate."""
    return cell, (family, cell.decision)


async def assess(task: Task, attempt: Attempt, corpus: duplicates.Corpus, judge: Judge) -> Verdict:
    """The verdict on an attempt that has a candidate."""
    candidate = attempt.candidate
    if candidate is None:
        raise ValueError(f"attempt {attempt.id} has no candidate")
    cell = Cell(attempt.domain, attempt.level, attempt.decision)
    problems = rules.broken_rules(task, cell, candidate)
    if problems:
        return Verdict(
            attempt=attempt.id,
            result=Result.REJECTED,
            stage="rules",
            reason=problems[0].reason,
            critique=" ".join(problem.critique for problem in problems),
        )
    near = near_duplicate(attempt, corpus)
    if near is not None:
        return near
    judgement = await judge.judge(candidate, cell)
    return judge_verdict(task, attempt.id, candidate, judgement)


def near_duplicate(attempt: Attempt, corpus: duplicates.Corpus) -> Verdict | None:
    """The verdict on an attempt that has a near-duplicate in its cell or family; None if there is none."""
    if attempt.candidate is None:
        return None
    cell = Cell(attempt.domain, attempt.level, attempt.decision)
    near = corpus.nearest(duplicates.candidate_words(attempt.candidate), groups(cell, attempt.family))
    if near is None:
        return None
    return Verdict(
        attempt=attempt.id,
        result=Result.REJECTED,
        stage="duplicates",
        reason="near_duplicate",
        critique=f"{near[1]:.0%} of its words are those of example {near[0]}: take another case, not other words.",
    )


def judge_verdict(task: Task, attempt: str, candidate: Candidate, judgement: JudgeResult) -> Verdict:
    """The verdict that follows from a judge's result.

    A failed judge never rejects. A disagreement about the decision counts before the rubric.
    """
    result, reason, critique = _ruling(task, candidate, judgement)
    judged = judgement.outcome is Outcome.WRITTEN
    return Verdict(
        attempt=attempt,
        result=result,
        stage="judge",
        reason=reason,
        critique=critique,
        blind_decision=judgement.decision if judged else None,
        blind_confidence=judgement.confidence if judged else None,
        rubric=judgement.rubric if judged else {},
        model=judgement.model,
        prompt_version=judgement.prompt_version,
        outcome=judgement.outcome,
        usage=judgement.usage,
    )


def certainty(decision: str, verdict: Verdict | None) -> float | None:
    """How sure the judge was, from 0 to 1, that `decision` is right and the candidate sound; None if it did not say."""
    if verdict is None or verdict.blind_confidence is None:
        return None
    agreed = verdict.blind_confidence if verdict.blind_decision == decision else 1.0 - verdict.blind_confidence
    return min([agreed, *verdict.rubric.values()])


def _ruling(task: Task, candidate: Candidate, judgement: JudgeResult) -> tuple[Result, str, str]:
    if judgement.outcome is not Outcome.WRITTEN:
        return Result.FAILED, judgement.outcome.value, judgement.detail
    if judgement.decision != candidate.decision:
        blind = f"Without the label the judge decides {judgement.decision}, not {candidate.decision}."
        return Result.REJECTED, "blind_disagreement", f"{blind} {judgement.critique}".strip()
    low = [name for name in CRITERIA if judgement.rubric.get(name, 0.0) < task.limits.rubric_pass]
    if low:
        worst = min(low, key=lambda name: judgement.rubric.get(name, 0.0))
        return Result.REJECTED, worst, judgement.critique or f"It fails the criterion that {CRITERIA[worst]}."
    return Result.PASSED, "", judgement.critique


def example_of_attempt(attempt: Attempt, verdict: Verdict | None) -> Example:
    """The example that an attempt becomes; if QA rejected it, the example is `refused`, and rejected at first."""
    if attempt.candidate is None:
        raise ValueError(f"attempt {attempt.id} has no candidate")
    refused = verdict is not None and verdict.result is Result.REJECTED
    return Example(
        **attempt.candidate.model_dump(),
        family=attempt.family,
        domain=attempt.domain,
        level=attempt.level,
        status=Status.REJECTED if refused else Status.PENDING,
        refused=refused,
        certainty=certainty(attempt.candidate.decision, verdict),
        source=attempt.source,
        model=attempt.model,
        prompt_version=attempt.prompt_version,
        seed=attempt.seed,
        run=attempt.run,
        attempt=attempt.id,
    )
