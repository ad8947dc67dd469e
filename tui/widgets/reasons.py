"""Why QA rejects, in the words of a person."""

from __future__ import annotations

from tui.text import in_words

# The short names that rules, judge and sources give, in words; each fits the column of a list.
_WORDS = {
    "blind_disagreement": "judge decides otherwise",
    "decision_follows": "decision does not follow",
    "difficulty_fits": "difficulty does not fit",
    "evidence_realistic": "evidence not realistic",
    "confidence_apt": "confidence not apt",
    "wrong_cell": "not the decision asked",
    "evidence_count": "wrong number of pieces",
    "irrelevant_count": "wrong number off point",
    "relevance_band": "relevance out of range",
    "relevance_out_of_band": "relevance out of range",
    "confidence_band": "confidence out of range",
    "step_quote": "a step misquotes",
    "step_piece": "a step names no piece",
    "step_ungrounded": "a step without evidence",
    "step_missing": "a part has no step",
    "step_holds": "step contradicts itself",
    "step_weighing": "a step does not weigh",
    "step_decision": "steps decide otherwise",
    "confidence_out_of_band": "confidence out of range",
    "hedged": "guarded language",
    "foreign_evidence": "evidence of another case",
    "near_duplicate": "near-duplicate",
    "wrong_decision": "wrong decision",
    "missing_evidence": "evidence left out",
    "refused": "the model refused",
    "truncated": "answer was cut off",
    "invalid_json": "answer is no JSON",
    "schema_violation": "answer lacks fields",
}
# The width of the longest of them.
REASON_WIDTH = max(map(len, _WORDS.values()))


def reason_in_words(reason: str) -> str:
    """`reason` in words; one that a project or a judge has made up only loses its underscores."""
    return _WORDS.get(reason, in_words(reason))
