"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckState(StrEnum):
    """How well it is. MISSING is what the project needs and lacks; NOTE is worth knowing, and no obstacle."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was looked at, what was found, and what to install or do where it is not well."""

    name: str
    state: CheckState
    found: str
    advice: str = ""


def check_result(name: str, ok: bool, found: str, advice: str, *, needed: bool) -> CheckResult:
    """A finding with `advice` only where it is not `well`; it is missing if it is `needed`."""
    if ok:
        return CheckResult(name, CheckState.OK, found)
    return CheckResult(name, CheckState.MISSING if needed else CheckState.NOTE, found, advice)
