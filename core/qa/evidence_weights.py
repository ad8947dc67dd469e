"""Weighs what the pieces of evidence report, by how they say they were made, and decides."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from statistics import fmean

from core.qa.claims import Hypothesis, read_hypothesis
from core.qa.reports import PieceReading, ReportedEffect, direction, read_piece, sign

_STRONG = re.compile(
    r"randomi[sz]ed|by lot|controlled|matched|independent audit|external audit|outside auditor|records review"
    r"|register count|switch-back|alternated|preregistered|fixed beforehand|stepped|random order|all [\d,]+ "
)
_WEAK = re.compile(
    r"brochure|poll|anecdote|forum|exit-interview|recollection|hallway|vendor's newsletter|the vendor picked"
    r"|volunteered|replied|posted|nothing was written down|no method|no figures"
)
_HEDGES = re.compile(
    r"\b(?:may|might|could|perhaps|possibly|possible|suggests?|appears?|seems?|likely|unclear|inconclusive|probably)\b"
)
WEIGHTS = {"strong": 1.0, "fair": 0.55, "weak": 0.12}


@dataclass(frozen=True, slots=True)
class EvidenceText:
    """The text of one piece of evidence."""

    source: str
    content: str


@dataclass(slots=True)
class WeighedClaim:
    """What all pieces together say about one claim: weight by state, and how it was reached."""

    votes: dict[int, float] = field(default_factory=dict)
    changes: list[tuple[float, float]] = field(default_factory=list)  # (relative change, weight)
    figures: list[tuple[float, float]] = field(default_factory=list)  # (figure with the intervention, weight)
    joined: bool = False

    @property
    def state(self) -> int | None:
        """The state with the most weight; None if no piece reports on the claim."""
        return max(sorted(self.votes), key=lambda state: self.votes[state]) if self.votes else None

    @property
    def certainty(self) -> float:
        """The share of the weight that supports `state`; 0 if no piece reports on the claim."""
        return max(self.votes.values()) / sum(self.votes.values()) if self.votes else 0.0


@dataclass(frozen=True, slots=True)
class WeighedDecision:
    """A decision with the probability that it is right, and what was noticed on the way."""

    decision: str
    confidence: float
    unsettled: int  # claims on which the evidence is silent or open
    foreign: tuple[int, ...]  # positions of pieces of another case
    contradictions: tuple[int, ...]  # positions of pieces that contradict themselves
    against: int  # statements against the finding
    torn: bool  # a claim with equally strong reports both ways
    joined: bool  # some finding took several facts
    hedges: int


def trust_of(source: str, reading: PieceReading) -> float:
    """How far a piece can be trusted, from 0 to 1, by what it says about its own making.

    The names of what is claimed are masked in `reading`: a forum that is the subject of a test is no forum thread.
    """
    text = f"{source.casefold()}. {' '.join(reading.sentences)}"
    if reading.aside in ("scope", "time"):
        return 0.0
    if reading.aside == "figures" or _WEAK.search(text):
        return WEIGHTS["weak"]
    return WEIGHTS["strong" if _STRONG.search(text) else "fair"]


def count_hedges(text: str) -> int:
    """How many guarded words `text` has."""
    return len(_HEDGES.findall(text.casefold()))


def decide(hypothesis: str, pieces: list[EvidenceText]) -> WeighedDecision:
    """The decision on `hypothesis` from the text of `pieces` alone."""
    hedges = sum(count_hedges(piece.content) for piece in pieces)
    claim = read_hypothesis(hypothesis)
    if claim is None:
        return WeighedDecision("REJECTED", 0.34, 1, (), (), 0, False, False, hedges)
    readings = [read_piece(piece.content, claim) for piece in pieces]
    weights = [trust_of(piece.source, reading) for piece, reading in zip(pieces, readings, strict=True)]
    findings = [_gather(part, readings, weights) for part in range(len(claim.claims))]
    open_parts = {report.part for reading in readings for report in reading.reports if report.open}
    decision, certainty, unsettled = _conclude(claim, findings, readings)
    strength = max([w for w, r in zip(weights, readings, strict=True) if r.reports] or [0.0])
    joined = any(finding.joined for finding in findings)
    confidence = certainty * (0.88 + 0.1 * strength) * (0.94 if joined else 1.0)
    confidence *= max(0.85, 1 - 0.03 * hedges)
    if open_parts:
        confidence = min(confidence, 0.5)
    minor = [v for f in findings for s, v in f.votes.items() if s != f.state]
    torn = any(f.certainty < 0.6 for f in findings if f.votes)
    return WeighedDecision(
        decision,
        round(confidence, 4),
        unsettled + len(open_parts),
        tuple(n for n, reading in enumerate(readings) if reading.foreign),
        tuple(n for n, reading in enumerate(readings) if reading.contradiction),
        len(minor),
        torn,
        joined,
        hedges,
    )


def _is_settled(finding: WeighedClaim) -> bool:
    """Whether more than hearsay supports a finding."""
    return bool(finding.votes) and max(finding.votes.values()) > 2.5 * WEIGHTS["weak"]


def _conclude(claim: Hypothesis, findings: list[WeighedClaim], readings: list[PieceReading]) -> tuple[str, float, int]:
    """Decision, certainty from 0 to 1, and how many claims are unsettled.

    A wrong direction that carries the claim rejects it, whatever its mechanism, size or scope; with the right one,
    another size, threshold, scope, duration or cause refines it. Of two parts, one that holds refines the claim; where
    none does, as in swapped groups, it is rejected.
    """
    unsettled = sum(not _is_settled(finding) for finding in findings)
    certainty = 1.0
    for finding in findings:
        certainty *= finding.certainty if _is_settled(finding) else 0.45
    if claim.qualifiers:
        if findings[0].state is None or findings[0].state != claim.claims[0].state:
            return "REJECTED", certainty, unsettled
        fits = _fits(claim, findings[0], readings)
        if fits is None:
            return "REFINED", certainty * 0.45, unsettled + 1
        return ("VALIDATED" if fits else "REFINED"), certainty, unsettled
    supported = [part for part, finding in zip(claim.claims, findings, strict=True) if part.state == finding.state]
    if len(supported) == len(findings):
        return "VALIDATED", certainty, unsettled
    return ("REFINED" if supported else "REJECTED"), certainty, unsettled


def _fits(claim: Hypothesis, finding: WeighedClaim, readings: list[PieceReading]) -> bool | None:
    """Whether what qualifies the direction is as claimed; None where no piece says."""
    if claim.qualifiers.size:
        return _in_range(claim.qualifiers.size, finding)
    if claim.qualifiers.grade:
        return _in_grade(claim.qualifiers.grade, finding, readings)
    stated = [reading.fits for reading in readings if reading.fits is not None]
    if stated:
        return stated[0]
    held = {cause: state for reading in readings for cause, state in reading.held.items()}
    if len(held) == 2:
        # The effect is gone where its main cause cannot act.
        return held[0] == 0 and held[1] != 0
    return _main_cause(readings)


def _in_grade(grade: str, finding: WeighedClaim, readings: list[PieceReading]) -> bool | None:
    """Whether the figure with the intervention falls into the bounds that a standard sets for `grade`."""
    bounds = {name: pair for reading in readings for name, pair in reading.grades.items()}
    figures = [value for value, trust in finding.figures if trust > WEIGHTS["weak"]]
    if not figures or not bounds:
        return None
    low, high = bounds.get(grade, (0.0, 0.0))
    return low <= fmean(figures) <= high


def _in_range(size: tuple[float, float] | None, finding: WeighedClaim) -> bool | None:
    supporting = [
        (abs(change), w) for change, w in finding.changes if sign(change) == finding.state and w > WEIGHTS["weak"]
    ]
    if size is None or not supporting:
        return None
    mean = sum(change * w for change, w in supporting) / sum(w for _, w in supporting) * 100
    return size[0] - 0.5 <= mean <= size[1] + 0.5


def _main_cause(readings: list[PieceReading]) -> bool | None:
    amounts: dict[int, list[float]] = {0: [], 1: []}
    for reading in readings:
        if len(reading.shares) == 2:
            total = sum(reading.shares.values())
            return reading.shares[0] > total / 2
        for cause, amount in reading.shares.items():
            amounts[cause].append(amount)
    return fmean(amounts[0]) > fmean(amounts[1]) if amounts[0] and amounts[1] else None


def _gather(part: int, readings: list[PieceReading], weights: list[float]) -> WeighedClaim:
    """Everything that is reported on claim `part`: comparisons, combined arms, chains through a driver, and words."""
    finding = WeighedClaim()
    arms: dict[str, list[tuple[float, float]]] = {"with": [], "without": []}
    links: list[tuple[ReportedEffect, float]] = []
    start = next((reading.start for reading in readings if reading.start is not None), None)
    for reading, trust in zip(readings, weights, strict=True):
        for report in reading.reports:
            if report.part != part or not trust:
                continue
            if report.month is not None and report.state is not None:
                # What moved before the start is no effect of it.
                if start is not None:
                    _vote(finding, report.state if report.month >= start else 0, trust)
                    finding.joined = True
                continue
            if report.value and report.arm != "without":
                finding.figures.append((report.value, trust))
            if report.change is not None:
                _vote(finding, sign(report.change), trust)
                finding.changes.append((report.change, trust))
            elif report.arm:
                arms[report.arm].append((report.value, trust))
            elif report.state is not None:
                _vote(finding, report.state, trust)
            elif report.link is not None:
                links.append((report, trust))
    if arms["with"] and arms["without"]:
        base = fmean(value for value, _ in arms["without"])
        change = fmean(value for value, _ in arms["with"]) / base - 1 if base else 0.0
        trust = min(max(t for _, t in arms["with"]), max(t for _, t in arms["without"]))
        _vote(finding, sign(change), trust)
        finding.changes.append((change, trust))
        finding.joined = True
    for report, trust in links:
        driver_change = _driver_change(report.driver, readings, weights)
        if driver_change is not None:
            _vote(finding, (report.link or 0) * driver_change[0], min(trust, driver_change[1]))
            finding.joined = True
    return finding


def _vote(finding: WeighedClaim, state: int, trust: float) -> None:
    finding.votes[state] = finding.votes.get(state, 0.0) + trust


def _driver_change(driver: str, readings: list[PieceReading], weights: list[float]) -> tuple[int, float] | None:
    """The direction in which the intervention moved `driver`, with the trust in the piece that says so."""
    for reading, trust in zip(readings, weights, strict=True):
        for sentence in reading.sentences:
            if driver in sentence and "⟨i⟩" in sentence and "⟨m" not in sentence:
                change_direction = direction(sentence)
                if change_direction is not None:
                    return change_direction, trust
    return None
