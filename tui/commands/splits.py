"""`splits`: train, dev and test, by family."""

from __future__ import annotations

import click

from core.dataset.splits import ACCEPTED, describe_leaks, plan_splits, split_contents
from storage import listing
from storage import splits as stored
from storage.splits import SPLITS
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.examples import QUERY_SETTINGS, parse_words, show_progress
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
    contents = split_contents(project.task, connection)
    if as_json:
        print_json(contents)
        return
    accepted = sum(content.accepted for content in contents if content.split) or 1
    labels = project.task.labels
    table(
        ["split", "share", "accepted", "is", *labels, "all", "frozen"],
        [
            (
                content.split or "none",
                f"{content.share:.0%}" if content.split else "",
                content.accepted,
                f"{content.accepted / accepted:.1%}" if content.split else "",
                *(content.decisions.get(label, 0) for label in labels),
                content.examples,
                "" if content.run is None else (content.run or "yes"),
            )
            for content in contents
        ],
    )


@splits.command(context_settings=QUERY_SETTINGS)
@click.argument("query", nargs=-1)
@click.option("--seed", type=int, default=None, help="Instead of the project's.")
@click.option("--allow-leaks", is_flag=True, help="Go on if families that belong together end up in two splits.")
@click.option("--yes", is_flag=True, help="Do it; without this it is only shown.")
@json_option
@pass_context
@verb
def assign(
    context: Context, query: tuple[str, ...], seed: int | None, allow_leaks: bool, yes: bool, as_json: bool
) -> None:
    """Share the families that are in no split out: of accepted examples, or of those that match QUERY.

    The shares are the project's ([splits]); each cell has its share in each split. Families with the same hypothesis or
    evidence, or near-duplicates in each other, stay together.
    """
    project, connection = context.open()
    where = parse_words(project, connection, query) if query else ACCEPTED
    assignment = plan_splits(project.task, connection, where, seed=seed)
    given = assignment.family_splits
    if yes and assignment.leaks and not allow_leaks:
        raise RefusedError(
            f"{describe_leaks(assignment)}: reject those examples, or put the other family back with "
            "`sidequest splits put none family:... --yes` where its split is not frozen, and assign again; "
            "--allow-leaks goes on all the same"
        )
    if yes:
        show_progress(stored.assign(connection, given, reviewer=context.reviewer), len(given))
    if as_json:
        counts = {"families": len(given), "examples": assignment.examples, "linked": assignment.linked}
        print_json(counts | {"leaks": assignment.leaks, "done": yes})
        return
    examples = ", ".join(f"{name} {assignment.examples.get(name, 0):,}" for name in SPLITS)
    show(f"{len(given):,} families {'put into splits' if yes else 'can be put into splits'}; examples: {examples}")
    if assignment.linked is None:
        say("too many examples to look for near-duplicates in other families: these may be in different splits")
    if assignment.leaks:
        say(f"{describe_leaks(assignment)}; {'this was allowed' if yes else '--yes needs --allow-leaks as well'}")
    if not yes and given:
        say("--yes does it; `sidequest review undo` takes it back")


@splits.command(context_settings=QUERY_SETTINGS)
@click.argument("split", type=click.Choice([*SPLITS, "none"]))
@click.argument("query", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do it; without this it is only counted.")
@json_option
@pass_context
@verb
def put(context: Context, split: str, query: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Put the families of all examples that match QUERY into one split, with all their examples."""
    project, connection = context.open()
    current = stored.families_of(connection, listing.read_numbers(connection, parse_words(project, connection, query)))
    target = "" if split == "none" else split
    given = {family: target for family, now in current.items() if now != target}
    if not yes:
        raise RefusedError(f"{len(given):,} of {len(current):,} families would move: --yes does it")
    done = show_progress(stored.assign(connection, given, reviewer=context.reviewer), len(given))
    if as_json:
        print_json({"split": split, "families": done})
    else:
        show(f"{done:,} families: {split}; `sidequest review undo` takes it back")
