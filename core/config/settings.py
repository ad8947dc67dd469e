"""The user's own settings: a TOML file in the user's configuration folder, read at start-up and written by the app."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.config.project import ProjectError, check_toml


class Settings(BaseModel):
    """The settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    theme: str = Field(default="", description="The app's theme; empty: Textual's own.")
    keymap: dict[str, str] = Field(
        default_factory=dict, description="Keys by the name of the action: 'review.accept' = 'a,enter'."
    )


def settings_path() -> Path:
    """The path of the settings: `config.toml` in the user's configuration folder (XDG_CONFIG_HOME on Linux)."""
    from platformdirs import user_config_path

    return user_config_path("sidequest") / "config.toml"


def load_settings(file: Path) -> tuple[Settings, str]:
    """The settings in `file`, and what is wrong with it ('' if nothing); with a mistake, the defaults."""
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
    """Write the theme into `file`, which is made if missing; everything else in it stays. Raises OSError, ValueError.

    Nothing is written if the theme is unchanged. A link stays a link, and a file keeps its mode.
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
    """`file:line` of a setting; only the file if the setting is not in it."""
    from core.config.toml_lines import key_lines

    try:
        line = key_lines(file.read_text(encoding="utf-8")).get(field)
    except (OSError, UnicodeDecodeError):
        line = None
    return f"{file}:{line}" if line else str(file)
