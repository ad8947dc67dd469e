"""The words of a domain, read from the TOML files in `vocabulary`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from storage.errors import UserError


class UnknownDomainError(UserError, ValueError):
    """The procedural source has no vocabulary for a domain; `str()` says which it has."""


@dataclass(frozen=True, slots=True)
class Metric:
    """Something that is measured. `low` and `high` bound its usual values in `unit`; it is written with `decimals`."""

    name: str
    unit: str
    low: float
    high: float
    decimals: int


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The vocabulary of one theme of a domain: things that can plausibly affect each other.

    `interventions` are names with those of the metrics that each can plausibly move.
    `segments` (nouns), `conditions` (clauses) and `loads` (phrases with their preposition) are pairs of opposite
    contexts.
    """

    domain: str
    unit: str
    teams: tuple[str, ...]
    interventions: dict[str, tuple[str, ...]]
    drivers: tuple[str, ...]
    metrics: tuple[Metric, ...]
    segments: tuple[tuple[str, str], ...]
    conditions: tuple[tuple[str, str], ...]
    loads: tuple[tuple[str, str], ...]
    background: tuple[str, ...]

    def measures_of(self, intervention: str) -> list[Metric]:
        """The metrics that `intervention` can plausibly move."""
        names = self.interventions[intervention]
        return [metric for metric in self.metrics if metric.name in names]


def known_domains() -> list[str]:
    """The names of the domains that have a vocabulary, sorted."""
    folder = resources.files(f"{__package__}.vocabulary")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


@cache
def lexicons(domain: str) -> tuple[Lexicon, ...]:
    """The vocabulary of `domain`, by theme; raises UnknownDomainError if there is none."""
    if domain not in known_domains():
        raise UnknownDomainError(
            f"the procedural source has no vocabulary for the domain {domain!r}; it knows {', '.join(known_domains())}"
        )
    text = resources.files(f"{__package__}.vocabulary").joinpath(f"{domain}.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return tuple(
        Lexicon(
            domain=domain,
            unit=theme["unit"],
            teams=tuple(data["teams"]),
            interventions={name: tuple(measures) for name, measures in theme["interventions"].items()},
            drivers=tuple(theme["drivers"]),
            metrics=tuple(Metric(*row) for row in theme["metrics"]),
            segments=tuple((first, second) for first, second in theme["segments"]),
            conditions=tuple((first, second) for first, second in theme["conditions"]),
            loads=tuple((first, second) for first, second in theme["loads"]),
            background=tuple(data["background"]),
        )
        for theme in data["themes"]
    )
