"""What Training says where it has no run to show."""

from __future__ import annotations

import sqlite3

from textual.content import Content

from core.config.project import Project
from core.training.run.start import check_recipe
from storage.errors import UserError
from storage.schema import Run
from tui.keymap import key
from tui.text import clean

# A recipe needs no more than this; everything else has a default.
FIRST_RECIPE = '[train.sft] and below it algorithm = "sft" in sidequest.toml is one'

LOADING = Content.styled("reading the steps …", "$text-muted")


def no_run_message(project: Project, connection: sqlite3.Connection) -> Content:
    """What training is, and the first step to it: a recipe, what the first recipe lacks, or the key that starts."""
    recipes = list(project.task.train)
    next_step = f"{key('training.start')} chooses a recipe, says what it takes, and starts it."
    if not recipes:
        reload_key = key("app.read-the-project-file")
        next_step = f"There is no recipe: {FIRST_RECIPE}, then {reload_key} reads it."
    else:
        try:
            check_recipe(project, connection, recipes[0])
        except UserError as error:
            next_step = f"Not yet: {error}"
    return Content.assemble(
        ("Nothing was trained yet\n\n", "bold"),
        "Training makes an adapter for the student from accepted examples of the split train, by imitation (SFT) "
        "or by reward (GRPO, PPO), and looks at the split dev as it goes.\n\n",
        (clean(next_step, limit=500), "bold"),
        "\n\nIs it worth it? ",
        (key("benchmark.gate"), "bold"),
        " on ",
        (f"{key('app.benchmark')} Benchmark", "bold"),
        " says how far the student is behind.",
    )


def unreadable_message(run: Run) -> Content:
    """What to do about a run whose recipes this version does not know."""
    return Content.assemble(
        (f"The recipes of run {run.id[-6:]} cannot be read\n\n", "bold"),
        "Another version of Sidequest has made it: open the project with that one. ",
        (key("training.choose"), "bold"),
        " chooses another run, ",
        (key("training.start"), "bold"),
        " starts one.",
    )
