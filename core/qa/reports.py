"""Parses pieces of evidence as text: what each sentence reports on the claims of a hypothesis."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from core.qa.claims import LONGEST, Hypothesis

Arm = Literal["with", "without"]

_ROUNDED = 1.0  # points by which a stated change may differ from that of the figures, which are rounded too

_ROSE = re.compile(r"\b(?:rose|went up|climbed|increased|grew|gained|higher than before)\b")
_FELL = re.compile(r"\b(?:fell|went down|dropped|declined|came down|shrank|lower than before)\b")
_STILL = re.compile(r"\b(?:stayed level|did not move|remained the same|held steady|unchanged|did not change)\b")
_OPEN = re.compile(r"\b(?:inconclusive|unclear)\b")
_NUMBER = re.compile(r"(?<![\w.,])€?(\d[\d,]*(?:\.\d+)?)")
_MOVED_BY = re.compile(
    rf"(?:once|with|after) the [^.]*(?:{_ROSE.pattern}|{_STILL.pattern})|{_STILL.pattern}[^.]*(?:once|after) the"
)
_ABOUT_EFFECT = re.compile(
    r"\b(?:change in|effect on|changed|left the)\b"
    rf"|\b(?:under|when|with|after) the [^.]*(?:{_ROSE.pattern}|{_FELL.pattern})"
    rf"|(?:{_ROSE.pattern}|{_FELL.pattern})[^.]*\b(?:under|when|with|after|once) the\b"
    r"|more than it (?:cost|saved)|broke even"
)
_PER = re.compile(r"per [\d,]+ ")
_AFTER_WITH = re.compile(r"^\W*(?:\w+\W+){0,4}?(?:with|under|once|after|afterwards)\b")
_AFTER_WITHOUT = re.compile(r"^\W*(?:\w+\W+){0,4}?(?:without|before|in the (?:control|comparison))\b")
_CUES: tuple[tuple[Arm, re.Pattern[str]], ...] = (
    ("with", re.compile(r"\b(?:with|under|afterwards|after|once)\b")),
    ("without", re.compile(r"\b(?:from|had been|without|before|control|comparison|against)\b")),
)
# How far something went, stated beside the figures from which it follows.
_BY = re.compile(r"\bby (\d+(?:\.\d+)?) ?%")
_BALANCES = ((1, "saved more than it cost"), (0, "broke even"), (-1, "cost more than it saved"))
_SAVING = re.compile(r"\b(?:savings?|saved)\b")
_COST = re.compile(r"\b(?:costs?|outlays?|spending)\b")
_SAME_WAY = re.compile(r"in step with|\bfollows\b|the same direction")
_OTHER_WAY = re.compile(r"opposite|\bmirrors\b")
_NO_LINK = re.compile(r"no link|independent")
_LINKED_TO = re.compile(
    r"(?:in step with|follows|opposite to|mirrors|link with|independent of) (.+?)(?= for | over |:|\.|$)"
)
_LINKED_FIRST = re.compile(r"^(?:⟨p\d⟩, )?(.+?) and ⟨m\d⟩ have moved")
# What qualifies an effect.
_SMALL = re.compile(r"\b(?:slightly|a little|slight|small|minor)\b")
_LARGE = re.compile(r"\b(?:sharply|strongly|wide margin|large|marked|major|a great deal)\b")
_PASSING = re.compile(r"\b(?:gone|back where it had been|wore off|nothing was left)\b")
_LASTING = re.compile(r"\b(?:still there|kept the change|lasted|all was left)\b")
_ONE = re.compile(r"\b(?:only|there was none|but not|did not change|nothing changed)\b")
_EVERYWHERE = re.compile(r"\b(?:alike|the same change|as plain|just as|both)\b")
_MAIN = re.compile(
    r"(?:most of the change in ⟨m0⟩ came from|mainly through|the larger part passed through|most of it through) ⟨d(\d)⟩"
    r"|⟨d(\d)⟩ was the main cause"
)
_SIZED = re.compile(r"size of the change|changed by \d")
# A cause was held constant, and what was left of the effect.
_HELD = re.compile(r"with ⟨d(\d)⟩ held constant|where ⟨d(\d)⟩ could not change|leaving ⟨d(\d)⟩ out of account")
_COUNTED = re.compile(r"\b(\d+) of (\d+) ")
_SERIES = re.compile(r"\breadings of\b|\bread [^.]*(?:\.\d[^.]*)*\bthen\b|\bwent through\b")
_GRADED = re.compile(r"\b(\w+) (?:is )?from €?([\d,]+(?:\.\d+)?) to €?([\d,]+(?:\.\d+)?)")
_GRADES = re.compile(r"counts as|grades for ⟨m0⟩|scale in use for ⟨m0⟩")
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_IN_MONTH = re.compile(rf"\bin ({'|'.join(_MONTHS)})\b")
_STARTED = re.compile(rf"⟨i⟩ (?:went live|was first used|started) in ({'|'.join(_MONTHS)})\b")
# Why a piece says nothing on the claim although it seems to.
_ELSEWHERE = re.compile(r"\b(?:another|a different) country\b")
_EARLIER = re.compile(r"\b(?:earlier|first) version\b|\byears (?:earlier|before)\b")
_CHOSEN = re.compile(r"\bhad asked for\b|\bvolunteers\b|\bsigned up for\b")
_IMPRESSION = re.compile(r"\bimpression\b|\bfeel that\b")
_EFFECT = re.compile(r"⟨m0⟩|\bthe (?:change|effect)\b")


@dataclass(frozen=True, slots=True)
class ReportedEffect:
    """What one sentence reports on claim `part`.

    Either `change` (relative, with over without; `value` is the figure with), or one `arm` with its `value`, or a
    `state` in words (with the index of the `month` in which it came about, if that is said), or a `link` (-1, 0, 1) to
    `driver`, or that it is `open`.
    """

    part: int
    change: float | None = None
    arm: Arm | None = None
    value: float = 0.0
    state: int | None = None
    link: int | None = None
    driver: str = ""
    open: bool = False
    month: int | None = None


@dataclass(slots=True)
class PieceReading:
    """One piece of evidence as read.

    `shares` are amounts by cause; `fits` says whether what it reports on the qualifier of the claim is what is claimed,
    None where it reports nothing on it. `held` has what was left of the effect by the cause that was held constant,
    `grades` the bounds of a standard, `start` the month in which the intervention began. `aside` says why the piece
    does not count: "scope", "time" or "figures".
    """

    reports: list[ReportedEffect] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    shares: dict[int, float] = field(default_factory=dict)
    fits: bool | None = None
    held: dict[int, int] = field(default_factory=dict)
    grades: dict[str, tuple[float, float]] = field(default_factory=dict)
    start: int | None = None
    aside: Literal["", "scope", "time", "figures"] = ""
    on_topic: bool = False
    foreign: bool = False
    contradiction: bool = False


def read_piece(content: str, claim: Hypothesis) -> PieceReading:
    """What `content` reports on the claims of a hypothesis."""
    text = _masked(" ".join(content[:LONGEST].casefold().split()), claim)
    reading = PieceReading(sentences=re.split(r"(?<=[.!?])\s+", text))
    reading.on_topic = "⟨i⟩" in text or "⟨m" in text
    reading.foreign = not reading.on_topic and bool(
        re.search(r"\d", re.sub(r"⟨\w+⟩", "", text))
        or _LINKED_TO.search(text)
        or _ABOUT_EFFECT.search(text)
        or _MOVED_BY.search(text)
    )
    if _ELSEWHERE.search(text) or _CHOSEN.search(text):
        reading.aside = "scope"
    elif _EARLIER.search(text):
        reading.aside = "time"
    elif _IMPRESSION.search(text):
        reading.aside = "figures"
    for sentence in reading.sentences:
        if not _read_special(sentence, claim, reading):
            _read_sentence(sentence, claim, reading)
    return reading


def _read_special(sentence: str, claim: Hypothesis, reading: PieceReading) -> bool:
    """Whether `sentence` is of a form of its own, which is then read: a cause held constant, a standard, a date, ..."""
    if held := _HELD.search(sentence):
        state = direction(sentence)
        if state is not None:
            reading.held[int(held[1] or held[2] or held[3])] = state
        return True
    if claim.qualifiers.grade and _GRADES.search(sentence):
        for name, low, high in _GRADED.findall(_PER.sub("per ", sentence)):
            reading.grades[name] = (_number(low), _number(high))
        return True
    if started := _STARTED.search(sentence):
        reading.start = _MONTHS.index(started[1])
        return True
    part = _part(sentence, claim)
    if part is None:
        return bool(_SIZED.search(sentence))
    if counted := _COUNTED.search(sentence):
        arm: Arm = "without" if "without ⟨i⟩" in sentence else "with"
        reading.reports.append(ReportedEffect(part, arm=arm, value=int(counted[1]) / max(int(counted[2]), 1)))
        return True
    if _SERIES.search(sentence):
        readings = [_number(number) for number in _NUMBER.findall(_PER.sub("per ⟨k⟩ ", sentence))]
        if len(readings) >= 3:
            change = readings[-1] / readings[0] - 1 if readings[0] else 0.0
            reading.reports.append(ReportedEffect(part, change=change))
        return True
    if "⟨i⟩" not in sentence and (dated := _IN_MONTH.search(sentence)) and (state := _moved(sentence)) is not None:
        reading.reports.append(ReportedEffect(part, state=state, month=_MONTHS.index(dated[1])))
        return True
    return bool(_SIZED.search(sentence))


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _masked(text: str, claim: Hypothesis) -> str:
    contexts = [*dict.fromkeys(c.place for c in claim.claims if c.place), *claim.places]
    measures = list(dict.fromkeys(c.measure for c in claim.claims if c.measure))
    for number, place in sorted(enumerate(contexts), key=lambda pair: -len(pair[1])):
        text = re.sub(rf"\b{re.escape(place)}\b", f"⟨p{number}⟩", text)
    for number, measure in sorted(enumerate(measures), key=lambda pair: -len(pair[1])):
        text = re.sub(rf"\b(?:the|an?) {re.escape(measure)}\b", f"⟨m{number}⟩", text)
    if claim.agent:
        text = re.sub(rf"\b(?:the|an?) {re.escape(claim.agent)}\b", "⟨i⟩", text)
    for number, cause in enumerate(claim.qualifiers.causes or ()):
        text = re.sub(rf"\b{re.escape(cause)}\b", f"⟨d{number}⟩", text)
    return text


def _part(sentence: str, claim: Hypothesis) -> int | None:
    """Which claim a sentence is about; None where it does not say."""
    contexts = list(dict.fromkeys(c.place for c in claim.claims if c.place))
    measures = list(dict.fromkeys(c.measure for c in claim.claims if c.measure))
    for number, part_claim in enumerate(claim.claims):
        placed = not part_claim.place or f"⟨p{contexts.index(part_claim.place)}⟩" in sentence
        measured = not part_claim.measure or f"⟨m{measures.index(part_claim.measure)}⟩" in sentence
        if placed and measured:
            return number
    return None


def _read_sentence(sentence: str, claim: Hypothesis, reading: PieceReading) -> None:
    text = _PER.sub("per ⟨k⟩ ", sentence)
    stated = _BY.search(text)
    if stated is not None and len(_NUMBER.findall(text)) == 3:
        text = text[: stated.start()] + text[stated.end() :]
    else:
        stated = None
    numbers = [(float(m[1].replace(",", "")), m.start(), m.end()) for m in _NUMBER.finditer(text)]
    if claim.qualifiers and (fits := _read_qualifier(text, claim)) is not None:
        reading.fits = fits
    if numbers and claim.qualifiers.causes and "⟨d" in text and "the change in ⟨m0⟩" in text:
        causes = [int(link_match[1]) for link_match in re.finditer(r"⟨d(\d)⟩", text)]
        reading.shares |= {cause: number[0] for cause, number in zip(causes, numbers, strict=False)}
        if _OPEN.search(text):
            reading.reports.append(ReportedEffect(0, open=True))
        return
    part = _part(text, claim)
    if part is None:
        return
    if _OPEN.search(text):
        reading.reports.append(ReportedEffect(part, open=True))
        return
    if claim.balance:
        _read_money(text, part, numbers, reading)
        return
    link = 0 if _NO_LINK.search(text) else -1 if _OTHER_WAY.search(text) else 1 if _SAME_WAY.search(text) else None
    if link is not None:
        link_match = _LINKED_FIRST.search(text) or _LINKED_TO.search(text)
        if link_match:
            reading.reports.append(ReportedEffect(part, link=link, driver=link_match[1].strip()))
        return
    arms = _arms(text, numbers)
    stated_direction = direction(text) if claim.qualifiers.everywhere is None else _moved(text)
    if len(arms) >= 2 and {arm for arm, _ in arms[:2]} == {"with", "without"}:
        values = dict(arms[:2])
        change = values["with"] / values["without"] - 1 if values["without"] else 0.0
        reading.contradiction |= stated_direction is not None and stated_direction != sign(change)
        reading.contradiction |= stated is not None and abs(float(stated[1]) - 100 * abs(change)) > _ROUNDED
        reading.reports.append(ReportedEffect(part, change=change, value=values["with"]))
    elif stated_direction is not None and "⟨i⟩" in text:
        reading.reports.append(ReportedEffect(part, state=stated_direction))
    elif len(arms) == 1:
        reading.reports.append(ReportedEffect(part, arm=arms[0][0], value=arms[0][1]))


def _read_money(text: str, part: int, numbers: list[tuple[float, int, int]], reading: PieceReading) -> None:
    stated_balances = {state: words for state, words in _BALANCES if words in text}
    if not numbers:
        reading.reports += [ReportedEffect(part, state=state) for state in stated_balances]
        return
    for phrase in stated_balances.values():
        text = text.replace(phrase, "")
    words = sorted(
        [(m.start(), "with") for m in _SAVING.finditer(text)] + [(m.start(), "without") for m in _COST.finditer(text)]
    )
    kinds = [kind for number, (_, kind) in enumerate(words) if number == 0 or words[number - 1][1] != kind]
    if len(numbers) == 2 and len(set(kinds)) == 2:
        values = {kind: number[0] for kind, number in zip(kinds, numbers, strict=False)}
        change = values["with"] / values["without"] - 1 if values["without"] else 0.0
        reading.contradiction |= bool(stated_balances) and sign(change) not in stated_balances
        reading.reports.append(ReportedEffect(part, change=change))
    elif len(numbers) == 1 and kinds:
        reading.reports.append(
            ReportedEffect(part, arm="with" if kinds[0] == "with" else "without", value=numbers[0][0])
        )


def _arms(text: str, numbers: list[tuple[float, int, int]]) -> list[tuple[Arm, float]]:
    """Each figure of a sentence with the arm it belongs to, where the words around it tell."""
    arms: list[tuple[Arm | None, float]] = []
    for number, (value, start, end) in enumerate(numbers):
        following = text[end : numbers[number + 1][1] if number + 1 < len(numbers) else len(text)]
        following = re.split(r"[,;.:]| and ", following)[0]
        previous = text[numbers[number - 1][2] if number else 0 : start]
        arm: Arm | None = None
        if _AFTER_WITHOUT.search(following):
            arm = "without"
        elif _AFTER_WITH.search(following):
            arm = "with"
        else:
            cues = [
                (max(m.start() for m in hits), name) for name, cue in _CUES if (hits := list(cue.finditer(previous)))
            ]
            arm = max(cues)[1] if cues else None
        arms.append((arm, value))
    if len(arms) == 2 and arms[0][0] == arms[1][0] is not None:
        return []
    named_arms = {arm for arm, _ in arms if arm}
    if len(arms) == 2 and len(named_arms) == 1:
        other_arm: Arm = "without" if "with" in named_arms else "with"
        arms = [(arm or other_arm, value) for arm, value in arms]
    return [(arm, value) for arm, value in arms if arm]


def _read_qualifier(text: str, claim: Hypothesis) -> bool | None:
    """Whether what a sentence says of the effect is what the claim says of it; None where it says nothing."""
    if not _EFFECT.search(text):
        return None
    qualifiers = claim.qualifiers
    if qualifiers.causes and (main := _MAIN.search(text)):
        return (main[1] or main[2]) == "0"
    for claimed, yes, no in (
        (qualifiers.large, _LARGE, _SMALL),
        (qualifiers.lasting, _LASTING, _PASSING),
        (qualifiers.everywhere, _EVERYWHERE, _ONE),
    ):
        if claimed is not None and (yes.search(text) or no.search(text)):
            return claimed == bool(yes.search(text))
    return None


def _moved(text: str) -> int | None:
    """A direction in words, leaving out where nothing changed: that is said of another place."""
    rose, fell = bool(_ROSE.search(text)), bool(_FELL.search(text))
    return None if rose == fell else 1 if rose else -1


def direction(text: str) -> int | None:
    """Where `text` says that something went, in words: 1, 0, -1, or None where it does not say."""
    if _STILL.search(text):
        return 0
    return _moved(text)


def sign(change: float) -> int:
    """The direction of a relative change; below 4 % it counts as none."""
    return 0 if abs(change) < 0.04 else 1 if change > 0 else -1
