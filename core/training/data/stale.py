"""Examples that argue for another decision than theirs: a recipe that learns what they argue with leaves them out."""

from __future__ import annotations

import sqlite3

from core.config.project import Project
from core.config.recipe import Algorithm, Recipe
from core.models.student_format import StudentFormat, choose_format
from core.training.data.rewards import with_rewards
from storage import examples, listing
from storage.examples import Filter
from storage.schema import JUSTIFYING
from storage.staleness import is_stale, list_names

_TRAIN = Filter(status=("accepted",), split=("train",))


def learned_fields(recipe: Recipe, answer_format: StudentFormat) -> tuple[str, ...]:
    """The fields of an example that the student learns from beside its decision.

    SFT learns the whole answer; by rewards it learns from the decision, and from steps where these are rewarded.
    A classifier learns the decision alone.
    """
    if recipe.algorithm is Algorithm.SFT:
        return answer_format.answer_fields()
    return ("steps",) if "steps" in with_rewards(recipe, answer_format).rewards and recipe.algorithm.by_rewards else ()


def count_stale(project: Project, connection: sqlite3.Connection, recipe: Recipe) -> int:
    """How many accepted examples of the train split the recipe leaves out as stale. Raises PromptError."""
    if recipe.fresh:
        return 0
    stale = listing.read_examples(
        connection,
        listing.read_numbers(connection, Filter(status=_TRAIN.status, split=_TRAIN.split, stale=True)),
    )
    if not stale:
        return 0
    if recipe.rationale == "auto":
        with_steps = examples.all_have_steps(connection, _TRAIN)
        recipe = recipe.model_copy(update={"rationale": "steps" if with_steps else "full"})
    names = learned_fields(recipe, choose_format(recipe, project.task, project.folder, ()))
    return sum(any(is_stale(example, name) for name in names) for example in stale)


def stale_note(number: int) -> str:
    """Says that `number` examples are left out, and what to do about it."""
    noun = "example is" if number == 1 else "examples are"
    return (
        f"{number:,} {noun} left out: {list_names(JUSTIFYING, 'or')} for another decision; "
        "`sidequest examples repair --stale` has them written anew"
    )
