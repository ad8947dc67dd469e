"""Finds the files of the models on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from core.config.task import LocalSettings
from core.models.packages import MissingError, package_model

_ALLOW_PATTERNS = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]


def locate_model(folder: Path, local: LocalSettings) -> Path:
    """The folder or GGUF file of `local`; paths are relative to the project's `folder`.

    Downloads a model of the hub into the cache of the hub's library, unless it is there already: naming it in the
    project file is the permission. Raises MissingError.
    """
    if local.path is not None:
        return folder / local.path
    if local.package is not None:
        return package_model(local.package)
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingError("a model of the hub needs the extra `train`: pip install 'sidequest[train]'") from None
    try:
        return Path(snapshot_download(str(local.hub), revision=local.revision, allow_patterns=_ALLOW_PATTERNS))
    except Exception as error:  # its many exceptions of network, rights and names have no common ancestor
        raise MissingError(
            f"{local.hub} cannot be had from the hub ({type(error).__name__}): download it on a machine with network, "
            "and name its folder with `path`"
        ) from None


def is_downloaded(hub: str) -> bool:
    """Whether files of a model of the hub are in the cache of the hub's library, without loading that library."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    home = Path(os.environ.get("HF_HOME") or home).expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    return any((cache / f"models--{hub.replace('/', '--')}" / "snapshots").glob("*/*.safetensors"))
