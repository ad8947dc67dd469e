"""The command line: `sidequest` opens the app, a verb does one thing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from tui.commands.context import Context

VERBS = {
    "init": "tui.commands.project:init",
    "demo": "tui.commands.demo:demo",
    "plan": "tui.commands.project:plan",
    "generate": "tui.commands.generate:generate",
    "qa": "tui.commands.qa:qa",
    "review": "tui.commands.review:review",
    "examples": "tui.commands.examples:examples",
    "steps": "tui.commands.steps:steps",
    "splits": "tui.commands.splits:splits",
    "dataset": "tui.commands.dataset:dataset",
    "import": "tui.commands.exchange:import_",
    "export": "tui.commands.exchange:export",
    "bench": "tui.commands.bench:bench",
    "gate": "tui.commands.bench:gate",
    "train": "tui.commands.train:train",
    "judge": "tui.commands.judge:judge",
    "models": "tui.commands.models:models",
    "runs": "tui.commands.runs:runs",
    "serve": "tui.commands.serve:serve",
    "doctor": "tui.commands.doctor:doctor",
    "report": "tui.commands.report:report",
    "config": "tui.commands.config:config",
}


class Verbs(click.Group):
    """A group whose verbs are imported when they are asked for, so that each starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        from importlib import import_module

        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=Verbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--project",
    "-C",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The project's folder; the current one if not given.",
)
@click.option("--as", "reviewer", default="", help="Who decides, where several people review.")
@click.version_option(package_name="sidequest")
@click.pass_context
def main(ctx: click.Context, folder: Path, reviewer: str) -> None:
    """Turn one narrow judgement of an LLM application into a small model that you run yourself.

    Without a verb it opens the app on the project of the current folder.
    """
    try:
        Path.cwd()
    except FileNotFoundError:
        raise click.UsageError("the current folder is no longer there: go to one that is, with `cd`") from None
    ctx.obj = Context(folder, reviewer)
    if ctx.invoked_subcommand is None:
        # Served to a browser, the app has a driver of its own, and needs no terminal.
        if "TEXTUAL_DRIVER" not in os.environ and not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise click.UsageError("the app needs a terminal; without one use a verb: `sidequest --help` lists them")
        from tui.launch import run_app

        ctx.exit(run_app(folder, reviewer))


if __name__ == "__main__":
    main()
