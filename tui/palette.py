"""What the palette finds: every action of the app by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from textual.app import SystemCommand
from textual.screen import Screen

from tui.actions import EVERYWHERE, SCREENS
from tui.keymap import keys_of
from tui.screens.live import LiveScreen

if TYPE_CHECKING:
    from tui.app import SidequestApp


def commands(app: SidequestApp, screen: Screen[object]) -> Iterator[SystemCommand]:
    """The actions of the screen in front and of the app, which act; those of other screens, which lead there."""
    named = set[str]()
    for action in [*getattr(screen, "ACTIONS", []), *EVERYWHERE]:
        if action.label not in named:
            named.add(action.label)
            yield SystemCommand(action.label, action.help, _runner(app, screen, action.name))
    if not isinstance(screen, LiveScreen):
        return
    for place in app.MODES:
        for action in SCREENS[place] if place != screen.TITLE.lower() else []:
            keys = keys_of(action, app.settings.keymap)
            label = f"{place.capitalize()}: {action.label}"
            yield SystemCommand(label, f"{action.help} (goes there; {keys})", partial(app.action_go, place))


def _runner(app: SidequestApp, screen: Screen[object], name: str) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        await app.run_action(name, screen if hasattr(screen, f"action_{name.split('(')[0]}") else app)

    return run
