"""Answers as real models give them, and what is read out of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.parse_answer import is_complete, match_label, parse_answer
from storage.schema import Outcome, PredictionOutcome

pytestmark = pytest.mark.pure

LABELS = ["VALIDATED", "REJECTED", "REFINED"]
V, X, F = LABELS

# What was said, the decision, the confidence. None for the decision: nothing can be read.
SAID: list[tuple[str, str | None, float | None]] = [
    # JSON, and what models make of it
    ('{"reasoning": "Both agree.", "decision": "VALIDATED", "confidence": 0.9}', V, 0.9),
    ('```json\n{"decision": "REJECTED", "confidence": 0.75}\n```', X, 0.75),
    ('```\n{"decision": "REFINED"}\n```', F, None),
    ('Here is my answer:\n```json\n{"decision": "REFINED", "confidence": "0.6"}\n```\nHope this helps!', F, 0.6),
    ('Sure! {"decision": "rejected", "confidence": 85} is what I think.', X, 0.85),
    ('{"Decision": "Validated", "Confidence": "90%"}', V, 0.9),
    ('{"decision": " VALIDATED. ", "confidence": null}', V, None),
    ('{"answer": {"decision": "REJECTED", "confidence": 0.4}}', X, 0.4),
    ('{"verdict": "REFINED", "probability": 0.55}', F, 0.55),
    ('{"label": "VALIDATED", "confidence": true}', V, None),
    ('{"decision": "VALIDATED", "confidence": "high"}', V, None),
    ('{"decision": "VALIDATED", "confidence": 1.7e9}', V, None),
    ('{"decision": "MAYBE", "confidence": 0.5}', None, None),
    ('{"decision": ["VALIDATED"]}', V, None),
    ('{"decision": "VALIDATED", "confidence": 0.9', V, 0.9),
    ("{'decision': 'REJECTED', 'confidence': 0.8}", X, 0.8),
    ('{"properties": {"decision": {"enum": ["VALIDATED", "REJECTED", "REFINED"]}}}', None, None),
    # thinking, in its four forms
    ('<think>REJECTED? No.</think>{"decision": "VALIDATED", "confidence": 0.8}', V, 0.8),
    ("<think>Decision: REJECTED, perhaps.</think>\n\nDecision: REFINED\nConfidence: 0.7", F, 0.7),
    ("The evidence is REJECTED, hmm.</think>\nVALIDATED", V, None),
    ("<think>It could be VALIDATED or", None, None),
    ("<thinking>Short.</thinking>REJECTED", X, None),
    ("<think></think>REFINED", F, None),
    # the form that is asked for, and how it is bent
    ("Reasoning: One trial shows it.\nDecision: VALIDATED\nConfidence: 0.85", V, 0.85),
    ("Reasoning: It fails.\nDecision: REJECTED\nConfidence: 85%", X, 0.85),
    ("**Reasoning:** It fails.\n\n**Decision:** REJECTED\n\n**Confidence:** 0.9", X, 0.9),
    ("**Decision**: **REFINED**\n**Confidence**: 0.65", F, 0.65),
    ("Decision - VALIDATED, confidence - 0.7", V, 0.7),
    ("Decision = `REJECTED`", X, None),
    ("### Decision\n: REFINED", F, None),
    ("DECISION: Validated.\nCONFIDENCE: 1", V, 1.0),
    ("decision: rejected", X, None),
    ("Final answer: REJECTED (confidence 0.8)", X, 0.8),
    ("The final decision is REFINED.", F, None),
    ("My verdict is: VALIDATED", V, None),
    ("Answer: the hypothesis is REJECTED", X, None),
    ("The answer is \\boxed{REFINED}", F, None),
    ("\\boxed{\\text{VALIDATED}}", V, None),
    ("<answer>REJECTED</answer>", X, None),
    ("<decision> REFINED </decision> <confidence>0.4</confidence>", F, 0.4),
    ("Decision: [VALIDATED]", V, None),
    ('Decision: "REJECTED"', X, None),
    ("Decision: VALIDATED or REJECTED or REFINED\nDecision: REJECTED", X, None),
    ("Decision: VALIDATED. Wait, the second source contradicts it.\nDecision: REJECTED\nConfidence: 0.6", X, 0.6),
    ("Confidence: 0.6\nDecision: REFINED", F, 0.6),
    ("Decision：VALIDATED\nConfidence：0,8", V, 0.8),
    ("Conclusion: VALIDATED with a confidence of 70 percent.", V, 0.7),
    ("Decision: REFINED\nConfidence: 8/10", F, 0.8),
    ("Decision: REFINED\nConfidence level: 72/100", F, 0.72),
    ("Decision: REFINED, I am 60% confident", F, 0.6),
    # a bare word
    ("VALIDATED", V, None),
    ("validated", V, None),
    ("  Refined.\n", F, None),
    ("**REJECTED**", X, None),
    ('"REJECTED"', X, None),
    ("REJECTED\n\nThe first source says the opposite.", X, None),
    ("The first source says the opposite.\n\nREJECTED", X, None),
    # prose
    ("The evidence supports it, so the hypothesis is VALIDATED by the trial.", V, None),
    ("I would call this REFINED, since it holds for small firms only. Confidence: 0.7", F, 0.7),
    ("It is not VALIDATED but REFINED.", F, None),
    ("This is neither VALIDATED nor REFINED; it is REJECTED.", X, None),
    ("It could be VALIDATED, or REJECTED.", None, None),
    ("The evidence has been validated by experts.", None, None),
    ("The hypothesis is INVALIDATED.", None, None),
    ("It depends.", None, None),
    ("The the the the the", None, None),
    ("", None, None),
    ("   \n", None, None),
    ("{}", None, None),
    ("null", None, None),
    ("I'm sorry, but I can't help with that.", None, None),
    ("I cannot decide between VALIDATED and REJECTED.", None, None),
]


@pytest.mark.parametrize(("text", "decision", "confidence"), SAID)
def test_what_models_say(text: str, decision: str | None, confidence: float | None) -> None:
    parsed = parse_answer(text, "", Outcome.WRITTEN, LABELS)
    assert parsed.decision == decision
    assert parsed.confidence == (pytest.approx(confidence) if confidence is not None else None)
    assert (parsed.outcome is PredictionOutcome.ANSWERED) == (decision is not None)


def test_the_table_is_long_enough() -> None:
    assert len(SAID) >= 60


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("I'm sorry, but I can't help with that.", PredictionOutcome.REFUSED),
        ("I cannot assist with this request.", PredictionOutcome.REFUSED),
        ("As an AI, I have no opinion.", PredictionOutcome.REFUSED),
        ("It depends.", PredictionOutcome.UNPARSEABLE),
        ("", PredictionOutcome.UNPARSEABLE),
        ("<think>It could be", PredictionOutcome.TRUNCATED),
        ("I'm sorry to say that it is REJECTED.", PredictionOutcome.ANSWERED),
    ],
)
def test_why_nothing_can_be_read(text: str, outcome: PredictionOutcome) -> None:
    assert parse_answer(text, "", Outcome.WRITTEN, LABELS).outcome is outcome


@pytest.mark.parametrize("ended", list(Outcome))
def test_how_a_request_ended_comes_first(ended: Outcome) -> None:
    parsed = parse_answer("Decision: VALIDATED", "", ended, LABELS)
    readable = {Outcome.WRITTEN, Outcome.INVALID_JSON, Outcome.SCHEMA_VIOLATION}
    assert (parsed.outcome is PredictionOutcome.ANSWERED) == (ended in readable)


def test_the_rationale_is_what_stands_before_the_decision() -> None:
    assert (
        parse_answer("Reasoning: Both agree.\nDecision: VALIDATED", "", Outcome.WRITTEN, LABELS).rationale
        == "Both agree."
    )
    assert parse_answer("Decision: VALIDATED\nReasoning: Both.", "", Outcome.WRITTEN, LABELS).rationale == "Both."
    assert parse_answer('{"reasoning": "So.", "decision": "REFINED"}', "", Outcome.WRITTEN, LABELS).rationale == "So."
    assert parse_answer("REJECTED\n\nIt fails.", "", Outcome.WRITTEN, LABELS).rationale == "It fails."
    assert parse_answer("VALIDATED", "I thought.", Outcome.WRITTEN, LABELS).rationale == "I thought."


def test_labels_with_blanks_and_common_beginnings() -> None:
    labels = ["supported", "partially supported", "not_supported"]
    assert parse_answer("Decision: Partially Supported", "", Outcome.WRITTEN, labels).decision == "partially supported"
    assert parse_answer("not supported", "", Outcome.WRITTEN, labels).decision == "not_supported"
    assert parse_answer('{"label": "not-supported"}', "", Outcome.WRITTEN, labels).decision == "not_supported"
    assert match_label("Supported.", labels) == "supported"


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    parsed = parse_answer(text, "", Outcome.WRITTEN, LABELS)
    assert (parsed.decision in LABELS) == (parsed.outcome is PredictionOutcome.ANSWERED)
    assert parsed.confidence is None or 0 <= parsed.confidence <= 1


@given(st.text(alphabet='decision: VALIDATEDconfidence 0.5%\n{}"<>think/', max_size=200))
def test_no_bent_form_breaks_the_reader(text: str) -> None:
    parsed = parse_answer(text, "", Outcome.WRITTEN, LABELS)
    assert parsed.confidence is None or 0 <= parsed.confidence <= 1


def test_an_answer_is_complete_once_the_confidence_has_ended() -> None:
    assert not is_complete("Reasoning: so.\nDecision: VALIDATED", LABELS)
    assert not is_complete("Reasoning: so.\nDecision: VALIDATED\nConfidence: 0.8", LABELS)
    assert is_complete("Reasoning: so.\nDecision: VALIDATED\nConfidence: 0.8\n", LABELS)
    assert not is_complete("Reasoning: so.\nDecision: VALIDATED\nConfidence: 0.", LABELS)
    assert not is_complete("Reasoning: Confidence: 0.8 was measured\nDecision: ", LABELS)
