"""What the palette finds: every action that can act by its name, and the way to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from textual.actions import parse
from textual.app import App, SystemCommand
from textual.screen import Screen

from tui.actions import EVERYWHERE, SCREENS
from tui.keymap import keys_of


def commands(
    app: App[Any], screen: Screen[object], keymap: Mapping[str, str], go: Callable[[str], None]
) -> Iterator[SystemCommand]:
    """The actions of the screen and of the app that can act now; those of the other places lead there.

    `keymap` has the person's own keys by action; `go` shows a place.
    """
    named = {screen.TITLE}
    for action in [*getattr(screen, "ACTIONS", []), *EVERYWHERE]:
        if action.label not in named and _can(app, screen, action.name):
            named.add(action.label)
            yield SystemCommand(
                action.label, action.help, partial(app.run_action, action.name, _target(app, screen, action.name))
            )
    for place in app.MODES:
        if place == (screen.TITLE or "").lower() or not _can(app, screen, f"go('{place}')"):
            continue
        for action in SCREENS[place]:
            label = f"Go to {place.capitalize()}: {action.label}"
            keys = keys_of(action, keymap)
            yield SystemCommand(label, f"{action.help} ({keys}, there)", partial(go, place))


def _can(app: App[Any], screen: Screen[object], name: str) -> bool:
    """Whether an action does something in the state in which screen and app are."""
    _, action, parameters = parse(name)
    return bool(_target(app, screen, name).check_action(action, parameters))


def _target(app: App[Any], screen: Screen[object], name: str) -> App[Any] | Screen[object]:
    space, action, _ = parse(name)
    return screen if space != "app" and hasattr(screen, f"action_{action}") else app
