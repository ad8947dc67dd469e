"""`models`: the endpoints of the project file, and what they can do."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import click

from core.project import Project
from storage.runs import Capabilities
from tui.commands.context import Context, json_option, pass_context, verb
from tui.commands.output import plain, print_json, say, table


@click.group()
def models() -> None:
    """The models of the project file."""


@models.command("list")
@json_option
@pass_context
@verb
def list_(context: Context, as_json: bool) -> None:
    """The models, their roles, and what is remembered of their endpoints."""
    project, connection = context.open()
    known = Capabilities(connection)
    roles = {project.task.roles.generator: "generator", project.task.roles.judge: "judge"}
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "model": model.model,
            "base_url": model.base_url,
            "key_env": model.key_env,
            "role": roles.get(name, ""),
            "capabilities": known.load(model.base_url, model.model),
        }
        for name, model in project.task.models.items()
    ]
    if as_json:
        print_json(found)
        return
    if not found:
        say("no model in the project file: generator and judge are the embedded ones; add [models.NAME] for others")
        return
    table(
        ["name", "model", "endpoint", "role", "structured output"],
        [
            (
                one["name"],
                one["model"],
                one["base_url"],
                one["role"],
                one["capabilities"]["mode"] if one["capabilities"] else "not asked yet",
            )
            for one in found
        ],
    )


@models.command()
@click.argument("names", nargs=-1)
@json_option
@pass_context
@verb
def check(context: Context, names: tuple[str, ...], as_json: bool) -> None:
    """Ask each model (or those NAMED) once, and show what it can do and how long it took."""
    project, connection = context.open()
    chosen = list(names) or list(project.task.models)
    unknown = [name for name in chosen if name not in project.task.models]
    if unknown:
        there = ", ".join(project.task.models) or "none"
        raise click.UsageError(f"no model {', '.join(unknown)} in the project file: there are {there}")
    found = asyncio.run(_check(project, connection, chosen))
    if as_json:
        print_json(found)
    else:
        for one in found:
            can = one["capabilities"]
            speed = "" if one["tokens_per_s"] is None else f", {one['tokens_per_s']:.0f} tokens/s"
            took = f"answered in {one['seconds']:.1f} s{speed}"
            said = f"structured output: {can['mode']}, {took}" if can else f"{one['outcome']}: {one['detail']}"
            say(f"{one['name']}: {said}")
        if not found:
            say("no model in the project file to ask")
    raise SystemExit(0 if all(one["capabilities"] for one in found) else 1)


async def _check(project: Project, connection: sqlite3.Connection, names: list[str]) -> list[dict[str, Any]]:
    from core.llm.connect import check as ask

    task = project.task
    known = Capabilities(connection)
    answers = await asyncio.gather(*(ask(task.models[name], capabilities=known, prices=task.prices) for name in names))
    return [{"name": name, **plain(answer)} for name, answer in zip(names, answers, strict=True)]
