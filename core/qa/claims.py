"""Parses a hypothesis as text: what is claimed about what, and what qualifies it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

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


LONGEST = 4000  # characters; past this a text is no sentence or piece that anyone would read

# What qualifies a direction that carries the claim: a size in words, how long it lasts, where it holds, a grade.
_SMALL = re.compile(r" (?:slightly|a little|by a (?:small|narrow) margin)\b")
_LARGE = re.compile(r" (?:sharply|strongly|by a wide margin)\b")
_PASSING = re.compile(r" but no longer .*| for a time only:|, not (?=after|in ).*|,? an effect that is gone .*")
_LASTING = re.compile(r" and still .*| lastingly:|,? an effect that still shows .*")
_GRADE = re.compile(r",? (?:to where it counts as|so that it is rated|into the range called) (?P<grade>.+)$")
_PLACED = r"(?=(?:among|where|at|in|on|under|during|within)\s)"
_ONE = re.compile(rf"^it is only (?P<place>.+?) that | and not {_PLACED}.*|,? (?:but )?only {_PLACED}")
_BOTH = re.compile(rf" alike\b| just as {_PLACED}| and likewise {_PLACED}| not only {_PLACED}(?P<first>.+?) but also ")


@dataclass(frozen=True, slots=True)
class Claim:
    """One half of a hypothesis: `measure` (empty for the balance of savings and costs) in `place` goes `state`."""

    measure: str
    place: str
    state: int


@dataclass(frozen=True, slots=True)
class Qualifiers:
    """What qualifies a direction that carries a claim; None (or '') where the claim says nothing on it.

    `size` is a range in per cent, `causes` the main and the minor cause. `lasting` and `everywhere` tell of the places
    of the hypothesis.
    """

    size: tuple[float, float] | None = None
    causes: tuple[str, str] | None = None
    large: bool | None = None
    lasting: bool | None = None
    everywhere: bool | None = None
    grade: str = ""

    def __bool__(self) -> bool:
        return self != Qualifiers()

    @property
    def name(self) -> str:
        """What it is that the claim says on the effect, in words."""
        if self.causes:
            return "the cause of the effect"
        if self.lasting is not None:
            return "how long the effect lasts"
        if self.everywhere is not None:
            return "where the effect holds"
        return f"the grade {self.grade}" if self.grade else "the size of the effect"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A hypothesis as read. `places` are those that a qualifier tells of, and no part of the claims."""

    agent: str
    claims: tuple[Claim, ...]
    balance: bool = False
    qualifiers: Qualifiers = Qualifiers()
    places: tuple[str, ...] = ()


def read_hypothesis(text: str) -> Hypothesis | None:
    """The claims of `text`; None where it cannot be understood."""
    if len(text) > LONGEST:
        return None
    plain, qualifiers = _read_qualifiers(" ".join(text.casefold().split()).rstrip("."))
    claim = _read_claims(plain)
    if claim is None:
        return None
    claim = replace(claim, qualifiers=qualifiers)
    if qualifiers.lasting is None and qualifiers.everywhere is None:
        return claim
    places = tuple(dict.fromkeys(part.place for part in claim.claims if part.place))
    return replace(claim, claims=(replace(claim.claims[0], place=""),), places=places)


def _read_qualifiers(plain: str) -> tuple[str, Qualifiers]:
    """The text without what qualifies its direction, and that by itself."""
    size = causes = large = lasting = everywhere = None
    grade = ""
    if match := _RANGE.search(plain):
        size = (float(match[1]), float(match[2]))
        plain = plain[: match.start()] + plain[match.end() :]
    if match := _CAUSE.search(plain):
        causes = (match["main"], match["minor"])
        plain = (plain[: match.start()] + plain[match.end() :]).strip(" ,")
    if match := _GRADE.search(plain):
        grade, plain = match["grade"], plain[: match.start()]
    for pattern, value in ((_SMALL, False), (_LARGE, True)):
        if pattern.search(plain):
            large, plain = value, pattern.sub("", plain)
    for pattern, value in ((_PASSING, False), (_LASTING, True)):
        if pattern.search(plain):
            lasting, plain = value, pattern.sub("", plain)
    if lasting is None and (match := _BOTH.search(plain)):
        joint = f" {match['first']} and " if match["first"] else "" if match[0] == " alike" else " and "
        everywhere, plain = True, plain[: match.start()] + joint + plain[match.end() :]
    elif lasting is None and (match := _ONE.search(plain)):
        before = f"{match['place']}, " if match["place"] else plain[: match.start()] + " "
        everywhere, plain = False, before + plain[match.end() :]
    return plain, Qualifiers(size, causes, large, lasting, everywhere, grade)


def _read_claims(plain: str) -> Hypothesis | None:
    """The parts of a claim, each with its measure, place and direction."""
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
    return Hypothesis(agent, tuple(claims), balance=balance)


def _front(head: str) -> tuple[list[str], str]:
    """The places that a clause opens with, and the rest of it."""
    if not re.match(r"(?:both )?(?:among|where|at|in|on|under|after|during|within|for)\s", head):
        return [], head
    contexts, _, rest = head.removesuffix(" it").partition(",")
    return _JOINT.split(contexts.removeprefix("both ").removesuffix(" alike")), rest.strip()


def _bare(text: str) -> str:
    text = text.strip(" ,")
    return text.removeprefix("the ") if not text.startswith("both ") else text
