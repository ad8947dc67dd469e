"""Mappings that come with the program, by name, for data sets as they are published."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib import resources
from typing import Any

_PACKAGE = "core.config.ready_mappings"


@lru_cache(maxsize=1)
def ready_names() -> tuple[str, ...]:
    """The names of the ready mappings, in the order of the alphabet."""
    files = (file.name for file in resources.files(_PACKAGE).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


def ready_mapping(name: str) -> dict[str, Any]:
    """The keys of the ready mapping `name`, as its TOML file has them; raises ValueError if there is none."""
    if name not in ready_names():
        raise ValueError(f"no ready mapping {name!r}: there are {', '.join(ready_names())}")
    text = resources.files(_PACKAGE).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
