"""`splits`: train, dev and test, by family."""

from __future__ import annotations

import click

from core.dataset.splits import ACCEPTED, plan, split_contents
from storage import listing
from storage import splits as stored
from storage.splits import SPLITS, SplitError
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.examples import QUERYING, asked, follow
from tui.commands.output import print_json, say, show, table


@click.group()
def splits() -> None:
    """Train, dev and test: all examples of a family are in one split."""


@splits.command("show")
@json_option
@pass_context
@verb
def show_(context: Context, as_json: bool) -> None:
    """What each split holds."""
    project, connection = context.open()
    found = split_contents(project.task, connection)
    if as_json:
        print_json(found)
        return
    accepted = sum(one.accepted for one in found if one.split) or 1
    labels = project.task.labels
    table(
        ["split", "share", "accepted", "is", *labels, "all", "frozen"],
        [
            (
                one.split or "none",
                f"{one.share:.0%}" if one.split else "",
                one.accepted,
                f"{one.accepted / accepted:.1%}" if one.split else "",
                *(one.decisions.get(label, 0) for label in labels),
                one.examples,
                "" if one.run is None else (one.run or "yes"),
            )
            for one in found
        ],
    )


@splits.command(context_settings=QUERYING)
@click.argument("query", nargs=-1)
@click.option("--seed", type=int, default=None, help="Instead of the project's.")
@click.option("--yes", is_flag=True, help="Do it; without this it is only shown.")
@json_option
@pass_context
@verb
def assign(context: Context, query: tuple[str, ...], seed: int | None, yes: bool, as_json: bool) -> None:
    """Share the families that are in no split out: of accepted examples, or of those that match QUERY.

    The shares are the project's ([splits]); each cell has its share in each split.
    """
    project, connection = context.open()
    try:
        found = plan(project.task, connection, asked(project, connection, query) if query else ACCEPTED, seed=seed)
        if yes:
            follow(stored.put(connection, found.given, reviewer=context.reviewer), len(found.given))
    except SplitError as error:
        raise RefusedError(str(error)) from None
    if as_json:
        print_json({"families": len(found.given), "examples": found.examples, "linked": found.linked, "done": yes})
        return
    then = ", ".join(f"{name} {found.examples.get(name, 0):,}" for name in SPLITS)
    show(f"{len(found.given):,} families {'put into splits' if yes else 'can be put into splits'}; examples: {then}")
    if found.linked is None:
        say("too many examples to look for near-duplicates in other families: these may be in different splits")
    if not yes and found.given:
        say("--yes does it; `sidequest review undo` takes it back")


@splits.command(context_settings=QUERYING)
@click.argument("split", type=click.Choice([*SPLITS, "none"]))
@click.argument("query", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do it; without this it is only counted.")
@json_option
@pass_context
@verb
def put(context: Context, split: str, query: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Put the families of all examples that match QUERY into one split, with all their examples."""
    project, connection = context.open()
    there = stored.families(connection, listing.every(connection, asked(project, connection, query)))
    wanted = "" if split == "none" else split
    given = {family: wanted for family, at in there.items() if at != wanted}
    if not yes:
        raise RefusedError(f"{len(given):,} of {len(there):,} families would move: --yes does it")
    try:
        done = follow(stored.put(connection, given, reviewer=context.reviewer), len(given))
    except SplitError as error:
        raise RefusedError(str(error)) from None
    if as_json:
        print_json({"split": split, "families": done})
    else:
        show(f"{done:,} families: {split}; `sidequest review undo` takes it back")
