"""`report`: the state of a project as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from tui.commands.context import Context, json_option, pass_context, verb
from tui.commands.output import print_json, show


@click.command()
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file.  [default: report.html of the project]"
)
@click.option("--overwrite", is_flag=True, help="Take the place of a file that is no report.")
@json_option
@pass_context
@verb
def report(context: Context, output: Path | None, overwrite: bool, as_json: bool) -> None:
    """Write the state of the project as one HTML file, without scripts, that needs no network.

    The task, quotas, QA, agreement, benchmarks, the gate and training, with counts and intervals. It takes the place of
    the report before it. With --json its figures are printed, and a file is written only if --output names one.
    """
    from core.report.contents import contents_document, gather_contents
    from core.report.page import REPORT_FILE, write_report

    project, connection = context.open()
    contents = gather_contents(project, connection)
    if output is not None or not as_json:
        place = write_report(contents, output or project.folder / REPORT_FILE, overwrite=overwrite)
        if not as_json:
            show(str(place))
    if as_json:
        print_json(contents_document(contents))
