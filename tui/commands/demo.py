"""`demo`: a sample project, offline."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import click

from core.config.project import FILE, Project, create, open_project
from core.curriculum.plan import current_plan
from core.generation.start import start_generation
from core.qa.matrix import rejection_matrix
from core.qa.scorecard import scorecard
from core.runs.control import run_status
from core.runs.params import GenerateParams
from storage import attempts
from storage.database import connect
from storage.schema import RunState
from tui.commands.context import verb
from tui.commands.generate import describe_counts
from tui.commands.output import say, show, table
from tui.commands.waiting import wait

# Slow enough to watch, and enough flaws to see QA at work.
_SETTINGS = {"# attempts_per_minute = 240": "attempts_per_minute = 240", "planted_flaws = 0.0 ": "planted_flaws = 0.12"}


@click.command()
@click.argument(
    "folder", metavar="[DIR]", type=click.Path(path_type=Path, file_okay=False), default=Path("sidequest-demo")
)
@verb
def demo(folder: Path) -> None:
    """Open a sample project in DIR, made if it is not there; it needs no network, no model and no key.

    Without a terminal on stdout it fills the curriculum, judges every attempt, and prints a summary.
    """
    if not (folder / FILE).exists():
        path = create(folder)
        text = path.read_text(encoding="utf-8")
        for template, demo_setting in _SETTINGS.items():
            text = text.replace(template, demo_setting)
        path.write_text(text, encoding="utf-8")
        say(f"made a sample project in {folder}")
    if sys.stdout.isatty():
        from tui.launch import run_app

        raise SystemExit(run_app(folder))
    project = open_project(folder)
    connection = connect(project.database)
    if current_plan(project.task, connection).missing:
        params = GenerateParams.of(project.task).model_copy(update={"attempts_per_minute": None})
        run = wait(connection, start_generation(project, connection, params), describe_counts, quiet=False)
        if run_status(run).state is not RunState.FINISHED:
            say(f"sidequest: the run is {run_status(run).state}: {run.reason}")
            raise SystemExit(1)
    raise SystemExit(0 if _summarize(project, connection) else 1)


def _summarize(project: Project, connection: sqlite3.Connection) -> bool:
    """Print what the demo made; returns whether every quota is met."""
    plan = current_plan(project.task, connection)
    tally = attempts.tally(connection)
    rejected = tally.results.get("rejected", 0)
    show(f"\n{plan.have} examples passed QA, out of {tally.attempts} attempts; {rejected} were rejected\n")
    table(
        ["decision", "examples", "range", "met"],
        [
            (name, quota.have, f"{quota.min}-{quota.max}", "yes" if quota.min <= quota.have <= quota.max else "no")
            for name, quota in plan.quotas.items()
        ],
    )
    card = scorecard(attempts.flaw_records(connection))
    caught = f"QA caught {card.caught} of {card.planted}, and refused {card.refused} of {card.good} good ones"
    show(f"\nplanted flaws: {caught}\n")
    table(
        ["flaw", "planted", "caught", "95 %"],
        [(score.flaw, score.planted, score.caught, f"{score.low:.0%}-{score.high:.0%}") for score in card.by_flaw],
    )
    for flagged in rejection_matrix(attempts.reason_counts(connection)).flagged:
        show(f"\n! {flagged.sentence}")
    show("\nnext: the same in a terminal opens the app on it; key 3 reviews")
    return not plan.missing and all(quota.min <= quota.have <= quota.max for quota in plan.quotas.values())
