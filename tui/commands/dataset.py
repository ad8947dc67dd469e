"""`dataset`: what the examples say against each other."""

from __future__ import annotations

import click

from core.dataset.check import Check, CheckFinding, check_dataset, describe_score
from core.dataset.coverage import NOT_REJECTED
from tui.as_json import json_value
from tui.commands.context import Context, json_option, pass_context, verb
from tui.commands.examples import LANGUAGE_HELP, QUERY_SETTINGS, parse_words
from tui.commands.output import print_json, say, show, table


@click.group()
def dataset() -> None:
    """All examples together."""


@dataset.command(epilog=LANGUAGE_HELP, context_settings=QUERY_SETTINGS)
@click.argument("query", nargs=-1)
@click.option(
    "--limit", type=click.IntRange(min=1), default=10, show_default=True, help="List at most so many of each kind."
)
@json_option
@pass_context
@verb
def check(context: Context, query: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find contradictions, leaks between splits, shortcuts and suspected label errors. Exit status 1: some stop.

    Of all examples that are not rejected, unless a QUERY says which. What stops a benchmark: a case with two labels,
    and a family, a case, a hypothesis or near-duplicates in two splits, where accepted examples are concerned.
    """
    project, connection = context.open()
    where = parse_words(project, connection, query) if query else NOT_REJECTED
    done = Check(0)
    for done in check_dataset(project.task, connection, where):
        if done.doing and not as_json:
            say(f"{done.doing} …")
    if as_json:
        document = json_value(done)
        for finding in document["findings"]:
            finding["concerns"] = finding["concerns"][:limit]
        print_json({"stops": done.stops, **document})
    else:
        _show(done, limit)
    raise SystemExit(1 if done.stops else 0)


def _show(done: Check, limit: int) -> None:
    show(f"{done.total:,} examples checked")
    if not done.compared:
        show("too many examples in splits to look for near-duplicates")
    for finding in done.findings:
        _show_finding(finding, limit)
    show("\nWORDS ALONE")
    for side, shortcut in done.sides.items():
        show(f"  {side}: {describe_score(shortcut)}")
    if done.baseline is not None:
        show(f"  both, by the bag-of-words baseline: {describe_score(done.baseline)}")
        if not done.baseline.problem and not done.baseline.exists:
            show("  words alone tell nothing here, so they point to no label errors")
    stopping = sum(finding.severity == "stops" for finding in done.findings)
    advising = len(done.findings) - stopping
    total = f"{stopping} kinds of findings stop a benchmark, {advising} only advise"
    show(f"\n{total if done.findings else 'no findings'}")


def _show_finding(finding: CheckFinding, limit: int) -> None:
    show(f"\n{finding.severity.upper()}  {finding.summary}")
    table(
        ["examples", "what", "hypothesis"],
        [
            (
                " ".join(example[-6:] for example in concern.ids[:4]) + (" …" if concern.examples > 4 else ""),
                concern.detail,
                concern.hypothesis,
            )
            for concern in finding.concerns[:limit]
        ],
        widths={2: 60},
    )
    if finding.count > limit:
        listed = min(limit, len(finding.concerns))
        show(f"{listed} of {finding.count:,}: --limit lists more")
    show(f"-> {finding.advice}")
