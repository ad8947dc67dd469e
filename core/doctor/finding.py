"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How well it is. MISSING is what the project needs and lacks; NOTE is worth knowing, and no obstacle."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, what was found, and what to install or do where it is not well."""

    name: str
    state: State
    found: str
    advice: str = ""


def finding(name: str, well: bool, found: str, advice: str, *, needed: bool) -> Finding:
    """A finding with `advice` only where it is not `well`; it is missing if it is `needed`."""
    if well:
        return Finding(name, State.OK, found)
    return Finding(name, State.MISSING if needed else State.NOTE, found, advice)
