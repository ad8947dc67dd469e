"""`init` and `plan`."""

from __future__ import annotations

from pathlib import Path

import click

from core.curriculum.plan import Plan, current
from core.project import create, open_project
from tui.commands.context import Context, json_option, pass_context, verb
from tui.commands.output import print_json, say, show, table


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)
@pass_context
@verb
def init(context: Context, folder: Path | None) -> None:
    """Make a new project in DIR (or here), from the commented template of the hypothesis task."""
    path = create(folder or context.folder)
    open_project(path.parent)
    show(f"made {path}")
    where = "" if path.parent.resolve() == Path.cwd() else f"cd {path.parent} && "
    say(f"next: {where}sidequest plan, or just {where}sidequest")


@click.command()
@json_option
@pass_context
@verb
def plan(context: Context, as_json: bool) -> None:
    """Show what each cell wants, has and misses."""
    project, connection = context.open()
    found = current(project.task, connection)
    if as_json:
        print_json(found)
        return
    _show(found)


def _show(found: Plan) -> None:
    show(f"{found.have} of {found.want} examples, {found.missing} missing\n")
    table(
        ["decision", "have", "want", "range"],
        [(name, quota.have, quota.want, f"{quota.min}-{quota.max}") for name, quota in found.quotas.items()],
    )
    show("")
    decisions = list(found.quotas)
    by_place: dict[tuple[str, int], dict[str, str]] = {}
    for cell in found.cells:
        by_place.setdefault((cell.domain, cell.level), {})[cell.decision] = f"{cell.have}/{cell.want}"
    table(
        ["domain", "level", *decisions],
        [(domain, level, *(cells[name] for name in decisions)) for (domain, level), cells in by_place.items()],
    )
