"""The words of a domain, read from the TOML files in `vocabulary`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


class UnknownDomain(ValueError):
    """The procedural source has no vocabulary for a domain; `str()` says which it has."""


@dataclass(frozen=True, slots=True)
class Metric:
    """Something measured. `low` and `high` bound its usual values in `unit`; `decimals` are shown."""

    name: str
    unit: str
    low: float
    high: float
    decimals: int


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The vocabulary of one domain. `segments`, `conditions` and `loads` are pairs of opposite contexts."""

    domain: str
    unit: str
    teams: tuple[str, ...]
    interventions: tuple[str, ...]
    drivers: tuple[str, ...]
    metrics: tuple[Metric, ...]
    stated: tuple[Metric, ...]
    recorded: tuple[Metric, ...]
    segments: tuple[tuple[str, str], ...]
    conditions: tuple[tuple[str, str], ...]
    loads: tuple[tuple[str, str], ...]
    background: tuple[str, ...]


def known_domains() -> list[str]:
    """The names of the domains that have a vocabulary, sorted."""
    folder = resources.files(f"{__package__}.vocabulary")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


@cache
def lexicon(domain: str) -> Lexicon:
    """The vocabulary of `domain`; raises UnknownDomain if there is none."""
    if domain not in known_domains():
        raise UnknownDomain(
            f"the procedural source has no vocabulary for the domain {domain!r}; it knows {', '.join(known_domains())}"
        )
    text = resources.files(f"{__package__}.vocabulary").joinpath(f"{domain}.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return Lexicon(
        domain=domain,
        unit=data["unit"],
        teams=tuple(data["teams"]),
        interventions=tuple(data["interventions"]),
        drivers=tuple(data["drivers"]),
        metrics=tuple(Metric(*row) for row in data["metrics"]),
        stated=tuple(Metric(*row) for row in data["stated"]),
        recorded=tuple(Metric(*row) for row in data["recorded"]),
        segments=tuple((first, second) for first, second in data["segments"]),
        conditions=tuple((first, second) for first, second in data["conditions"]),
        loads=tuple((first, second) for first, second in data["loads"]),
        background=tuple(data["background"]),
    )
