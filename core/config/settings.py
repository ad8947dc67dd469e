"""The user's own settings: a TOML file where the system keeps such files, read at the start and written by the app."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.config.project import ProjectError, check_toml, line_numbers


class Settings(BaseModel):
    """A whole settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    theme: str = Field(default="", description="The app's theme; empty: Textual's own.")
    keymap: dict[str, str] = Field(
        default_factory=dict, description="Keys by the name of the action: 'review.accept' = 'a,enter'."
    )


def settings_path() -> Path:
    """Where the settings are: `config.toml` in the user's configuration folder (XDG_CONFIG_HOME on Linux)."""
    from platformdirs import user_config_path

    return user_config_path("sidequest") / "config.toml"


def load_settings(file: Path) -> tuple[Settings, str]:
    """The settings in `file`, and what is wrong with it ('' if nothing): then the defaults hold."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings(), ""
    except (OSError, UnicodeDecodeError) as error:
        return Settings(), f"{file}: {error}"
    try:
        return check_toml(Settings, text, str(file)), ""
    except ProjectError as error:
        return Settings(), str(error)


def save_theme(file: Path, theme: str) -> None:
    """Write the theme into `file`, made if it is missing; all else in it stays as it is. Raises OSError, ValueError.

    What is there already is not written again. A link stays a link, and a file keeps its mode.
    """
    import tomlkit

    target = file.resolve()
    document = tomlkit.parse(target.read_bytes()) if target.exists() else tomlkit.document()
    if document.get("theme") == theme:
        return
    document["theme"] = theme
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(tomlkit.dumps(document).encode())
        if target.exists():
            partial.chmod(target.stat().st_mode & 0o7777)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def setting_location(file: Path, *field: str) -> str:
    """`file:line` of a setting, the file alone where it does not stand in one."""
    try:
        line = line_numbers(file.read_text(encoding="utf-8")).get(field)
    except (OSError, UnicodeDecodeError):
        line = None
    return f"{file}:{line}" if line else str(file)
