"""Answers as real models give them, and what is read out of them."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.config.label_names import indistinguishable, is_ordinary_word, match_label
from core.models.parse_answer import is_complete, parse_answer
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


SUPPORT = ["SUPPORTED", "NOT_SUPPORTED", "PARTIALLY_SUPPORTED"]
LOWER = ["agrees", "contradicts", "silent"]

# Answers that were read wrongly once: what was said, the labels, the decision, and the confidence.
MISREAD: list[tuple[str, list[str], str | None, float | None]] = [
    # a later word, or an earlier draft
    ("Decision: VALIDATED\nConfidence: 0.8\nAside: the board's verdict was refined a year later.", LABELS, V, 0.8),
    ("Verdict: REJECTED. No indecision here: only validated data were used.", LABELS, X, None),
    ('{"decision": "VALIDATED", "confidence": 0.4}\nWait.\n{"decision": "REFINED", "confidence": 0.7}', LABELS, F, 0.7),
    ('{"decision": "VALIDATED"}\nThat overlooks the second trial.\nFinal answer: REFINED', LABELS, F, None),
    ('{"reasoning": "Decision: VALIDATED would be rash.", "decision": "REJECTED"}', LABELS, X, None),
    ("Weighing REJECTED against REFINED, but the answer is VALIDATED.", LABELS, V, None),
    (
        "Decision: REFINED\nConfidence: 0.9\n\nHypothesis: Prices fall.\nDecision: REJECTED\nConfidence: 0.2",
        LABELS,
        F,
        0.9,
    ),
    ("Decision: VALIDATED would be rash.\nDecision:\u200bREJECTED", LABELS, X, None),
    # an echo of the form, or two side by side
    ("Decision: REFINED/REJECTED", LABELS, None, None),
    ("Decision: VALIDATED, REJECTED or REFINED\nConfidence: 0.0 to 1.0", LABELS, None, None),
    ("Decision: <VALIDATED | REJECTED | REFINED>", LABELS, None, None),
    ("Decision: either VALIDATED or REFINED", LABELS, None, None),
    ("Decision: REJECTED and REFINED", LABELS, None, None),
    # denied
    ("REFINED is ruled out; the answer is REJECTED", LABELS, X, None),
    ("Decision: NOT REJECTED", LABELS, None, None),
    ("Decision: VALIDATED is not possible.", LABELS, None, None),
    ("The claim cannot be VALIDATED.", LABELS, None, None),
    ("结论：REFINED不成立，选择REJECTED", LABELS, X, None),
    # names within names
    ("In my view this is NOT SUPPORTED by the audit.", SUPPORT, "NOT_SUPPORTED", None),
    ("Verdict: not-supported", SUPPORT, "NOT_SUPPORTED", None),
    ("Decision: UNSUPPORTED", SUPPORT, None, None),
    # words of prose
    ("The audit contradicts itself, and says little more.", LOWER, None, None),
    ("I cannot say. One source agrees with nothing at all.", LOWER, None, None),
    ("Decision: contradicts\nConfidence: 0.7", LOWER, "contradicts", 0.7),
    ("contradicts", LOWER, "contradicts", None),
    # other marks and scripts
    (
        "### Reasoning\nVALIDATED would need two trials.\n\n### Decision\n**REFINED**\n\n### Confidence\n0.6",
        LABELS,
        F,
        0.6,
    ),
    ("REFINED would need a scope.\n\nDecision\n\nVALIDATED\n\nBoth sources agree.", LABELS, V, None),
    ("REFINED would need a scope.\nDecision: \u201cVALIDATED\u201d", LABELS, V, None),
    ("REFINED would need a scope.\n$\\boxed{\\textbf{VALIDATED}}$", LABELS, V, None),
    ("<p>REFINED would need a scope.</p><p>Decision: <b>VALIDATED</b></p>", LABELS, V, None),
    ("证据一致，结论是VALIDATED。", LABELS, V, None),
    ("Decision: \uff36\uff21\uff2c\uff29\uff24\uff21\uff34\uff25\uff24", LABELS, V, None),
    ("\ufeffDecision:\u00a0VALIDATED", LABELS, V, None),
    (
        "<|channel|>analysis<|message|>REFINED?<|end|><|start|>assistant<|channel|>final<|message|>VALIDATED<|return|>",
        LABELS,
        V,
        None,
    ),
    ("[THINK]Decision: REFINED? no.[/THINK]VALIDATED", LABELS, V, None),
    ("<think>" + "Let me see. " * 10_000 + "</think>Decision: VALIDATED\nConfidence: 0.6", LABELS, V, 0.6),
    ("VALIDATED: no\nREJECTED: no\nREFINED: yes", LABELS, F, None),
    ("VALIDATED: yes\nREJECTED: no\nREFINED: yes", LABELS, None, None),
    # the confidence, with its scale
    ("Decision: REJECTED\nConfidence (0-1): 0.75", LABELS, X, 0.75),
    ("Decision: REJECTED\nConfidence (from 0 to 100): 75", LABELS, X, 0.75),
    ("Decision: REJECTED\nConfidence: 3/5", LABELS, X, 0.6),
    ("Decision: REJECTED\nConfidence: 3 out of 5", LABELS, X, 0.6),
    ("Decision: REJECTED\nConfidence: 3", LABELS, X, None),
    ("Decision: REJECTED\nConfidence: -0.75", LABELS, X, None),
    ('{"decision": "REJECTED", "confidence": 1.2}', LABELS, X, None),
    ('{"decision": "REJECTED", "confidence": -0.2}', LABELS, X, None),
    ('{"decision": "REJECTED", "confidence": "0.8 (fairly high)"}', LABELS, X, 0.8),
]


@pytest.mark.parametrize(("text", "labels", "decision", "confidence"), MISREAD)
def test_what_was_misread_once(text: str, labels: list[str], decision: str | None, confidence: float | None) -> None:
    answer = parse_answer(text, "", Outcome.WRITTEN, labels)
    assert answer.decision == decision
    assert answer.confidence == (pytest.approx(confidence) if confidence is not None else None)


# Names as projects have them: words in capitals, with and without parts, and names of any other kind.
NAMES = st.one_of(
    st.from_regex(r"[A-Z]{3,10}(_[A-Z]{2,8}){0,2}", fullmatch=True),
    st.from_regex(r"[a-z]{4,10}(_[a-z]{3,8})?", fullmatch=True),
    st.from_regex(r"[A-Z][a-z]{3,9}( [A-Z][a-z]{2,9})?", fullmatch=True),
    st.from_regex(r"[\u4e00-\u4eff]{2,4}", fullmatch=True),
    st.from_regex(r"[\u0410-\u042f]{4,9}", fullmatch=True),
)
RESERVED = {
    "decision",
    "answer",
    "verdict",
    "label",
    "judgement",
    "judgment",
    "conclusion",
    "confidence",
    "probability",
}
CLEAR = [
    "Decision: {label}",
    "**Decision:** {label}\n**Confidence:** 0.8",
    "Reasoning: two sources agree.\nDecision: {label}\nConfidence: 0.8",
    "Final answer: {label}.",
    "### Decision\n{label}",
    "- Verdict → {label}",
    "\\boxed{{{label}}}",
    "<answer>{label}</answer>",
    '{{"decision": "{label}", "confidence": 0.5}}',
    '```json\n{{"reasoning": "Decision: {other} is what it seems.", "decision": "{label}"}}\n```',
    "<think>Decision: {other}</think>\nDecision: {label}",
    "Decision: {other}\nOn reflection that is wrong.\nFinal decision: {label}",
    "{label}",
    "Decision: \u201c{label}\u201d",
    "<p>Decision: <b>{label}</b></p>",
    "My decision is that the claim is {label}.",
]
AMBIGUOUS = [
    "Decision: {label}/{other}",
    "Decision: {label} or {other}",
    "Decision: [{label} | {other}]",
    "Decision: not {label}",
    "Decision: {label} is ruled out.",
    "It could be {label}, or {other}.",
    "The evidence is mixed.",
    "<think>Decision: {label}",
]


@st.composite
def tasks(draw: st.DrawFn) -> tuple[list[str], str, str]:
    """The labels of a task, and two of them."""
    labels = draw(st.lists(NAMES, min_size=2, max_size=5, unique_by=str.casefold))
    parts = [set(match.casefold().replace("_", " ").split()) for match in labels]
    # No label is a key of the form, nor does it begin or end another: then even a person may read the other one.
    assume(not any(part & RESERVED for part in parts))
    assume(not any(one != two and one.casefold() in two.casefold() for one in labels for two in labels))
    label, other = draw(st.permutations(labels))[:2]
    return labels, label, other


@given(tasks(), st.sampled_from(CLEAR))
def test_a_clear_answer_is_read_as_its_label(task: tuple[list[str], str, str], template: str) -> None:
    labels, label, other = task
    text = template.format(label=label, other=other)
    assert parse_answer(text, "", Outcome.WRITTEN, labels).decision == label, text


@given(tasks(), st.sampled_from(AMBIGUOUS))
def test_an_ambiguous_answer_is_never_read(task: tuple[list[str], str, str], template: str) -> None:
    labels, label, other = task
    text = template.format(label=label, other=other)
    assert parse_answer(text, "", Outcome.WRITTEN, labels).decision is None, text


@given(st.text(max_size=300), st.lists(NAMES, min_size=2, max_size=4, unique=True))
def test_what_comes_out_is_one_of_the_task_s_own_names(text: str, labels: list[str]) -> None:
    answer = parse_answer(text + labels[0] + text, "", Outcome.WRITTEN, labels)
    assert answer.decision is None or answer.decision in labels
    assert (answer.decision is not None) == (answer.outcome is PredictionOutcome.ANSWERED)


def test_names_that_no_text_can_tell_apart() -> None:
    assert indistinguishable(["YES", "NO"]) == []
    assert indistinguishable(["NOT_SURE", "SURE", "not sure"]) == [("NOT_SURE", "not sure")]
    assert indistinguishable(["caf\u00e9", "cafe\u0301"]) == [("caf\u00e9", "cafe\u0301")]
    assert indistinguishable(["A", "\uff21"]) == [("A", "\uff21")]


def test_ordinary_words_are_read_where_they_are_stated_only() -> None:
    assert [is_ordinary_word(name) for name in ("no", "supports", "Yes", "NO")] == [True] * 4
    assert [is_ordinary_word(name) for name in ("VALIDATED", "not_enough_info", "P1")] == [False] * 3
