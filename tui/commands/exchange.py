"""`import`: examples from files of any shape."""

from __future__ import annotations

from pathlib import Path

import click

from core.exchange.files import FileError
from core.exchange.importing import import_file, mapping_for
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.output import print_json, say, show, table

SHOWN, TOLD = 10, 20_000


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--map", "name", help="A mapping: NAME of [import.NAME] in the project file, or a TOML file.")
@click.option("--accept", is_flag=True, help="Accept all of them at once, as one act that `review undo` takes back.")
@click.option("--rejects", type=click.Path(path_type=Path, dir_okay=False), help="Where to list what is no example.")
@json_option
@pass_context
@verb
def import_(context: Context, file: Path, name: str | None, accept: bool, rejects: Path | None, as_json: bool) -> None:
    """Bring the records of FILE (JSONL, JSON, CSV or Parquet, gzipped or not) in as examples.

    Without --map the records have the fields of an example themselves. A record that is no example is listed with its
    place and the reason; the same file again adds nothing.
    """
    project, connection = context.open()
    try:
        mapping = mapping_for(project, name) if name else None
        found = import_file(
            project, connection, file, mapping, accept=accept, reviewer=context.reviewer, rejects=rejects, watch=_tell
        )
    except FileError as error:
        raise RefusedError(str(error)) from None
    if as_json:
        reasons = [{"place": one.place, "reason": one.reason} for one in found.rejections]
        counts = {"imported": found.imported, "rejected": found.rejected, "duplicates": found.duplicates}
        print_json(counts | {"rejections": reasons, "rejects": found.rejects})
    else:
        show(f"{found.imported:,} imported, {found.rejected:,} rejected, {found.duplicates:,} there already")
        if found.rejections:
            table(["place", "reason"], [(one.place, one.reason) for one in found.rejections[:SHOWN]], widths={1: 90})
            say(f"{min(SHOWN, found.rejected)} of {found.rejected:,}; all of them: {found.rejects}")
    raise SystemExit(0 if found.imported or found.duplicates or not found.rejected else 1)


def _tell(number: int) -> None:
    """Say now and then how far it is."""
    if number % TOLD == 0:
        say(f"{number:,} records read")
