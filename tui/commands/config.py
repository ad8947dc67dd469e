"""`config`: the user's own settings."""

from __future__ import annotations

from collections.abc import Sequence

import click
from textual.theme import BUILTIN_THEMES

from core.config.project import ProjectError
from core.config.settings import settings_path
from tui.actions import NAMED
from tui.commands.context import Context, json_option, pass_context, verb
from tui.commands.output import print_json, show, table
from tui.personal import usable


@click.command()
@click.option("--actions", is_flag=True, help="List the actions by the names that a keymap gives them.")
@json_option
@pass_context
@verb
def config(context: Context, actions: bool, as_json: bool) -> None:
    """Show where your settings are, and what of them is used: the theme, and keys of your own.

    theme = "textual-light", and under [keymap] such lines as "review.accept" = "a,space".
    """
    file, themes = settings_path(), sorted(BUILTIN_THEMES)
    settings, problems = usable(file, themes, _labels(context))
    if actions:
        rows = [(name, settings.keymap.get(name, action.keys), action.help) for name, action in NAMED.items()]
        if as_json:
            print_json([{"action": name, "keys": keys, "help": words} for name, keys, words in rows])
        else:
            table(["action", "keys", "what it does"], rows, widths={2: 70})
        return
    if as_json:
        print_json({"path": file, "settings": settings, "problems": problems, "themes": themes})
        return
    show(f"{file}{'' if file.exists() else ' (not there yet)'}")
    show(f"theme: {settings.theme or 'the default'}, of {', '.join(themes)}")
    for name, keys in settings.keymap.items():
        show(f"{name} = {keys}")
    for problem in problems:
        show(f"! {problem}")


def _labels(context: Context) -> Sequence[str]:
    """The labels of the project, whose letters no keymap can have; none where no project opens."""
    try:
        return context.project().task.labels
    except ProjectError:
        return ()
