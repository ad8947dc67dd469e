"""Modules of a project's own, found in its folder by an explicit path: the folder is never searched for imports."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

# The package under whose name they are known, so that none takes the place of another module.
_PACKAGE = "sidequest_project"


class ProjectCodeError(ValueError):
    """A module of the project cannot be loaded; the message says why."""


def load_module(folder: Path, name: str) -> ModuleType:
    """Run and return the module `name`, with dots for folders, from `folder`; where it has none, an installed one.

    Modules of the project import one another with a leading dot. Raises ProjectCodeError.
    """
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        raise ProjectCodeError(f"{name!r} is no name of a module")
    try:
        file = module_file(folder, parts)
        return importlib.import_module(name) if file is None else _load(folder, parts, file)
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        is_own = missing and missing != parts[0] and module_file(folder, [missing])
        hint = f": files of the project are imported with a dot, `from .{missing} import …`" if is_own else ""
        raise ProjectCodeError(f"{error}{hint}") from error
    except (Exception, SystemExit) as error:
        raise ProjectCodeError(f"{type(error).__name__}: {error}") from error


def module_file(folder: Path, parts: list[str]) -> Path | None:
    """The file of a module in `folder`; None if there is none. Raises ProjectCodeError if a link leads out of it."""
    for file in (folder.joinpath(*parts, "__init__.py"), folder.joinpath(*parts[:-1], f"{parts[-1]}.py")):
        if file.is_file():
            if not file.resolve().is_relative_to(folder.resolve()):
                raise ProjectCodeError(f"{file} leads out of the project's folder")
            return file
    return None


def _load(folder: Path, parts: list[str], file: Path) -> ModuleType:
    _make_packages(folder.resolve(), parts[:-1])
    name = ".".join([_PACKAGE, *parts])
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ProjectCodeError(f"{file} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _make_packages(folder: Path, parents: list[str]) -> None:
    """Make the packages that a module's imports with a dot start from; a folder needs no `__init__.py` for it."""
    root = sys.modules.get(_PACKAGE)
    if root is None or root.__path__ != [str(folder)]:
        for name in [name for name in sys.modules if name.startswith(f"{_PACKAGE}.")]:
            del sys.modules[name]
        sys.modules[_PACKAGE] = _package(_PACKAGE, folder)
    name = _PACKAGE
    for parent in parents:
        name, folder = f"{name}.{parent}", folder / parent
        if name not in sys.modules:
            sys.modules[name] = _package(name, folder)


def _package(name: str, folder: Path) -> ModuleType:
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    return package
