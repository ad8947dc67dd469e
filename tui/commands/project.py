"""`init`, and `plan` with its shelves."""

from __future__ import annotations

from pathlib import Path

import click

from core.config.project import create, open_project
from core.curriculum.plan import Plan, current_plan, enough_elsewhere
from core.curriculum.shelving import describe_shelf, shelve
from core.curriculum.shelving import unshelve as unshelve_cell
from storage.shelves import Shelf
from tui.commands.context import Context, json_option, pass_context, verb
from tui.commands.output import print_json, say, show, table


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path, file_okay=False), required=False)
@pass_context
@verb
def init(context: Context, folder: Path | None) -> None:
    """Make a new project in DIR (or here), from the commented template of the hypothesis task."""
    path = create(folder or context.folder)
    open_project(path.parent)
    show(f"made {path}")
    cd = "" if path.parent.resolve() == Path.cwd() else f"cd {path.parent} && "
    say(f"next: {cd}sidequest plan, or just {cd}sidequest")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
@verb
def plan(ctx: click.Context, as_json: bool) -> None:
    """Show what each cell wants, has and misses; set cells aside, and take them back."""
    if ctx.invoked_subcommand is not None:
        return
    project, connection = ctx.ensure_object(Context).open()
    curriculum = current_plan(project.task, connection)
    if as_json:
        print_json(curriculum)
        return
    _print_plan(curriculum)


@plan.command("shelve")
@click.argument("domain")
@click.argument("level", type=int)
@click.argument("decision", required=False, default="")
@click.option("--reason", default="", help="Why; it is shown wherever the shelf is.")
@json_option
@pass_context
@verb
def shelve_(context: Context, domain: str, level: int, decision: str, reason: str, as_json: bool) -> None:
    """Generate nothing more for a DOMAIN at a LEVEL (for one DECISION); the other cells share its quota."""
    project, connection = context.open()
    shelf = Shelf(domain, level, decision, reason)
    moved = shelve(project.task, connection, shelf)
    if as_json:
        print_json({"shelf": shelf, "moved": moved})
        return
    show(
        f"{describe_shelf(shelf)} is shelved: {moved.examples} were missing in it, "
        f"{moved.elsewhere} more are now missing in {moved.cells} other cells"
    )


@plan.command()
@click.argument("domain")
@click.argument("level", type=int)
@click.argument("decision", required=False, default="")
@json_option
@pass_context
@verb
def unshelve(context: Context, domain: str, level: int, decision: str, as_json: bool) -> None:
    """Take back what was shelved with just these names."""
    _, connection = context.open()
    shelf = Shelf(domain, level, decision)
    unshelve_cell(connection, shelf)
    if as_json:
        print_json({"shelf": shelf})
        return
    show(f"{describe_shelf(shelf)} is taken back")


def _print_plan(curriculum: Plan) -> None:
    show(f"{curriculum.have} of {curriculum.want} examples, {curriculum.missing} missing\n")
    table(
        ["decision", "have", "want", "range"],
        [(name, quota.have, quota.want, f"{quota.min}-{quota.max}") for name, quota in curriculum.quotas.items()],
    )
    show("")
    decisions = list(curriculum.quotas)
    by_place: dict[tuple[str, int], dict[str, str]] = {}
    for cell in curriculum.cells:
        by_place.setdefault((cell.domain, cell.level), {})[cell.decision] = (
            f"{cell.have}/{cell.want}{' shelved' if cell.shelved else ''}"
        )
    table(
        ["domain", "level", *decisions],
        [(domain, level, *(cells[name] for name in decisions)) for (domain, level), cells in by_place.items()],
    )
    short = enough_elsewhere(curriculum.cells)
    if short:
        show(f"\n{', '.join(short)}: cells are short, but the decision has enough examples in others")
