"""Evaluation on the dev split between two steps: how the policy answers now, without sampling."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from core.benchmark.calibration import calibration
from core.benchmark.metrics import figures
from core.benchmark.scored import ScoredAnswer
from core.benchmark.step_fields import FieldCounts, judge_fields
from core.config.case import Mode
from core.config.task import Task
from core.models.batching import pack, shared_prefix
from core.models.classifier import classify
from core.models.confidence import at_temperature
from core.models.decoding import Decoder, Prefix, StoppedError
from core.models.parse_answer import parse_answer
from core.models.step_lines import as_parsed, parse_steps
from core.models.student_format import StudentFormat
from core.training.data.cases import TrainingCase
from storage.schema import Outcome, PredictionOutcome

# Tokens of prompts and answers that are processed at once.
BUDGET, ROWS = 16_384, 32


class DevEvaluation(NamedTuple):
    """The answers to dev cases, and their figures as they are stored."""

    answers: list[ScoredAnswer]
    figures: dict[str, Any]


class LevelCount(NamedTuple):
    """How many answers of a level were right."""

    right: int
    n: int


def evaluate_dev(
    decoder: Decoder,
    cases: Sequence[TrainingCase],
    answer_format: StudentFormat,
    task: Task,
    tokens: Sequence[list[int]],
    max_tokens: int,
) -> DevEvaluation:
    """The answers to `cases`, of at most `max_tokens` tokens, with their figures; `tokens` are the labels as answers.

    Raises StoppedError.
    """
    started = time.perf_counter()
    prompts = [case.prompt for case in cases]
    shared = shared_prefix(prompts) if decoder.can_share_prefix else 0
    prefix = decoder.prefix(prompts[0][:shared])
    answers: list[ScoredAnswer] = []
    fields = FieldCounts()
    for group in pack([len(prompt) - shared + max_tokens for prompt in prompts], BUDGET, ROWS):
        chosen = [cases[position] for position in group]
        if answer_format.mode is Mode.DIRECT:
            answers += _score_labels(decoder, prefix, chosen, task.labels, tokens, answer_format.temperature)
        else:
            answers += _generate_answers(decoder, prefix, chosen, answer_format, task, max_tokens, fields)
    return _evaluation(answers, fields, answer_format, task.labels, time.perf_counter() - started)


def evaluate_classifier(
    model: Any, pad: int, cases: Sequence[TrainingCase], answer_format: StudentFormat, should_stop: Callable[[], bool]
) -> DevEvaluation:
    """The answers of a classifier to `cases`, with their figures; `pad` fills up its batches. Raises StoppedError."""
    started = time.perf_counter()
    labels = answer_format.labels
    answers: list[ScoredAnswer] = []
    for group in pack([len(case.prompt) for case in cases], BUDGET, ROWS):
        if should_stop():
            raise StoppedError
        chosen = [cases[position] for position in group]
        rows = classify(model, pad, [(case.prompt, case.token_types) for case in chosen])
        for case, row in zip(chosen, rows, strict=True):
            probabilities = at_temperature(dict(zip(labels, row, strict=True)), answer_format.temperature)
            decision = max(probabilities, key=lambda label: probabilities[label])
            answers.append(_scored(case, PredictionOutcome.ANSWERED, decision, None, probabilities))
    return _evaluation(answers, FieldCounts(), answer_format, labels, time.perf_counter() - started)


def _evaluation(
    answers: list[ScoredAnswer],
    fields: FieldCounts,
    answer_format: StudentFormat,
    labels: Sequence[str],
    seconds: float,
) -> DevEvaluation:
    """The answers with their figures."""
    numbers = figures(answers, labels)
    both = calibration(answers)
    confidence = both.stated if answer_format.states_confidence else both.probability
    return DevEvaluation(
        answers,
        {
            "n": numbers.n,
            "right": numbers.right,
            "accuracy": numbers.accuracy,
            "low": numbers.low,
            "high": numbers.high,
            "balanced_accuracy": numbers.balanced_accuracy,
            "cut": numbers.outcomes.get("truncated", 0) / numbers.n,
            "unread": 1 - numbers.outcomes.get("answered", 0) / numbers.n,
            "ece": confidence.ece,
            "brier": confidence.brier,
            "auroc": confidence.auroc,
            "confidence": confidence.mean_confidence,
            "levels": {str(level): [row.right, row.n] for level, row in _by_level(answers).items()},
            "fields": {score.field: [score.right, score.n] for score in fields.scores()},
            "seconds": seconds,
        },
    )


def _by_level(answers: Sequence[ScoredAnswer]) -> dict[int, LevelCount]:
    counts: dict[int, LevelCount] = {}
    for answer in sorted(answers, key=lambda answer: answer.level):
        count = counts.get(answer.level, LevelCount(0, 0))
        counts[answer.level] = LevelCount(count.right + answer.correct, count.n + 1)
    return counts


def _generate_answers(
    decoder: Decoder,
    prefix: Prefix,
    cases: Sequence[TrainingCase],
    answer_format: StudentFormat,
    task: Task,
    max_tokens: int,
    fields: FieldCounts,
) -> list[ScoredAnswer]:
    """The answers to `cases`; whether their steps are right is added to `fields`."""
    prompts = [case.prompt for case in cases]
    completions = decoder.generate(prompts, prefix, max_tokens, answer_format.completeness(task.labels))
    scored = []
    for case, answer in zip(cases, completions, strict=True):
        parsed = parse_answer(answer.text, "", Outcome.WRITTEN if answer.complete else Outcome.TRUNCATED, task.labels)
        if case.steps:
            written = parse_steps(answer.text, answer_format.wording)
            expected = as_parsed(case.steps, answer_format.wording)
            fields.add(judge_fields(expected, written, parsed.decision, task.steps.rule))
        probabilities = answer_format.probabilities(answer.text, answer.probability, task) if answer.complete else None
        scored.append(_scored(case, parsed.outcome, parsed.decision, parsed.confidence, probabilities))
    return scored


def _score_labels(
    decoder: Decoder,
    prefix: Prefix,
    cases: Sequence[TrainingCase],
    labels: Sequence[str],
    tokens: Sequence[list[int]],
    temperature: float,
) -> list[ScoredAnswer]:
    from core.models.local import softmax

    scored = []
    for case, scores in zip(cases, decoder.score([case.prompt for case in cases], prefix, tokens), strict=True):
        probabilities = at_temperature(dict(zip(labels, softmax(scores), strict=True)), temperature)
        decision = max(probabilities, key=lambda label: probabilities[label])
        scored.append(_scored(case, PredictionOutcome.ANSWERED, decision, None, probabilities))
    return scored


def _scored(
    case: TrainingCase,
    outcome: PredictionOutcome,
    decision: str | None,
    confidence: float | None,
    probabilities: dict[str, float] | None = None,
) -> ScoredAnswer:
    return ScoredAnswer(
        case.example, case.label, case.domain, case.level, case.family, outcome, decision, confidence, probabilities
    )
