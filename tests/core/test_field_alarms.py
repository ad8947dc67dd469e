"""The alarms about the fields of the steps: learned without the decision, and standing still."""

from __future__ import annotations

from typing import Any

import pytest

from core.training.run.alarms import field_alarms

pytestmark = pytest.mark.pure

LABELS = {"VALIDATED": 0.4, "REJECTED": 0.3, "REFINED": 0.3}


def look(right: int = 50, found: int = 55, claimed: int = 58, holds: int = 57, **other: Any) -> dict[str, Any]:
    fields = {"found": [found, 60], "claimed": [claimed, 60], "holds": [holds, 60], "concludes": [right, 60]}
    return {"n": 60, "right": right, "fields": fields, "levels": {}} | other


def names(*looks: dict[str, Any]) -> list[str]:
    return [alarm.name for alarm in field_alarms(looks, LABELS)]


def test_steps_that_are_learned_while_the_decision_is_chance() -> None:
    (alarm,) = field_alarms([look(right=26)], LABELS)
    assert alarm.name == "steps without decision"
    assert "right in 92% or more, and the decision in 26 of 60" in alarm.sentence
    assert names(look(right=40)) == []  # 67 %, 54 to 77: better than the 40 % of the most frequent label
    assert names(look(right=26, found=53)) == []  # one field is not learned yet
    assert names(look(right=26, fields={})) == []
    assert names({"n": 10, "right": 2, "fields": {"found": [10, 10]}}) == []
    assert names() == []


def test_a_field_that_does_not_move() -> None:
    levels = {"1": [28, 30], "2": [14, 30], "3": [1, 5]}
    window = [look(found=36), look(found=38, claimed=50), look(found=37), look(found=38, levels=levels)]
    (alarm,) = field_alarms(window, LABELS)
    assert alarm.name == "still found"
    assert "The field found does not move: 63% are right, within 5% over the last 4 looks." in alarm.sentence
    assert "Level 2 is the weakest, 47% of its decisions are right." in alarm.sentence
    assert names(*window[1:]) == []  # three looks say little
    assert names(look(found=30), *window[1:]) == []  # it has moved
    assert names(*[look(found=56)] * 4) == []  # it is learned
