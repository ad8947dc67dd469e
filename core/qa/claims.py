"""Parses a hypothesis and pieces of evidence as text: what is claimed about what, and what each sentence reports."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

_UP = r"raises|increases|lifts|pushes (?:it )?up|drives (?:it )?up|boosts|pushes up|drives up"
_DOWN = r"lowers|reduces|cuts|brings (?:it )?down|decreases|pushes (?:it )?down|shortens"
_SAME = (
    r"leaves (?P<kept>.+?) unchanged|without changing|makes no difference to"
    r"|has no effect(?: on)?|(?:stays|remains) the same"
)
_PROFIT = r"saves more than it costs|earns back more than it costs|brings in more than is spent on it"
_LEVEL = r"breaks even|just covers its cost|earns back what it costs and no more"
_LOSS = r"costs more than it saves|fails to earn back its cost|loses money"
_VERB = re.compile(rf"\b(?:(?P<up>{_UP}|{_PROFIT})|(?P<down>{_DOWN}|{_LOSS})|(?P<same>{_SAME}|{_LEVEL}))\b")
_MONEY = re.compile(rf"\b(?:{_PROFIT}|{_LEVEL}|{_LOSS})\b")
_BREAK = re.compile(
    r";|,? but |,? yet |,? while |,? and (?!where|among|at |in |on |under |after|during|within|less)"
    r"|(?= without changing)"
)
_PLACE = re.compile(r"(?:^|\s)(?:both )?((?:among|where|at|in(?! place)|on|under|after|during|within|for)\s.*)$")
_JOINT = re.compile(r"\s+(?:and|as well as)\s+(?=(?:among|where|at|in|on|under|after|during|within|for)\s)")
_RANGE = re.compile(r",?(?: namely)? by (?:between )?(\d+)(?: to |–|-| and )(\d+) ?(?:%|per cent)")
_CAUSE = re.compile(
    r"(?:chiefly|mainly|above all|mostly|primarily) (?:through|by way of|via) (?P<main>.+?)"
    r",? (?:rather than|with a smaller share from|and less so) (?P<minor>.+?)(?=,|$)"
)
_AGENT = re.compile(r"\b(?:the|an?) ((?:(?!\bthe\b).)+?)(?: in place)?$")


_ROUNDED = 1.0  # points by which a stated change may differ from that of the figures, which are rounded too
_LONGEST = 4000  # characters; past this a text is no sentence or piece that anyone would read


@dataclass(frozen=True, slots=True)
class Claim:
    """One half of a hypothesis: `measure` (empty for the balance of savings and costs) in `place` goes `state`."""

    measure: str
    place: str
    state: int


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A hypothesis as read. `size` is a range in per cent, `causes` the main and the minor cause."""

    agent: str
    claims: tuple[Claim, ...]
    size: tuple[float, float] | None = None
    causes: tuple[str, str] | None = None
    balance: bool = False


def read_hypothesis(text: str) -> Hypothesis | None:
    """The claims of `text`; None where it cannot be understood."""
    if len(text) > _LONGEST:
        return None
    plain = " ".join(text.casefold().split()).rstrip(".")
    size = causes = None
    if size_match := _RANGE.search(plain):
        size = (float(size_match[1]), float(size_match[2]))
        plain = plain[: size_match.start()] + plain[size_match.end() :]
    if size_match := _CAUSE.search(plain):
        causes = (size_match["main"], size_match["minor"])
        plain = (plain[: size_match.start()] + plain[size_match.end() :]).strip(" ,")
    verbs = list(_VERB.finditer(plain))
    if not verbs:
        return None
    balance = bool(_MONEY.search(plain))
    agent, measure = "", ""
    claims: list[Claim] = []
    start = 0
    for number, verb in enumerate(verbs):
        end = len(plain)
        if number + 1 < len(verbs):
            gap = _BREAK.search(plain, verb.end(), verbs[number + 1].end())
            end = gap.start() if gap else verbs[number + 1].start()
            next_start = gap.end() if gap else end
        else:
            next_start = end
        head, tail = plain[start : verb.start()].strip(" ,"), plain[verb.end() : end].strip(" ,")
        contexts, subject = _front(head)
        unchanged_measure = verb["kept"] or ""
        place_match = _PLACE.search(tail)
        if place_match:
            contexts += _JOINT.split(place_match[1])
        named = _bare(unchanged_measure or (tail[: place_match.start()] if place_match else tail))
        if "the same" in verb[0] and not named:
            named = _bare(subject)
        elif not agent and (size_match := _AGENT.search(subject)):
            agent = size_match[1]
        measure = measure if named in ("", "it") else named
        state = 1 if verb["up"] else -1 if verb["down"] else 0
        measures = re.split(r" and the | as well as the ", measure.removeprefix("both the "))
        claims += [
            Claim("" if balance else measure_name, place, state)
            for measure_name in measures
            for place in (contexts or [""])
        ]
        start = next_start
    return Hypothesis(agent, tuple(claims), size, causes, balance)


def _front(head: str) -> tuple[list[str], str]:
    """The places that a clause opens with, and the rest of it."""
    if not re.match(r"(?:both )?(?:among|where|at|in|on|under|after|during|within|for)\s", head):
        return [], head
    contexts, _, rest = head.removesuffix(" it").partition(",")
    return _JOINT.split(contexts.removeprefix("both ").removesuffix(" alike")), rest.strip()


def _bare(text: str) -> str:
    text = text.strip(" ,")
    return text.removeprefix("the ") if not text.startswith("both ") else text


# ------------------------------------------------------------------ evidence

Arm = Literal["with", "without"]

_ROSE = re.compile(r"\b(?:rose|went up|climbed|increased|grew|gained)\b")
_FELL = re.compile(r"\b(?:fell|went down|dropped|declined|came down|shrank)\b")
_STILL = re.compile(r"\b(?:stayed level|did not move|remained the same|held steady|unchanged|did not change)\b")
_OPEN = re.compile(r"\b(?:inconclusive|unclear)\b")
_NUMBER = re.compile(r"(?<![\w.,])€?(\d[\d,]*(?:\.\d+)?)")
_MOVED_BY = re.compile(
    rf"(?:once|with|after) the [^.]*(?:{_ROSE.pattern}|{_STILL.pattern})|{_STILL.pattern}[^.]*(?:once|after) the"
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


@dataclass(frozen=True, slots=True)
class ReportedEffect:
    """What one sentence reports on claim `part`.

    Either `change` (relative, with over without), or one `arm` with its `value`, or a `state` in words, or a `link`
    (-1, 0, 1) to `driver`, or that it is `open`.
    """

    part: int
    change: float | None = None
    arm: Arm | None = None
    value: float = 0.0
    state: int | None = None
    link: int | None = None
    driver: str = ""
    open: bool = False


@dataclass(slots=True)
class PieceReading:
    """One piece of evidence as read. `moves` are the drivers it says to have moved, by sentence; `shares` by cause."""

    reports: list[ReportedEffect] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    shares: dict[int, float] = field(default_factory=dict)
    on_topic: bool = False
    foreign: bool = False
    contradiction: bool = False


def read_piece(content: str, claim: Hypothesis) -> PieceReading:
    """What `content` reports on the claims of a hypothesis."""
    text = _masked(" ".join(content[:_LONGEST].casefold().split()), claim)
    reading = PieceReading(sentences=re.split(r"(?<=[.!?])\s+", text))
    reading.on_topic = "⟨i⟩" in text or "⟨m" in text
    reading.foreign = not reading.on_topic and bool(
        re.search(r"\d", re.sub(r"⟨\w+⟩", "", text))
        or _LINKED_TO.search(text)
        or "the change in" in text
        or _MOVED_BY.search(text)
    )
    for sentence in reading.sentences:
        _read_sentence(sentence, claim, reading)
    return reading


def _masked(text: str, claim: Hypothesis) -> str:
    contexts = list(dict.fromkeys(c.place for c in claim.claims if c.place))
    measures = list(dict.fromkeys(c.measure for c in claim.claims if c.measure))
    for number, place in sorted(enumerate(contexts), key=lambda pair: -len(pair[1])):
        text = re.sub(rf"\b{re.escape(place)}\b", f"⟨p{number}⟩", text)
    for number, measure in sorted(enumerate(measures), key=lambda pair: -len(pair[1])):
        text = re.sub(rf"\b(?:the|an?) {re.escape(measure)}\b", f"⟨m{number}⟩", text)
    if claim.agent:
        text = re.sub(rf"\b(?:the|an?) {re.escape(claim.agent)}\b", "⟨i⟩", text)
    for number, cause in enumerate(claim.causes or ()):
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
    if claim.causes and "⟨d" in text and "the change in ⟨m0⟩" in text:
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
    stated_direction = direction(text)
    if len(arms) >= 2 and {arm for arm, _ in arms[:2]} == {"with", "without"}:
        values = dict(arms[:2])
        change = values["with"] / values["without"] - 1 if values["without"] else 0.0
        reading.contradiction |= stated_direction is not None and stated_direction != sign(change)
        reading.contradiction |= stated is not None and abs(float(stated[1]) - 100 * abs(change)) > _ROUNDED
        reading.reports.append(ReportedEffect(part, change=change))
    elif len(arms) == 1:
        reading.reports.append(ReportedEffect(part, arm=arms[0][0], value=arms[0][1]))
    elif not numbers and stated_direction is not None and "⟨i⟩" in text:
        reading.reports.append(ReportedEffect(part, state=stated_direction))


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


def direction(text: str) -> int | None:
    """Where `text` says that something went, in words: 1, 0, -1, or None where it does not say."""
    if _STILL.search(text):
        return 0
    rose, fell = bool(_ROSE.search(text)), bool(_FELL.search(text))
    return None if rose == fell else 1 if rose else -1


def sign(change: float) -> int:
    """The direction of a relative change; below 4 % it counts as none."""
    return 0 if abs(change) < 0.04 else 1 if change > 0 else -1
