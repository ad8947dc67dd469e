"""Answers behind more thinking than is kept: what they decide is read, stored, and read again from the stored row."""

from __future__ import annotations

import json
import sqlite3

import pytest
from pydantic import BaseModel

from core.benchmark import start
from core.benchmark import summary as outcomes
from core.benchmark.runner import benchmark
from core.config.case import Mode
from core.config.project import Project
from core.llm.wire import WireResponse, read_response
from core.models.parse_answer import is_complete, parse_answer
from core.runs.session import Session
from storage import predictions
from storage.schema import Outcome, PredictionOutcome
from tests.core.judged_runs import LABELS, fill, params, with_model
from tests.loopback import OK, Loopback, Reaction, is_probe

# It names another decision, which must not be read as the answer.
THOUGHT = "Decision: REJECTED, at first sight. " + "hm, wait. " * 12_000
ANSWER = "Reasoning: the second source settles it.\nDecision: REFINED\nConfidence: 0.85"
INLINE = {
    "both tags": f"<think>{THOUGHT}</think>\n{ANSWER}",
    "closing tag only": f"{THOUGHT}</think>\n{ANSWER}",
    "Mistral": f"[THINK]{THOUGHT}[/THINK]{ANSWER}",
    "Harmony": f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}",
    "JSON": f'<think>{THOUGHT}</think>{{"reasoning": "So.", "decision": "REFINED", "confidence": 0.85}}',
}


def reply_to(content: str, **message: str) -> WireResponse[BaseModel]:
    """What is kept of a response with this content, and these other fields of the message."""
    choice = {"message": {"content": content, **message}, "finish_reason": "stop"}
    return read_response(json.dumps({"choices": [choice]}), None)


@pytest.mark.parametrize("content", INLINE.values(), ids=INLINE.keys())
def test_the_answer_behind_long_thinking_is_kept(content: str) -> None:
    assert len(content) > 120_000
    reply = reply_to(content)
    parsed = parse_answer(reply.raw, reply.thought, reply.outcome, LABELS)
    assert (parsed.outcome, parsed.decision, parsed.confidence) == (PredictionOutcome.ANSWERED, "REFINED", 0.85)
    assert len(reply.raw) <= 100_000
    assert len(reply.thought) == 100_000
    assert reply.thought.startswith("Decision: REJECTED, at first sight.")


def test_long_thinking_in_two_places_is_kept_in_one() -> None:
    reply = reply_to(INLINE["both tags"], reasoning_content="Apart.")
    assert reply.thought.startswith("Apart.\nDecision: REJECTED")
    assert parse_answer(reply.raw, reply.thought, reply.outcome, LABELS).decision == "REFINED"


def test_an_answer_that_fits_is_kept_as_it_came() -> None:
    content = f"<think>Short.</think>\n{ANSWER}"
    reply = reply_to(content, reasoning_content="Apart.")
    assert (reply.raw, reply.thought) == (content, "Apart.")


def test_of_an_answer_too_long_itself_the_end_is_kept() -> None:
    reply = reply_to(f"Decision: REJECTED\n{'But look. ' * 20_000}\n{ANSWER}")
    assert parse_answer(reply.raw, reply.thought, reply.outcome, LABELS).decision == "REFINED"


def test_where_an_answer_is_shortened_no_form_begins() -> None:
    tail = f"Decision: VALIDATED, she found, and his: REJECTED. {'x' * 100_000}"[:100_000]
    reply = reply_to(f"{'y ' * 60_000}The auditor had one. Her {tail}")
    assert reply.raw == f"[cut] {tail}"
    assert parse_answer(tail, "", Outcome.WRITTEN, LABELS).decision == "VALIDATED"
    assert parse_answer(reply.raw, "", Outcome.WRITTEN, LABELS).outcome is PredictionOutcome.UNPARSEABLE


def test_thinking_that_does_not_end_has_no_answer() -> None:
    reply = reply_to(f"<think>{THOUGHT}")
    assert reply.outcome is Outcome.TRUNCATED
    assert parse_answer(reply.raw, reply.thought, reply.outcome, LABELS).outcome is PredictionOutcome.TRUNCATED


def test_generation_does_not_end_with_a_decision_that_is_only_thought_of() -> None:
    stated = "Decision: REJECTED\nConfidence: 0.7\n"
    assert is_complete(stated, LABELS)
    for text in (f"<think>{stated}", f"<think>{stated}</think>", f"<think>{stated}</think>\n{ANSWER}"):
        assert not is_complete(text, LABELS), text
    assert is_complete(f"<think>{stated}</think>\n{ANSWER}\n", LABELS)
    assert is_complete(f"<think>\n\n</think>\n{stated}", LABELS)


async def test_the_stored_row_is_read_again_as_the_same_decision(
    project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "spawn", lambda *_: None)
    fill(db, 2)
    reaction = Reaction(content=INLINE["both tags"])
    async with Loopback(react=lambda body: OK if is_probe(body) else reaction) as server:
        project = with_model(project, server.url)
        run = start.start_benchmark(project, db, params(mode=Mode.REASON))
        with Session(project, db, run) as session:
            await benchmark(session)
    stored = predictions.newest(db, run.id, 9)
    assert [(row.outcome, row.decision, row.confidence) for row in stored] == [
        (PredictionOutcome.ANSWERED, "REFINED", 0.85)
    ] * 2
    db.execute("UPDATE predictions SET reader = 0, decision = NULL, confidence = NULL, outcome = 'unparseable'")
    assert outcomes.summarize(project, db, run).figures.outcomes == {"answered": 2}
    assert predictions.newest(db, run.id, 9) == stored
