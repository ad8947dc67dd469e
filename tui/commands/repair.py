"""`examples repair`: has stale fields written anew, shows the result, and stores what a person accepts."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

import click

from core.config.project import Project
from core.generation.repair.proposal import Proposal, stale_names
from core.generation.repair.start import can_write, read_proposal, start_repair
from core.review.editing import rule_violations
from core.runs.control import run_status
from core.runs.progress import RepairProgress, progress_of
from storage import listing, reviews
from storage.examples import Filter
from storage.schema import Example, Run, Status
from storage.staleness import describe_stale
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.example_ids import resolve_example
from tui.commands.generate import Money
from tui.commands.output import print_json, say, show
from tui.commands.waiting import wait

_BY_HAND = "`sidequest review edit ID FILE` stores what you write yourself"


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--stale", is_flag=True, help="All examples with stale fields, but for rejected ones.")
@click.option("--accept", is_flag=True, help="Store what was written.")
@click.option("--relabel", is_flag=True, help="Store it also where it argues for another decision, with that decision.")
@click.option("--keep", is_flag=True, help="Store that the old fields are right for the decision all the same.")
@click.option("--source", default="", help="A model of the project file that writes.  [default: its generator]")
@click.option("--judge", default="", help="What reads it.  [default: the project's judge]")
@click.option("--budget", type=Money(), help="Money that the run may spend.  [default: the project file's]")
@click.option("--detach", is_flag=True, help="Return at once; the run goes on by itself.")
@json_option
@pass_context
@verb
def repair(
    context: Context, ids: tuple[str, ...], stale: bool, accept: bool, relabel: bool, keep: bool, **options: Any
) -> None:
    """Have stale reasoning and confidence written for the decision that a person gave the example.

    Nothing is stored before --accept: the old and the new fields are shown first, with what the judge decides. The
    procedural source writes for its own examples, offline; for others a run asks the project's model.
    """
    if bool(ids) == stale:
        raise RefusedError("say which: the ids of examples, or --stale for all")
    if keep and (accept or relabel):
        raise RefusedError("--accept stores the new fields, --keep the old ones: say one of them")
    project, connection = context.open()
    chosen = _stale_examples(connection, ids)
    if keep:
        _keep(context, connection, chosen, as_json=options["as_json"])
    elif accept or relabel:
        _accept(context, project, connection, chosen, relabel=relabel, as_json=options["as_json"])
    else:
        _propose(project, connection, chosen, **options)


def _stale_examples(connection: sqlite3.Connection, ids: Sequence[str]) -> list[Example]:
    """The examples that are meant; raises RefusedError if one of them has no stale field."""
    if not ids:
        where = Filter(stale=True, status=(Status.PENDING.value, Status.ACCEPTED.value))
        return listing.read_examples(connection, listing.read_numbers(connection, where))
    chosen = [resolve_example(connection, partial_id) for partial_id in ids]
    for example in chosen:
        if not example.stale:
            raise RefusedError(f"{example.id}: nothing of it is stale")
    return chosen


# ------------------------------------------------------------------ writing


def _propose(
    project: Project,
    connection: sqlite3.Connection,
    chosen: Sequence[Example],
    *,
    source: str,
    judge: str,
    budget: Decimal | None,
    detach: bool,
    as_json: bool,
) -> None:
    """Have written what is not written yet, and print all proposals; the exit status is 1 if some are missing."""
    proposals, unwritten = _read_proposals(project, connection, chosen, offline=not source)
    run: Run | None = None
    if unwritten and (source or can_write(project.task)):
        run = start_repair(project, connection, unwritten, source=source, judge=judge, budget=budget)
        if detach:
            if as_json:
                print_json({"run": run.id, "state": run.state})
            else:
                say(f"run {run.id} goes on by itself: `sidequest runs show {run.id[-6:]}`")
            return
        run = wait(connection, run, _describe_counts, quiet=as_json)
        proposals, unwritten = _read_proposals(project, connection, chosen, offline=not source)
    if as_json:
        print_json(
            {
                "proposals": [
                    _as_record(proposal) | {"doubts": rule_violations(project.task, proposal.repaired)}
                    for proposal in proposals
                ],
                "unwritten": [example.id for example in unwritten],
                "run": None if run is None else _run_record(run),
            }
        )
    else:
        for proposal in proposals:
            _show_proposal(proposal, rule_violations(project.task, proposal.repaired))
        _say_what_next(proposals, unwritten, run)
    raise SystemExit(1 if unwritten else 0)


def _read_proposals(
    project: Project, connection: sqlite3.Connection, chosen: Sequence[Example], *, offline: bool = True
) -> tuple[list[Proposal], list[Example]]:
    """The proposals for these examples, and those examples that have none."""
    proposals, unwritten = list[Proposal](), list[Example]()
    for example in chosen:
        proposal = read_proposal(project, connection, example, offline=offline)
        if proposal is None:
            unwritten.append(example)
        else:
            proposals.append(proposal)
    return proposals, unwritten


def _describe_counts(run: Run) -> str:
    progress = progress_of(run, RepairProgress)
    return f"{progress.written} written · the judge agrees to {progress.agreed}"


def _run_record(run: Run) -> dict[str, Any]:
    progress = progress_of(run, RepairProgress)
    figures = progress.model_dump(include={"written", "agreed", "failed", "cost"})
    return {"run": run.id, "state": run_status(run).state.value, "reason": run.reason, **figures}


def _as_record(proposal: Proposal) -> dict[str, Any]:
    example = proposal.example
    return {
        "example": example.id,
        "version": example.version,
        "label": example.decision,
        "decision": proposal.decision,
        "contradicts": proposal.contradicts,
        "stale": example.stale,
        "old": example.model_dump(mode="json", include=set(proposal.fields)),
        "new": proposal.fields,
        "source": proposal.source,
        "judge": proposal.judge,
        "judge_decision": proposal.judge_decision or None,
        "judge_confidence": proposal.judge_confidence,
        "critique": proposal.critique,
        "cost": proposal.cost,
    }


def _show_proposal(proposal: Proposal, doubts: Sequence[str]) -> None:
    """Print the old and the new fields of one example, and what source and judge make of its decision."""
    from tui.screens.repair.screen import judgement, new_fields, old_fields

    example = proposal.example
    show(f"{example.id} · {example.decision} · “{example.hypothesis}”")
    for drawn in (judgement(proposal, doubts), old_fields(proposal), new_fields(proposal)):
        show(drawn.plain.rstrip())
    show("")


def _say_what_next(proposals: Sequence[Proposal], unwritten: Sequence[Example], run: Run | None) -> None:
    if run is not None and run.reason:
        say(f"run {run.id[-6:]}: {run.reason}")
    if not proposals and not unwritten:
        say("nothing is stale")
    if contradicting := sum(proposal.contradicts for proposal in proposals):
        say(f"{contradicting:,} contradict the label: --relabel takes their decision; {_BY_HAND}")
    if len(proposals) > contradicting:
        say(f"{len(proposals) - contradicting:,} wait for you: --accept stores the new fields, --keep the old ones")
    if unwritten:
        names = ", ".join(example.id for example in unwritten[:5]) + (" …" if len(unwritten) > 5 else "")
        say(f"{len(unwritten):,} have nothing that wrote them anew ({names}): {_BY_HAND}, --source names a model")


# ------------------------------------------------------------------ storing


def _accept(
    context: Context,
    project: Project,
    connection: sqlite3.Connection,
    chosen: Sequence[Example],
    *,
    relabel: bool,
    as_json: bool,
) -> None:
    """Store the proposals that are there; the exit status is 1 if some of the examples stay stale."""
    proposals, unwritten = _read_proposals(project, connection, chosen)
    contradicting = [proposal.example for proposal in proposals if proposal.contradicts and not relabel]
    repaired = [
        _store(context, connection, proposal.repaired, set(proposal.fields), f"repaired by {proposal.source}")
        for proposal in proposals
        if relabel or not proposal.contradicts
    ]
    if as_json:
        ids = {"contradicting": contradicting, "unwritten": unwritten}
        print_json(
            {"repaired": repaired} | {name: [example.id for example in examples] for name, examples in ids.items()}
        )
    else:
        _show_stored(repaired)
        for example in contradicting:
            say(f"{example.id} stays as it is: what was written contradicts {example.decision}; --relabel takes it")
        for example in unwritten:
            say(f"{example.id} stays as it is: nothing is written yet; without --accept it is")
    raise SystemExit(1 if contradicting or unwritten else 0)


def _keep(context: Context, connection: sqlite3.Connection, chosen: Sequence[Example], *, as_json: bool) -> None:
    """Store that the stale fields are right for the decision as it is now."""
    kept = [
        _store(context, connection, example, stale_names(example), f"still right for {example.decision}")
        for example in chosen
    ]
    if as_json:
        print_json({"kept": kept})
    else:
        _show_stored(kept)


def _store(
    context: Context, connection: sqlite3.Connection, example: Example, confirmed: Collection[str], note: str
) -> Example:
    return reviews.edit(connection, example, note=note, reviewer=context.reviewer, confirmed=confirmed)


def _show_stored(examples: Sequence[Example]) -> None:
    for example in examples:
        left = "; ".join(describe_stale(example))
        show(f"{example.id}: {example.decision}, version {example.version}{f'; {left}' if left else ''}")
