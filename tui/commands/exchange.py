"""`import` and `export`: examples from files of any shape, and to files for other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from core.config.case import Mode
from core.exchange.export import ExportRequest, ExportResult
from core.exchange.export import export as write
from core.exchange.formats import Format
from core.exchange.importing import import_file, load_mapping
from tui.commands.context import Context, json_option, pass_context, verb
from tui.commands.examples import LANGUAGE_HELP, QUERY_SETTINGS, refuse_options
from tui.commands.output import print_json, say, show, table

# So many rejections are listed; progress is told after so many records.
LISTED, REPORT_EVERY = 10, 20_000


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
    mapping = load_mapping(project, name) if name else None
    result = import_file(
        project,
        connection,
        file,
        mapping,
        accept=accept,
        reviewer=context.reviewer,
        rejects=rejects,
        on_progress=_progress_reporter("records read"),
    )
    if as_json:
        rejections = [{"place": rejection.place, "reason": rejection.reason} for rejection in result.rejections]
        counts = {"imported": result.imported, "rejected": result.rejected, "duplicates": result.duplicates}
        print_json(counts | {"rejections": rejections, "rejects": result.rejects})
    else:
        show(f"{result.imported:,} imported, {result.rejected:,} rejected, {result.duplicates:,} there already")
        if result.rejections:
            rows = [(rejection.place, rejection.reason) for rejection in result.rejections[:LISTED]]
            table(["place", "reason"], rows, widths={1: 90})
            say(f"{min(LISTED, result.rejected)} of {result.rejected:,}; all of them: {result.rejects}")
    raise SystemExit(0 if result.imported or result.duplicates or not result.rejected else 1)


_FORMATS = """\b
FORMAT is one of
  jsonl, parquet   whole examples: `import` reads them again
  datasets         a folder with a table for each split and a card, for `datasets`
  sft              conversations that end with the answer, as JSONL
  prompts          conversations that end before it, with the label, as JSONL
  openai           a folder with a file for each split, for fine-tuning at OpenAI
"""


@click.command(epilog=_FORMATS + "\n" + LANGUAGE_HELP, context_settings=QUERY_SETTINGS)
@click.argument("query", nargs=-1)
@click.option(
    "--format", "format_", type=click.Choice([choice.value for choice in Format]), required=True, help="See below."
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The file or folder to write.")
@click.option(
    "--mode",
    type=click.Choice([choice.value for choice in Mode]),
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
    request = ExportRequest(Format(format_), output, " ".join(query), Mode(mode) if mode else None, licence, overwrite)
    result = write(project, connection, request, on_progress=_progress_reporter("examples written"))
    if as_json:
        print_json(result)
    else:
        _show_result(result)


def _show_result(result: ExportResult) -> None:
    counts = ", ".join(f"{name} {number:,}" for name, number in result.splits.items())
    show(f"{result.examples:,} examples in {result.output} ({counts})")
    for note in result.notes:
        say(f"! {note}")


def _progress_reporter(unit: str) -> Callable[[int], None]:
    """A function that is called with how many `unit` are done, and says it now and then."""
    last_reported = 0

    def report(number: int) -> None:
        nonlocal last_reported
        if number - last_reported >= REPORT_EVERY:
            last_reported = number
            say(f"{number:,} {unit}")

    return report
