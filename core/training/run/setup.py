"""What a phase of a training is given to work with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.config.recipe import Recipe
from core.training.data.soft_targets import Votes
from storage.schema import Example


@dataclass(frozen=True)
class PhaseSetup:
    """The setup of a phase: a recipe, the student at `path`, the adapter to start from, and the folder for its files.

    `train` are the examples to learn from, `dev` those to evaluate on, `votes` what judges and people decided blind, by
    example. Rewards of the project's own run only with `allow_project_code`.
    """

    name: str
    recipe: Recipe
    path: Path
    start_adapter: Path | None
    folder: Path
    train: Sequence[Example]
    dev: Sequence[Example]
    votes: Votes = field(default_factory=dict)
    allow_project_code: bool = False

    @property
    def adapter(self) -> Path:
        """The folder for its adapter."""
        return self.folder / "adapter"
