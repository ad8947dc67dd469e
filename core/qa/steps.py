"""Checks the steps of an example by code: quotes, coverage of the claim, comparison, and the decision that follows."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence

from core.config.steps import StepRule
from core.qa.claims import read_hypothesis
from core.qa.problem import Problem
from storage.schema import Candidate, Evidence, Finding, Holds, Step

_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "–": "-", "—": "-"})
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_RANGE = re.compile(rf"({_NUMBER.pattern})\s*(?:%|per cent|percent)?\s*(?:to|-|and)\s*({_NUMBER.pattern})")
# Words that say the same in `found` and `claimed`; words of one family and different groups exclude each other.
_DIRECTIONS = (
    frozenset({"up", "rises", "rose", "higher", "more", "increase", "increases", "increased", "raises"}),
    frozenset({"down", "falls", "fell", "lower", "less", "decrease", "decreases", "decreased", "reduces", "lowers"}),
    frozenset({"same", "unchanged", "no change", "no effect", "stays", "equal", "level", "flat"}),
)
_ANSWERS = (frozenset({"yes", "true", "present"}), frozenset({"no", "false", "absent", "none"}))
_AMOUNTS = (frozenset({"all", "every", "always"}), frozenset({"some", "sometimes"}), frozenset({"none", "never"}))
_CLOSED = (_DIRECTIONS, _ANSWERS, _AMOUNTS)
_STOP_WORDS = re.compile(
    r"\b(?:a|an|and|are|as|at|by|for|from|has|have|in|is|it|its|of|on|or|than|that|the|this|to|was|were|where|while|with|"
    r"both|but|among|after|during|under|within|not|no|more|less)\b"
)


def check_steps(rule: StepRule | None, candidate: Candidate) -> list[Problem]:
    """Every rule that the steps of `candidate` break; empty if it has none."""
    if not candidate.steps:
        return []
    problems: list[Problem] = []
    for number, step in enumerate(candidate.steps, 1):
        problems += [
            *_check_findings(number, step, candidate.evidence),
            *check_weighing(number, step),
            *check_comparison(number, step),
        ]
    return [*problems, *_check_coverage(candidate), *_check_decision(rule, candidate)]


def compare(found: str, claimed: str) -> Holds | None:
    """Whether what is `claimed` holds given what was `found`; None where the words do not tell.

    The same words hold. Words of a closed vocabulary, such as up and down, exclude each other. A figure holds within a
    range that is claimed.
    """
    first, second = _plain(found), _plain(claimed)
    if first == second:
        return Holds.YES
    for family in _CLOSED:
        groups = [next((group for group in family if text in group), None) for text in (first, second)]
        if None not in groups:
            return Holds.YES if groups[0] is groups[1] else Holds.NO
    bounds = _RANGE.search(second)
    figures = _NUMBER.findall(first)
    if bounds is not None and len(figures) == 1 and _RANGE.search(first) is None:
        low, high = sorted(float(bounds[end].replace(",", "")) for end in (1, 2))
        return Holds.YES if low <= float(figures[0].replace(",", "")) <= high else Holds.NO
    return None


def nearest_sentence(quote: str, text: str) -> str:
    """The sentence of `text` that is most like `quote`; '' if none is like it at all."""
    sentences = [sentence.strip() for sentence in _SENTENCE.split(text) if sentence.strip()]
    matches = difflib.get_close_matches(quote, sentences, n=1, cutoff=0.3)
    return matches[0] if matches else ""


def quote_span(quote: str, text: str) -> tuple[int, int] | None:
    """Where `quote` stands in `text`, in characters from 0; blanks, case and kinds of quotation mark do not count."""
    words = [re.escape(word) for word in _folded(quote).split()]
    if not words:
        return None
    match = re.search(r"\s+".join(words), _folded(text))
    return match.span() if match else None


def _check_findings(number: int, step: Step, evidence: Sequence[Evidence]) -> list[Problem]:
    problems = []
    if not step.findings and step.holds is not Holds.OPEN:
        problems.append(
            Problem("step_ungrounded", f"Step {number} ({step.part}) names no piece of evidence that settles it.")
        )
    for finding in [*step.findings, *step.against]:
        problems += check_finding(number, step.part, finding, evidence)
    return problems


def check_finding(number: int, part: str, finding: Finding, evidence: Sequence[Evidence]) -> list[Problem]:
    """Whether a finding of step `number`, about `part`, names a piece that there is and that says the quote."""
    where = f"Step {number} ({part})"
    if finding.piece > len(evidence):
        return [Problem("step_piece", f"{where} names piece {finding.piece}, and there are {len(evidence)}.")]
    piece = evidence[finding.piece - 1]
    if quote_span(finding.quote, piece.content) is not None:
        return []
    nearest = nearest_sentence(finding.quote, piece.content)
    offer = f' The nearest there is "{nearest}".' if nearest else ""
    return [
        Problem("step_quote", f'{where} quotes "{finding.quote}", which piece {finding.piece} does not say.{offer}')
    ]


def check_weighing(number: int, step: Step) -> list[Problem]:
    """Whether step `number` has no piece on both sides, and a reason just where something stands against it."""
    counting = {finding.piece for finding in step.findings}
    both = sorted(counting & {finding.piece for finding in step.against})
    if both:
        return [
            Problem("step_weighing", f"Step {number} ({step.part}) has piece {both[0]} on both sides: take it apart.")
        ]
    if bool(step.against) != bool(step.why):
        missing = "why the others do not count" if step.against else "what stands against it, if something outweighs it"
        return [Problem("step_weighing", f"Step {number} ({step.part}) does not say {missing}.")]
    return []


def check_comparison(number: int, step: Step) -> list[Problem]:
    """Whether step `number` holds as what it finds and what is claimed have it."""
    follows = compare(step.found, step.claimed)
    if follows is None or step.holds in {follows, Holds.OPEN}:
        return []
    return [
        Problem(
            "step_holds",
            f"Step {number} ({step.part}) finds {step.found!r} where {step.claimed!r} is claimed, so it "
            f"{'holds' if follows is Holds.YES else 'does not hold'}.",
        )
    ]


def _check_coverage(candidate: Candidate) -> list[Problem]:
    """The claims of the hypothesis that no step is about, as far as the hypothesis can be parsed.

    Where the only step fails, it carries the claim: nothing else has to be said.
    """
    hypothesis = read_hypothesis(candidate.hypothesis)
    if hypothesis is None or (len(candidate.steps) == 1 and candidate.steps[0].holds is Holds.NO):
        return []
    missing = []
    if len(hypothesis.claims) > 1:
        words = [_words(f"{step.part} {step.claimed}") for step in candidate.steps]
        shared = set.intersection(*(_words(f"{claim.measure} {claim.place}") for claim in hypothesis.claims))
        for claim in hypothesis.claims:
            own = _words(f"{claim.measure} {claim.place}") - shared
            if own and not any(own & step_words for step_words in words):
                missing.append(" ".join(filter(None, (claim.measure, claim.place))))
    if hypothesis.qualifiers and len(candidate.steps) < 2:
        missing.append(hypothesis.qualifiers.name)
    return [Problem("step_missing", f"No step is about {part}: each part of the claim has one.") for part in missing]


def _check_decision(rule: StepRule | None, candidate: Candidate) -> list[Problem]:
    follows = rule.decide(candidate.steps) if rule else None
    if follows is None or follows == candidate.decision:
        return []
    return [
        Problem("step_decision", f"The steps lead to {follows}, and the decision is {candidate.decision}: mend either.")
    ]


def _folded(text: str) -> str:
    """`text` in one case and with plain quotation marks, of the same length, so that places in it are the same."""
    folded = (lower if len(lower := unicodedata.normalize("NFKC", letter).lower()) == 1 else letter for letter in text)
    return "".join(folded).translate(_QUOTES)


def _plain(text: str) -> str:
    return " ".join(_folded(text).split()).strip(" .")


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", _STOP_WORDS.sub(" ", text.casefold())))
