"""`config`: the user's own settings."""

from __future__ import annotations

import click

from core.settings import load, path
from tui.actions import SCREENS, clashes, identifier
from tui.commands.context import json_option, verb
from tui.commands.output import print_json, show, table


@click.command()
@click.option("--actions", is_flag=True, help="List the actions by the names that a keymap gives them.")
@json_option
@verb
def config(actions: bool, as_json: bool) -> None:
    """Show where your settings are, and what they say: the theme, and keys of your own.

    theme = "textual-light", and under [keymap] such lines as "review.accept" = "a,space".
    """
    file = path()
    settings, problem = load(file)
    problems = [*([problem] if problem else []), *clashes(settings.keymap)]
    if actions:
        rows = [
            (name, settings.keymap.get(name, action.keys), action.help)
            for known in SCREENS.values()
            for action in known
            if (name := identifier(action)) is not None
        ]
        if as_json:
            print_json([{"action": name, "keys": keys, "help": words} for name, keys, words in rows])
        else:
            table(["action", "keys", "what it does"], rows, widths={2: 70})
        return
    if as_json:
        print_json({"path": file, "settings": settings, "problems": problems})
        return
    show(f"{file}{'' if file.exists() else ' (not there yet)'}")
    show(f"theme: {settings.theme or 'the default'}")
    for name, keys in settings.keymap.items():
        show(f"{name} = {keys}")
    for one in problems:
        show(f"! {one}")
