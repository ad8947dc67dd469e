"""`import` and `export`: examples from files of any shape, and to files for other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from core.config.case import Mode
from core.exchange.atomic_write import PlaceError, UnwrittenError
from core.exchange.export import ExportError, ExportRequest, ExportResult
from core.exchange.export import export as write
from core.exchange.files import FileError
from core.exchange.formats import Format
from core.exchange.importing import import_file, mapping_for
from core.llm.prompts import PromptError
from storage.search import QueryError
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.examples import LANGUAGE_HELP, QUERYING, refuse_options
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
            project,
            connection,
            file,
            mapping,
            accept=accept,
            reviewer=context.reviewer,
            rejects=rejects,
            watch=_told("records read"),
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


_FORMATS = """\b
FORMAT is one of
  jsonl, parquet   whole examples: `import` reads them again
  datasets         a folder with a table for each split and a card, for `datasets`
  sft              conversations that end with the answer, as JSONL
  prompts          conversations that end before it, with the label, as JSONL
  openai           a folder with a file for each split, for fine-tuning at OpenAI
"""


@click.command(epilog=_FORMATS + "\n" + LANGUAGE_HELP, context_settings=QUERYING)
@click.argument("query", nargs=-1)
@click.option("--format", "format_", type=click.Choice([one.value for one in Format]), required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The file or folder to write.")
@click.option(
    "--mode",
    type=click.Choice([one.value for one in Mode]),
    help="For sft, prompts and openai, how the model is asked; reason, if not given.",
)
@click.option("--licence", default="", help="Its name, such as CC-BY-4.0; each record says it.")
@click.option("--overwrite", is_flag=True, help="Take the place of what is there.")
@json_option
@pass_context
@verb
def export(
    context: Context,
    query: tuple[str, ...],
    format_: str,
    output: Path,
    mode: str | None,
    licence: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write the accepted examples that match QUERY to a file or folder; others, if QUERY names a status."""
    refuse_options(query)
    project, connection = context.open()
    wanted = ExportRequest(Format(format_), output, " ".join(query), Mode(mode) if mode else None, licence, overwrite)
    try:
        found = write(project, connection, wanted, watch=_told("examples written"))
    except (ExportError, QueryError, PlaceError, PromptError) as error:
        raise RefusedError(str(error)) from None
    except UnwrittenError as error:
        say(f"sidequest: {error}")
        raise SystemExit(1) from None
    if as_json:
        print_json(found)
    else:
        _show(found)


def _show(found: ExportResult) -> None:
    shares = ", ".join(f"{name} {number:,}" for name, number in found.splits.items())
    show(f"{found.examples:,} examples in {found.output} ({shares})")
    for note in found.notes:
        say(f"! {note}")


def _told(what: str) -> Callable[[int], None]:
    """Says now and then how far it is."""
    said = 0

    def tell(number: int) -> None:
        nonlocal said
        if number - said >= TOLD:
            said = number
            say(f"{number:,} {what}")

    return tell
