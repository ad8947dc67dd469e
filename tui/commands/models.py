"""`models`: what the project knows to ask, whether it is there, what it can do and how fast."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from core.config.project import Project
from core.model_export.export import start_export
from core.models.registry import INSTALL, ModelKind, RegisteredModel, missing_packages, registered_models
from core.runs.control import run_status
from core.runs.params import ExportParams, ModelFormat, params_of
from core.runs.progress import ExportProgress, progress_of
from storage.runs import StoredCapabilities
from storage.schema import RunState
from tui.as_json import json_value
from tui.commands.context import Context, json_option, pass_context, verb
from tui.commands.output import print_json, say, show, table
from tui.commands.waiting import wait


@click.group()
def models() -> None:
    """The models of the project: endpoints, those on this machine, and baselines."""


@models.command("list")
@json_option
@pass_context
@verb
def list_(context: Context, as_json: bool) -> None:
    """The models, where they are, their roles, and what is missing to use them; nothing is asked or loaded."""
    project, connection = context.open()
    registered = registered_models(project, connection)
    without = missing_packages()
    if as_json:
        print_json({"models": registered, "train": {"installed": not without, "missing": without}})
        return
    table(
        ["name", "kind", "where", "role", "state"],
        [
            (_named(entry), entry.kind.value, _where(entry), ", ".join(entry.roles), _state(entry))
            for entry in registered
        ],
        widths={2: 60, 4: 120},
    )
    roles = project.task.roles
    named = {entry.name for entry in registered}
    built_in = [f"{role} is {name}" for role, name in roles if name not in named]
    if built_in:
        show(f"{', '.join(built_in)} (embedded, no model)")
    show(f"the extra `train` is not installed ({', '.join(without)}): {INSTALL}" if without else "`train` is installed")


def _named(entry: RegisteredModel) -> str:
    return f"{entry.name} (also {entry.also})" if entry.also else entry.name


def _where(entry: RegisteredModel) -> str:
    return f"{entry.model} at {entry.where}" if entry.kind is ModelKind.ENDPOINT else entry.where


def _state(entry: RegisteredModel) -> str:
    if entry.problem:
        return entry.problem
    if entry.kind is ModelKind.ENDPOINT:
        return f"structured output: {entry.capabilities['mode']}" if entry.capabilities else "not asked yet"
    if entry.kind is ModelKind.BASELINE:
        return ""
    return "to be downloaded when it is asked" if entry.downloaded is False else "there"


@models.command()
@click.argument("names", nargs=-1)
@json_option
@pass_context
@verb
def check(context: Context, names: tuple[str, ...], as_json: bool) -> None:
    """Ask each model (or those NAMED) once, and show what it can do and how fast it is.

    A model of the hub is downloaded only if it is named.
    """
    project, connection = context.open()
    listed = registered_models(project, connection)
    known = {entry.name: entry for entry in listed} | {entry.also: entry for entry in listed if entry.also}
    if unknown := [name for name in names if name not in known]:
        raise click.UsageError(f"no model {', '.join(unknown)} in the project: there are {', '.join(known)}")
    chosen = [known[name] for name in names] or [entry for entry in listed if entry.downloaded is not False]
    for entry in listed:
        if entry not in chosen and not names:
            say(f"{entry.name}: {entry.where} is not downloaded: `sidequest models check {entry.name}` fetches it")
    results = asyncio.run(_check(project, connection, chosen))
    if as_json:
        print_json(results)
    else:
        for answer in results:
            show(f"{answer['name']}: {_said(answer)}")
    raise SystemExit(0 if all(answer["ok"] for answer in results) else 1)


async def _check(
    project: Project, connection: sqlite3.Connection, chosen: Sequence[RegisteredModel]
) -> list[dict[str, Any]]:
    """What each says: endpoints all at once, then one after the other what works on this machine."""
    from core.llm.endpoint_check import check_endpoint as ask
    from core.models.smoke_test import smoke_test

    task = project.task
    endpoints = [entry.name for entry in chosen if entry.kind is ModelKind.ENDPOINT]
    known = StoredCapabilities(connection)
    asked = (ask(task.models[name], capabilities=known, prices=task.prices) for name in endpoints)
    answers: dict[str, Any] = dict(zip(endpoints, await asyncio.gather(*asked), strict=True))
    for entry in chosen:
        if entry.kind is ModelKind.LOCAL and not entry.problem:
            say(f"{entry.name}: is opened and asked; on a processor this may take a minute or more")
        if entry.kind is not ModelKind.ENDPOINT:
            answers[entry.name] = await smoke_test(project, connection, entry.name)
    return [{"name": entry.name, "kind": entry.kind, **json_value(answers[entry.name])} for entry in chosen]


def _said(answer: dict[str, Any]) -> str:
    if not answer["ok"]:
        return f"{answer['outcome']}: {answer['detail']}" if answer["outcome"] else answer["detail"]
    speed = "" if answer["tokens_per_s"] is None else f", {answer['tokens_per_s']:.0f} tokens/s"
    seconds = f"{answer['seconds']:.1f} s" if answer["seconds"] >= 0.1 else "less than 0.1 s"
    took = f"answered in {seconds}{speed}"
    if answer["kind"] is ModelKind.ENDPOINT:
        return f"structured output: {answer['capabilities']['mode']}, {took}"
    if answer["runs_on"]:
        took = f"{took}, {answer['runs_on']}, opened in {answer['opened_s']:.1f} s"
    decided = "no decision can be read in its answer" if answer["decision"] is None else answer["decision"]
    return f"{took}: {decided}"


@models.command("export")
@click.argument("name")
@click.option(
    "--format",
    "format_",
    type=click.Choice([entry.value for entry in ModelFormat]),
    required=True,
    help="The kind of files.",
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@click.option("--licence", default="", help="Its name, such as CC-BY-4.0; the card says it.")
@click.option("--overwrite", is_flag=True, help="Take the place of an export that is there.")
@click.option("--detach", is_flag=True, help="Return at once; the run goes on by itself.")
@json_option
@pass_context
@verb
def export_(
    context: Context,
    name: str,
    format_: str,
    output: Path,
    licence: str,
    overwrite: bool,
    detach: bool,
    as_json: bool,
) -> None:
    """Write the trained model NAME to a folder, with a card: its adapter, merged weights, or one GGUF file."""
    project, connection = context.open()
    wanted = ExportParams(model=name, format=ModelFormat(format_), output=output, licence=licence, overwrite=overwrite)
    run = start_export(project, connection, wanted)
    if not detach:
        run = wait(connection, run, lambda run: progress_of(run, ExportProgress).step, quiet=as_json)
    state = run_status(run).state
    if as_json:
        print_json({"run": run.id, "state": state.value, "reason": run.reason, **run.params, **run.progress})
    elif detach:
        say(f"run {run.id} goes on by itself: `sidequest runs show {run.id[-6:]}`")
    elif state is RunState.FINISHED:
        show(f"{params_of(run, ExportParams).model} is in {params_of(run, ExportParams).output}")
        for file, sha in progress_of(run, ExportProgress).files.items():
            show(f"  {file}  {sha}")
    else:
        say(f"sidequest: run {run.id[-6:]} is {state}{f': {run.reason}' if run.reason else ''}")
    raise SystemExit(0 if detach or state is RunState.FINISHED else 1)
