"""The theme and the keys of the person: what of them can be used, and remembering a theme."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from core.config.settings import Settings, load_settings, save_theme, setting_location
from tui.keymap import clashes
from tui.text import clean

if TYPE_CHECKING:
    from textual.app import App


def usable(file: Path, themes: Iterable[str], labels: Iterable[str]) -> tuple[Settings, list[str]]:
    """What of the settings in `file` can be used, the defaults for the rest, and in sentences what is wrong.

    `themes` are those there are, `labels` those of the project, which have keys of their own.
    """
    settings, problem = load_settings(file)
    if problem:
        return settings, [problem, "none of your settings is used"]
    said: list[str] = []
    if wrong := clashes(settings.keymap, labels):
        said += [f"{setting_location(file, 'keymap', name)}: {sentence}" for name, sentence in wrong]
        said.append("your keymap is not used: all keys are the app's own")
        settings = settings.model_copy(update={"keymap": {}})
    if settings.theme and settings.theme not in themes:
        said.append(
            f"{setting_location(file, 'theme')}: there is no theme {settings.theme}: "
            "`sidequest config` lists those there are"
        )
        said.append("the theme is the app's own")
        settings = settings.model_copy(update={"theme": ""})
    return settings, said


def remember(app: App[int], file: Path, theme: str) -> None:
    """Keep a theme that was chosen; if that fails, say so."""
    try:
        save_theme(file, theme)
    except (OSError, ValueError) as error:
        app.notify(clean(f"the theme is not remembered: {error}"), markup=False, severity="error")
