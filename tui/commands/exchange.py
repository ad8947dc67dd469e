"""`import` and `export`: examples from files of any shape, and to files for other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from core.config.case import Mode
from core.config.expressions import join_names
from core.config.project import ProjectError
from core.exchange.export import ExportRequest, ExportResult
from core.exchange.export import export as write
from core.exchange.faults import FileError, RejectedError
from core.exchange.formats import Format
from core.exchange.importing import ImportResult, import_file
from core.exchange.mappings import load_mapping, override, ready_mappings
from core.exchange.shape import fields_of
from core.exchange.suggest import Suggestion, suggest_mapping
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.examples import LANGUAGE_HELP, QUERY_SETTINGS, refuse_options
from tui.commands.output import print_json, say, show, table
from tui.text import line

# So many rejections are listed, and so many pieces of an example; progress is told after so many records.
LISTED, LISTED_PIECES, REPORT_EVERY = 10, 3, 20_000
_SHOWN_FIELDS = {
    *("hypothesis", "evidence", "decision", "confidence", "reasoning", "domain", "level", "family", "split"),
}


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--map", "name", help="A mapping: NAME of [import.NAME] in the project file, a ready one, or a TOML file."
)
@click.option("--maps", is_flag=True, help="List the mappings that there are, and import nothing.")
@click.option(
    "--suggest", is_flag=True, help="Propose a mapping for FILE, and show five records as read by it; store nothing."
)
@click.option(
    "--default", "defaults", multiple=True, metavar="FIELD=VALUE", help="What holds where the mapping says nothing."
)
@click.option("--join", "join_file", default="", metavar="FILE", help="The second file, if not the one of the mapping.")
@click.option("--accept", is_flag=True, help="Accept all of them at once, as one act that `review undo` takes back.")
@click.option("--rejects", type=click.Path(path_type=Path, dir_okay=False), help="Where to list what is no example.")
@json_option
@pass_context
@verb
def import_(
    context: Context,
    file: Path | None,
    name: str | None,
    maps: bool,
    suggest: bool,
    defaults: tuple[str, ...],
    join_file: str,
    accept: bool,
    rejects: Path | None,
    as_json: bool,
) -> None:
    """Bring the records of FILE (JSONL, JSON, CSV, TSV or Parquet, gzipped or not) in as examples.

    Without --map the records have the fields of an example themselves. A record that is no example is listed with its
    place and the reason; the same file again adds nothing.
    """
    if maps:
        _list_mappings(context, as_json)
        return
    if file is None:
        raise RefusedError("name the FILE to import, or list the mappings with --maps")
    if suggest and (name or accept or defaults or rejects):
        raise RefusedError("--suggest stores nothing: it goes with --join and --json alone")
    if suggest:
        second = str(Path(join_file).absolute()) if join_file else ""
        _show_suggestion(suggest_mapping(context.project().task, file, second), as_json)
        return
    try:
        project, connection = context.open()
        mapping = load_mapping(project, name) if name else None
    except ProjectError as error:
        raise ProjectError(f"{error}{_columns_hint(file, error)}", error.mistakes) from None
    if defaults or join_file:
        if mapping is None:
            raise RefusedError("--default and --join go with --map: without, a record says everything itself")
        second = str(Path(join_file).absolute()) if join_file else ""
        mapping = override(mapping, defaults=_parse_defaults(defaults), join_file=second)
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
    _show_import(result, as_json)
    raise SystemExit(0 if result.imported or result.duplicates or not result.rejected else 1)


def _parse_defaults(words: tuple[str, ...]) -> dict[str, str]:
    parts = [word.partition("=") for word in words]
    wrong = next((word for word, (_, mark, _) in zip(words, parts, strict=True) if not mark), None)
    if wrong is not None:
        raise RefusedError(f"--default {wrong}: write FIELD=VALUE, such as level=2")
    return {field: value for field, _, value in parts}


def _columns_hint(file: Path, error: ProjectError) -> str:
    """The fields of `file`, where an expression for one of them is no expression."""
    if "is no JMESPath expression" not in str(error):
        return ""
    try:
        return f"\nthe fields of {file} are {join_names(fields_of(file, ''))}"
    except FileError:
        return ""


def _list_mappings(context: Context, as_json: bool) -> None:
    try:
        own = context.project().task.imports
    except ProjectError:
        own = {}
    ready = {name: mapping for name, mapping in ready_mappings().items() if name not in own}
    rows = [
        {"name": name, "where": where, "about": mapping.about, "labels": list(mapping.decisions)}
        for where, mappings in (("sidequest.toml", own), ("ready", ready))
        for name, mapping in mappings.items()
    ]
    if as_json:
        print_json(rows)
        return
    table(
        ["name", "where", "labels", "what it is for"],
        [(row["name"], row["where"], ", ".join(row["labels"]), row["about"]) for row in rows],
        widths={2: 60, 3: 120},
    )


def _show_suggestion(suggestion: Suggestion, as_json: bool) -> None:
    if as_json:
        examples = [
            {"place": place, "rejected": str(example)}
            if isinstance(example, RejectedError)
            else {"place": place, "example": example.model_dump(mode="json", include=_SHOWN_FIELDS)}
            for place, example in suggestion.examples
        ]
        print_json({"name": suggestion.name, "toml": suggestion.toml, "notes": suggestion.notes, "examples": examples})
        return
    if suggestion.toml:
        show(suggestion.toml)
    for note in suggestion.notes:
        say(f"! {note}")
    for place, example in suggestion.examples:
        if isinstance(example, RejectedError):
            show(f"{place}: rejected: {example}")
            continue
        show(f"{place}: {example.decision} · {example.domain} · level {example.level} · {example.confidence:g}")
        show(f"  {line(example.hypothesis, 100)}")
        for piece in example.evidence[:LISTED_PIECES]:
            show(f"  - {line(piece.source, 30)} ({piece.relevance:g}): {line(piece.content, 80)}")
        if len(example.evidence) > LISTED_PIECES:
            show(f"  {LISTED_PIECES} of {len(example.evidence)} pieces")
    how = f" Put the table into sidequest.toml, and import with --map {suggestion.name}" if suggestion.toml else ""
    say(f"Nothing is stored.{how}")


def _show_import(result: ImportResult, as_json: bool) -> None:
    if as_json:
        counts = {"imported": result.imported, "rejected": result.rejected, "duplicates": result.duplicates}
        counts |= {"repeated": result.repeated, "conflicting": result.conflicting}
        rejections = [{"place": rejection.place, "reason": rejection.reason} for rejection in result.rejections]
        lists = {"rejections": rejections, "conflicts": result.conflicts, "notes": result.notes}
        print_json(counts | lists | {"rejects": result.rejects})
        return
    repeated = f" ({result.repeated:,} of them more than once in the file)" if result.repeated else ""
    show(f"{result.imported:,} imported, {result.rejected:,} rejected, {result.duplicates:,} there already{repeated}")
    if result.rejections:
        rows = [(rejection.place, rejection.reason) for rejection in result.rejections[:LISTED]]
        table(["place", "reason"], rows, widths={1: 90})
        say(f"{min(LISTED, result.rejected)} of {result.rejected:,}; all of them: {result.rejects}")
    if result.conflicts:
        say(
            f"! {result.conflicting:,} have the same hypothesis and evidence as others, and another decision: they are "
            "flagged, and wait for review (`sidequest examples list --flagged`)"
        )
        conflicts = [(conflict.place, conflict.decision, conflict.other) for conflict in result.conflicts[:LISTED]]
        table(["place", "decision", "elsewhere"], conflicts)
        say(f"{len(conflicts)} of {result.conflicting:,}")
    for note in result.notes:
        say(f"! {note}")


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
