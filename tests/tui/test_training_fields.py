"""The line of Training that shows accuracy by field of the steps."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import cast

from core.training.monitor import PhaseMonitor
from tui.screens.training.figures import field_line


def phase(*looks: Mapping[str, object]) -> PhaseMonitor:
    return cast(PhaseMonitor, SimpleNamespace(evaluations=[SimpleNamespace(figures=look) for look in looks]))


def test_each_field_and_level_now_and_at_the_look_before() -> None:
    first = {"fields": {"found": [1, 1]}}
    before = {"fields": {"found": [74, 100]}, "levels": {"1": [1, 2]}}
    now = {"fields": {"found": [94, 100], "holds": [3, 4], "part": [0, 0]}, "levels": {"1": [2, 2]}}
    shown = field_line(phase(first, before, now), 120).plain
    assert shown == "steps found 74 → 94 % · holds 75 % · level 1 50 → 100 %"
    assert field_line(phase(now), 120).plain == "steps found 94 % · holds 75 % · level 1 100 %"


def test_nothing_without_steps() -> None:
    assert not field_line(phase(), 80).plain
    assert not field_line(phase({"fields": {}, "levels": {"1": [1, 2]}}), 80).plain
