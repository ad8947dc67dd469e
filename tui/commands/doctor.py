"""`doctor`: what this machine can do, and what is missing."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping

import click

from core.config.project import ProjectError
from core.doctor.checks import run_checks
from core.doctor.finding import CheckResult, CheckState, check_result
from tui.commands.context import Context, json_option, pass_context, verb
from tui.commands.output import print_json, say, show

_MARKS = {CheckState.OK: "ok", CheckState.NOTE: "note", CheckState.MISSING: "MISSING"}
# What the app is made for.
_WIDTH, _HEIGHT = 80, 24


@click.command()
@click.option("--endpoints", is_flag=True, help="Also ask each endpoint of the project for its models; costs nothing.")
@json_option
@pass_context
@verb
def doctor(context: Context, endpoints: bool, as_json: bool) -> None:
    """What this machine can do, and what is missing for the project; with what to install or do."""
    if not as_json:
        say("looking; torch takes a few seconds to load")
    results = [*run_checks(context.folder), *terminal(os.environ, sys.stdout.encoding, sys.stdout.isatty())]
    if endpoints:
        results += _endpoints(context)
    well = all(result.state is not CheckState.MISSING for result in results)
    if as_json:
        print_json({"ok": well, "findings": results})
    else:
        for result in results:
            show(f"{_MARKS[result.state]:8}{result.name:14}{result.found}")
            if result.advice:
                show(f"{'':22}→ {result.advice}")
        missing = sum(result.state is CheckState.MISSING for result in results)
        show("\nAll that the project needs is there." if well else f"\n{missing} of {len(results)} are missing.")
    raise SystemExit(0 if well else 1)


def terminal(environment: Mapping[str, str], encoding: str | None, is_terminal: bool) -> list[CheckResult]:
    """Colours, size and letters of the terminal; without one there is nothing to find fault with."""
    if not is_terminal:
        return [CheckResult("terminal", CheckState.NOTE, "standard output is none: verbs work, the app does not open")]
    size = shutil.get_terminal_size()
    kind = environment.get("TERM", "")
    full = environment.get("COLORTERM", "") in {"truecolor", "24bit"} or "direct" in kind
    colours = "16 million colours" if full else "256 colours" if "256" in kind else "few colours"
    unicode = (encoding or "").lower().replace("-", "") == "utf8"
    return [
        check_result(
            "terminal",
            kind not in {"", "dumb"} and size.columns >= _WIDTH and size.lines >= _HEIGHT,
            f"{kind or 'unknown'}, {size.columns}x{size.lines}, {colours}",
            f"the app wants {_WIDTH}x{_HEIGHT} and a TERM that knows colours, such as xterm-256color",
            needed=False,
        ),
        check_result(
            "letters",
            unicode,
            f"output is {encoding or 'unknown'}",
            "set LANG to a locale in UTF-8, such as C.UTF-8",
            needed=False,
        ),
    ]


def _endpoints(context: Context) -> list[CheckResult]:
    from core.doctor.endpoints import check_endpoints

    try:
        return asyncio.run(check_endpoints(context.project().task))
    except ProjectError:
        return []
