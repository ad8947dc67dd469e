"""What the palette finds: every action that can act by its name, and the way to the others."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from textual.actions import parse
from textual.app import SystemCommand
from textual.screen import Screen

from tui.actions import EVERYWHERE, SCREENS
from tui.keymap import keys_of

if TYPE_CHECKING:
    from tui.app import SidequestApp


def commands(app: SidequestApp, screen: Screen[object]) -> Iterator[SystemCommand]:
    """The actions of the screen and of the app that can act now; those of the other places lead there."""
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
            keys = keys_of(action, app.settings.keymap)
            yield SystemCommand(label, f"{action.help} ({keys}, there)", partial(app.action_go, place))


def _can(app: SidequestApp, screen: Screen[object], name: str) -> bool:
    """Whether an action does something in the state in which screen and app are."""
    _, action, parameters = parse(name)
    return bool(_target(app, screen, name).check_action(action, parameters))


def _target(app: SidequestApp, screen: Screen[object], name: str) -> SidequestApp | Screen[object]:
    space, action, _ = parse(name)
    return screen if space != "app" and hasattr(screen, f"action_{action}") else app
