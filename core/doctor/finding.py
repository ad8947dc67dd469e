"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckState(StrEnum):
    """The state of what was checked. MISSING is what the project needs and lacks; NOTE is worth knowing only."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was checked, what was found, and what to install or do if it is not OK."""

    name: str
    state: CheckState
    found: str
    advice: str = ""


def check_result(name: str, ok: bool, found: str, advice: str, *, needed: bool) -> CheckResult:
    """The result of a check, with `advice` unless it is `ok`; a failure is MISSING if it is `needed`, else NOTE."""
    if ok:
        return CheckResult(name, CheckState.OK, found)
    return CheckResult(name, CheckState.MISSING if needed else CheckState.NOTE, found, advice)
