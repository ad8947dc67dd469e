"""What the solver reads in a sentence, by value: claims, figures of arms, words, links, dates, standards."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from core.qa.claims import LONGEST, Claim, read_hypothesis
from core.qa.reports import PieceReading, ReportedEffect, read_piece

pytestmark = pytest.mark.pure

BUS = "The night bus raises the ticket revenue"
CLAIM = f"{BUS} among students but leaves it unchanged among commuters."
TWO = f"{BUS} and lowers the noise level."
MONEY = "The night bus saves more than it costs among students but breaks even among commuters."
CAUSED = f"{BUS}, mainly through evening trips rather than ticket prices."
GRADED = f"{BUS}, to where it counts as green."
ONE = f"{BUS}, but only among students."
RISE = Claim("ticket revenue", "", 1)
STUDENTS, COMMUTERS = Claim("ticket revenue", "among students", 1), Claim("ticket revenue", "among commuters", 0)


@pytest.mark.parametrize(
    ("hypothesis", "claims", "qualifiers"),
    [
        (CLAIM, (STUDENTS, COMMUTERS), {}),
        (
            "Among students, the night bus raises the ticket revenue; among commuters, it leaves it unchanged.",
            (STUDENTS, COMMUTERS),
            {},
        ),
        (TWO, (RISE, Claim("noise level", "", -1)), {}),
        (MONEY, (Claim("", "among students", 1), Claim("", "among commuters", 0)), {}),
        (f"{BUS} by 8 to 12 %.", (RISE,), {"size": (8.0, 12.0)}),
        (CAUSED, (RISE,), {"causes": ("evening trips", "ticket prices")}),
        (GRADED, (RISE,), {"grade": "green"}),
        (ONE, (RISE,), {"everywhere": False}),
        (f"{BUS} among students and among commuters alike.", (RISE,), {"everywhere": True}),
        (
            "Both among students and among commuters alike, the night bus lowers the noise level.",
            (Claim("noise level", "", -1),),
            {"everywhere": True},
        ),
    ],
)
def test_a_hypothesis_is_its_claims_and_what_qualifies_them(
    hypothesis: str, claims: tuple[Claim, ...], qualifiers: dict[str, object]
) -> None:
    read = read_hypothesis(hypothesis)
    assert read is not None
    assert (read.agent, read.claims, read.balance) == ("night bus", claims, hypothesis is MONEY)
    defaults: dict[str, object] = {
        "size": None, "causes": None, "large": None, "lasting": None, "everywhere": None, "grade": ""
    }  # fmt: skip
    assert {name: getattr(read.qualifiers, name) for name in defaults} == defaults | qualifiers
    places = ("among students", "among commuters")
    scope = qualifiers.get("everywhere")
    assert read.places == (() if scope is None else places[:1] if scope is False else places)


def test_a_hypothesis_of_any_length_up_to_the_longest_is_read() -> None:
    padding = " " * (LONGEST - len(CLAIM))
    assert read_hypothesis(CLAIM + padding) is not None
    assert read_hypothesis(CLAIM + padding + " ") is None


def reading_of(content: str, hypothesis: str = CLAIM) -> dict[str, Any]:
    """What differs from a piece in which nothing was read."""
    read = read_hypothesis(hypothesis)
    assert read is not None
    reading = read_piece(content, read)
    empty = PieceReading(sentences=reading.sentences)
    names = [field.name for field in fields(PieceReading)]
    return {name: getattr(reading, name) for name in names if getattr(reading, name) != getattr(empty, name)}


def effect(**values: Any) -> dict[str, Any]:
    """A piece that is on topic and reports one effect."""
    return {"on_topic": True, "reports": [ReportedEffect(**({"part": 0} | values))]}


CHANGED = 48.0 / 40.0 - 1


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (
            "Among students, the ticket revenue went from 40.0 to 48.0 points with the night bus.",
            effect(change=CHANGED, value=48.0),
        ),
        (
            "Among students, the ticket revenue rose by 20 %: 40.0 points without the night bus, 48.0 points with it.",
            effect(change=CHANGED, value=48.0),
        ),
        (
            "Among students, the ticket revenue rose by 30 %: 40.0 points without the night bus, 48.0 points with it.",
            effect(change=CHANGED, value=48.0) | {"contradiction": True},
        ),
        (
            "Among students, the ticket revenue fell from 40.0 to 48.0 points with the night bus.",
            effect(change=CHANGED, value=48.0) | {"contradiction": True},
        ),
        (
            "Among commuters, the ticket revenue came to 60.1 with the night bus.",
            effect(part=1, arm="with", value=60.1),
        ),
        (
            "Without the night bus, the ticket revenue among commuters averaged 61.0 points.",
            effect(part=1, arm="without", value=61.0),
        ),
        ("Among students, the ticket revenue fell after the night bus came.", effect(state=-1)),
        (
            "Among students, the ticket revenue has moved in step with foot traffic for six quarters.",
            effect(link=1, driver="foot traffic"),
        ),
        (
            "Among students, 30 of 200 riders without the night bus counted towards the ticket revenue.",
            effect(arm="without", value=0.15),
        ),
        (
            "Among students, 25 of 100 riders with the night bus counted towards the ticket revenue.",
            effect(arm="with", value=0.25),
        ),
        (
            "In another country, the ticket revenue among students fell with the night bus.",
            effect(state=-1) | {"aside": "scope"},
        ),
        (
            "Under an earlier version of the night bus, the ticket revenue among students fell.",
            effect(state=-1) | {"aside": "time"},
        ),
        (
            "It is the impression that, among students, the ticket revenue fell with the night bus.",
            effect(state=-1) | {"aside": "figures"},
        ),
        ("Among students, foot traffic rose by 20% once the night bus was in place.", {"on_topic": True}),
        ("The school garden drew 40 people a day.", {"foreign": True}),
        ("The school garden is pleasant.", {}),
    ],
)
def test_a_sentence_reports_an_effect_on_its_claim(content: str, read: dict[str, Any]) -> None:
    assert reading_of(content) == read


@pytest.mark.parametrize(
    ("hypothesis", "content", "read"),
    [
        (
            MONEY,
            "Among students, the night bus saved more than it cost: savings of €90 stood against costs of €60.",
            effect(change=0.5),
        ),
        (
            MONEY,
            "Among students, the night bus saved more than it cost: savings of €60 stood against costs of €90.",
            effect(change=60 / 90 - 1) | {"contradiction": True},
        ),
        (MONEY, "Among commuters, the night bus cost €70.", effect(part=1, arm="without", value=70.0)),
        (MONEY, "Among commuters, the night bus broke even.", effect(part=1, state=0)),
        (
            CAUSED,
            "With evening trips held constant, the ticket revenue did not move under the night bus.",
            {"on_topic": True, "held": {0: 0}},
        ),
        (
            CAUSED,
            "Where ticket prices could not change, the ticket revenue still rose with the night bus.",
            {"on_topic": True, "held": {1: 1}},
        ),
        (
            CAUSED,
            "Of the change in the ticket revenue, 7 came through evening trips and 2 through ticket prices.",
            {"on_topic": True, "shares": {0: 7.0, 1: 2.0}},
        ),
        (
            GRADED,
            "On the scale in use for the ticket revenue, green is from 45.0 to 50.0 and amber is from 40.0 to 45.0.",
            {"on_topic": True, "grades": {"green": (45.0, 50.0), "amber": (40.0, 45.0)}},
        ),
        (
            ONE,
            "The change in the ticket revenue showed only among students; among commuters, there was none.",
            {"on_topic": True, "fits": True},
        ),
        (
            ONE,
            "The change in the ticket revenue showed among students and among commuters alike.",
            {"on_topic": True, "fits": False},
        ),
    ],
)
def test_a_sentence_of_a_form_of_its_own_is_read_as_such(hypothesis: str, content: str, read: dict[str, Any]) -> None:
    assert reading_of(content, hypothesis) == read


def test_dates_come_in_their_order() -> None:
    start = reading_of("The night bus started in June.", TWO)["start"]
    [march] = reading_of("The ticket revenue rose in March, and was level before and after.", TWO)["reports"]
    [autumn] = reading_of("The noise level fell in September, and was level before and after.", TWO)["reports"]
    assert (march.part, march.state, autumn.part, autumn.state) == (0, 1, 1, -1)
    assert march.month < start < autumn.month
